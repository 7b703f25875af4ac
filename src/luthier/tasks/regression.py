"""Regression: one text or two, and a number to estimate."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.special import expit
from torch import nn
from torch.nn import functional

from luthier.arrays import Array, Bools, Ints
from luthier.batches.examples import Batch, Examples
from luthier.data.columns import ColumnGuess, guess_text_and_label
from luthier.data.known_names import SCORE_NAMES
from luthier.data.row_facts import KnownAnswers, Unusable
from luthier.data.table import Table
from luthier.data.text_pairs import guess_pair, pair_by_name
from luthier.forms.form import Columns
from luthier.models.hub.tuned_head import ROWS, TunedHead
from luthier.scores import regression
from luthier.scores.evidence import Estimated
from luthier.scores.metrics import judging
from luthier.tasks.answers import Answers
from luthier.tasks.baselines import unit
from luthier.tasks.calibration import Calibrating, Calibration
from luthier.tasks.classification.labelled import refuse_nothing_left, useless
from luthier.tasks.config_labels import number
from luthier.tasks.explaining import Explaining
from luthier.tasks.kind import Finished, Kind, Roles, Understood, Wishes
from luthier.tasks.metric import chosen_metric
from luthier.tasks.number_column import equal_numbers, numbers, strata_of, told_of_numbers
from luthier.tasks.outputs import Logits
from luthier.tasks.probing import Probing
from luthier.tasks.recorded import Line, Recorded
from luthier.tasks.records import RegressionRecord
from luthier.tasks.task import Baseline, Loss, Model, Task
from luthier.tasks.taught_numbers import TaughtNumbers
from luthier.tasks.teaching import Teaching
from luthier.tasks.texts import (
    input_keys,
    read_columns,
)
from luthier.tasks.trusted_numbers import TrustedNumbers
from luthier.tasks.trusting import Trusting
from luthier.tasks.zero_shot import Seen, ZeroShot

NAME = "regression"
COVERAGE = 0.9
"""Share of rows whose truth lies within the interval of an estimate."""
SCATTER = 500
"""Test rows that the report draws."""


@dataclass(frozen=True)
class Numbers(Answers):
    """A number for each row, with the interval that the truth lies in."""

    values: Array
    """(rows,) in the user's units."""
    margin: float = math.inf
    """Half the width of the intervals."""

    def __len__(self) -> int:
        return len(self.values)

    def select(self, rows: Ints) -> "Numbers":
        return Numbers(self.values[rows], self.margin)

    @property
    def low(self) -> Array:
        """(rows,) the lower ends of the intervals."""
        found: Array = self.values - self.margin
        return found

    @property
    def high(self) -> Array:
        """(rows,) the upper ends of the intervals."""
        found: Array = self.values + self.margin
        return found


