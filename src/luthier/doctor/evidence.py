"""What checks may look at once a frozen model has read the rows."""

from dataclasses import replace

import numpy as np

from luthier.checks.finding import Array, Evidence, Frozen
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
    """The evidence, and what the frozen model and the other rows say of some rows."""
    targets, outputs = rows_of.targets(rows), rows_of.task.outputs
    probabilities = np.zeros((len(rows), 0))
    if evidence.labelled:
        texts = rows_of.texts(rows) if evidence.reads != "image" else None
        keys = evidence.keys[rows]
        probabilities = second_opinion(features, texts, targets, keys, outputs, strength, seed)
    frozen = Frozen(rows, features, probabilities, targets, evidence.answers.labels)
    return replace(evidence, frozen=frozen)
