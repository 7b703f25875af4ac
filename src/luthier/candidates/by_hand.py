"""Linear models on features that are made by hand, without any pre-trained model: where they do as well, tuning was in vain."""

from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.arrays import Array, Ints
from luthier.candidates.candidate import Candidate, Passes, timed_answers
from luthier.candidates.fewer_rows import with_fewer
from luthier.candidates.run import HELD_OUT, Run
from luthier.comparing.fitted import Fitted, Footprint, tried_rows
from luthier.devices import with_threads
from luthier.events import Event, Noted
from luthier.prepare.prepare import Prepared
from luthier.tasks.outputs import Outputs
from luthier.tasks.probing import Probing
from luthier.train.probe.probe import Probe


@dataclass(frozen=True)
class Learnt:
    """A linear model on features made by hand."""

    rows: Ints
    """The training rows that it learnt from, in random order."""
    features: Any
    """(rows, width) those of these rows, an array or sparse."""
    head: Probe
    describe: Callable[[str, Ints], Any]
    """(n, width) the features of some rows of a part."""
    nbytes: int
    """Bytes of what makes the features."""
    with_rows: Callable[[Any, Array], Probe]
    """The head that fewer rows would have taught."""

    def values(self, part: str, rows: Ints) -> Array:
        """(n, outputs) of some rows of a part."""
        if not len(rows):
            return np.zeros((0, len(self.head.bias)), np.float32)
        return self.head.logits(self.describe(part, rows))


class HandMadeCandidate(Candidate):
    """A linear model on features made by hand: it learns from the training rows alone, and answers for whole rows."""

    to_beat = True
    learns = True
    in_trials = False

    def why_not(self, ready: Prepared) -> str:
        task = ready.rows.task
        if task.probe is None or ready.examples["train"].tokens is not None:
            return f"no linear model of a whole row does {task.name}"
        return self.why_not_rows(ready)

    @abstractmethod
    def why_not_rows(self, ready: Prepared) -> str:
        """Why it makes no features of such rows, in words; empty where it does."""

    @abstractmethod
    def learn(self, run: Run, how: Probing) -> Learnt:
        """Learn from the training rows."""

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        how, begin, examples = run.task.probe, run.clock(), run.ready.examples
        assert how is not None, "it competes only where there is a way"
        with with_threads(run.mode.wide):
            found = self.learn(run, how)

            def answer(part: str) -> Outputs:
                return how.answered(found.values(part, np.arange(len(examples[part]))), examples[part])

            outputs, seconds = timed_answers(run, HELD_OUT, answer)
            took = run.clock() - begin
            few = tried_rows(len(examples["test"]))
            asked, targets = found.describe("test", few), how.to_learn(run.targets("train")[found.rows])

            def again(rows: Ints) -> Array:
                return found.with_rows(found.features[rows], targets[rows]).logits(asked)

            smaller = with_fewer(again, how, examples["test"].select(few), len(found.rows), run.plan.run.seed)
        if len(found.rows) < len(examples["train"]):
            yield Noted(few_rows(self.words, len(found.rows), len(examples["train"])), run.clock())
        nbytes = found.nbytes + 4 * (found.head.weight.size + found.head.bias.size)
        footprint = Footprint(
            seconds,
            asks_model=False,
            bytes=nbytes,
            with_model=False,
            learnt=len(found.rows),
            smaller=smaller,
        )
        return Fitted(self.name, self.words, took, outputs, footprint=footprint)

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        return MOST_SECONDS * min(1.0, len(ready.examples["train"]) / 10_000)


MOST_SECONDS = 20.0
"""Seconds of learning from 10,000 rows or more, as it is limited to so many numbers."""


def few_rows(words: str, learnt: int, there: int) -> str:
    return (
        f"{words[0].upper()}{words[1:]} learns from {learnt:,} of {there:,} training rows, drawn at random."
    )


def in_pieces(rows: Ints, at_once: int) -> Sequence[Ints]:
    """Some rows, so many at a time; of none one empty piece."""
    return [rows[begin : begin + at_once] for begin in range(0, len(rows), at_once)] or [rows]
