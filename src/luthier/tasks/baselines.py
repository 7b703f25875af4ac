"""Answers for which nothing is trained: what a model must beat to be worth anything."""

import numpy as np

from luthier.batches.examples import Array

ZERO_SHOT_SHARPNESS = 20.0
"""Cosines times this are logits; CLIP learnt up to 100, sentence encoders were trained with 20 (Reimers and Gurevych)."""


def majority_logits(targets: Array, outputs: int, rows: int) -> Array:
    """(rows, outputs) the same logits for every row: how frequent each label is in the training rows."""
    if targets.ndim == 2:
        with_label = targets.sum(0)
        prior = np.log((with_label + 0.5) / (len(targets) - with_label + 0.5))
    else:
        counts = np.bincount(targets, minlength=outputs)
        prior = np.log((counts + 0.5) / (len(targets) + 0.5 * outputs))
    return np.tile(prior.astype(np.float32), (rows, 1))


def nearest_logits(features: Array, label_features: Array, many: bool) -> Array:
    """(rows, outputs) nearness of each text to each label's name, as the pre-trained model sees them.

    features: (rows, width).  label_features: (outputs, width).
    With `many`, a label counts as present when it is the nearest one: nothing was learnt that could say more.
    """
    cosines = unit(features) @ unit(label_features).T
    logits = ZERO_SHOT_SHARPNESS * cosines
    if many:
        best = logits.max(axis=1, keepdims=True)
        logits = np.where(logits == best, 1.0, -1.0) + 0.1 * (logits - best)
    return logits.astype(np.float32)


def readable(label: str) -> str:
    """A label's name as words: `card_arrival` and `CardArrival` become `card arrival`.

    >>> readable("card_arrival"), readable("CardArrival"), readable("NUM")
    ('card arrival', 'card arrival', 'num')
    """
    spaced = "".join(
        f" {sign}" if sign.isupper() and at and label[at - 1].islower() else sign
        for at, sign in enumerate(label)
    )
    return " ".join(spaced.replace("_", " ").replace("-", " ").replace("/", " ").lower().split())


def unit(vectors: Array) -> Array:
    """Rows scaled to length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Array = vectors / np.maximum(lengths, 1e-12)
    return scaled
