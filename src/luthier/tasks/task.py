"""What every task must have: the questions the rest of luthier asks, and nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol

from torch import Tensor, nn

from luthier.arrays import Array, Ints
from luthier.batches.examples import Batch, Examples
from luthier.devices import Device
from luthier.models.headed import HeadedModel
from luthier.predict import logits_of
from luthier.scores.intervals import Difference, Estimate
from luthier.scores.measures import Measure
from luthier.scores.metrics import METRICS
from luthier.tasks.calibration import Ans, Calibrating, Calibration, Out
from luthier.tasks.checkable import Checkable
from luthier.tasks.config_labels import unnamed
from luthier.tasks.explaining import Explaining
from luthier.tasks.in_context import InContext
from luthier.tasks.made_rows import MadeRows
from luthier.tasks.outputs import PLAIN, Logits, Outputs, arrays_of
from luthier.tasks.probing import Probing
from luthier.tasks.recorded import Recorded
from luthier.tasks.reference import Reference
from luthier.tasks.teaching import Teaching
from luthier.tasks.trusting import Trusting
from luthier.tasks.writing import Writing
from luthier.tasks.zero_shot import ZeroShot

Baseline = Callable[[Examples, Examples], Outputs]
"""Answers for which nothing is trained. Takes the training rows and those that are asked, and gives Outputs of the latter."""


class Model(Protocol):
    """What a task may ask of a model while it learns."""

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


class Taught(Protocol):
    """What the loop asks of what is learnt: of a task, or of what a body learns before a task's head is solved for."""

    @property
    def metric(self) -> str:
        """The score of a validation, as events call it."""
        ...

    @property
    def learning(self) -> "Learning": ...

    def loss(self, model: Any, batch: Batch) -> Loss: ...

    def goodness(self, score: float) -> float: ...


@dataclass(frozen=True)
class Learning:
    """How training a task differs from training most others."""

    new_skill: bool = False
    """Whether a model that was never tuned for it has to learn more than to tell its features apart: of few rows it takes twice
    the steps."""
    steps_of_fewest: float = 1.0
    """The floor of steps as a multiple of the recipe's, where rows are so few that a step takes fewer of them than usual."""
    rows_per_step: int | None = None
    """Rows of a training step, where the task knows better than the model's recipe."""
    micro_tokens: int | None = None
    """Tokens that go through the model at once at the most, where more are no faster and take memory; None: as the plan says."""
    rate: float = 1.0
    """The learning rate as a multiple of the recipe's, where labels are not what is learnt."""
    most_epochs: int | None = None
    """Passes over the rows at the most, where more would teach the rows themselves; None: as many as the recipe says."""
    interpolated: bool = False
    """Whether the model that is kept is looked for between the base and the tuned one: a loss that only stands for what the model
    is for would lead too far."""
    compares_rows: bool = False
    """Whether the loss compares the rows of a step with each other: a step is then never cut outside of the model."""
    mixes_lengths: bool = False
    """Whether rows come into a step whatever their length: where they are few, those of like length would else meet each other
    alone."""


class Weighting(ABC):
    """How the training loss of labels is smoothed and weighted."""

    @abstractmethod
    def weighted(self, smoothing: float, balanced: bool, targets: Array) -> "Task[Any, Any]":
        """The task with another training loss.

        smoothing: share of a target that is spread over the labels.  balanced: whether labels are weighted against their
        frequency in `targets`, those of the training rows.
        """


