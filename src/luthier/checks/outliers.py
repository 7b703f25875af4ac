"""The check for texts that mean something else than all others."""

from collections.abc import Iterator

import numpy as np

from luthier.arrays import Array
from luthier.checks.finding import Evidence, Finding, count_of

NEIGHBOURS = 5
COMPARED = 10_000
"""The most rows that each row is compared with; where there are more, they are drawn at random."""
AT_ONCE = 500
"""Rows that are compared at once: 50 MB at the most."""
FAR = 5.0
"""A row is an outlier when its distance lies so many spreads (robust: 1.48 times the median deviation) beyond the median."""


def outliers(evidence: Evidence) -> Iterator[Finding]:
    """Texts that mean something else than all others do."""
    frozen = evidence.frozen
    if frozen is None or len(frozen.rows) < 50:
        return
    distance = mean_distance(frozen.features)
    middle = float(np.median(distance))
    spread = 1.4826 * float(np.median(np.abs(distance - middle)))
    far = np.flatnonzero(distance > middle + FAR * spread)
    if len(far):
        far = far[np.argsort(-distance[far])]
        yield Finding(
            check="outliers",
            severity="note",
            count=len(far),
            share=len(far) / len(frozen.rows),
            rows=evidence.shown(frozen.rows[far]),
            message=f"{count_of(len(far), 'text lies', 'texts lie')} far from all others in what the model makes of them.",
            matters="They are rare cases worth having, or rows that do not belong here.",
            mend="Look at them; delete what is no example of the task.",
        )


def mean_distance(features: Array) -> Array:
    """(rows,) mean cosine distance of each row to its nearest neighbours."""
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    unit = unit.astype(np.float32)
    others = np.random.default_rng(0).permutation(len(unit))[:COMPARED]
    found = np.zeros(len(unit))
    most = min(NEIGHBOURS, len(others) - 1)
    theirs = unit[others].T
    for begin in range(0, len(unit), AT_ONCE):
        near = unit[begin : begin + AT_ONCE] @ theirs
        # The row itself, where it is among the others, is no neighbour.
        near[(begin + np.arange(len(near)))[:, None] == others] = -np.inf
        found[begin : begin + len(near)] = 1 - np.partition(near, -most, axis=1)[:, -most:].mean(1)
    return found
