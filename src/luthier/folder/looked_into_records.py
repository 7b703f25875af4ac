"""The records of scorecard.json on what lies below a score: slices of the test rows, mistakes, overfitting."""

from typing import Any

from pydantic import Field

from luthier.records import Finite, Name, Record


class SliceScores(Record):
    """Some of the test rows, their score, and whether it differs from that of all others."""

    by: Name
    name: str
    rows: int
    value: float
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    p: Finite | None = None
    p_holm: Finite | None = None
    differs: bool = False


class Slices(Record):
    """The slices of the test rows that were looked at."""

    metric: Name
    slices: list[SliceScores] = Field(default_factory=list)


class NearRow(Record):
    """A training row that is like a test row."""

    row: int | None = None
    file: str | None = None
    line: int | None = None
    text: str | None = None
    label: Any = None
    likeness: Finite | None = None


class WeighedPiece(Record):
    """A piece of a row, and what it does for the answer: words of a text, or a region of an image."""

    weight: Finite
    words: str | None = None
    text: int | None = None
    start: int | None = None
    end: int | None = None
    left: Finite | None = None
    top: Finite | None = None
    right: Finite | None = None
    bottom: Finite | None = None


class MistakeScores(Record):
    """A test row that was answered wrongly, and what that may come from."""

    row: int | None = None
    file: str | None = None
    line: int | None = None
    text: str | None = None
    label: Any = None
    prediction: Any = None
    confidence: Finite | None = None
    nearest: list[NearRow] | None = None
    pieces: list[WeighedPiece] | None = None


class Mistakes(Record):
    """The surest wrong answers to test rows."""

    wrong: int
    surest: list[MistakeScores] = Field(default_factory=list)
    known: int | None = None
    """Training rows that were compared with."""
    unit: str | None = None
    """What weights of pieces are counted in."""


class PartScore(Record):
    """A score on a part of the rows."""

    rows: int
    value: float
    low: float | None = None
    high: float | None = None


class Gap(Record):
    """How much better the kept model is on rows that it has learnt from than on validation rows."""

    metric: Name
    train: PartScore
    valid: PartScore
    difference: float
    low: float | None = None
    high: float | None = None


class CurvePoint(Record):
    """A validation during training, and the mean loss of the training steps since the one before."""

    step: int
    epoch: float | None = None
    score: float | None = None
    loss: float | None = None
    train_loss: float | None = None
    best: bool = False


class Course(Record):
    """How training went: how long it was to be, how long it was, which of its states was taken."""

    candidate: Name
    steps: int
    planned: int
    best_step: int
    why: str | None = None
    epochs: float | None = None
    planned_epochs: float | None = None
    best_epoch: float | None = None
    curve: list[CurvePoint] = Field(default_factory=list)


class Claim(Record):
    """The difference on validation rows between the dearest candidate and the next cheaper."""

    dearer: Name
    cheaper: Name
    rows: int
    difference: float
    low: float | None = None
    high: float | None = None
    outcome: str | None = None
    detectable: float | None = None
    too_small: bool = False


class Overfitting(Record):
    """What is known of it."""

    gap: Gap | None = None
    course: Course | None = None
    claim: Claim | None = None
