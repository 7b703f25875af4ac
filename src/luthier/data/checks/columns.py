"""Columns beside text and label: one that gives the label away, and one that says what belongs together."""

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luthier.data.checks.finding import Evidence, Finding, count_of
from luthier.data.checks.leaks import held_out
from luthier.data.table import Ints

TELLING = 0.95
"""Share of rows whose label follows from the other rows with the same value."""
REPEATED = 0.2
"""Share of rows whose value occurs again, from which on a column can group rows."""
LEAST_VALUES = 10
LONGEST = 60
"""Characters on average: what is longer is a text, and neither a label nor an identifier."""
IDENTIFIES = re.compile(
    r"(^|_)(id|ids|user|author|doc|document|group|session|customer|client|patient|thread|conversation|case|ticket|"
    r"account|speaker|product|item|book|page|url|uuid|key)s?($|_)"
)
"""Names of columns whose equal values mean one person or thing."""


def label_column(evidence: Evidence) -> Iterator[Finding]:
    """A column from which the label follows: never to be given to the model, as nobody has it at prediction time."""
    rows = evidence.used
    _, label = np.unique(evidence.label_sets[rows], return_inverse=True)
    for name in others(evidence):
        found = told(codes(evidence, name)[rows], label)
        if found is not None:
            right, known = found
            yield Finding(
                check="label-column",
                severity="warn",
                count=known,
                share=right,
                rows=(),
                message=f"Column {name!r} gives the label away: from it, {right:.1%} of {known:,} rows are known.",
                matters="A model that read it would look right and be of no use where the column is not known. "
                f"Only {evidence.text!r} is read here.",
                mend=f"Leave {name!r} out of the text; if it is the label that is meant, name it with --label.",
            )


def group_leaks(evidence: Evidence) -> Iterator[Finding]:
    """A column of identifiers whose values occur on both sides of the split: rows of one document, one person."""
    rows = evidence.used
    _, label = np.unique(evidence.label_sets[rows], return_inverse=True)
    for name in others(evidence):
        values = codes(evidence, name)
        if name == evidence.grouped or not identifies(evidence, name, values[rows]):
            continue
        if told(values[rows], label) is not None:
            continue
        for part, held, seen in held_out(evidence)[:1]:
            shared = held[np.isin(values[held], values[seen]) & (values[held] >= 0)]
            if len(shared) > 0.05 * len(held):
                given = part in evidence.given
                yield Finding(
                    check="group-leaks",
                    severity="warn",
                    count=len(shared),
                    share=len(shared) / len(held),
                    rows=evidence.shown(shared),
                    message=f"{count_of(len(shared), 'row', 'rows')} of the {len(held):,} {part} rows share their {name!r} with "
                    "a training row.",
                    matters="If equal values mean one person or one document, the score is that on known ones, and too good for "
                    "new ones.",
                    mend=f"Part the files by {name!r}."
                    if given
                    else f"--group {name} keeps equal values on one side.",
                )


def others(evidence: Evidence) -> list[str]:
    """Columns beside text and label whose values can be compared."""
    return [
        field.name
        for field in evidence.table.columns.schema
        if field.name not in (evidence.text, evidence.label)
        and not pa.types.is_nested(field.type)
        and not pa.types.is_floating(field.type)
        and characters(evidence, field.name) <= LONGEST
    ]


def characters(evidence: Evidence, name: str) -> float:
    """Of the first values of a column, on average."""
    first = evidence.table.texts(name, np.arange(min(1_000, len(evidence.table))))
    return sum(map(len, first)) / max(1, len(first))


def codes(evidence: Evidence, name: str) -> Ints:
    """(table rows,) a number per value; below zero where there is none."""
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


def identifies(evidence: Evidence, name: str, values: Ints) -> bool:
    """Whether equal values of a column seem to mean one person or thing: by its name, or as codes of letters and digits."""
    there = values[values >= 0]
    found, times = np.unique(there, return_counts=True)
    if len(found) < LEAST_VALUES or times[times > 1].sum() < REPEATED * len(values):
        return False
    if IDENTIFIES.search(re.sub(r"(?<=[a-z])(?=[A-Z])|[\s-]+", "_", name).lower()):
        return True
    few = evidence.table.texts(name, evidence.used[:200])
    coded = [bool(re.fullmatch(r"(?=.*\d)(?=.*[A-Za-z])[\w./:@-]+", text)) for text in few if text]
    return bool(coded) and sum(coded) > 0.8 * len(coded)
