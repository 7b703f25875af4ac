"""The records that scorecard.json is made of, as docs/scorecard.md describes it, checked when they are read."""

from typing import Any, Self

from pydantic import Field, model_validator

from luthier.folder.continued_records import Continued
from luthier.folder.distillation_records import Distillation
from luthier.folder.looked_into_records import Mistakes, Overfitting, Slices
from luthier.folder.trust_scores import TrustScores
from luthier.folder.unlabelled_records import LearntUnlabelled
from luthier.records import Finite, Name, Positive, Record, VersionedRecord


class Score(Record):
    """A metric on the test rows. It may be no number where the metric is not defined."""

    value: float
    low: float | None = None
    high: float | None = None


class CandidateScores(Record):
    """A candidate's score, in the run's metric."""

    name: Name
    valid: float | None = None
    test: float | None = None
    seconds: Finite | None = None
    valid_low: float | None = None
    valid_high: float | None = None
    test_low: float | None = None
    test_high: float | None = None
    rows_per_second: Finite | None = None
    bytes: int | None = None
    rows_to_reach: int | None = None


class ClusterCounts(Record):
    """What rows share, and into how many clusters they fall by it."""

    by: list[str]
    test: int
    valid: int | None = None


class Spread(Record):
    """A score over seeds."""

    mean: float
    sd: float | None = None
    values: list[float]


class SeedScores(Record):
    """Scores of the same plan on several seeds, of which this run is the one that is kept."""

    n: int
    test: Spread
    valid: Spread | None = None
    seeds: list[int] | None = None
    kept: int | None = None


class Gain(Record):
    """How much better one candidate is than another."""

    difference: float | None = None
    low: float | None = None
    high: float | None = None
    words: str | None = None
    outcome: str | None = None
    detectable: float | None = None


class Verdict(Gain):
    """Whether the chosen candidate is better than what is to be beaten."""

    ship: bool
    against: str | None = None


class Worth(Gain):
    """What the dearest candidate's time bought."""

    dearer: str | None = None
    cheaper: str | None = None


class CalibrationScores(Record):
    """How far probabilities can be believed."""

    temperature: Positive | None = None
    ece_before: float | None = None
    ece_after: float | None = None
    kept: bool | None = None
    gain: float | None = None
    noise: float | None = None
    folds: int | None = None
    rows: Finite | None = None
    wanted: float | None = None
    margin: float | None = None
    coverage: float | None = None


class Bin(Record):
    """A bin of the reliability diagram."""

    low: Finite
    high: Finite
    count: Finite | None = None
    confidence: float | None = None
    accuracy: float | None = None


class ClassScores(Record):
    """A label's scores."""

    label: str
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    support: Finite | None = None


class RungDrift(Record):
    """How alike the states of a rung still are."""

    rung: str
    cka: float


class GeneralTexts(Record):
    """How well general texts are read before and after."""

    texts: str | None = None
    rows: Finite | None = None
    probe_before: float | None = None
    probe_after: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    perplexity_before: float | None = None
    perplexity_after: float | None = None


class Forgetting(Record):
    """How far the model has moved from its base, and what that cost."""

    kl_to_base: float | None = None
    over: str | None = None
    rows: Finite | None = None
    drift: list[RungDrift] | None = None
    general: GeneralTexts | None = None
    feature_cosine: float | None = None
    seconds: Finite | None = None
    words: str | None = None


class KeepingPoint(Record):
    """A model between the base and the tuned one."""

    way: str
    alpha: float
    score: float
    kl: float
    near: bool | None = None


class Keeping(Record):
    """The models between the base and the tuned one, and which of them was kept."""

    points: list[KeepingPoint]
    kept: int
    metric: str | None = None
    seconds: Finite | None = None
    words: str | None = None

    @model_validator(mode="after")
    def fits_together(self) -> Self:
        """Raises ValueError where the one that was kept is none of them."""
        if not 0 <= self.kept < len(self.points):
            raise ValueError("'kept' is to be the number of one of the points")
        return self


class Cost(Record):
    """The time and memory that the run took."""

    seconds: dict[str, Finite] | None = None
    peak_bytes: Finite | None = None
    tokens: Finite | None = None
    tokens_per_second: Finite | None = None


class LongTexts(Record):
    """Texts beyond the model's limit."""

    rows: Finite | None = None
    tokens: Finite | None = None
    limit: Finite | None = None
    way: str | None = None


class WrittenTexts(Record):
    """Texts that a language model wrote to the test rows."""

    rows: Finite | None = None
    cut_at_length: Finite | None = None
    most_tokens: Finite | None = None


