"""What is answered to some rows: one type of values for each task."""

from abc import ABC, abstractmethod
from typing import Self

from luthier.batches.examples import Ints


class Answers(ABC):
    """The answers to some rows, with how sure the model is of each; every task has a type of its own."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of rows."""

    @abstractmethod
    def select(self, rows: Ints) -> Self:
        """The answers to some rows, in the order given."""
