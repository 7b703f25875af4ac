"""When training must end for the whole command to keep its time."""

import contextlib
import math
from collections.abc import Iterator

from luthier.candidates.pool import pool_of
from luthier.candidates.run import ANSWERED, HELD_OUT, Run
from luthier.candidates.tuned.prefixes import SCORED

WRITING = 5.0
"""Seconds that are kept for writing files after training."""
WRITING_OF_TRIAL = 1.0


class Budget:
    """When training must end for the whole command to keep its time: all rows but those of train are scored after it, of a
    search's trial only those that it is scored and calibrated on."""

    def __init__(self, run: Run, validations: int = 0) -> None:
        """validations: how often the validation rows are answered after training, beside being scored."""
        self.run, self.validations = run, validations
        self.longest = answering_seconds(run)
        """Seconds of a validation."""
        self.first = not run.learnt
        """Whether time is to be left for a first validation, without which there would be no model."""

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Take note of the seconds of a validation."""
        begin = self.run.clock()
        yield
        self.longest = max(self.longest, self.run.clock() - begin)
        self.first = False

    def over(self) -> str:
        """Why training is to end where it is, as `Stopped` tells it; empty: it goes on."""
        if self.run.mode.enough():
            return "enough"
        return "budget" if self.run.clock() > self.end() else ""

    def end(self) -> float:
        """The second of the run in which no further step may begin; infinite without a budget."""
        run, examples = self.run, self.run.ready.examples
        if run.plan.budget_seconds is None:
            return math.inf
        held = sum(len(examples[part]) for part in (HELD_OUT if run.mode.writes_model else SCORED))
        rows, pool = sum(map(len, examples.values())), pool_of(run.ready)
        # Rows without labels are read once; a trial's end looks at few of the others.
        read = rows if run.mode.writes_model else held
        frozen = run.watch.took["features"] * read / max(1, rows + (0 if pool is None else len(pool)))
        scoring = max(1.5 * frozen, self.longest * held / max(1, len(examples["valid"])))
        scoring += (self.validations + self.first) * self.longest
        writing = WRITING if run.mode.writes_model else WRITING_OF_TRIAL
        return run.plan.budget_seconds - scoring - writing


def answering_seconds(run: Run) -> float:
    """Seconds in which the model as it came answered the validation rows; 0 where it did not."""
    if run.untouched is None:
        return 0.0
    counts = {part: len(run.ready.examples[part]) for part in ANSWERED}
    return run.untouched.seconds * counts["valid"] / max(1, sum(counts.values()))
