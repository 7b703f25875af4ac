"""Examples whose answers are known and whose rows nobody reads: what a task needs that is given logits."""

from collections.abc import Sequence
from typing import Any, Never

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.examples import Batch, Examples, Variation


class Known(Examples):
    """Targets and, where a task asks for them, what the answers are put together from and where each row's units end."""

    def __init__(self, targets: Any, sources: Array | None = None, ends: Ints | None = None) -> None:
        self.targets = np.asarray(targets)
        self.tokens = None
        self.sources = sources
        self.budget = 0
        self.ends = ends

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def unit_ends(self) -> Ints | None:
        return self.ends

    @property
    def lengths(self) -> Never:
        raise AssertionError("these rows have no length")

    @property
    def amount(self) -> Never:
        raise AssertionError("these rows are no amount of anything")

    def select(self, rows: Ints) -> Never:
        raise AssertionError("nobody chooses among these rows")

    def shapes(self, batches: Sequence[Ints]) -> Never:
        raise AssertionError("these rows have no shape")

    def batch(self, rows: Ints, variation: Variation | None = None) -> Batch:
        raise AssertionError("these rows are never read")
