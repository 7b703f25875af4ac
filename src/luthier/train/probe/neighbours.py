"""The training rows that are nearest to a row, by the frozen features, and what their labels say of it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from luthier.arrays import Array, Ints

COUNTS = (1, 3, 5, 10, 20, 50)
"""Numbers of neighbours that are tried."""
AT_ONCE = 250
"""Rows that are compared with all stored ones, or answered by their nearest, at once."""


@dataclass(frozen=True)
class Neighbours:
    """Training rows that are asked, and how many of them answer a row (Cover and Hart 1967, "Nearest neighbor pattern
    classification")."""

    vectors: Array
    """(stored, width), each of length 1."""
    targets: Array
    """What the stored rows taught: (stored,) classes, (stored, outputs) marks, or (stored,) numbers as floats."""
    outputs: int
    count: int

    @cached_property
    def marks(self) -> Array | None:
        """(stored, outputs) ones where a stored row has a label; None where the rows taught numbers."""
        if self.targets.ndim == 2:
            return self.targets
        if np.issubdtype(self.targets.dtype, np.floating):
            return None
        found: Array = np.eye(self.outputs)[self.targets]
        return found

    @property
    def most_alike(self) -> int:
        """Stored rows of the label that has the most; all of them where they taught numbers."""
        return len(self.targets) if self.marks is None else int(self.marks.sum(axis=0).max())

    def values(self, features: Array) -> Array:
        """(rows, outputs) what the nearest say of some rows. features: (rows, width)."""
        return self.of_nearest(nearest(unit_length(features), self.vectors, self.count))

    def of_nearest(self, places: Ints) -> Array:
        """(rows, outputs) logits, or numbers. places: (rows, count) the stored rows that answer.

        One more neighbour votes as frequently as labels are, so that no chance is zero, and a tie falls to the frequent label.
        """
        if self.marks is None:
            mean: Array = self.targets[places].mean(axis=1, keepdims=True).astype(np.float32)
            return mean
        marks = self.marks
        usual = (marks.sum(0) + 0.5) / (len(marks) + 1.0)
        pieces = np.split(places, range(AT_ONCE, len(places), AT_ONCE))
        voted = np.concatenate([marks[piece].sum(1) for piece in pieces])
        chances = (voted + usual) / (places.shape[1] + 1)
        several = self.targets.ndim == 2
        logits: Array = np.log(chances / (1 - chances)) if several else np.log(chances)
        return logits.astype(np.float32)


def unit_length(features: Array) -> Array:
    """(rows, width) in the same directions: what is near is what has a large cosine."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    found: Array = (features / np.maximum(lengths, 1e-12)).astype(np.float32)
    return found


def nearest(asked: Array, stored: Array, count: int, own: Ints | None = None) -> Ints:
    """(rows, count) the stored rows with the largest cosine, the nearest first; of equals the first.

    own: (rows,) for each row the place among the stored ones that is the row itself, and is not asked.
    """
    most = min(count, len(stored) - (own is not None))
    found = [np.zeros((0, most), np.int64)]
    for begin in range(0, len(asked), AT_ONCE):
        cosines = asked[begin : begin + AT_ONCE] @ stored.T
        if own is not None:
            cosines[np.arange(len(cosines)), own[begin : begin + AT_ONCE]] = -np.inf
        places = np.sort(np.argpartition(-cosines, most - 1, axis=1)[:, :most], axis=1)
        order = np.argsort(-np.take_along_axis(cosines, places, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(places, order, axis=1))
    return np.concatenate(found)
