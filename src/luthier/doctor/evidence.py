"""What checks may look at once a frozen model has read the rows."""

from dataclasses import replace

import numpy as np

from luthier.arrays import Array
from luthier.checks.finding import Evidence, Frozen
from luthier.prepare.rows import Rows
from luthier.train.probe.second_opinion import second_opinion


def with_features(
    evidence: Evidence,
    rows_of: Rows,
    rows: Array,
    features: Array,
    strength: float | None,
    seed: int,
) -> Evidence:
    """The evidence with the features of some rows, and the probabilities that the other rows give their labels."""
    targets, outputs = rows_of.targets(rows), rows_of.task.outputs
    probabilities = np.zeros((len(rows), 0))
    if evidence.labelled:
        texts = rows_of.texts(rows) if evidence.form.shows_words else None
        keys = evidence.keys[rows]
        probabilities = second_opinion(features, texts, targets, keys, outputs, strength, seed)
    frozen = Frozen(rows, features, probabilities, targets, evidence.answers.labels)
    return replace(evidence, frozen=frozen)
