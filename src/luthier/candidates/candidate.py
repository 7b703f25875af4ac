"""What every candidate is asked: whether it competes, what it comes to, and what that takes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable
from typing import Literal

from luthier.batches.examples import Examples
from luthier.candidates.run import Run
from luthier.comparing.fitted import Fitted
from luthier.events import Event
from luthier.prepare.prepare import Prepared
from luthier.tasks.outputs import Outputs

Passes = Callable[[Examples], float]
"""Seconds in which a model gives what it gives for some rows, in fp32."""


Beside = Literal["", "answers", "rows", "base"]
"""What a candidate takes to stand beside a model that was tuned elsewhere: the `answers` of rows, to be counted; `rows` to learn
from; or the untrained `base`, and no rows. Empty where it cannot stand there."""


class Candidate(ABC):
    """A way to come to answers: a row of CANDIDATES.

    Each run asks all of them, from cheap to dear, and keeps the one that validation favours (comparing/choice.py).
    """

    name: str
    words: str
    """What it is, as a sentence calls it."""
    to_beat: bool = True
    """Whether it is there to be beaten, and never kept."""
    counts: bool = True
    """Whether the verdict and what tuning was worth compare with it; else it is only shown."""
    in_trials: bool = True
    """Whether it takes part in the trials of a search. What is only compared with, and costs something, is left out there."""
    trains: bool = False
    """Whether it trains layers of the body: it is dear then, and left out where it could not be kept."""
    crosses_itself: bool = False
    """Whether its answers to validation rows are those of cross-validation where nothing is held out: it knows a shorter way, or
    learns nothing."""
    is_shown: bool = False
    """Whether it sees right answers before it gives its own, which are about as long then; the untaught may never end."""
    beside_judged: Beside = ""
    """What it takes to stand beside a model that was tuned elsewhere (steps/judge.py)."""

    @property
    def learns(self) -> bool:
        """Whether it learns from labels, so that it is calibrated as what may be kept."""
        return not self.to_beat

    @abstractmethod
    def why_not(self, ready: Prepared) -> str:
        """Why it does not compete in a run, in words; empty where it does."""

    @abstractmethod
    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        """Learn, and answer the validation and calibration rows at least; None where nothing came of it."""

    def settle(self, run: Run, fitted: Fitted) -> None:
        """Do what is left to do once it is the one that is kept, and leave its model in model/."""
        if fitted is not run.kept:
            run.keep(fitted)

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        """Seconds that `fit` takes at the most, but for steps of training, which forecast/ tries out."""
        return 0.0


def timed_answers(
    run: Run, parts: Iterable[str], answer: Callable[[str], Outputs]
) -> tuple[dict[str, Outputs], float]:
    """What a candidate gives for the rows of each part, and the seconds that those of the test took.

    answer: from the name of a part to what is given for its rows; a language model may write for minutes, so that a wish to stop
    is granted before each part.
    """
    outputs: dict[str, Outputs] = {}
    seconds: dict[str, float] = {}
    for part in parts:
        if run.stop():
            raise run.interrupted()
        began = run.clock()
        outputs[part] = answer(part)
        seconds[part] = run.clock() - began
    return outputs, seconds["test"]
