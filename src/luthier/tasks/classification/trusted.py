"""What is promised of labels: from which confidence on the model answers, and sets of labels that hold the right one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from luthier.arrays import Array, Bools, Floats, Ints
from luthier.scores.calibration import softmax
from luthier.scores.conformal import LabelSets, fewest_rows
from luthier.scores.error_limit import CERTAINTY, Limit, Thresholds, fewest_answered
from luthier.tasks.outputs import Logits
from luthier.tasks.trusting import LIMITS, Promise, Trusting

if TYPE_CHECKING:
    from luthier.tasks.classification.task import Classification, Labels

SETS = 0.1
"""The share of rows whose set may miss the right label, of the sets that the scorecard tells of."""


class TrustedLabels(Trusting["Logits", "Labels"]):
    """Confidences and sets are made of the model's own probabilities: a temperature has seen the calibration rows, and with it
    the promise would no longer be exact."""

    def __init__(self, task: "Classification") -> None:
        self.task = task

    def labels(self, targets: Array) -> Ints | None:
        return None if self.task.many else targets

    def known(self, outputs: Logits, answers: "Labels", targets: Array, unlike: Bools) -> dict[str, Array]:
        sure = np.where(unlike, -np.inf, self.confidence(outputs, answers))
        found: dict[str, Array] = {"confidence": sure, "right": self.right(answers, targets).astype(np.uint8)}
        if not self.task.many:
            rows = np.arange(len(targets))
            found |= {"of_truth": softmax(outputs.values)[rows, targets], "label": targets.astype(np.int64)}
        return found

    def promise(
        self, known: Mapping[str, Array], outputs: Logits, answers: "Labels", error: float
    ) -> Promise:
        limit = limit_of(known, error)
        told = [too_few_words(error, len(known["confidence"]))] if limit.above is None else []
        lines: list[dict[str, Any]] = [{} for _ in range(len(answers))]
        if not self.task.many:
            sets = self.sets(known, error)
            if sets is None:
                told.append(no_set_words(error, len(known["label"])))
            inside = None if sets is None else sets.of(softmax(outputs.values))
            names = [None] * len(lines) if inside is None else [self.names(row) for row in inside]
            lines = [{"set": one} for one in names]
        return Promise(limit.answers(self.confidence(outputs, answers)), lines, tuple(told))

    def measured(
        self,
        known: Mapping[str, Array],
        outputs: Logits,
        answers: "Labels",
        targets: Array,
        unlike: Bools,
    ) -> dict[str, Any]:
        sure = np.where(unlike, -np.inf, self.confidence(outputs, answers))
        right = self.right(answers, targets)
        found: dict[str, Any] = {
            "certainty": CERTAINTY,
            "limits": [limit_record(limit_of(known, error), sure, right) for error in LIMITS],
        }
        sets = None if self.task.many else self.sets(known, SETS)
        if sets is not None:
            inside = sets.of(softmax(outputs.values))
            held, sizes = inside[np.arange(len(targets)), targets], inside.sum(axis=1)
            found["sets"] = {
                "wanted": 1 - SETS,
                "by_label": sets.by_label,
                "coverage": float(held.mean()),
                "mean_size": float(sizes.mean()),
                "single": float((sizes == 1).mean()),
            }
        return found

    def confidence(self, outputs: Logits, answers: "Labels") -> Floats:
        """(rows,) the probability of the whole answer; of several labels, as if they were independent."""
        if not self.task.many:
            sure: Floats = softmax(outputs.values).max(axis=1)
            return sure
        signs = np.where(answers.chosen > 0, 1.0, -1.0)
        together: Floats = np.exp(-np.logaddexp(0, -signs * outputs.values.astype(np.float64)).sum(axis=1))
        return together

    def right(self, answers: "Labels", targets: Array) -> Bools:
        """(rows,) whether the whole answer is right."""
        same: Bools = answers.chosen == targets
        return np.all(same, axis=1) if self.task.many else same

    def sets(self, known: Mapping[str, Array], error: float) -> LabelSets | None:
        return LabelSets.fitted(known["of_truth"], known["label"], self.task.outputs, error)

    def names(self, inside: Bools) -> list[str]:
        """The labels of a set."""
        return [self.task.labels[at] for at in np.flatnonzero(inside)]


def limit_of(known: Mapping[str, Array], error: float) -> Limit:
    return Thresholds.of(known["confidence"], known["right"].astype(bool)).limit(error)


def limit_record(limit: Limit, sure: Floats, right: Bools) -> dict[str, Any]:
    """A limit of error as the scorecard tells of it, with what came of it on the test rows. `above` is 0 where every row is
    answered, as JSON has no minus infinity, and null where none is."""
    answered = limit.answers(sure)
    return {
        "error": limit.error,
        "above": None if limit.above is None else max(limit.above, 0.0),
        "answered": limit.answered,
        "test_answered": float(answered.mean()),
        "test_wrong": float(1 - right[answered].mean()) if answered.any() else None,
    }


def too_few_words(error: float, rows: int) -> str:
    """Why no row is answered at a limit of error, and what to do."""
    least = fewest_answered(error)
    if rows < least:
        why = f"it takes {least:,} calibration rows at the least to show that, and this model has {rows:,}"
    else:
        why = f"on its {rows:,} calibration rows this model was wrong too often, however sure it was"
    return (
        f"--error {error:g}: no row is answered: {why}. Allow more errors, or tune again with more calibration rows "
        "(more labelled rows, or --calibration-share)."
    )


def no_set_words(error: float, rows: int) -> str:
    """Why there are no sets at a limit of error, and what to do."""
    return (
        f"--error {error:g}: there is no set of labels: it takes {fewest_rows(error):,} calibration rows at the least, and this "
        f"model has {rows:,}. Allow more errors, or tune again with more calibration rows (more labelled rows, or "
        "--calibration-share)."
    )