class Task(ABC, Generic[Out, Ans]):
    """What is learnt, answered and scored. Frozen once it knows what it can answer, and rebuilt from its `to_json`.

    A task is a core with optional parts, None where it has none: how a linear probe learns it, how it is calibrated, which
    answers it has without learning. `Out` is what its models give, `Ans` what it answers. A unit is what one output is about: a
    row, a word of it, one of its texts.
    """

    name: str
    reads: str
    """What a row is made of."""
    metric: str
    """The score that chooses, stops and decides: a key of METRICS, which says whether higher or lower values are better."""
    outputs: int
    """Numbers the head gives per unit."""

    head: ClassVar[str] = "row"
    """What the head answers for: a key of `models.heads.HEADS`."""
    answer_key: ClassVar[str] = "label"
    """The key of the answer in a line of `predict`."""
    speaks: ClassVar[bool] = False
    """Whether a model answers before it has learnt, so that a tuned one has to be better: a language model does."""
    replays: ClassVar[bool] = False
    """Whether it learns from texts alone, so that general ones can be learnt beside its own rows."""
    system: str | None = None
    """What is said in a first turn to conversations that have no such turn; None where nothing is."""
    long: ClassVar[str] = "cut"
    """What is done with texts beyond the model's limit where nobody says otherwise."""

    # Optional parts

    @property
    def probe(self) -> Probing | None:
        """How a linear head on frozen features learns it; None where none can."""
        return None

    @property
    def contrasting(self) -> Taught | None:
        """What a body learns where rows are few, before a head is solved for; None where rows have no one label each."""
        return None

    @property
    def crosses(self) -> bool:
        """Whether candidates can be compared by cross-validation over the training rows, and are where rows are few."""
        return False

    @property
    def calibrating(self) -> Calibrating[Out, Ans] | None:
        """How its answers are calibrated; None where there is nothing to calibrate."""
        return None

    @property
    def trusting(self) -> Trusting[Out, Ans] | None:
        """What it promises of single answers at a limit of error; None where it promises nothing."""
        return None

    @property
    def explaining(self) -> Explaining[Out, Ans] | None:
        """How much speaks for an answer, so that it can be told which pieces of a row it rests on; None where nothing says so."""
        return None

    @property
    def teaching(self) -> Teaching[Ans] | None:
        """How it learns from the answers of a teacher; None where it learns from none."""
        return None

    @property
    def weighting(self) -> Weighting | None:
        """How its training loss is smoothed and weighted; None where it knows neither."""
        return None

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        """By the name of a candidate that learns nothing (candidates/), how it answers."""
        return {}

    @property
    def zero_shot(self) -> ZeroShot | None:
        """How a model that has learnt nothing of the task answers; None where it cannot."""
        return None

    @property
    def in_context(self) -> InContext | None:
        """How a language model that was never tuned is told of the task; None where no model answers without being tuned."""
        return None

    @property
    def reference(self) -> Reference | None:
        """What the untouched model says of the rows, which the loss compares with; None where it compares with nothing."""
        return None

    def untouched(self, outputs: Out) -> Out:
        """What a model gave before it learnt, made such that answers follow from it: a difference to itself says nothing."""
        return outputs

    @property
    def checkable(self) -> Checkable | None:
        """How a model's own answers are drawn and checked, where it is to learn from those that pass; None where it is not."""
        return None

    def writing(self, examples: Examples) -> Writing | None:
        """What is written to some rows where a model answers them; None where nothing is."""
        return None

    @property
    def recorded(self) -> Recorded[Ans] | None:
        """How the lines of predictions/ tell what its metrics need; None where they do not, so that runs cannot be compared."""
        return None

    @property
    def made_rows(self) -> MadeRows | None:
        """Rows that can be made of the training rows' texts, to learn from first; None where none can."""
        return None

    @property
    def learning(self) -> Learning:
        """How training it differs from training most others."""
        return Learning()

    # What is known of it

    @property
    def known_labels(self) -> tuple[str, ...]:
        """Names of what rows are labelled with, labels or types of entities; none where answers have no names."""
        return ()

    @property
    def labels_per_row(self) -> str | None:
        """`one` or `many`; None where answers are no labels of rows."""
        return None

    def firmness(self, rows: int) -> str:
        """How well a score on so many test rows is known, in words: the 95 % interval of a share of the rows."""
        margin = 1.96 * (0.8 * 0.2 / rows) ** 0.5
        return f"a score of 80 % would be known to about {100 * margin:.0f} points either way"

    def expectation(self, rows: int) -> str | None:
        """What a model that never did this task comes to with so many training rows, where that is less than users hope for."""
        return None

    @property
    def config_labels(self) -> dict[str, Any]:
        """What config.json says of the answers, as transformers spells it (tasks/config_labels.py)."""
        return unnamed(self.outputs)

    @property
    def slice_metric(self) -> str:
        """The metric by which slices of the test rows are compared: its own, unless that depends on what is in a slice."""
        return self.metric

    @property
    def gap_metric(self) -> str | None:
        """The metric by which training rows are compared with validation rows; None where their number decides its value."""
        return self.metric

    def having_seen(self, targets: Array) -> "Task[Out, Ans]":
        """The task, with what it takes from the targets of the training rows alone."""
        return self

    def having_read(self, examples: Examples) -> "Task[Out, Ans]":
        """The task, with what it takes from the rows as the model reads them."""
        return self

    def asked(self, part: str, examples: Examples) -> Examples:
        """The rows of a part, with what is asked of a model for them: of `valid` and `test` all that scores need."""
        return examples

    def finished(self, head: nn.Sequential) -> "tuple[Task[Out, Ans], nn.Sequential]":
        """The task and the head as they are saved: in the user's units, with what the model's own format has no room for."""
        return self, head

    # Learning

    @abstractmethod
    def loss(self, model: Model, batch: Batch) -> Loss:
        """The training loss of a batch."""

    @abstractmethod
    def mean_loss(self, outputs: Out, examples: Examples) -> float:
        """The plain loss of outputs that are at hand: what validation compares, whatever training adds to it."""

    # Answering

    def infer(self, model: HeadedModel, examples: Examples, device: Device) -> Out:
        """What a model gives for some rows; logits, unless the task says otherwise."""
        return self.of_logits(logits_of(model, examples, device), examples)

    def of_logits(self, values: Array, examples: Examples) -> Out:
        """Logits, (units, outputs), as the task's Outputs."""
        return Logits(values, examples.unit_ends)  # type: ignore[return-value]  # for who has other Outputs has another `infer`

    def read_outputs(self, arrays: Mapping[str, Array], record: Mapping[str, Any], examples: Examples) -> Out:
        """The Outputs that `Outputs.arrays` and `Outputs.record` were of. Raises KeyError where they were of another kind."""
        return self.of_logits(arrays[PLAIN], examples)

    def saved_outputs(
        self, part: str, arrays: Mapping[str, Array], records: Mapping[str, Any], examples: Examples
    ) -> Out:
        """The Outputs of a part, out of what `to_arrays` gave of several. Raises as `read_outputs`."""
        return self.read_outputs(arrays_of(part, arrays), records.get(part, {}), examples)

    @abstractmethod
    def answer(self, outputs: Out, calibration: Calibration, examples: Examples) -> Ans:
        """What is answered to some rows. examples: the rows whose outputs they are."""

    @abstractmethod
    def lines(self, answers: Ans, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """One JSON object per row: what `predict` gives. sources: what `Examples.sources` keeps of each row."""

    @abstractmethod
    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        """The right answer of each row, in the form that `lines` gives it under the key `answer_key`."""

    @abstractmethod
    def flawless(self, targets: Array) -> Ans:
        """The answers of a model that has every row right: their score is the metric's ceiling."""

    # Scores

    @abstractmethod
    def evidence(self, answers: Ans, targets: Array) -> Any:
        """What the measures of METRICS take for this task."""

    @abstractmethod
    def reported(self, targets: Array) -> tuple[str, ...]:
        """Names of the metrics of the scorecard, in its order."""

    @abstractmethod
    def details(self, answers: Ans, targets: Array) -> dict[str, Any]:
        """What the report shows beyond the metrics, as JSON."""

    def samples(self, answers: Mapping[str, Ans], targets: Array) -> list[dict[str, Any]]:
        """Some rows with what is right and what candidates answered, for a person to look at; none where scores say enough.

        answers: by the name of a candidate, the one that is kept first.
        """
        return []

    def measures(self, names: Sequence[str], evidence: Any, groups: Ints | None = None) -> dict[str, Measure]:
        """Metrics by name, as they were measured. groups: (rows,) equal where rows share something; None where none do."""
        found = {name: METRICS[name].measures[self.name](evidence) for name in names}
        return found if groups is None else {name: one.clustered(groups) for name, one in found.items()}

    def measure(self, answers: Ans, targets: Array, groups: Ints | None = None) -> Measure:
        """The task's own metric, as it was measured."""
        return self.measures([self.metric], self.evidence(answers, targets), groups)[self.metric]

    def score(self, answers: Ans, targets: Array) -> float:
        """The value of the task's own metric."""
        return self.measure(answers, targets).value

    def goodness(self, score: float) -> float:
        """A value of the task's own metric as all that compares takes it: higher is better."""
        return METRICS[self.metric].goodness(score)

    def scores(
        self, answers: Ans, targets: Array, seed: int, groups: Ints | None = None
    ) -> dict[str, Estimate]:
        """Every metric of the scorecard, with its interval."""
        found = self.measures(self.reported(targets), self.evidence(answers, targets), groups)
        return {name: measure.estimate(seed) for name, measure in found.items()}

    def difference(
        self, ours: Ans, theirs: Ans, targets: Array, seed: int, groups: Ints | None = None
    ) -> Difference:
        """How much better our answers are than theirs, by the metric, on the same rows."""
        higher = self.measure(ours, targets, groups).minus(self.measure(theirs, targets, groups), seed)
        return higher if METRICS[self.metric].higher else -higher

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All that rebuilds the task from `luthier.json`."""
