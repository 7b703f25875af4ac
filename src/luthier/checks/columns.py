"""Columns beside text and label, as numbers that can be compared."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luthier.arrays import Ints
from luthier.checks.finding import Evidence

TELLING = 0.95
"""A column gives the label away when, for this share of its rows, the other rows with the same value tell it."""
LONGEST = 60
"""Mean characters of a column's values, beyond which they are texts, and neither labels nor identifiers."""


def others(evidence: Evidence) -> list[str]:
    """Columns beside text and label whose values can be compared."""
    known = evidence.columns
    return [
        field.name
        for field in evidence.table.columns.schema
        if field.name not in (known.text, known.label, *known.used, *known.within)
        and not pa.types.is_nested(field.type)
        and not pa.types.is_floating(field.type)
        and characters(evidence, field.name) <= LONGEST
    ]


def characters(evidence: Evidence, name: str) -> float:
    """Mean number of characters of the first 1,000 values of a column."""
    first = evidence.table.texts(name, np.arange(min(1_000, len(evidence.table))))
    return sum(map(len, first)) / max(1, len(first))


def codes(evidence: Evidence, name: str) -> Ints:
    """(table rows,) one number for each distinct value; below zero where a row has none."""
    column = pc.dictionary_encode(evidence.table.columns.column(name)).combine_chunks()
    found: Ints = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    kind = column.dictionary.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        empty = pc.index(column.dictionary, pa.scalar("", kind)).as_py()
        found[found == empty] = -1
    return found


def told(values: Ints, label: Ints) -> tuple[float, int] | None:
    """Share of rows whose label is the most frequent one among the *other* rows of their value, and of how many rows;
    None unless that is nearly all, of most rows, and far from what always guessing the most frequent label gives.

    >>> told(np.array([0, 0, 0, 1, 1, 1]), np.array([4, 4, 4, 2, 2, 2]))
    (1.0, 6)
    >>> told(np.array([0, 0, 0, 1, 1, 1]), np.array([4, 2, 4, 2, 4, 2])) is None
    True
    """
    there = values >= 0
    _, value = np.unique(values[there], return_inverse=True)
    label = label[there]
    if not len(value):
        return None
    pair, times = np.unique(np.stack([value, label]), axis=1, return_counts=True)
    order = np.lexsort([-times, pair[0]])
    first = np.concatenate([[True], np.diff(pair[0][order]) > 0])
    best = times[order][first]
    second = np.zeros_like(best)
    runners = np.flatnonzero(~first)
    of = np.cumsum(first)[runners] - 1
    np.maximum.at(second, of, times[order][runners])
    size = np.bincount(value)
    again = size > 1
    known = int(size[again].sum())
    if known < 0.5 * len(values):
        return None
    right = float(best[again & (best - 1 >= second)].sum() / known)
    common = float(np.bincount(label).max() / len(label))
    if right < TELLING or 1 - right > 0.5 * (1 - common):
        return None
    return right, known
