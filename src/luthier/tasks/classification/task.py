"""Classification: whatever a row is made of, one label of several or any number of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn import functional

from luthier.batches.examples import Batch, Examples
from luthier.scores import classification, multilabel
from luthier.scores.calibration import (
    Platt,
    apply_platt,
    apply_temperature,
    fit_platt_per_label,
    fit_temperature,
)
from luthier.scores.metrics import Classified
from luthier.scores.thresholds import Thresholds, apply_thresholds, best_thresholds
from luthier.tasks.baselines import majority_logits, nearest_logits, readable
from luthier.tasks.classification.labels import names_of
from luthier.tasks.config_labels import labelled
from luthier.tasks.records import ClassificationRecord
from luthier.tasks.task import Array, Calibration, Loss, Model, Task


@dataclass(frozen=True)
class Classification(Task):
    """One row in, one label out, or with `many` any number of labels.

    Logits are (rows, labels). Targets and answers are label numbers (rows,), or with `many` marks (rows, labels).
    """

    labels: tuple[str, ...]
    many: bool = False
    metric: str = "accuracy"
    name: str = "text-classification"
    reads: str = "text"
    head: str = "row"  # type: ignore[misc]
    label_smoothing: float = 0.0
    """Of the training loss: share of a target that is spread over the labels (arXiv:1512.00567, section 7)."""
    label_weights: tuple[float, ...] = ()
    """Of the training loss: one per label; a row counts by its label's. With `many`, a label that is present counts by it."""

    weighs: ClassVar[bool] = True

    @property
    def known_labels(self) -> tuple[str, ...]:
        return self.labels

    @property
    def labels_per_row(self) -> str:
        return "many" if self.many else "one"

    @property
    def config_labels(self) -> dict[str, Any]:
        return labelled(self.labels, self.many)

    @property
    def outputs(self) -> int:  # type: ignore[override]
        return len(self.labels)

    @property
    def prompts(self) -> tuple[str, ...]:
        """The labels' names as words, where rows are texts: a model that was trained on texts may know them."""
        return tuple(readable(label) for label in self.labels) if self.reads == "text" else ()

    def targets(self, values: Sequence[Any]) -> Array:
        number = {label: at for at, label in enumerate(self.labels)}
        if not self.many:
            return np.array([number[names_of(value)[0]] for value in values], np.int64)
        marks = np.zeros((len(values), len(self.labels)), np.float32)
        for row, value in enumerate(values):
            marks[row, [number[name] for name in names_of(value)]] = 1
        return marks

    def loss(self, model: Model, batch: Batch) -> Loss:
        """Cross-entropy; with `many` the binary cross-entropy of each label, averaged over labels."""
        logits, targets = model(batch), batch.targets
        weights = logits.new_tensor(self.label_weights) if self.label_weights else None
        if not self.many:
            total = functional.cross_entropy(
                logits, targets, weights, reduction="sum", label_smoothing=self.label_smoothing
            )
            if weights is None or targets.ndim == 2:
                return Loss(total, len(batch.rows))
            return Loss(total, float(weights[targets].sum()))
        marks = targets * (1 - self.label_smoothing) + self.label_smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(
            logits, marks, reduction="none", pos_weight=weights
        )
        return Loss(losses.mean(1).sum(), len(batch.rows))

    def mean_loss(self, logits: Array, examples: Examples) -> float:
        """The loss of logits that are at hand, without smoothing and weights: what validation compares."""
        found, targets = torch.from_numpy(logits), examples.targets
        if not self.many:
            return float(functional.cross_entropy(found, torch.from_numpy(targets)))
        return float(functional.binary_cross_entropy_with_logits(found, torch.from_numpy(targets)))

    def to_learn(self, targets: Array) -> Array:
        return targets

    def majority_logits(self, targets: Array, examples: Examples) -> Array:
        return majority_logits(targets, self.outputs, len(examples))

    def zero_shot_logits(self, features: Array, prompts: Array) -> Array | None:
        return nearest_logits(features, prompts, self.many) if len(prompts) else None

    def calibrate(self, logits: Array, examples: Examples) -> Calibration:
        """One temperature (Guo et al. 2017, arXiv:1706.04599), or with `many` a line per label (Platt 1999)."""
        targets = examples.targets
        if len(logits) < self.fewest_to_calibrate:
            return Calibration()
        if not self.many:
            return Calibration(temperature=fit_temperature(logits, targets))
        platt = fit_platt_per_label(logits, targets)
        return Calibration(scale=platt.scale, bias=platt.bias)

    def with_thresholds(self, calibration: Calibration, logits: Array, examples: Examples) -> Calibration:
        """With `many`, each label's threshold of the highest F1; else nothing is to be decided."""
        if not self.many or len(logits) == 0:
            return calibration
        found = best_thresholds(self.probabilities(logits, calibration), examples.targets)
        return Calibration(calibration.temperature, calibration.scale, calibration.bias, found.values)

    def probabilities(
        self, logits: Array, calibration: Calibration, examples: Examples | None = None
    ) -> Array:
        if not self.many:
            return apply_temperature(logits, calibration.temperature)
        unchanged = Platt((1.0,) * self.outputs, (0.0,) * self.outputs, ())
        return apply_platt(
            logits, Platt(calibration.scale, calibration.bias, ()) if calibration.scale else unchanged
        )

    def predicted(
        self, probabilities: Array, calibration: Calibration, examples: Examples | None = None
    ) -> Array:
        if not self.many:
            numbers: Array = probabilities.argmax(axis=1)
            return numbers
        thresholds = Thresholds(calibration.thresholds or (0.5,) * self.outputs, ())
        marks: Array = apply_thresholds(probabilities, thresholds).astype(np.float32)
        return marks

    def evidence(self, predicted: Array, targets: Array, probabilities: Array | None = None) -> Classified:
        return Classified(targets, predicted, self.outputs, probabilities)

    def reported(self, targets: Array) -> tuple[str, ...]:
        several = ("micro_f1",) if self.many else ()
        return ("accuracy", "macro_f1", *several, "log_loss", "brier")

    def trust(
        self, plain: Array, calibrated: Array, targets: Array, calibration: Calibration
    ) -> dict[str, Any]:
        return {
            "calibration": {
                "temperature": calibration.temperature,
                "ece_before": self.calibration_error(plain, targets),
                "ece_after": self.calibration_error(calibrated, targets),
            },
            "reliability": {
                "before": self.reliability(plain, targets),
                "after": self.reliability(calibrated, targets),
            },
        }

    def calibration_error(self, probabilities: Array, targets: Array) -> float:
        """Expected calibration error over 15 bins."""
        if self.many:
            return multilabel.expected_calibration_error(probabilities, targets)
        return classification.expected_calibration_error(probabilities, targets)

    def details(self, probabilities: Array, predicted: Array, targets: Array) -> dict[str, Any]:
        if self.many:
            per_class = multilabel.per_class(targets, predicted)
        else:
            per_class = classification.per_class(targets, predicted, self.outputs)
        found: dict[str, Any] = {
            "labels": list(self.labels),
            "multi_label": self.many,
            "per_class": [
                {"label": label, **score.to_json()}
                for label, score in zip(self.labels, per_class, strict=True)
            ],
        }
        if not self.many:
            found["confusion"] = classification.confusion(targets, predicted, self.outputs).tolist()
        return found

    def reliability(self, probabilities: Array, targets: Array, bins: int = 15) -> list[dict[str, float]]:
        """The reliability diagram's bins, from the lowest confidence up."""
        how = multilabel.reliability if self.many else classification.reliability
        found = how(probabilities, targets, bins)
        return bins_of(found)

    def answers(
        self, probabilities: Array, predicted: Array, sources: Sequence[Any] = ()
    ) -> list[dict[str, Any]]:
        rounded = np.round(probabilities, 6).tolist()
        labels = [self.names(answer) for answer in predicted]
        return [
            {"label": label, "probabilities": dict(zip(self.labels, row, strict=True))}
            for label, row in zip(labels, rounded, strict=True)
        ]

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return [self.names(target) for target in targets]

    def names(self, answer: Any) -> str | list[str]:
        """A row's label by name, or with `many` the list of its labels."""
        if self.many:
            return [self.labels[at] for at in np.flatnonzero(answer)]
        return self.labels[int(answer)]

    def to_json(self) -> dict[str, Any]:
        elsewhere = ("head", "label_smoothing", "label_weights")  # known by the kind; only of training
        return {key: value for key, value in asdict(self).items() if key not in elsewhere}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Classification":
        told = ClassificationRecord.model_validate(record)
        return Classification(tuple(told.labels), told.many, told.metric, told.name, told.reads)


def bins_of(found: classification.Reliability) -> list[dict[str, float]]:
    """The bins of a reliability diagram as JSON."""
    bins = len(found.counts)
    columns = zip(found.counts, found.confidence, found.accuracy, strict=True)
    return [
        {
            "low": at / bins,
            "high": (at + 1) / bins,
            "count": count,
            "confidence": confidence,
            "accuracy": accuracy,
        }
        for at, (count, confidence, accuracy) in enumerate(columns)
    ]
