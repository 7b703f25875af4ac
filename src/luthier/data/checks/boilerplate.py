import re
from collections.abc import Iterator

import numpy as np

from luthier.data.checks.finding import Evidence, Finding, count_of

PARTS = re.compile(r"(?:\r?\n)+|(?<=[.!?])\s+")
LEAST_CHARACTERS = 25
OFTEN, SHARE = 10, 0.02
"""Rows, and share of all rows, that hold the same sentence before it is told."""


def boilerplate(evidence: Evidence) -> Iterator[Finding]:
    """The same sentence in many different texts: a signature, a disclaimer, a form's own words."""
    hashes: list[int] = []
    owners: list[int] = []
    for row, text in evidence.texts():
        own = {hash_of(part) for part in parts_of(text)}
        hashes += own
        owners += [row] * len(own)
    if not hashes:
        return
    rows = np.array(owners, np.int64)
    both = np.unique(np.stack([np.array(hashes, np.int64), evidence.keys[rows]]), axis=1)
    found, times = np.unique(both[0], return_counts=True)
    total = len(evidence.table)
    often = found[times >= max(OFTEN, SHARE * total)]
    if not len(often):
        return
    holding = np.unique(rows[np.isin(np.array(hashes, np.int64), often)])
    commonest = int(often[np.argmax(times[np.isin(found, often)])])
    where = int(rows[np.flatnonzero(np.array(hashes, np.int64) == commonest)[0]])
    sentence = next(
        part
        for part in parts_of(evidence.table.texts(evidence.text, [where])[0])
        if hash_of(part) == commonest
    )
    yield Finding(
        check="boilerplate",
        severity="note",
        count=len(holding),
        share=len(holding) / total,
        rows=evidence.shown(holding),
        message=f"{count_of(len(often), 'sentence occurs', 'sentences occur')} in many different texts; the commonest is "
        f"{sentence[:100]!r}.",
        matters="It takes tokens from what differs, and where it goes with a label it is learnt in place of the text.",
        mend="Take it out of the texts, unless it is part of what is to be learnt.",
    )


def parts_of(text: str) -> list[str]:
    """The sentences and lines of a text that has several, but for short ones."""
    parts = PARTS.split(text)
    return [part.strip() for part in parts if len(part) >= LEAST_CHARACTERS] if len(parts) > 1 else []


def hash_of(part: str) -> int:
    """Within one process, which is as long as it is needed."""
    return hash(" ".join(part.lower().split()))
