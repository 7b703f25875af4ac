"""What labels learn from a teacher: its calibrated probabilities, by the labels' names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from luthier.arrays import Array
from luthier.errors import listing
from luthier.tasks.teaching import TEMPERATURE, Teaching

if TYPE_CHECKING:
    from luthier.tasks.classification.task import Classification, Labels

SHOWN = 10
"""Labels that a message lists at the most."""


@dataclass(frozen=True)
class TaughtLabels(Teaching["Labels"]):
    """Soft targets, (rows, labels): softened probabilities, which cross-entropy takes as it takes a label's number; with several
    labels a row each label's own. The label itself is learnt at the same temperature, so that there is one loss."""

    task: "Classification"

    def why_not(self, teacher: "Classification") -> str:
        ours, theirs = self.task.labels, teacher.labels
        if set(ours) != set(theirs):
            return (
                f"answers {len(theirs)} labels that are not those of the rows. {only('The teacher alone has', theirs, ours)}"
                f"{only('The rows alone have', ours, theirs)}The teacher: {shown(theirs)}. The rows: {shown(ours)}."
            )
        if self.task.many != teacher.many:
            several = "several labels a row" if teacher.many else "one label a row"
            return f"answers {several}, and these rows have {self.task.labels_per_row}."
        return ""

    def as_ours(self, answers: "Labels", teacher: "Classification") -> "Labels":
        place = {label: at for at, label in enumerate(teacher.labels)}
        order = np.array([place[label] for label in self.task.labels], np.int64)
        probabilities = answers.probabilities[:, order]
        chosen = answers.chosen[:, order] if self.task.many else np.argsort(order)[answers.chosen]
        return replace(answers, probabilities=probabilities, chosen=chosen)

    def learner(self) -> "Classification":
        return replace(self.task, temperature=TEMPERATURE)

    def targets(self, answers: "Labels") -> Array:
        soften = softened_each if self.task.many else softened
        found: Array = soften(answers.probabilities.astype(np.float64), TEMPERATURE).astype(np.float32)
        return found

    def mixed(self, known: Array, answers: "Labels", share: float) -> Array:
        marks = known if self.task.many else np.eye(self.task.outputs, dtype=np.float32)[known]
        found: Array = share * self.targets(answers) + (1 - share) * marks.astype(np.float32)
        return found.astype(np.float32)


def softened(probabilities: Array, temperature: float) -> Array:
    """(rows, labels) as if the logits had been divided by the temperature: p^(1/T), brought to the sum 1.

    >>> softened(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    powers = probabilities ** (1 / temperature)
    found: Array = powers / powers.sum(axis=1, keepdims=True)
    return found


def softened_each(probabilities: Array, temperature: float) -> Array:
    """(rows, labels) as `softened`, each label by itself beside its absence.

    >>> softened_each(np.array([[0.8, 0.5]]), 2.0).round(3).tolist()
    [[0.667, 0.5]]
    """
    there, absent = (part ** (1 / temperature) for part in (probabilities, 1 - probabilities))
    found: Array = there / (there + absent)
    return found


def only(words: str, some: Sequence[Any], others: Sequence[Any]) -> str:
    """What some have and others lack, as a sentence; empty where they lack nothing."""
    lacking = [one for one in some if one not in set(others)]
    return f"{words} {shown(lacking)}. " if lacking else ""


def shown(labels: Sequence[Any]) -> str:
    return listing(labels, SHOWN)
