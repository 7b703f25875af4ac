"""A task and its calibration as `luthier.json` spells them, checked when they are read back."""

from typing import Annotated, Literal, Self

from annotated_types import Ge, Gt, Le, Len
from pydantic import AfterValidator, model_validator
from pydantic_core import PydanticCustomError

from luthier.forms import FORMS
from luthier.records import Finite, Name, Record


def distinct(names: list[str]) -> list[str]:
    """Raises ValueError for names that are not all different, or that no file can hold."""
    for name in names:
        name.encode()
    if len(set(names)) != len(names):
        raise ValueError("the names are to be different")
    return names


def known_form(name: str) -> str:
    """Raises pydantic's error of a choice for what is no form of a row."""
    if name not in FORMS:
        *most, last = map(repr, FORMS)
        expected = f"{', '.join(most)} or {last}"
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
    return name


Names = Annotated[list[str], AfterValidator(distinct)]
Reads = Annotated[str, AfterValidator(known_form)]
Weight = Annotated[float, Gt(0)]
Temperature = Annotated[float, Ge(1e-6), Le(1e6)]


class TaskRecord(Record):
    """The fields that the record of every task has."""

    name: Name
    reads: Reads
    metric: Name


class AdaptationRecord(TaskRecord):
    """The record of a task that goes on from a model without labels."""

    reads: Literal["document", "masked", "views", "image"]


class ClassificationRecord(TaskRecord):
    """The record of a task with labels."""

    labels: Names
    many: bool

    @model_validator(mode="after")
    def some(self) -> Self:
        """Raises ValueError where there is nothing to tell apart."""
        if len(self.labels) < (1 if self.many else 2):
            raise ValueError("'labels' is to name two labels or more")
        return self


class RegressionRecord(TaskRecord):
    """The record of a task that estimates a number."""

    mean: Finite
    spread: Finite


class TagsRecord(TaskRecord):
    """The record of a task with entities."""

    types: Names
    blanks: bool


class AnswerRecord(TaskRecord):
    """The record of a task that answers questions."""

    language: Name
    longest: Annotated[int, Ge(1)] | None = None


class EmbeddingRecord(TaskRecord):
    """The record of a task that gives vectors."""

    goal: Literal["scores", "pairs", "labels"]
    low: Finite
    high: Finite


class CalibrationRecord(Record):
    """The record of a calibration, which turns logits into probabilities that can be believed."""

    temperature: Temperature
    scale: list[Finite]
    bias: list[Finite]
    thresholds: list[Finite]
    margin: Finite | None
    gain: Finite | None = None
    noise: Finite | None = None

    @model_validator(mode="after")
    def pairs(self) -> Self:
        """Raises ValueError for a scale without its shift."""
        if len(self.scale) != len(self.bias):
            raise ValueError("'scale' and 'bias' are to be equally long")
        return self


class ChatRecord(TaskRecord):
    """The record of a task whose model writes the turns of an assistant."""

    pattern: str | None = None
    learnt: Literal["answers", "last", "all"] = "answers"
    most: Annotated[int, Ge(1)] | None = None
    verify: str | None = None
    system: str | None = None


class PreferenceRecord(TaskRecord):
    """The record of a task whose model learns which of two answers is better."""

    objective: Literal["dpo", "orpo", "kto", "reward"]
    beta: Annotated[float, Gt(0)]
    system: str | None = None
    judged: bool = False
    weights: Annotated[list[Weight], Len(2, 2)] = [1.0, 1.0]  # noqa: RUF012  it is a field's default
