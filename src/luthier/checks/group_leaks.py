"""The check for documents, persons and the like that stand on both sides of the split."""

import re
import shlex
from collections.abc import Iterator

import numpy as np

from luthier.arrays import Ints
from luthier.checks.columns import codes, others, told
from luthier.checks.finding import Evidence, Finding, count_of
from luthier.checks.leaks import held_out

REPEATED = 0.2
"""A column can group rows when the values of this share of its rows occur in other rows too."""
LEAST_VALUES = 10
SHARED = 0.05
"""Smallest share of the test rows that is reported."""
IDENTIFIES = re.compile(
    r"(^|_)(id|ids|user|author|doc|document|group|session|customer|client|patient|thread|conversation|case|ticket|"
    r"account|speaker|product|item|book|page|url|uuid|key)s?($|_)"
)
"""Names of columns whose equal values mean one person or thing."""


def group_leaks(evidence: Evidence) -> Iterator[Finding]:
    """A column of identifiers whose values occur on both sides of the split: rows of one document, one person."""
    rows = evidence.used
    _, label = np.unique(evidence.answers.label_sets[rows], return_inverse=True)
    part, held, seen = held_out(evidence)[0]
    for name in others(evidence):
        values = codes(evidence, name)
        if name == evidence.parts.group or not identifies(evidence, name, values[rows]):
            continue
        if told(values[rows], label) is not None:
            continue
        shared = held[np.isin(values[held], values[seen]) & (values[held] >= 0)]
        if len(shared) > SHARED * len(held):
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
                if part in evidence.parts.given
                else f"--group {shlex.quote(name)} keeps equal values on one side.",
            )


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
