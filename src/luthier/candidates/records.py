"""What the steps of a run leave in `state/`, as records that are checked when they are read back."""

from typing import Any

from pydantic import Field, field_validator

from luthier.folder.unlabelled_records import Change, ProbeUnlabelled, ScoreChange
from luthier.records import Count, Finite, Positive, Record, VersionedRecord
from luthier.tasks.records import CalibrationRecord


class FeaturesRecord(VersionedRecord):
    """Beside the frozen features."""

    seconds: Finite


class ReferenceRecord(VersionedRecord):
    """Beside what the untouched model says of the rows."""

    seconds: Finite


class TeacherRecord(VersionedRecord):
    """Beside what a teacher's model gives for the rows that are learnt from."""

    seconds: Finite


class ImpressionRecord(VersionedRecord):
    """Beside what the base made of the rows on which it is compared with the tuned model."""

    seconds: Finite


class PointRecord(Record):
    """A point between the base and the tuned weights."""

    way: str
    alpha: Finite
    score: float
    kl: Finite
    near: bool
    """Whether its score is within one paired standard error of the best."""


class KeepingRecord(VersionedRecord):
    """Beside the weights that were kept of those between the base and the tuned ones."""

    points: list[PointRecord]
    kept: Count
    """Which of the points was kept."""
    seconds: Finite


class ProbeRecord(VersionedRecord):
    """Beside the probe's weights."""

    strength: Positive
    cross_validated: dict[str, Finite]
    """Score by strength, which JSON spells as text."""
    seconds: Finite = 0.0

    @field_validator("cross_validated")
    @classmethod
    def numbers(cls, scores: dict[str, float]) -> dict[str, float]:
        """Raises ValueError for a strength that is no number."""
        for strength in scores:
            float(strength)
        return scores


class CentredRecord(VersionedRecord):
    """Beside the weights of the probe of few rows that is pulled to the labels' words."""

    sharpness: Finite
    strength: Positive
    seconds: Finite


class DiscriminantRecord(VersionedRecord):
    """Beside the weights of the probe of few rows that is a discriminant."""

    shrinkage: Finite
    sharpness: Finite
    seconds: Finite


class ProbeUnlabelledRecord(VersionedRecord):
    """Beside the weights of the probe that learnt from rows without labels too, where that is kept."""

    learnt: ProbeUnlabelled


class TunedRecord(VersionedRecord):
    """Beside the weights that training ended with."""

    steps: Count
    best_step: Count
    why: str
    tokens: Count
    seconds: Finite
    operations: Finite
    per_epoch: Count | None = None
    """Steps that see each row once, of those that were learnt at last; None in records of earlier versions."""


class AdaptedRecord(VersionedRecord):
    """Beside the weights of a body that learnt from rows without labels, if it was kept."""

    rows: Count
    """Rows without labels."""
    held_out: Count
    """Those of them that said when to stop."""
    kept: bool
    words: str
    steps: Count = 0
    why: str = ""
    tokens: Count = 0
    seconds: Finite = 0.0
    share: Finite = 0.0
    """How far the weights went from the base on the way to where training ended."""
    loss: Change | None = None
    """The loss on those that said when to stop."""
    score: ScoreChange | None = None
    """What a probe comes to in cross-validation over the training rows; higher is better."""


class FewShotRecord(VersionedRecord):
    """Beside the weights of the body that brought rows of a label together, and its head."""

    steps: Count
    tokens: Count
    seconds: Finite
    folds: Count = 0
    """How often it learnt once more, each time without some rows."""
    onward: bool = False
    """Whether it went on from the body that the round before had trained."""


class ClozeRecord(VersionedRecord):
    """Beside the weights after the questions that were made of texts."""

    questions: Count
    steps: Count
    why: str
    tokens: Count
    seconds: Finite


class RoundRecord(VersionedRecord):
    """What a model itself answered to the training rows in a round, before it was checked; or that it has learnt from them."""

    answers: list[list[str]]
    seconds: float = 0.0
    """What that took."""


class ScratchRecord(VersionedRecord):
    """Beside what the model that was trained from scratch gives for the rows of some parts."""

    steps: Count
    best_step: Count
    why: str
    tokens: Count
    seconds: Finite
    lr: Positive
    outputs: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By part, what `Outputs.record` gave."""


class RateTestRecord(VersionedRecord):
    """What the range test of the learning rate saw."""

    rates: list[float]
    losses: list[float]
    lr: Positive


class ScoredRecord(VersionedRecord):
    """Beside what the tuned model gives for the rows of some parts; it says that the arrays are whole."""

    outputs: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By part, what `Outputs.record` gave."""


class OutcomeRecord(VersionedRecord):
    """What a trial came to."""

    score: float
    candidate: str
    work: Finite
    seconds: Finite
    peak_bytes: Count
    calibration: CalibrationRecord
    curve: list[list[float]]
    cut: bool = False
    outputs: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By part, what `Outputs.record` gave."""

    @field_validator("curve")
    @classmethod
    def pairs(cls, curve: list[list[float]]) -> list[list[float]]:
        """Raises ValueError for a point that is not an epoch and a score."""
        if any(len(point) != 2 for point in curve):
            raise ValueError("each point is to be a pair, epoch and score")
        return curve
