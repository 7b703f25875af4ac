"""Linear models on features that are made by hand, without any pre-trained model: where they do as well, tuning was in vain."""

from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.candidates.candidate import Beside, Candidate, Passes, timed_answers
from luthier.candidates.fewer_rows import with_fewer
from luthier.candidates.run import HELD_OUT, Run
from luthier.comparing.fitted import Fitted, Footprint, Smaller, tried_rows
from luthier.devices import with_threads
from luthier.events import Event, Noted
from luthier.prepare.prepare import Prepared
from luthier.tasks.outputs import Outputs
from luthier.tasks.probing import Probing
from luthier.train.probe.probe import Probe

Describe = Callable[[str, Ints], Any]
"""(n, width) the features of some rows of a part, an array or sparse."""
Solve = Callable[[Any, Array], Probe]
"""The linear model of some rows, from their features and targets."""


@dataclass(frozen=True)
class Made:
    """Features made by hand."""

    rows: Ints
    """The training rows that are learnt from, in random order."""
    features: Any
    """(rows, width) those of these rows, an array or sparse."""
    describe: Describe
    nbytes: int
    """Bytes of what makes the features."""


@dataclass(frozen=True)
class Learnt:
    """A linear model on features made by hand."""

    made: Made
    targets: Array
    """(rows, ...) what was learnt of the rows."""
    head: Probe
    solve: Solve
    """How fewer rows would have been learnt from."""

    def values(self, part: str, rows: Ints) -> Array:
        """(n, outputs) of some rows of a part."""
        if not len(rows):
            return np.zeros((0, len(self.head.bias)), np.float32)
        return self.head.logits(self.made.describe(part, rows))


class HandMadeCandidate(Candidate):
    """A linear model on features made by hand: it learns from the training rows alone, and answers for whole rows."""

    to_beat = True
    learns = True
    in_trials = False
    beside_judged: Beside = "rows"
    most_rows: int
    """Training rows that are looked at, at the most."""

    def why_not(self, ready: Prepared) -> str:
        task = ready.rows.task
        if task.probe is None or ready.examples["train"].tokens is not None:
            return f"no linear model of a whole row does {task.name}"
        return self.why_not_rows(ready)

    @abstractmethod
    def why_not_rows(self, ready: Prepared) -> str:
        """Why it makes no features of such rows, in words; empty where it does."""

    @abstractmethod
    def make(self, run: Run, order: Ints, outputs: int) -> Made:
        """The features of the training rows, or of the first of them. order: the rows, at random."""

    @abstractmethod
    def solver(self, features: Any, targets: Array, how: Probing, seed: int, clusters: Ints | None) -> Solve:
        """How a linear model is solved for, at the strength that cross-validation chose on these rows. clusters: (rows,) equal
        where they share something; None where none do."""

    def learn(self, run: Run, how: Probing) -> Learnt:
        """Learn from the training rows."""
        seed = run.plan.run.seed
        order = seeds.generator(seed, self.name).permutation(len(run.ready.examples["train"]))
        made = self.make(run, order[: self.most_rows], how.outputs)
        targets = how.to_learn(run.targets("train")[made.rows])
        shared = run.clusters("train")
        clusters = None if shared is None else shared[made.rows]
        solve = partial(in_units, self.solver(made.features, standard(targets)[0], how, seed, clusters))
        return Learnt(made, targets, solve(made.features, targets), solve)

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        how, begin, examples = run.task.probe, run.clock(), run.ready.examples
        assert how is not None, "it competes only where there is a way"
        with with_threads(run.mode.wide):
            found = self.learn(run, how)

            def answer(part: str) -> Outputs:
                return how.answered(found.values(part, np.arange(len(examples[part]))), examples[part])

            outputs, seconds = timed_answers(run, ("test",) if run.mode.only_test else HELD_OUT, answer)
            took = run.clock() - begin
            smaller = self.smaller(run, how, found) if run.mode.tells_growth else ()
        learnt = len(found.made.rows)
        if learnt < len(examples["train"]):
            yield Noted(few_rows(self.words, learnt, len(examples["train"])), run.clock())
        nbytes = found.made.nbytes + 4 * (found.head.weight.size + found.head.bias.size)
        footprint = Footprint(
            seconds,
            asks_model=False,
            bytes=nbytes,
            with_model=False,
            learnt=learnt,
            smaller=smaller,
        )
        return Fitted(self.name, self.words, took, outputs, footprint=footprint)

    def smaller(self, run: Run, how: Probing, found: Learnt) -> tuple[Smaller, ...]:
        """What it would come to with fewer rows."""
        few, made = tried_rows(len(run.ready.examples["test"])), found.made
        asked = made.describe("test", few)

        def again(rows: Ints) -> Array:
            return found.solve(made.features[rows], found.targets[rows]).logits(asked)

        examples = run.ready.examples["test"].select(few)
        return with_fewer(again, how, examples, len(made.rows), run.plan.run.seed)

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        return MOST_SECONDS * min(1.0, len(ready.examples["train"]) / 10_000)


def standard(targets: Array) -> tuple[Array, float, float]:
    """Numbers with mean 0 and standard deviation 1, whatever their units, and the mean and deviation that they had; classes and
    marks as they are."""
    if targets.ndim > 1 or not np.issubdtype(targets.dtype, np.floating):
        return targets, 0.0, 1.0
    centre, spread = float(targets.mean(dtype=np.float64)), float(targets.std(dtype=np.float64)) or 1.0
    return ((targets - centre) / spread).astype(targets.dtype), centre, spread


def in_units(solve: Solve, features: Any, targets: Array) -> Probe:
    """The linear model in the targets' own units, solved for in standard ones: when solving stops depends on their size."""
    scaled, centre, spread = standard(targets)
    found = solve(features, scaled)
    return replace(
        found,
        weight=found.weight * np.float32(spread),
        bias=(found.bias * spread + centre).astype(np.float32),
    )


MOST_SECONDS = 20.0
"""Seconds of learning from 10,000 rows or more, as it is limited to so many numbers."""


def few_rows(words: str, learnt: int, there: int) -> str:
    return (
        f"{words[0].upper()}{words[1:]} learns from {learnt:,} of {there:,} training rows, drawn at random."
    )


def in_pieces(rows: Ints, at_once: int) -> Sequence[Ints]:
    """Some rows, so many at a time; of none one empty piece."""
    return [rows[begin : begin + at_once] for begin in range(0, len(rows), at_once)] or [rows]
