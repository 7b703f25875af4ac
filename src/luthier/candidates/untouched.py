"""What a language model answers before it was tuned: to the rows as they are, and with a few examples before each."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier import seeds
from luthier.arrays import Ints
from luthier.batches.examples import Examples
from luthier.candidates.candidate import Beside, Candidate, Passes, timed_answers
from luthier.candidates.run import ANSWERED, Run
from luthier.comparing.fitted import Fitted, Footprint
from luthier.events import Event, Noted
from luthier.models.generation import doubt_of
from luthier.prepare.prepare import Prepared
from luthier.tasks.calibration import Calibration
from luthier.tasks.in_context import InContext
from luthier.tasks.outputs import Outputs
from luthier.tasks.task import Task

COUNTS = (3, 3, 8)
"""Examples in each of the prompts that are tried."""
AROUND = 4
"""Tokens at the end of a row, at the most, that no state is computed of where it stands alone."""
TRIED_ON = 16
"""Validation rows on which prompts are compared, at the most."""
SHARE_OF_BUDGET = 0.5
"""The share of a budget of time that all before training may take."""
COUNTED = 500
"""Rows of a part whose prompts are made to be counted, at the most."""


class UntouchedCandidate(Candidate):
    """The model as it came, with the same prompts as the tuned one."""

    name = "untouched"
    words = "the untouched model"
    beside_judged: Beside = "base"
    in_trials = False

    def why_not(self, ready: Prepared) -> str:
        return "" if ready.rows.task.speaks else f"only a tuned model does {ready.rows.task.name}"

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        writes = run.task.writing(run.ready.examples["test"]) is not None
        doubt = doubt_of(run.ready.model.body) if writes else ""
        if doubt:
            yield Noted(doubt, run.clock(), warning=True)
        begin = run.clock()
        outputs, seconds = timed_answers(
            run, ANSWERED, lambda part: run.task.untouched(run.infer(run.ready.model, part))
        )
        footprint = Footprint(seconds, asks_model=False)
        return Fitted(self.name, self.words, run.clock() - begin, outputs, footprint=footprint)

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        return sum(passes(ready.examples[part]) for part in ANSWERED)


@dataclass(frozen=True)
class Prompted:
    """Training rows that stand before what is asked."""

    rows: Ints
    """Their numbers among the training rows."""
    score: float
    """What that comes to on a few validation rows."""
    loss: float
    seconds: float
    """What these few rows took."""


class FewExamplesCandidate(Candidate):
    """The model as it came, with the best few training rows in its prompt."""

    name = "few-examples"
    words = "the untouched model with examples in its prompt"
    is_shown = True
    in_trials = False

    def why_not(self, ready: Prepared) -> str:
        if ready.rows.task.in_context is None:
            return f"{ready.rows.task.name} is not shown by examples"
        return "" if fitting_prompts(ready) else "no example fits before what is asked"

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        begin = run.clock()
        few = np.arange(len(run.ready.examples["valid"]))[:TRIED_ON]
        tried = [self.scored(run, rows, few) for rows in fitting_prompts(run.ready)]
        best = max(tried, key=lambda one: (run.task.goodness(one.score), -one.loss))
        yield Noted(
            f"{len(tried)} prompts with examples were compared on {len(few):,} validation rows; the best has {len(best.rows)}.",
            run.clock(),
        )
        asked = sum(len(run.ready.examples[part]) for part in ANSWERED)
        budget, needed = run.plan.budget_seconds, best.seconds * asked / max(1, len(few))
        if budget is not None and run.clock() + needed > SHARE_OF_BUDGET * budget:
            yield Noted(
                f"{self.name} is left out: {asked:,} rows with examples before each would take up to {needed:,.0f} s of a "
                f"budget of {budget:,.0f} s, half of which is left to training.",
                run.clock(),
                warning=True,
            )
            return None

        def answer(part: str) -> Outputs:
            examples = prompted(run.ready, part, best.rows, np.arange(len(run.ready.examples[part])))
            given: Outputs = run.task.infer(run.ready.model, examples, run.ready.device)
            return given

        outputs, seconds = timed_answers(run, ANSWERED, answer)
        run.tuning["few_examples"] = {"rows": places_of(run, best.rows)}
        footprint = Footprint(seconds, asks_model=False)
        return Fitted(self.name, self.words, run.clock() - begin, outputs, footprint=footprint)

    def scored(self, run: Run, rows: Ints, few: Ints) -> Prompted:
        """What some examples come to on a few validation rows."""
        if run.stop():
            raise run.interrupted()
        begin = run.clock()
        examples = prompted(run.ready, "valid", rows, few)
        outputs = run.task.infer(run.ready.model, examples, run.ready.device)
        score = run.task.score(run.task.answer(outputs, Calibration(), examples), examples.targets)
        return Prompted(rows, score, run.task.mean_loss(outputs, examples), run.clock() - begin)

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        """Which prompt is best shows only when it is tried: seconds half way between those of the shortest and of the longest one
        are never far off."""
        prompts = fitting_prompts(ready)
        few = np.arange(len(ready.examples["valid"]))[:TRIED_ON]
        trying = sum(passes(prompted(ready, "valid", rows, few)) for rows in prompts)
        lengths = [int(ready.examples["train"].lengths[rows].sum()) for rows in prompts]
        ends = prompts[int(np.argmin(lengths))], prompts[int(np.argmax(lengths))]
        return trying + sum(answering_seconds(ready, rows, passes) for rows in ends) / len(ends)


def answering_seconds(ready: Prepared, shown: Ints, passes: Passes) -> float:
    """Seconds of the answers to all rows with some training rows before each. Evenly spread rows stand for many, as prompts have
    to be made before they are counted."""
    seconds = 0.0
    for part in ANSWERED:
        rows = len(ready.examples[part])
        some = np.linspace(0, rows - 1, min(COUNTED, rows)).astype(np.int64)
        seconds += passes(prompted(ready, part, shown, some)) * rows / max(1, len(some))
    return seconds


UNTOUCHED = UntouchedCandidate()
FEW_EXAMPLES = FewExamplesCandidate()


def in_context_of(task: Task) -> InContext:
    """How examples are put before a row."""
    assert task.in_context is not None, "it competes only where there is a way"
    return task.in_context


def fitting_prompts(ready: Prepared) -> list[Ints]:
    """Training rows for each prompt that is tried: those that leave three quarters of the context to what is asked."""
    own = ready.examples["train"]
    found = list(example_sets(len(own), ready.plan.run.seed))
    return [rows for rows in found if len(rows) and longest_of(own, rows) <= ready.long.limit // 4]


def example_sets(rows: int, seed: int) -> Iterator[Ints]:
    """Numbers of training rows, one set for each prompt."""
    for at, count in enumerate(COUNTS):
        chosen: Ints = seeds.generator(seed, "examples", at).permutation(rows)[:count]
        yield chosen


def prompted(ready: Prepared, part: str, shown: Ints, rows: Ints) -> Examples:
    """Some rows of a part with training rows before them."""
    task = ready.rows.task
    how, before = in_context_of(task), inputs_of(ready, "train", shown)
    alone = ready.examples[part].select(rows)
    room = ready.long.limit - longest_of(ready.examples["train"], shown)
    # A row that would be cut with them is asked without: of a cut one the model would not see the question.
    asked = [
        how.before(before, row) if length <= room else row
        for row, length in zip(
            inputs_of(ready, part, rows), (how.lengths(alone) + AROUND).tolist(), strict=True
        )
    ]
    examples, _ = ready.rows.form.read(ready.base.reader, asked, alone.targets, ready.long.way)
    return how.of_row_alone(task.asked(part, examples), alone)


def longest_of(examples: Examples, shown: Ints) -> int:
    """Tokens that some rows take before another, at the most."""
    return int((examples.lengths[shown] + AROUND).sum())


def inputs_of(ready: Prepared, part: str, rows: Ints) -> list[Any]:
    """Some rows of a part, as their form makes them."""
    numbers: Ints = getattr(ready.rows.split, part)
    return ready.rows.inputs(numbers[rows])


def places_of(run: Run, rows: Ints) -> list[str]:
    """Where training rows stand in the user's files."""
    table = run.ready.rows.table
    return [str(table.place(number)) for number in run.ready.rows.split.train[rows].tolist()]
