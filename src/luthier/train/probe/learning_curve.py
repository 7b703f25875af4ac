"""The learning curve of a probe: scores on held-out rows, learnt from growing parts of the rows at hand."""

from collections.abc import Callable

import numpy as np

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.scores.learning_curve import Curve
from luthier.train.probe.probe import ROUGH, STRENGTHS, Regression, standardised

SIZES, TIMES = 8, 6
"""Sizes of the parts, and how often each is drawn."""
SMALLEST, LARGEST = 1 / 16, 0.8
"""Smallest and largest part, as shares of the rows."""
MOST_ROWS, MOST_HELD = 8_000, 4_000


def probe_curve(
    features: Array, targets: Array, outputs: int, score: Callable[[Array, Array], float], seed: int
) -> Curve:
    """Scores by number of rows; a part has every label in its share, from two rows a label on.

    features: (rows, width).  targets: as the probe's.  score(logits, targets): in [0, 1].
    """
    dice = seeds.generator(seed, "learning curve")
    rows = dice.permutation(len(features))[:MOST_ROWS]
    features, targets = standardised(features[rows])[0], targets[rows]
    sizes, found, held = sizes_tried(len(rows), outputs), [], []
    for size in sizes:
        scores, counted = [], 0
        for _ in range(TIMES if outputs < 20 else TIMES // 2):
            order = spread(targets, dice)
            learnt, out = order[:size], order[size : size + MOST_HELD]
            weight, bias = Regression(features[learnt], targets[learnt], outputs).solve(STRENGTHS[1], ROUGH)
            scores.append(score((features[out] @ weight.T + bias).astype(np.float32), targets[out]))
            counted += len(out)
        found.append(float(np.mean(scores)))
        # The same rows are held out again and again: they are no more than there are.
        held.append(min(counted, 1.5 * len(rows)))
    return Curve(sizes.astype(float), np.array(found), np.array(held))


def sizes_tried(rows: int, outputs: int) -> Ints:
    """Sizes of the parts of so many rows that are learnt from, ascending."""
    rows = min(rows, MOST_ROWS)
    least = min(max(2 * outputs, 16, int(SMALLEST * rows)), int(LARGEST * rows))
    return np.unique(np.geomspace(least, LARGEST * rows, SIZES).astype(np.int64))


def spread(targets: Array, dice: np.random.Generator) -> Array:
    """Rows in random order, so that every beginning has every label in its share."""
    if targets.ndim == 2:
        return dice.permutation(len(targets))
    order = dice.permutation(len(targets))
    place = np.zeros(len(targets))
    for label in np.unique(targets):
        own = order[targets[order] == label]
        place[own] = (np.arange(len(own)) + dice.random()) / len(own)
    found: Array = np.argsort(place, kind="stable")
    return found
