"""Which of the rows share something, as the split keeps them on one side: what they answer may be alike.

A score is as sure as its clusters are many, so intervals and differences draw whole clusters (scores/clusters.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.arrays import Ints
from luthier.data.split import Split, joined_groups
from luthier.errors import counted
from luthier.tasks.kind import Understood

COPIES = "copies of one row"
FEWEST = 6
"""Fewest clusters that can show a difference: all of five in favour of one candidate happens by chance 1 time in 16."""
FEW = 20
"""With fewer clusters than these a person should know how few they are."""


@dataclass(frozen=True, eq=False)
class SharedRows:
    """The clusters of all rows of a table, and what makes them."""

    of: Ints
    """(table rows,) equal where rows share something, directly or through others."""
    by: Mapping[str, Ints]
    """What rows share, in words, and (table rows,) equal where they do."""

    @staticmethod
    def of_rows(found: Understood, column: str | None, named: Ints | None) -> "SharedRows":
        """column: that of `--group`, where one is named, with (table rows,) equal where its values are."""
        by = {COPIES: found.keys, **dict(zip(found.groups_by, found.groups, strict=True))}
        if column is not None and named is not None:
            by[f"rows of one {column!r}"] = named
        return SharedRows(joined_groups(*by.values()), by)

    def among(self, rows: Ints) -> Ints | None:
        """(rows,) equal where some of these rows share something; None where none do."""
        numbers, found = np.unique(self.of[rows], return_inverse=True)
        return None if len(numbers) == len(rows) else found

    def reasons(self, rows: Ints) -> list[str]:
        """What some of these rows share, in words."""
        return [words for words, keys in self.by.items() if len(np.unique(keys[rows])) < len(rows)]

    def to_json(self, split: Split) -> dict[str, Any] | None:
        """What the scorecard says: what the test rows are clustered by, and into how many; None where none share anything."""
        by = self.reasons(split.test)
        if not by:
            return None
        counts = {part: len(np.unique(self.of[getattr(split, part)])) for part in ("valid", "test")}
        return {"by": by, **counts}

    def warnings(self, rows: Ints) -> tuple[str, ...]:
        """A sentence where the test rows are of few clusters, each of several rows; that rows are few is told elsewhere."""
        count, by = len(np.unique(self.of[rows])), " and ".join(self.reasons(rows))
        if not len(rows) or count >= FEW or 2 * count > len(rows):
            return ()
        told = f"The test rows are of {counted(count, 'cluster')} only ({by} go together), so that intervals are wide"
        if count < FEWEST:
            return (f"{told}; with fewer than {FEWEST} no difference can be beyond noise.",)
        return (f"{told}.",)