class SampleAnswer(Record):
    """What a candidate wrote to a row."""

    text: str | None = None
    finish: str | None = None


class Sample(Record):
    """A test row with what is right and what candidates wrote, the one that is kept first."""

    text: str | None = None
    file: str | None = None
    line: int | None = None
    right: str | None = None
    answers: dict[str, SampleAnswer] = Field(default_factory=dict)


class FewExamples(Record):
    """The training rows that stood in the prompt of the untouched model, by their places."""

    rows: list[str]


class RateTest(Record):
    """The range test of the learning rate."""

    rates: list[Finite]
    losses: list[float]
    lr: Finite

    @model_validator(mode="after")
    def fits_together(self) -> Self:
        """Raises ValueError for rates without their losses."""
        if len(self.rates) != len(self.losses):
            raise ValueError("'rates' and 'losses' are to be equally long")
        return self


class Tuning(Record):
    """Settings that moved the weights, and how training went."""

    rate_test: RateTest | None = None
    few_examples: FewExamples | None = None


class Judging(Record):
    """How a model that was tuned elsewhere was judged."""

    what: str | None = None
    understood: list[str] | None = None
    folds: Finite | None = None
    task: dict[str, Any] | None = None
    """The task as luthier.json has it, by which runs are compared. The task itself checks it."""


class Looks(Record):
    """How many other models were scored on the same test rows before."""

    contents: Name
    rows: int
    earlier: int | None = None
    too_good: float | None = None
    words: str | None = None


class ScorecardRecord(VersionedRecord):
    """scorecard.json, as docs/scorecard.md describes it."""

    metric: Name
    test: dict[str, Score]
    chosen: Name
    task: str | None = None
    reads: str | None = None
    model: str | None = None
    method: str | None = None
    model_format: str | None = None
    word_vectors: bool = False
    language: str | None = None
    seed: int | None = None
    seeds: SeedScores | None = None
    rows: dict[str, int] | None = None
    left_out: dict[str, int] | None = None
    clusters: ClusterCounts | None = None
    in_short: str | None = None
    candidates: list[CandidateScores] | None = None
    reaching: str | None = None
    verdict: Verdict | None = None
    worth: Worth | None = None
    calibration: CalibrationScores | None = None
    reliability: dict[str, list[Bin]] | None = None
    trust: TrustScores | None = None
    scatter: list[list[float]] | None = None
    answers: dict[str, int] | None = None
    written: WrittenTexts | None = None
    samples: list[Sample] | None = None
    system: str | None = None
    speaks: bool | None = None
    labels: list[str] | None = None
    multi_label: bool | None = None
    per_class: list[ClassScores] | None = None
    confusion: list[list[int]] | None = None
    forgetting: Forgetting | None = None
    keeping: Keeping | None = None
    unlabelled: LearntUnlabelled | None = None
    slices: Slices | None = None
    mistakes: Mistakes | None = None
    overfitting: Overfitting | None = None
    distillation: Distillation | None = None
    judged: Judging | None = None
    valid_from: str | None = None
    looks: Looks | None = None
    continued: Continued | None = None
    long: LongTexts | None = None
    tuning: Tuning | None = None
    warnings: list[str] | None = None
    cost: Cost | None = None
    machine: dict[str, str | int | float | None] | None = None
    versions: dict[str, str] | None = None

    @model_validator(mode="after")
    def fits_together(self) -> Self:
        """Raises ValueError for a table that is not square, or a point that is no pair."""
        counts = self.confusion or []
        if any(len(row) != len(counts) for row in counts) or (
            counts and self.labels and len(self.labels) < len(counts)
        ):
            raise ValueError("'confusion' is to have a row and a column per label")
        if any(len(point) != 2 for point in self.scatter or []):
            raise ValueError("'scatter' is to be made of pairs of numbers")
        return self

    @property
    def measured(self) -> bool:
        """Whether there were test rows, so that there are scores."""
        return bool(self.test) or (self.rows or {}).get("test") != 0

    @property
    def ship(self) -> bool:
        """Whether the chosen candidate is better, beyond noise, than the best for which nothing was trained."""
        return self.verdict is not None and self.verdict.ship

    @property
    def looks_words(self) -> str:
        """What is told where other models were scored on the same test rows before; empty where none was."""
        return (self.looks.words if self.looks is not None else None) or ""

    @property
    def verdict_words(self) -> str:
        """The verdict as a sentence."""
        told = None if self.verdict is None else self.verdict.words
        return told or ("Ship it." if self.ship else "Do not ship it.")