@dataclass(frozen=True)
class Regression(Task[Logits, Numbers]):
    """One row in, one number out.

    Logits are (rows, 1): a number is `mean` plus `spread` times its logit. Targets are (rows,) in the user's units.
    """

    mean: float = 0.0
    spread: float = 1.0
    """In training the mean and standard deviation of the training rows. A model that is saved has both built into its last
    layer; one that reads two texts apart gives their cosine, and these two are the line through it."""
    metric: str = "spearman"
    reads: str = "text"
    """`text`, `pair` (two texts as one), or `apart` (two texts, each by itself)."""

    name: ClassVar[str] = NAME  # type: ignore[misc]
    outputs: ClassVar[int] = 1  # type: ignore[misc]
    answer_key: ClassVar[str] = "value"

    @property
    def probe(self) -> Probing:
        return ProbedNumbers(self)

    @property
    def calibrating(self) -> Calibrating[Logits, Numbers]:
        return Intervals(self)

    @property
    def recorded(self) -> Recorded[Numbers]:
        return RecordedNumbers()

    @property
    def trusting(self) -> Trusting[Logits, Numbers]:
        return TrustedNumbers()

    @property
    def explaining(self) -> Explaining[Logits, Numbers]:
        return ExplainedNumbers(self)

    @property
    def teaching(self) -> Teaching[Numbers]:
        return TaughtNumbers(self)

    @property
    def slice_metric(self) -> str:
        """A correlation is lower wherever numbers lie close together, however well they are met."""
        return "mae"

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        return {"mean": self.majority}

    @property
    def zero_shot(self) -> ZeroShot | None:
        return {"pair": Likeness(compares=True), "apart": Likeness(apart=True)}.get(self.reads)

    def firmness(self, rows: int) -> str:
        """The 95 % interval of a correlation, by Fisher's transformation, whose standard error is 1 / sqrt(rows - 3)."""
        width = 1.96 / max(1, rows - 3) ** 0.5
        low, high = (math.tanh(math.atanh(0.8) + way * width) for way in (-1, 1))
        return f"a correlation of 0.80 could be anything from {low:.2f} to {high:.2f} on all such rows"

    @property
    def head(self) -> str:  # type: ignore[override]
        return "cosine" if self.reads == "apart" else "row"

    def loss(self, model: Model, batch: Batch) -> Loss:
        """Squared error, in units of the spread."""
        wanted = (batch.targets - self.mean) / self.spread
        return Loss(functional.mse_loss(model(batch)[:, 0], wanted, reduction="sum"), len(batch.rows))

    @property
    def config_labels(self) -> dict[str, Any]:
        return number()

    def mean_loss(self, outputs: Logits, examples: Examples) -> float:
        learnt = torch.from_numpy(self.scaled(examples.targets))
        return float(functional.mse_loss(torch.from_numpy(outputs.values[:, 0]), learnt))

    def scaled(self, targets: Array) -> Array:
        """(rows,) targets in units of the spread, from the mean."""
        found: Array = ((targets - self.mean) / self.spread).astype(np.float32)
        return found

    def majority(self, learnt: Examples, asked: Examples) -> Logits:
        """The mean of the training rows, for every row."""
        mean = (learnt.targets.mean() - self.mean) / self.spread
        return Logits(np.full((len(asked), 1), mean, np.float32))

    def finished(self, head: nn.Sequential) -> "tuple[Regression, nn.Sequential]":
        """With a copy of the head whose last layer gives the user's units."""
        found = copy.deepcopy(head)
        last: Any = found[-1]
        with torch.no_grad():
            last.weight.mul_(self.spread)
            last.bias.mul_(self.spread).add_(self.mean)
        line = (last.bias.item(), last.weight.item()) if self.reads == "apart" else (0.0, 1.0)
        return replace(self, mean=line[0], spread=line[1]), found

    def values(self, outputs: Logits) -> Array:
        """(rows,) in the user's units."""
        found: Array = outputs.values[:, 0].astype(np.float64) * self.spread + self.mean
        return found

    def answer(self, outputs: Logits, calibration: Calibration, examples: Examples | None = None) -> Numbers:
        return Numbers(self.values(outputs), calibration.margin)

    def flawless(self, targets: Array) -> Numbers:
        return Numbers(targets)

    def evidence(self, answers: Numbers, targets: Array) -> Estimated:
        return Estimated(targets, answers.values)

    def reported(self, targets: Array) -> tuple[str, ...]:
        return tuple(dict.fromkeys([self.metric, *judging(self.name), "mae"]))

    def details(self, answers: Numbers, targets: Array) -> dict[str, Any]:
        """Truth and estimate of some rows, evenly drawn from all in the order of their truth."""
        order = np.argsort(targets, kind="stable")
        few = order[np.linspace(0, len(order) - 1, min(SCATTER, len(order))).astype(np.int64)]
        points = np.stack([targets[few], answers.values[few]], axis=1)
        return {"scatter": np.round(points.astype(np.float64), 6).tolist()}

    def lines(self, answers: Numbers, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        def end(number: float) -> float | None:
            return round(float(number), 6) if math.isfinite(number) else None

        return [
            {"value": end(value), "low": end(low), "high": end(high)}
            for value, low, high in zip(answers.values, answers.low, answers.high, strict=True)
        ]

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return [float(target) for target in targets]

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self)}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Regression":
        told = RegressionRecord.model_validate(record)
        return Regression(told.mean, told.spread, told.metric, told.reads)


@dataclass(frozen=True)
class ProbedNumbers(Probing):
    """Ridge regression."""

    task: Regression

    @property
    def outputs(self) -> int:
        return 1

    def to_learn(self, targets: Array) -> Array:
        return self.task.scaled(targets)

    def read(self, features: Array) -> Array:
        """The cosine of two texts that are read apart, whose features are their vectors in a row; else the features as they
        are."""
        return cosines(*halves(features)) if self.task.reads == "apart" else features

    def fit_score(self, values: Array, learnt: Array) -> float:
        return regression.pearson(learnt, values[:, 0])


@dataclass(frozen=True)
class ExplainedNumbers(Explaining[Logits, Numbers]):
    """The number itself, in the user's units."""

    task: Regression
    unit: ClassVar[str] = "of the number"

    def said(self, answers: Numbers) -> Ints:
        return np.zeros(len(answers), np.int64)

    def support(self, outputs: Logits, said: Ints) -> Array:
        return self.task.values(outputs)


class RecordedNumbers(Recorded[Numbers]):
    """Numbers as they stand."""

    def evidence(self, lines: Sequence[Line]) -> Estimated:
        targets, predicted = ([float(line[key]) for line in lines] for key in ("label", "prediction"))
        return Estimated(np.array(targets), np.array(predicted))


