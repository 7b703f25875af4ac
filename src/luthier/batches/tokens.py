"""What stands at each token of some texts, where a task answers token by token."""

from dataclasses import dataclass

import numpy as np

from luthier.arrays import Ints


@dataclass(frozen=True)
class Tokens:
    """What is learnt at each token of some examples, and which tokens give answers."""

    marks: np.ndarray[tuple[int], np.dtype[np.int16]]
    """(tokens,) what is learnt at a token; -1 where there is nothing."""
    unit: Ints
    """(units,) the token that answers for each unit, row after row."""
    first_unit: Ints
    """(rows + 1,) the first unit of each row, and the number of units."""

    def select(self, rows: Ints, places: Ints) -> "Tokens":
        """The tokens of some rows, which stood at `places`."""
        counts = np.diff(self.first_unit)[rows]
        old = self.unit[runs(self.first_unit[rows], counts)]
        order = np.argsort(places, kind="stable")
        now = order[np.searchsorted(places, old, sorter=order)]
        return Tokens(self.marks[places], now, np.concatenate([[0], np.cumsum(counts)]))


def runs(begins: Ints, lengths: Ints) -> Ints:
    """The positions of several runs, one after the other.

    >>> runs(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    offsets = np.cumsum(lengths) - lengths
    positions: Ints = np.arange(int(lengths.sum())) + np.repeat(begins - offsets, lengths)
    return positions
