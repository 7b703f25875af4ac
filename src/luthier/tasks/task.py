"""What every task must have: the questions the rest of luthier asks, and nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from luthier.batches.examples import Batch
from luthier.scores.intervals import Difference, Estimate

Array = np.ndarray[Any, np.dtype[Any]]


class Model(Protocol):
    """What a task may ask of a model."""

    def __call__(self, batch: Batch) -> Tensor:
        """(rows, outputs)"""
        ...


@dataclass(frozen=True)
class Loss:
    """The loss of some rows, kept as a sum so that a step in several micro-batches is the step whole."""

    total: Tensor
    """(), summed over rows."""
    weight: float
    """What the sum over the whole step is divided by."""


@dataclass(frozen=True)
class Calibration:
    """What turns logits into probabilities that can be believed. Lists have one number per label."""

    temperature: float = 1.0
    """One label per row: logits are divided by it."""
    scale: tuple[float, ...] = ()
    """Several labels per row: each label's logit is multiplied by its scale ..."""
    bias: tuple[float, ...] = ()
    """... and shifted by its bias."""
    thresholds: tuple[float, ...] = ()
    """Several labels per row: probability from which a label counts as present."""


class Task(ABC):
    """Targets, loss, decoding, scores. Frozen once it knows what it can answer.

    `logits` are (rows, outputs) of a model; `probabilities` what calibration makes of them; `predicted` the answers, in
    the form of `targets`.
    """

    name: str
    metric: str
    """The score that chooses, stops and decides; higher is better."""
    outputs: int
    """Numbers the head gives per row."""

    @abstractmethod
    def targets(self, values: Sequence[Any]) -> Array:
        """(rows, ...) what is learnt from, from the values of the label column."""

    @abstractmethod
    def loss(self, model: Model, batch: Batch) -> Loss:
        """The training loss of a batch."""

    @abstractmethod
    def mean_loss(self, logits: Array, targets: Array) -> float:
        """The plain loss of logits that are at hand: what validation compares, whatever training adds to it."""

    @abstractmethod
    def calibrate(self, logits: Array, targets: Array) -> Calibration:
        """Fit on the calibration part."""

    @abstractmethod
    def with_thresholds(self, calibration: Calibration, logits: Array, targets: Array) -> Calibration:
        """Add what is decided on the validation part."""

    @abstractmethod
    def probabilities(self, logits: Array, calibration: Calibration) -> Array: ...

    @abstractmethod
    def predicted(self, probabilities: Array, calibration: Calibration) -> Array: ...

    @abstractmethod
    def score(self, predicted: Array, targets: Array) -> float:
        """The metric."""

    @abstractmethod
    def row_scores(self, predicted: Array, targets: Array) -> Array:
        """(rows,) how right each answer is by itself, in [0, 1]."""

    @abstractmethod
    def scores(
        self, probabilities: Array, predicted: Array, targets: Array, seed: int
    ) -> dict[str, Estimate]:
        """Every metric of the scorecard, with its interval."""

    @abstractmethod
    def calibration_error(self, probabilities: Array, targets: Array) -> float:
        """How far confidence and accuracy lie apart, in [0, 1]."""

    @abstractmethod
    def reliability(self, probabilities: Array, targets: Array) -> list[dict[str, float]]:
        """Confidence and accuracy by bin, for the report's diagram."""

    @abstractmethod
    def details(self, probabilities: Array, predicted: Array, targets: Array) -> dict[str, Any]:
        """What the report shows beyond the metrics, as JSON."""

    @abstractmethod
    def difference(self, ours: Array, theirs: Array, targets: Array, seed: int) -> Difference:
        """How much better our answers are than theirs, by the metric, on the same rows."""

    @abstractmethod
    def answers(self, probabilities: Array, predicted: Array) -> list[dict[str, Any]]:
        """One JSON object per row: what `predict` gives."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All that rebuilds the task from `luthier.json`."""
