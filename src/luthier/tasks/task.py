"""What every task must have: the questions the rest of luthier asks, and nothing else."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from torch import Tensor, nn

from luthier.batches.examples import Batch, Examples
from luthier.scores.intervals import Difference, Estimate
from luthier.scores.measures import Measure
from luthier.scores.metrics import METRICS
from luthier.tasks.config_labels import unnamed
from luthier.tasks.records import CalibrationRecord

Array = np.ndarray[Any, np.dtype[Any]]


class Model(Protocol):
    """What a task may ask of a model."""

    def __call__(self, batch: Batch) -> Tensor:
        """(rows, outputs); of a head over tokens (parts, tokens, outputs), of one over texts (parts, outputs)."""
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
    margin: float = math.inf
    """Of a number: so far off, either way, the truth may be; infinite where that is not known."""

    def to_json(self) -> dict[str, Any]:
        margin = None if math.isinf(self.margin) else self.margin  # JSON knows no infinity
        return {**asdict(self), "margin": margin}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Calibration":
        told = CalibrationRecord.model_validate(record)
        margin = math.inf if told.margin is None else told.margin
        lists = tuple(told.scale), tuple(told.bias), tuple(told.thresholds)
        return Calibration(told.temperature, *lists, margin)


class Task(ABC):
    """Targets, loss, decoding, scores. Frozen once it knows what it can answer.

    A unit is what one answer is about: a row, or a word of it. `logits` are (units, outputs) of a model; `probabilities`
    what calibration makes of them; `predicted` the answers, in the form of `targets`.
    """

    name: str
    reads: str
    """What a row is made of: a key of `models.reading.READERS`."""
    metric: str
    """The score that chooses, stops and decides; higher is better."""
    outputs: int
    """Numbers the head gives per unit."""

    head: ClassVar[str] = "row"
    """What the head answers for: a key of `models.heads.HEADS`."""
    new_skill: ClassVar[bool] = False
    """Whether a model that was never tuned for it has to learn more than to tell its features apart: of few rows
    it takes twice the steps."""
    steps_of_fewest: ClassVar[float] = 1.0
    """Times the recipe's floor of steps, where rows are so few that a step takes fewer of them than usual."""
    probed: ClassVar[bool] = True
    """Whether a linear head on frozen features can answer: where not, there is no probe."""
    majority: ClassVar[str] = "majority"
    """The candidate that always gives the most frequent answer."""
    rule: ClassVar[str] = ""
    """The candidate that answers by a rule of thumb, without a model, where there is one."""
    answer: ClassVar[str] = "label"
    """The key of the answer in a line of `predict`."""
    calibrates: ClassVar[str] = "calibration"
    """The part that calibrates: rows of their own, set aside from train; or those of validation, which also chose when
    training stopped, where what is fitted is one number or two that promise nothing of single rows; or none. Where rows are
    few, those of validation in any case."""
    fewest_to_calibrate: ClassVar[int] = 20
    """With fewer rows what is fitted would be noise: probabilities stay as they are."""
    uncalibrated: ClassVar[str] = "probabilities are the model's own, which are often too sure"
    """What answers are then, in words."""
    long: ClassVar[str] = "cut"
    """What is done with texts beyond the model's limit where nobody says otherwise."""
    weighs: ClassVar[bool] = False
    """Whether its training loss knows label smoothing and weights of labels."""

    def firmness(self, rows: int) -> str:
        """How well a score on so many test rows is known, in words: the 95 % interval of a share of the rows."""
        margin = 1.96 * (0.8 * 0.2 / rows) ** 0.5
        return f"a score of 80 % would be known to about {100 * margin:.0f} points either way"

    @property
    def known_labels(self) -> tuple[str, ...]:
        """Names of what rows are labelled with, labels or types of entities; none where answers have no names."""
        return ()

    @property
    def labels_per_row(self) -> str | None:
        """`one` or `many`; None where answers are no labels of rows."""
        return None

    @property
    def compares_all(self) -> bool:
        """Whether the loss compares the rows of a step with each other: a step is then never cut outside of the model."""
        return False

    @property
    def rows_per_step(self) -> int | None:
        """Rows of a training step where the task knows better than the model's recipe."""
        return None

    @property
    def compares(self) -> bool:
        """Whether the nearness of the two texts of a row says something by itself."""
        return False

    @property
    def prompts(self) -> tuple[str, ...]:
        """Texts whose features `zero_shot` compares with."""
        return ()

    @property
    def config_labels(self) -> dict[str, Any]:
        """What config.json says of the answers, as transformers spells it (tasks/config_labels.py)."""
        return unnamed(self.outputs)

    def having_seen(self, targets: Array) -> "Task":
        """The task, with what it takes from the targets of the training rows alone."""
        return self

    @abstractmethod
    def loss(self, model: Model, batch: Batch) -> Loss:
        """The training loss of a batch."""

    @abstractmethod
    def mean_loss(self, logits: Array, examples: Examples) -> float:
        """The plain loss of logits that are at hand: what validation compares, whatever training adds to it."""

    @abstractmethod
    def to_learn(self, targets: Array) -> Array:
        """(units, ...) targets as a linear head learns them: classes, marks, or numbers (train/probe/probe.py)."""

    @abstractmethod
    def majority_logits(self, targets: Array, examples: Examples) -> Array:
        """(units, outputs) of always giving the most frequent answer of `targets`, for the units of some examples."""

    def rule_logits(self, learnt: Examples, examples: Examples) -> Array:
        """(units, outputs) of the rule of thumb. learnt: the training rows, if it looks at any."""
        raise NotImplementedError(f"{self.name} has no rule of thumb")

    def zero_shot_logits(self, features: Array, prompts: Array) -> Array | None:
        """(units, outputs) from features, (units, width), and those of `prompts`, where nothing has to be learnt for it."""
        return None

    def likeness_logits(self, own: tuple[Array, Array], known: tuple[Array, Array]) -> Array:
        """(rows, outputs) from the vectors of both texts of some rows, (rows, width) each, where `compares`. known: those of the
        validation rows, which say what is near."""
        raise NotImplementedError(f"{self.name} compares no texts")

    def read_by_head(self, features: Array) -> Array:
        """(units, n) what a linear head reads of features, (units, width)."""
        return features

    def finished_head(self, head: nn.Sequential) -> nn.Sequential:
        """The head as it is saved: in the user's units."""
        return head

    def finished(self, head: nn.Sequential) -> "Task":
        """The task as it is saved beside a finished head, with what the model's own format has no room for."""
        return self

    @abstractmethod
    def calibrate(self, logits: Array, examples: Examples) -> Calibration:
        """Fit on the calibration part."""

    def with_thresholds(self, calibration: Calibration, logits: Array, examples: Examples) -> Calibration:
        """Add what is decided on the validation part."""
        return calibration

    @abstractmethod
    def probabilities(
        self, logits: Array, calibration: Calibration, examples: Examples | None = None
    ) -> Array:
        """What calibration makes of logits. examples: whose logits they are; only tasks whose units are no rows ask for it."""

    @abstractmethod
    def predicted(
        self, probabilities: Array, calibration: Calibration, examples: Examples | None = None
    ) -> Array:
        """The answers."""

    @abstractmethod
    def evidence(self, predicted: Array, targets: Array, probabilities: Array | None = None) -> Any:
        """What the measures of METRICS take for this task. probabilities: where they are wanted too."""

    @abstractmethod
    def reported(self, targets: Array) -> tuple[str, ...]:
        """Names of the metrics of the scorecard, in its order."""

    def measure(self, predicted: Array, targets: Array) -> Measure:
        """The task's own metric, as it was measured."""
        return METRICS[self.metric].measures[self.name](self.evidence(predicted, targets))

    def score(self, predicted: Array, targets: Array) -> float:
        """The metric."""
        return self.measure(predicted, targets).value

    def all_right(self, targets: Array) -> Array:
        """The answers of a model that has every row right, in the form of `predicted`: their score is the metric's ceiling."""
        return targets

    def expectation(self, rows: int) -> str | None:
        """What a model that never did this task comes to with so many training rows, where that is less than users hope for."""
        return None

    def fit_score(self, logits: Array, learnt: Array) -> float:
        """How well a linear head does on units that it did not see, in [0, 1]. learnt: as `to_learn` gives it."""
        plain = Calibration()
        return self.score(self.predicted(self.probabilities(logits, plain), plain), learnt)

    def scores(
        self, probabilities: Array, predicted: Array, targets: Array, seed: int
    ) -> dict[str, Estimate]:
        """Every metric of the scorecard, with its interval."""
        found = self.evidence(predicted, targets, probabilities)
        measures = {name: METRICS[name].measures[self.name](found) for name in self.reported(targets)}
        return {name: measure.estimate(seed) for name, measure in measures.items()}

    @abstractmethod
    def trust(
        self, plain: Array, calibrated: Array, targets: Array, calibration: Calibration
    ) -> dict[str, Any]:
        """Keys of the scorecard that tell how far the probabilities can be believed: `calibration`, and more as JSON."""

    @abstractmethod
    def details(self, probabilities: Array, predicted: Array, targets: Array) -> dict[str, Any]:
        """What the report shows beyond the metrics, as JSON."""

    def difference(self, ours: Array, theirs: Array, targets: Array, seed: int) -> Difference:
        """How much better our answers are than theirs, by the metric, on the same rows."""
        return self.measure(ours, targets).minus(self.measure(theirs, targets), seed)

    @abstractmethod
    def answers(
        self, probabilities: Array, predicted: Array, sources: Sequence[Any] = ()
    ) -> list[dict[str, Any]]:
        """One JSON object per row: what `predict` gives. sources: of each row, what `Examples.sources` keeps."""

    @abstractmethod
    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        """The right answer of each row, in the form that `answers` gives it under the key `answer`."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All that rebuilds the task from `luthier.json`."""
