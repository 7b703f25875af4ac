"""Candidates for which nothing is trained and no model is asked: the task itself knows how they answer."""

from collections.abc import Generator
from dataclasses import dataclass

from luthier.candidates.candidate import Beside, Candidate, timed_answers
from luthier.candidates.run import ANSWERED, Run
from luthier.comparing.fitted import Fitted, Footprint
from luthier.events import Event
from luthier.prepare.prepare import Prepared


@dataclass(frozen=True)
class BaselineCandidate(Candidate):
    """Answers as the task's baseline of the same name does (`Task.baselines`)."""

    name: str
    words: str
    bytes_of_label: int | None = 0
    """Bytes of what it knows of each label; None where it knows something else, which is not counted."""
    beside_judged: Beside = "rows"

    def why_not(self, ready: Prepared) -> str:
        task = ready.rows.task
        return "" if self.name in task.baselines else f"{task.name} has no such answer"

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        yield from ()  # a generator, as every `fit` is
        baseline, begin = run.task.baselines[self.name], run.clock()
        examples = run.ready.examples
        outputs, seconds = timed_answers(
            run, ANSWERED, lambda part: baseline(examples["train"], examples[part])
        )
        known = None if self.bytes_of_label is None else self.bytes_of_label * run.task.outputs
        footprint = Footprint(seconds, asks_model=False, bytes=known, with_model=False)
        return Fitted(self.name, self.words, run.clock() - begin, outputs, footprint=footprint)
