"""Candidates for which nothing is trained and no model is asked: the task itself knows how they answer."""

from collections.abc import Generator
from dataclasses import dataclass

from luthier.candidates.candidate import Beside, Candidate
from luthier.candidates.run import ANSWERED, Run
from luthier.compare.fitted import Fitted
from luthier.events import Event
from luthier.prepare.prepare import Prepared


@dataclass(frozen=True)
class BaselineCandidate(Candidate):
    """Answers as the task's baseline of the same name does (`Task.baselines`)."""

    name: str
    words: str
    beside_judged: Beside = "rows"

    def why_not(self, ready: Prepared) -> str:
        task = ready.rows.task
        return "" if self.name in task.baselines else f"{task.name} has no such answer"

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        yield from ()  # a generator, as every `fit` is
        baseline, begin = run.task.baselines[self.name], run.clock()
        examples = run.ready.examples
        outputs = {part: baseline(examples["train"], examples[part]) for part in ANSWERED}
        return Fitted(self.name, self.words, run.clock() - begin, outputs)
