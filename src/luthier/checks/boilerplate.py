"""The check for sentences that many different texts repeat."""

import re
from array import array
from collections.abc import Iterator

import numpy as np

from luthier.arrays import Ints
from luthier.checks.finding import Evidence, Finding, count_of
from luthier.data.split import key_of

PARTS = re.compile(r"(?:\r?\n)+|(?<=[.!?])\s+")
LEAST_CHARACTERS = 25
OFTEN, SHARE = 10, 0.02
"""A sentence is reported when at least so many rows, and this share of all rows, hold it."""


def boilerplate(evidence: Evidence) -> Iterator[Finding]:
    """The same sentence in many different texts: a signature, a disclaimer, a form's own words."""
    hashes, rows = held_parts(evidence)
    often, times = often_held(evidence, hashes, rows)
    if not len(often):
        return
    total = len(evidence.table)
    holding = np.unique(rows[np.isin(hashes, often)])
    commonest = int(often[np.argmax(times)])
    where = int(rows[np.flatnonzero(hashes == commonest)[0]])
    sentence = next(
        part
        for part in parts_of(evidence.table.texts(evidence.columns.text, [where])[0])
        if key_of(part) == commonest
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


def held_parts(evidence: Evidence) -> tuple[Ints, Ints]:
    """The hash of each sentence of each text, and the row it stands in."""
    held, owners = array("q"), array("q")
    for row, text in evidence.texts():
        own = {key_of(part) for part in parts_of(text)}
        held.extend(own)
        owners.extend([row] * len(own))
    return np.array(held, np.int64), np.array(owners, np.int64)


def often_held(evidence: Evidence, hashes: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """The hashes of sentences that many different texts hold, and how many do. hashes, rows: as `held_parts` gives them."""
    # Once for each text, however often it occurs.
    order = np.lexsort([evidence.keys[rows], hashes])
    same = (np.diff(hashes[order]) == 0) & (np.diff(evidence.keys[rows][order]) == 0)
    first = np.concatenate([[True], ~same]) if len(order) else np.zeros(0, bool)
    found, times = np.unique(hashes[order][first], return_counts=True)
    many = times >= max(OFTEN, SHARE * len(evidence.table))
    return found[many], times[many]


def without_boilerplate(evidence: Evidence) -> Iterator[tuple[int, str]]:
    """Each row with its text, as `Evidence.texts` gives them, but for the sentences that many texts hold."""
    often = set(often_held(evidence, *held_parts(evidence))[0].tolist())
    for row, text in evidence.texts():
        kept = [part for part in PARTS.split(text) if key_of(part.strip()) not in often] if often else [text]
        yield row, "\n".join(kept)


def parts_of(text: str) -> list[str]:
    """The sentences and lines of a text, without short ones; nothing where the text is a single sentence."""
    parts = PARTS.split(text)
    return [part.strip() for part in parts if len(part) >= LEAST_CHARACTERS] if len(parts) > 1 else []
