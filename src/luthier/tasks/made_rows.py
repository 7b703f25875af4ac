"""Rows that are made of others, to learn from first."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from luthier.arrays import Array


class MadeRows(ABC):
    """Rows that can be made of the training rows' texts, without labels. They teach a model what the task is, before it learns
    from the user's own (candidates/tuned/cloze.py)."""

    @abstractmethod
    def make(
        self, inputs: Sequence[Any], targets: Array, dice: np.random.Generator
    ) -> Iterator[tuple[Any, Any]]:
        """Made rows, input and target of each, from the inputs and targets of the training rows, in random order."""

    def fits(self, reader: Any, row: Any) -> bool:
        """Whether a model can read a row that was made. reader: what the form of the rows opens."""
        return True
