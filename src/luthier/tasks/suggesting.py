"""How it is told which unlabelled rows of a kind of task are worth a label: what the labels so far say."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from luthier.arrays import Array, Ints
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
    """Labels that there are to tell apart."""
    given: int
    """Labels that were given in all: of a row with two of them it is two."""


class Suggesting(ABC):
    """An optional part of a kind of task."""

    by_word: ClassVar[bool] = False
    """Whether the words of a row have labels, and not the row as a whole."""
    head: ClassVar[str] = "row"
    """The key in HEADS of the model whose features labels are told by."""
    in_doubt: ClassVar[str]
    """What is told of a row that is asked for because of doubt."""

    @abstractmethod
    def form(self, table: Table, columns: Columns) -> Form:
        """What the rows are made of."""

    @abstractmethod
    def labelled(self, table: Table, columns: Columns, labels_per_row: str) -> Labelled:
        """The rows with labels. labels_per_row: as the plan says it. Raises DataError for labels that cannot be read."""
