"""How a task turns what a model gives into probabilities that can be believed."""

import math
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic

from typing_extensions import TypeVar

from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.scores.calibration_gain import FOLDS, Gain
from luthier.tasks.answers import Answers
from luthier.tasks.outputs import Outputs
from luthier.tasks.records import CalibrationRecord

FEWEST = 20
"""Rows from which on a calibration can be fitted; what fewer would give is noise."""

Out = TypeVar("Out", bound=Outputs, default=Any)
Ans = TypeVar("Ans", bound=Answers, default=Any)


@dataclass(frozen=True)
class Calibration:
    """The calibration that turns logits into probabilities that can be believed. Lists have one number per label."""

    temperature: float = 1.0
    """Logits are divided by this, where each row has one label."""
    scale: tuple[float, ...] = ()
    """Each label's logit is multiplied by its scale, where rows may have several labels ..."""
    bias: tuple[float, ...] = ()
    """... and shifted by its bias."""
    thresholds: tuple[float, ...] = ()
    """Several labels per row: probability from which a label counts as present."""
    margin: float = math.inf
    """Half the width of the interval around an estimated number; infinite where it is not known."""
    gain: float | None = None
    """By how much the fitted calibration lowered the log loss of rows that it was not fitted on, in nats; it is kept only where
    that is more than `noise`. None where it was not tried."""
    noise: float | None = None
    """The standard error of `gain`."""

    def only_where(self, gain: Gain) -> "Calibration":
        """This calibration where it helps, else a plain one; with what it gained."""
        return replace(self if gain.helps else Calibration(), gain=gain.value, noise=gain.error)

    def gain_record(self) -> dict[str, Any]:
        """Keys of the scorecard on whether it helps; none where that was not tried."""
        if self.gain is None or self.noise is None:
            return {}
        return {"kept": self.gain > self.noise, "gain": self.gain, "noise": self.noise, "folds": FOLDS}

    def to_json(self) -> dict[str, Any]:
        margin = None if math.isinf(self.margin) else self.margin  # JSON knows no infinity
        return {**asdict(self), "margin": margin}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Calibration":
        told = CalibrationRecord.model_validate(record)
        margin = math.inf if told.margin is None else told.margin
        lists = tuple(told.scale), tuple(told.bias), tuple(told.thresholds)
        return Calibration(told.temperature, *lists, margin, told.gain, told.noise)


class Calibrating(ABC, Generic[Out, Ans]):
    """How the answers of a task are calibrated, and how far they can be believed then."""

    part: str = "calibration"
    """The part that it is fitted on: rows of their own, set aside from train; or those of `valid`, which also chose when
    training stopped, where what is fitted is one number or two that promise nothing of single rows. Where rows are few, those of
    `valid` in any case."""
    fewest: int = FEWEST
    """Rows from which on it is fitted."""
    left_out: str = "probabilities are the model's own, which are often too sure"
    """What the answers are where it could not be fitted, in words."""

    @abstractmethod
    def fit(self, outputs: Out, examples: Examples) -> Calibration:
        """The calibration that some rows of known answers give; a plain one where they are too few."""

    def unchanged(self, examples: Examples) -> Calibration:
        """What leaves answers to some rows as the model's own library gives them."""
        return Calibration()

    def decide(self, calibration: Calibration, outputs: Out, examples: Examples) -> Calibration:
        """The calibration with what is decided on the validation rows, such as thresholds."""
        return calibration

    @abstractmethod
    def trust(self, plain: Ans, calibrated: Ans, targets: Array, calibration: Calibration) -> dict[str, Any]:
        """Keys of the scorecard that tell how far the probabilities can be believed: `calibration`, and more as JSON."""
