"""Classification: whatever a row is made of, one label of several or any number of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from luthier.arrays import Array, Ints
from luthier.batches.examples import Batch, Examples
from luthier.scores import classification, multilabel
from luthier.scores.calibration import (
    Platt,
    apply_platt,
    apply_temperature,
    fit_platt_per_label,
    fit_temperature,
)
from luthier.scores.calibration_gain import platt_gain, temperature_gain
from luthier.scores.evidence import Classified
from luthier.scores.thresholds import Thresholds, apply_thresholds, best_thresholds
from luthier.tasks.answers import Answers
from luthier.tasks.baselines import majority_logits, nearest_logits, readable
from luthier.tasks.calibration import Calibrating, Calibration
from luthier.tasks.classification.explained import ExplainedLabels
from luthier.tasks.classification.labels import balanced_weights, names_of
from luthier.tasks.classification.taught import TaughtLabels
from luthier.tasks.classification.trusted import TrustedLabels
from luthier.tasks.config_labels import labelled
from luthier.tasks.contrast import Contrast
from luthier.tasks.explaining import Explaining
from luthier.tasks.outputs import Logits
from luthier.tasks.probing import Probing
from luthier.tasks.recorded import Line, Recorded
from luthier.tasks.records import ClassificationRecord
from luthier.tasks.task import Baseline, Loss, Model, Task, Weighting
from luthier.tasks.teaching import Teaching
from luthier.tasks.trusting import Trusting
from luthier.tasks.zero_shot import Seen, ZeroShot


@dataclass(frozen=True)
class Labels(Answers):
    """A label for each row, or with `many` any number of them."""

    probabilities: Array
    """(rows, labels)"""
    chosen: Array
    """(rows,) label numbers, or (rows, labels) marks."""

    def __len__(self) -> int:
        return len(self.chosen)

    def select(self, rows: Ints) -> "Labels":
        return Labels(self.probabilities[rows], self.chosen[rows])


@dataclass(frozen=True)
class Classification(Task[Logits, Labels]):
    """One row in, one label out, or with `many` any number of labels.

    Logits are (rows, labels). Targets are label numbers (rows,), or with `many` marks (rows, labels).
    """

    labels: tuple[str, ...]
    many: bool = False
    metric: str = "accuracy"
    name: str = "text-classification"
    reads: str = "text"
    head: str = "row"  # type: ignore[misc]
    label_smoothing: float = 0.0
    """The training loss spreads this share of a target over the labels (arXiv:1512.00567, section 7)."""
    label_weights: tuple[float, ...] = ()
    """In the training loss a row counts by its label's weight. With `many`, a label that is present counts by it."""
    words: tuple[str, ...] = ()
    """What each label means, as a text that others are compared with; empty: the labels' names say it."""
    temperature: float = 1.0
    """In the training loss logits are divided by it: more than 1 where soft targets were softened alike (`teaching`)."""

    @property
    def probe(self) -> Probing:
        return ProbedLabels(self)

    @property
    def contrasting(self) -> Contrast | None:
        how = self.zero_shot
        return None if self.many or how is None else Contrast()

    @property
    def crosses(self) -> bool:
        """Not so pairs: what few of them are best learnt by was not measured."""
        return not self.many and self.reads in ("text", "image")

    @property
    def calibrating(self) -> Calibrating[Logits, Labels]:
        return CalibratedLabels(self)

    @property
    def trusting(self) -> Trusting[Logits, Labels]:
        return TrustedLabels(self)

    @property
    def explaining(self) -> Explaining[Logits, Labels]:
        return ExplainedLabels(self.many)

    @property
    def teaching(self) -> Teaching[Labels]:
        return TaughtLabels(self)

    @property
    def slice_metric(self) -> str:
        """Accuracy in the place of a mean over labels: in a few rows some labels are missing, and the mean says how many."""
        return self.metric if self.metric in ("log_loss", "brier") else "accuracy"

    @property
    def weighting(self) -> Weighting:
        return WeightedLabels(self)

    @property
    def recorded(self) -> Recorded[Labels]:
        return RecordedLabels(self)

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        return {"majority": self.majority}

    @property
    def zero_shot(self) -> ZeroShot | None:
        return NamedLabels(self) if self.reads == "text" else None

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
        logits, targets = model(batch) / self.temperature, batch.targets
        scale = self.temperature**2  # by which softening shrinks gradients (arXiv:1503.02531, section 2)
        weights = logits.new_tensor(self.label_weights) if self.label_weights else None
        if not self.many:
            total = functional.cross_entropy(
                logits, targets, weights, reduction="sum", label_smoothing=self.label_smoothing
            )
            if weights is None or targets.ndim == 2:
                return Loss(scale * total, len(batch.rows))
            return Loss(scale * total, float(weights[targets].sum()))
        marks = targets * (1 - self.label_smoothing) + self.label_smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(
            logits, marks, reduction="none", pos_weight=weights
        )
        return Loss(scale * losses.mean(1).sum(), len(batch.rows))

    def mean_loss(self, outputs: Logits, examples: Examples) -> float:
        """The loss of logits that are at hand, without smoothing and weights: what validation compares."""
        found, targets = torch.from_numpy(outputs.values), examples.targets
        if not self.many:
            return float(functional.cross_entropy(found, torch.from_numpy(targets)))
        return float(functional.binary_cross_entropy_with_logits(found, torch.from_numpy(targets)))

    def majority(self, learnt: Examples, asked: Examples) -> Logits:
        """How frequent each label is among the training rows, for every row alike."""
        return Logits(majority_logits(learnt.targets, self.outputs, len(asked)))

    def answer(self, outputs: Logits, calibration: Calibration, examples: Examples | None = None) -> Labels:
        probabilities = self.probabilities(outputs, calibration)
        if not self.many:
            return Labels(probabilities, probabilities.argmax(axis=1))
        thresholds = Thresholds(calibration.thresholds or (0.5,) * self.outputs, ())
        return Labels(probabilities, apply_thresholds(probabilities, thresholds).astype(np.float32))

    def probabilities(self, outputs: Logits, calibration: Calibration) -> Array:
        """(rows, labels)"""
        if not self.many:
            return apply_temperature(outputs.values, calibration.temperature)
        unchanged = Platt((1.0,) * self.outputs, (0.0,) * self.outputs, ())
        platt = Platt(calibration.scale, calibration.bias, ()) if calibration.scale else unchanged
        return apply_platt(outputs.values, platt)

    def flawless(self, targets: Array) -> Labels:
        return Labels(targets if self.many else np.eye(self.outputs)[targets], targets)

    def evidence(self, answers: Labels, targets: Array) -> Classified:
        return Classified(targets, answers.chosen, self.outputs, answers.probabilities)

    def reported(self, targets: Array) -> tuple[str, ...]:
        several = ("micro_f1",) if self.many else ()
        return ("accuracy", "macro_f1", *several, "log_loss", "brier", "ece")

    def details(self, answers: Labels, targets: Array) -> dict[str, Any]:
        if self.many:
            per_class = multilabel.per_class(targets, answers.chosen)
        else:
            per_class = classification.per_class(targets, answers.chosen, self.outputs)
        found: dict[str, Any] = {
            "labels": list(self.labels),
            "multi_label": self.many,
            "per_class": [
                {"label": label, **score.to_json()}
                for label, score in zip(self.labels, per_class, strict=True)
            ],
        }
        if not self.many:
            found["confusion"] = classification.confusion(targets, answers.chosen, self.outputs).tolist()
        return found

    def lines(self, answers: Labels, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        rounded = np.round(answers.probabilities, 6).tolist()
        labels = [self.names(answer) for answer in answers.chosen]
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
        elsewhere = (
            "head",
            "label_smoothing",
            "label_weights",
            "temperature",
        )  # known by the kind; only of training
        told = {key: value for key, value in asdict(self).items() if key not in elsewhere}
        if not self.words:
            del told["words"]
        return told

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Classification":
        told = ClassificationRecord.model_validate(record)
        return Classification(
            tuple(told.labels), told.many, told.metric, told.name, told.reads, words=tuple(told.words)
        )


@dataclass(frozen=True)
class ProbedLabels(Probing):
    """Logistic regression: multinomial, or with several labels per row one for each."""

    task: Classification

    @property
    def outputs(self) -> int:
        return self.task.outputs

    def to_learn(self, targets: Array) -> Array:
        return targets

    def fit_score(self, values: Array, learnt: Array) -> float:
        task = self.task
        return task.goodness(task.score(task.answer(Logits(values), Calibration()), learnt))


@dataclass(frozen=True)
class CalibratedLabels(Calibrating[Logits, Labels]):
    """One temperature (Guo et al. 2017, arXiv:1706.04599), or with `many` a line per label (Platt 1999); none where they do not
    help (scores/calibration_gain.py)."""

    task: Classification

    def fit(self, outputs: Logits, examples: Examples) -> Calibration:
        logits, targets = outputs.values, examples.targets
        if len(logits) < self.fewest:
            return Calibration()
        if not self.task.many:
            fitted = Calibration(temperature=fit_temperature(logits, targets))
            return fitted.only_where(temperature_gain(logits, targets))
        platt = fit_platt_per_label(logits, targets)
        return Calibration(scale=platt.scale, bias=platt.bias).only_where(platt_gain(logits, targets))

    def decide(self, calibration: Calibration, outputs: Logits, examples: Examples) -> Calibration:
        """With `many`, each label's threshold of the highest F1; else nothing is to be decided."""
        if not self.task.many or len(outputs) == 0:
            return calibration
        found = best_thresholds(self.task.probabilities(outputs, calibration), examples.targets)
        return replace(calibration, thresholds=found.values)

    def trust(
        self, plain: Labels, calibrated: Labels, targets: Array, calibration: Calibration
    ) -> dict[str, Any]:
        before, after = plain.probabilities, calibrated.probabilities
        return {
            "calibration": {
                "temperature": calibration.temperature,
                "ece_before": self.error(before, targets),
                "ece_after": self.error(after, targets),
                **calibration.gain_record(),
            },
            "reliability": {
                "before": self.reliability(before, targets),
                "after": self.reliability(after, targets),
            },
        }

    def error(self, probabilities: Array, targets: Array) -> float:
        """The expected calibration error over 15 bins."""
        if self.task.many:
            return multilabel.expected_calibration_error(probabilities, targets)
        return classification.expected_calibration_error(probabilities, targets)

    def reliability(self, probabilities: Array, targets: Array, bins: int = 15) -> list[dict[str, float]]:
        """The reliability diagram's bins, from the lowest confidence up."""
        how = multilabel.reliability if self.task.many else classification.reliability
        return bins_of(how(probabilities, targets, bins))


@dataclass(frozen=True)
class WeightedLabels(Weighting):
    """Smoothed targets, and labels weighted against their frequency."""

    task: Classification

    def weighted(self, smoothing: float, balanced: bool, targets: Array) -> Classification:
        weights = balanced_weights(targets, self.task.outputs) if balanced else ()
        return replace(self.task, label_smoothing=smoothing, label_weights=weights)


@dataclass(frozen=True)
class RecordedLabels(Recorded[Labels]):
    """Labels by their names, and the probabilities of all of them."""

    task: Classification

    def beside(self, other: Classification) -> "RecordedLabels":
        return RecordedLabels(
            replace(self.task, labels=tuple(dict.fromkeys((*self.task.labels, *other.labels))), words=())
        )

    def evidence(self, lines: Sequence[Line]) -> Classified:
        targets, predicted = (
            self.task.targets([line[key] for line in lines]) for key in ("label", "prediction")
        )
        sure = [[line["probabilities"].get(label, 0.0) for label in self.task.labels] for line in lines]
        return Classified(targets, predicted, self.task.outputs, np.array(sure, np.float64))


@dataclass(frozen=True)
class NamedLabels(ZeroShot):
    """Texts compared with what describes the labels, or with their names as words: a model that was trained on texts may know
    them."""

    task: Classification

    @property
    def prompts(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.task.words or tuple(readable(label) for label in self.task.labels)

    def outputs(self, seen: Seen) -> Logits | None:
        if seen.prompts is None or not len(seen.prompts):
            return None
        return Logits(nearest_logits(seen.rows, seen.prompts, self.task.many))


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