@dataclass(frozen=True)
class Intervals(Calibrating[Logits, Numbers]):
    """Intervals around numbers, by split conformal prediction (Lei et al. 2018, section 2.2)."""

    task: Regression

    fewest: ClassVar[int] = 9  # type: ignore[misc]  # of fewer no interval can be made that holds 90 %
    left_out: ClassVar[str] = "no number comes with an interval"  # type: ignore[misc]

    def fit(self, outputs: Logits, examples: Examples) -> Calibration:
        values = self.task.values(outputs)
        return Calibration(margin=regression.conformal_margin(examples.targets, values, COVERAGE))

    def trust(
        self, plain: Numbers, calibrated: Numbers, targets: Array, calibration: Calibration
    ) -> dict[str, Any]:
        if not math.isfinite(calibration.margin):
            return {"calibration": {"wanted": COVERAGE, "margin": None, "coverage": None}}
        covered = regression.coverage(targets, calibrated.low, calibrated.high)
        return {"calibration": {"wanted": COVERAGE, "margin": calibration.margin, "coverage": covered}}


@dataclass(frozen=True)
class Likeness(ZeroShot):
    """The cosine of the two texts, those of the validation rows brought to mean and spread of the training rows' numbers."""

    compares: bool = False
    apart: bool = False
    """Whether the features of a row are the vectors of its two texts, one after the other."""

    def outputs(self, seen: Seen) -> Logits | None:
        own, known = seen.sides, seen.known_sides
        if self.apart:
            own, known = halves(seen.rows), halves(seen.known)
        if own is None or known is None:
            return None
        near, usual = cosines(*own), cosines(*known)
        return Logits(((near - usual.mean()) / (usual.std() or 1.0)).astype(np.float32))


def halves(features: Array) -> tuple[Array, Array]:
    """(rows, width) vectors of both texts of each row, from one after the other."""
    one, other = np.split(features, 2, axis=1)
    return one, other


def cosines(one: Array, other: Array) -> Array:
    """(rows, 1) of the vectors of the two texts of each row, (rows, width) each."""
    found: Array = (unit(one) * unit(other)).sum(axis=1, keepdims=True)
    return found


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    """One text or two, by their names or as asked, and a column of numbers."""
    if asked["text2"] is not None or (asked["text"] is None and pair_by_name(table) is not None):
        return guess_pair(table, asked, SCORE_NAMES)
    return guess_text_and_label(table, asked["text"], asked["label"])


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    read, label = read_columns(table, columns), columns["label"]
    found = numbers(table, label, wishes.decimal)
    values = found.values
    has_label = np.isfinite(values)
    has_input: Bools = np.logical_and.reduce([there for _, there in read.values()])
    refuse_nothing_left(table, {**read, "label": (label, has_label)})
    if wishes.finished is not None:  # which reads an empty text too
        has_input = np.ones(len(table), bool)
    usable = np.flatnonzero(has_input & has_label)
    own = values[roles.rows(usable, "train")]
    if wishes.finished is None and len(own) and own.min() == own.max():
        raise useless(
            "one-label",
            len(own),
            f"{table.files[0]}: every row has the number {own[0]:g} in column {label!r}.",
            "Add rows with others, or name another column with --label.",
        )
    mean, spread = (float(own.mean()), float(own.std())) if len(own) else (0.0, 1.0)
    reads = "pair" if "text2" in columns else "text"
    task = Regression(mean, spread, chosen_metric(wishes.metric, judging(NAME), NAME), reads)
    if isinstance(wishes.finished, Regression):
        task = replace(wishes.finished, reads=wishes.finished.reads if reads == "pair" else reads)

    def targets(rows: Ints) -> Array:
        return values[rows].astype(np.float32)

    return Understood(
        task=task,
        usable=usable,
        unusable=Unusable(np.flatnonzero(~has_input), np.flatnonzero(has_input & ~has_label)),
        answers=KnownAnswers(equal_numbers(values), strata_of(values, usable)),
        keys=input_keys(table, columns),
        targets=targets,
        told=told_of_numbers(label, found),
    )


def of_head(head: TunedHead) -> Finished | None:
    """A number in the user's units, as the head gives it, of one text or two: the rows say which."""
    if head.kind != ROWS or not head.number:
        return None
    return Finished(Regression(reads="pair"), after=squeezed if head.squeezed else None)


def squeezed(outputs: Logits) -> Logits:
    """Numbers brought to between 0 and 1."""
    return replace(outputs, values=np.asarray(expit(outputs.values), np.float32))


REGRESSION = Kind(
    name=NAME,
    example=(
        {"text": "The neck is cracked.", "text2": "A crack runs through the neck.", "label": 4.6},
        {"text": "The parcel came on Monday.", "text2": "It was delivered in May.", "label": 2.1},
        {"text": "It stays in tune.", "text2": "The case is blue.", "label": 0.3},
    ),
    forms=("text", "pair", "apart"),
    find=find,
    understand=understand,
    restore=Regression.from_json,
    numbers=True,
)
