"""How much a row is unlike those that a model has learnt from, by its features; as a p-value, so that false alarms are counted.

Shapes: features (rows, width); all are brought to length 1 first.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier import seeds
from luthier.arrays import Array, Floats, Ints

LEVEL = 0.01
"""The share of rows of the usual kind that are called unlike."""
FEWEST = 99
"""The fewest calibration rows whose smallest p-value is as small as LEVEL."""
REFERENCES = 500
"""The most training rows that are kept to compare with."""
MOST = 1_000
"""The most training rows that are looked at."""
NEIGHBOURS = 5
DIRECTIONS = 64
"""The most principal directions in which the distance to the labels' centres is measured."""
AT_ONCE = 2_000


@dataclass(frozen=True)
class Detector:
    """What tells a row that is unlike the training rows: its distance to the nearest of them, and to their labels' centres.

    Nearest neighbours: the distance to the k-th (Sun et al. 2022, arXiv:2204.06507, section 3). Relative Mahalanobis distance:
    how much nearer a row is to the cloud of all rows than to the nearest label's (Ren et al. 2021, arXiv:2106.09022, section 2),
    in the principal directions. Each is taken in units of its spread over training rows, and the two are added up.
    """

    reference: Array
    """(references, width) training rows."""
    scales: Array
    """(2, 2) mean and standard deviation of the two distances over training rows."""
    centre: Array
    """(width,) the mean of the training rows."""
    directions: Array
    """(width, directions) into which rows are turned so that the cloud of all training rows is round."""
    centres: Array
    """(labels, directions) of the labels; none where rows have no single label."""
    inner: Array
    """(directions, directions) the inverse of the labels' common covariance."""

    @staticmethod
    def fitted(features: Floats, labels: Ints | None) -> "Detector":
        """The detector of some training rows. labels: (rows,) whole numbers; None where rows have no single label."""
        assert len(features) >= 2, "two rows at least: one to compare, and one to compare with"
        chosen = seeds.generator(0, "unlike").permutation(len(features))[:MOST]
        unit = unit_length(features[chosen])
        references = min(REFERENCES, (len(unit) + 1) // 2)
        centre, directions = whitening(unit)
        centres, inner = label_clouds(
            (unit - centre) @ directions, None if labels is None else labels[chosen]
        )
        parts = (unit[:references], np.array([[0, 1], [0, 1]]), centre, directions, centres, inner)
        found = Detector(*(part.astype(np.float32) for part in parts))
        # Those that are compared with are their own nearest neighbours.
        apart = found.distances(unit[references:])
        spread = apart.std(axis=1)
        scales = np.stack([apart.mean(axis=1), np.where(spread > 0, spread, 1.0)], axis=1)
        return Detector(found.reference, scales.astype(np.float32), *found.gaussian)

    @property
    def gaussian(self) -> tuple[Array, Array, Array, Array]:
        """What the distance to the labels' centres is computed from."""
        return self.centre, self.directions, self.centres, self.inner

    def arrays(self) -> dict[str, Array]:
        """The arrays that are saved, by name; `Detector(**arrays)` is the same again."""
        return {
            "reference": self.reference, "scales": self.scales, "centre": self.centre,
            "directions": self.directions, "centres": self.centres, "inner": self.inner,
        }  # fmt: skip

    def scores(self, features: Floats) -> NDArray[np.float64]:
        """(rows,) the higher, the less a row is like the training rows."""
        found = [np.zeros(0)]
        for begin in range(0, len(features), AT_ONCE):
            near, cloud = self.distances(unit_length(features[begin : begin + AT_ONCE]))
            (mean, spread), (mean_of_cloud, spread_of_cloud) = self.scales.astype(np.float64)
            found.append((near - mean) / spread + (cloud - mean_of_cloud) / spread_of_cloud)
        return np.concatenate(found)

    def distances(self, unit: Floats) -> NDArray[np.float64]:
        """(2, rows) distance to the k-th nearest training row; relative Mahalanobis distance, or 0 without labels."""
        rows = unit.astype(np.float64)
        likeness = rows @ self.reference.T.astype(np.float64)
        place = min(NEIGHBOURS, len(self.reference))
        nearest = np.partition(likeness, -place, axis=1)[:, -place]
        near = np.sqrt(np.maximum(2 - 2 * nearest, 0))
        if not len(self.centres):
            return np.stack([near, np.zeros(len(rows))])
        turned = (rows - self.centre) @ self.directions.astype(np.float64)
        inner, centres = self.inner.astype(np.float64), self.centres.astype(np.float64)
        across, of_centres = centres @ inner, np.einsum("ld,ld->l", centres @ inner, centres)
        own = np.einsum("rd,rd->r", turned @ inner, turned)
        to_labels = own + (of_centres - 2 * turned @ across.T).min(axis=1)
        return np.stack([near, to_labels - np.square(turned).sum(axis=1)])


def unit_length(features: Floats) -> NDArray[np.float64]:
    """Features of length 1."""
    rows = np.asarray(features, np.float64)
    found: NDArray[np.float64] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return found


def whitening(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean of some rows, and the directions of most spread, (width, directions), each divided by its spread."""
    centre = rows.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(rows.T, ddof=0).reshape(rows.shape[1], -1))
    most = min(DIRECTIONS, max(1, len(rows) // 4), rows.shape[1])
    values, vectors = values[::-1][:most], vectors[:, ::-1][:, :most]
    # Where all rows are alike in a direction, it says nothing.
    said = values > 1e-9 * max(values[0], 1e-12)
    return centre, vectors[:, said] / np.sqrt(values[said])


def label_clouds(rows: NDArray[np.float64], labels: Ints | None) -> tuple[Array, Array]:
    """The centre of each label's rows, and the inverse of the covariance that they have in common, drawn towards that of all rows
    (which is round, and 1) where there are few rows for so many directions."""
    width = rows.shape[1]
    if labels is None:
        return np.zeros((0, width)), np.eye(width)
    present, own = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(present), width))
    np.add.at(sums, own, rows)
    centres = sums / np.bincount(own)[:, None]
    free = max(1, len(rows) - len(present))
    apart = rows - centres[own]
    towards = width / (width + free)
    common = (1 - towards) * (apart.T @ apart) / free + towards * np.eye(width)
    return centres, np.linalg.inv(common)


def p_values(known: Floats, scores: Floats) -> NDArray[np.float64]:
    """(rows,) how likely a row of the usual kind is to be at least as unlike as this one: at most p in a share p of such rows.

    known: scores of calibration rows, from which nothing was learnt.  (1 + those at least as high) / (n + 1): Bates et al. 2023,
    Annals of Statistics 51, arXiv:2104.08279, eq. 1. The rate is kept on average over draws of the calibration rows.

    >>> p_values(np.arange(99.0), np.array([98.5, -1.0]))
    array([0.01, 1.  ])
    """
    ordered = np.sort(np.asarray(known, np.float64))
    below = np.searchsorted(ordered, scores, side="left")
    found: NDArray[np.float64] = (1 + len(ordered) - below) / (len(ordered) + 1)
    return found


def own_p_values(known: Floats) -> NDArray[np.float64]:
    """(rows,) the p-value of each calibration row beside the others."""
    ordered = np.sort(np.asarray(known, np.float64))
    found: NDArray[np.float64] = (len(ordered) - np.searchsorted(ordered, known, side="left")) / len(ordered)
    return found
