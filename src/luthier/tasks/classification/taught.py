"""What labels learn from a teacher: its calibrated probabilities, by the labels' names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from luthier.arrays import Array
from luthier.errors import listing
from luthier.tasks.teaching import Teaching

if TYPE_CHECKING:
    from luthier.tasks.classification.task import Classification, Labels

SHOWN = 10
"""Labels that a message lists at the most."""


@dataclass(frozen=True)
class TaughtLabels(Teaching["Labels"]):
    """Soft targets, (rows, labels): probabilities, which cross-entropy takes as it takes a label's number; with several labels a
    row each label's own."""

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

    def targets(self, answers: "Labels") -> Array:
        return answers.probabilities.astype(np.float32)

    def mixed(self, known: Array, answers: "Labels", share: float) -> Array:
        marks = known if self.task.many else np.eye(self.task.outputs, dtype=np.float32)[known]
        found: Array = share * self.targets(answers) + (1 - share) * marks.astype(np.float32)
        return found.astype(np.float32)


def only(words: str, some: Sequence[Any], others: Sequence[Any]) -> str:
    """What some have and others lack, as a sentence; empty where they lack nothing."""
    lacking = [one for one in some if one not in set(others)]
    return f"{words} {shown(lacking)}. " if lacking else ""


def shown(labels: Sequence[Any]) -> str:
    return listing(labels, SHOWN)
