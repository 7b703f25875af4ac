"""How it is told which unlabelled rows of a kind of task are worth a label: what labels say so far, and how sure they make."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from luthier.arrays import Array, Floats, Ints
from luthier.data.table import Table
from luthier.forms.form import Columns, Form


@dataclass(frozen=True)
class Labelled:
    """The rows of a table that have labels, as a linear head on frozen features learns them: however few there are."""

    rows: Ints
    """Their numbers in the table."""
    targets: Array
    """(units,) classes, or (units, outputs) marks, row after row."""
    outputs: int
    """Numbers that the head gives for each unit."""
    kinds: int
    """Labels there are to tell apart."""
    given: int
    """Labels that were given in all: of a row with two of them it is two."""


class Suggesting(ABC):
    """An optional part of a kind of task."""

    by_word: ClassVar[bool] = False
    """Whether the words of a row have labels, and not the row."""
    head: str
    """The key in HEADS of the model whose features labels are told by."""
    why: str
    """Why a row is asked for whose label is in doubt, as in "each is WHY"."""

    @abstractmethod
    def form(self, table: Table, columns: Columns) -> Form:
        """What the rows are made of."""

    @abstractmethod
    def labelled(self, table: Table, columns: Columns, labels_per_row: str) -> Labelled:
        """The rows with labels. labels_per_row: as the plan says. Raises DataError for labels that cannot be read."""

    @abstractmethod
    def sureness(self, logits: Array) -> Floats:
        """(units,) how sure a head is of each unit, from 0 on, by what it gives for them, (units, outputs)."""


def margins(logits: Array) -> Floats:
    """(units,) by how much the likeliest of several labels is likelier than the next one (Scheffer et al. 2001, "Active hidden
    Markov models for information extraction", section 4).

    >>> margins(np.array([[0.0, 0.0, -9.0], [9.0, 0.0, 0.0]])).round(2).tolist()
    [0.0, 1.0]
    """
    raised = np.exp(logits - logits.max(1, keepdims=True))
    ordered = np.sort(raised / raised.sum(1, keepdims=True), axis=1)
    found: Floats = ordered[:, -1] - ordered[:, -2]
    return found


def least_margin(logits: Array) -> Floats:
    """(units,) how far the least sure of several marks is from as likely as not (binary minimum: Brinker 2006, "On active learning
    in multi-label classification").

    >>> least_margin(np.array([[9.0, 0.0], [9.0, -9.0]])).round(2).tolist()
    [0.0, 1.0]
    """
    found: Floats = np.abs(np.tanh(logits / 2)).min(1)
    return found
