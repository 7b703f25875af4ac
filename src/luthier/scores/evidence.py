"""What tasks know of their answers, from which their metrics are measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Array, Floats, Ints
from luthier.scores import classification, multilabel


@dataclass(frozen=True)
class Classified:
    """Answers of a task that gives a row one class of several, or any number of them."""

    targets: Array
    """(rows,) class numbers, or (rows, classes) truth values."""
    predicted: Array
    """The predictions, in the shape of the targets."""
    classes: int
    probabilities: Floats | None = None
    """(rows, classes) calibrated probabilities; None where there are none."""

    @property
    def many(self) -> bool:
        return self.targets.ndim == 2

    @property
    def right(self) -> Floats:
        """(rows,) 1 where the whole answer is right, else 0."""
        how = multilabel.accuracy_per_row if self.many else classification.accuracy_per_row
        return how(self.targets, self.predicted)


@dataclass(frozen=True)
class Tagged:
    """Answers of a task that marks entities in rows of words."""

    counts: Ints
    """(rows, types, 3) entities that are right, predicted and true, as `entities.counts_per_row` counts them."""
    right: Floats
    """(words,) 1 where the tag is right, else 0."""
    rows: Ints | None = None
    """(words,) the place of the row that each word is of; None where each is of a row of its own."""


@dataclass(frozen=True)
class Estimated:
    """Answers that are numbers, or stand for numbers."""

    targets: Floats
    """(rows,)"""
    predicted: Floats
    """(rows,)"""


@dataclass(frozen=True)
class Answered:
    """Answers to questions, each measured by itself."""

    exact: Floats
    """(rows,) 1 where the answer is right word for word, else 0."""
    f1: Floats
    """(rows,) overlap with the nearest right answer, word by word."""
    answerable: NDArray[np.bool_]
    """(rows,) whether there is an answer."""


@dataclass(frozen=True)
class Retrieved:
    """Answers of a task whose vectors should lie nearest to the vectors they belong with."""

    ranks: Ints
    """(rows,) the rank, from 1, of the first vector that belongs to each."""


@dataclass(frozen=True)
class Generated:
    """Answers of a task whose model writes texts: how likely the right ones are to it, and how right those are that it wrote."""

    losses: Floats
    """(rows,) surprise at the right answer in nats, summed over its tokens."""
    tokens: Ints
    """(rows,) tokens of the right answer."""
    scores: Mapping[str, Floats] = field(default_factory=dict)
    """(generated,) how right each generated text is, by the name of the metric, as `generated.text_scores` has them."""
    rows: Ints | None = None
    """(generated,) the places of the rows that a text was generated for, ascending; None where that is all of them."""


@dataclass(frozen=True)
class Preferred:
    """Answers of a task that is to prefer one of two answers, or good ones to bad ones."""

    margins: Floats
    """(rows,) by how much the reward of the chosen answer is higher than that of the rejected one; of a judged answer its own."""
    good: NDArray[np.bool_] | None = None
    """(rows,) whether a judged answer is good; None where rows are pairs."""
