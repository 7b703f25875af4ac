"""What a model gives for some rows, before anything is made of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from luthier.batches.examples import Array, Ints
from luthier.batches.tokens import runs


class Outputs(ABC):
    """What a model gives for some rows: it can be selected by row, saved, and read again (`Task.read_outputs`).

    Everything after the model takes Outputs: what validates, calibrates, chooses, scores and saves does not know whether they
    are logits, or sums and texts of a language model.
    """

    @abstractmethod
    def __len__(self) -> int:
        """The number of rows."""

    @abstractmethod
    def select(self, rows: Ints) -> Self:
        """The Outputs of some rows, in the order given."""

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """The arrays that are saved, by names that tell them apart."""

    def record(self) -> dict[str, Any]:
        """What is saved as JSON beside the arrays."""
        return {}


@dataclass(frozen=True)
class Logits(Outputs):
    """The numbers that a head gives for each unit, which a row has one of or several."""

    values: Array
    """(units, outputs)"""
    ends: Ints | None = None
    """(rows + 1,) where the units of each row begin, and the last ones end; None where a row is a unit."""

    def __len__(self) -> int:
        return len(self.values) if self.ends is None else len(self.ends) - 1

    def select(self, rows: Ints) -> "Logits":
        if self.ends is None:
            return Logits(self.values[rows])
        counts = self.ends[rows + 1] - self.ends[rows]
        units = runs(self.ends[rows], counts)
        return Logits(self.values[units], np.concatenate([[0], np.cumsum(counts)]))

    def arrays(self) -> dict[str, Array]:
        return {PLAIN: self.values}


PLAIN = ""
"""The name of an array that stands alone."""


def to_arrays(parts: Mapping[str, Outputs]) -> tuple[dict[str, Array], dict[str, Any]]:
    """The Outputs of several parts as one set of named arrays and one JSON record, for an artefact.

    >>> arrays, record = to_arrays({"valid": Logits(np.zeros((2, 3)))})
    >>> {name: array.shape for name, array in arrays.items()}, record
    ({'valid': (2, 3)}, {})
    """
    arrays = {
        f"{part}.{name}" if name else part: array
        for part, outputs in parts.items()
        for name, array in outputs.arrays().items()
    }
    return arrays, {part: record for part, outputs in parts.items() if (record := outputs.record())}


def arrays_of(part: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of one part out of those that `to_arrays` gave."""
    inside = {name: array for name, array in arrays.items() if name.startswith(f"{part}.")}
    own = {name.removeprefix(f"{part}."): array for name, array in inside.items()}
    return own | ({PLAIN: arrays[part]} if part in arrays else {})
