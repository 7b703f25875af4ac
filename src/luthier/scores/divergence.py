"""How far two models are apart: in what they say of the same inputs, and in what they make of them."""

import numpy as np

from luthier.arrays import Array, Floats

NEAR = 0.05
"""The temperature of cosines in `neighbour_logs`: that of SimCSE (Gao et al. 2021, arXiv:2104.08821, section 3), and of
sentence-transformers' in-batch losses (`scale` 20), so that the softmax is what such a base was trained to give."""


def kl_divergence(base: Array, other: Array) -> Floats:
    """KL(base || other) of each row in nats, from log-probabilities of the same outcomes.

    base, other: (rows, outcomes), of which each row's exponentials sum to 1; -inf is an outcome that cannot be.

    From the base's side, as whoever lost what the base could do pays for it: this one predicts forgetting (Shenfeld et al. 2025,
    "RL's Razor", arXiv:2509.04259).

    >>> kl_divergence(np.log([[0.5, 0.5]]), np.log([[0.25, 0.75]])).round(4).tolist()
    [0.1438]
    """
    base, other = base.astype(np.float64), other.astype(np.float64)
    shares = np.exp(base)
    gap = np.subtract(base, other, out=np.zeros_like(base), where=shares > 0)
    found: Floats = np.maximum((shares * gap).sum(axis=1), 0.0)  # below zero by rounding alone
    return found


def neighbour_logs(features: Array, temperature: float = NEAR) -> Floats:
    """(rows, rows) the logarithm of the chance that each row picks another one as its neighbour, never itself.

    features: (rows, width).  The softmax of cosines over the other rows, as in stochastic neighbour embedding (Hinton and Roweis
    2002, eq. 1), with the cosine in the place of the distance. A model without outputs of its own is compared by it with
    another, as a student is with a teacher (Passalis and Tefas 2018, arXiv:1803.10837, eq. 4 and 5; SEED, arXiv:2101.04731).
    """
    exact = features.astype(np.float64)
    scaled = exact / np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), 1e-12)
    near = scaled @ scaled.T / temperature
    np.fill_diagonal(near, -np.inf)
    if len(near) < 2:
        return np.zeros_like(near)  # nobody to pick: nothing to be apart in
    near -= near.max(axis=1, keepdims=True)
    found: Floats = near - np.log(np.exp(near).sum(axis=1, keepdims=True))
    return found


def linear_cka(one: Array, other: Array) -> float:
    """How alike two sets of features of the same rows are, in [0, 1]; 1 where one is the other turned and scaled.

    one, other: (rows, width), the widths need not be the same.  Kornblith et al. 2019, arXiv:1905.00414, eq. 6 with linear
    kernels. It is 1 where both are constant, and 0 where only one is.

    >>> half = np.array([[0.0, 1.0], [1.0, 0.0], [-2.0, 3.0]])
    >>> round(linear_cka(half, 3 * half[:, ::-1]), 6)
    1.0
    """
    ours, theirs = (
        values.astype(np.float64) - values.mean(axis=0, dtype=np.float64) for values in (one, other)
    )
    both = float(np.linalg.norm(ours.T @ theirs) ** 2)
    alone = float(np.linalg.norm(ours.T @ ours) * np.linalg.norm(theirs.T @ theirs))
    if alone == 0:
        return float(not ours.any() and not theirs.any())
    return both / alone
