"""Answers that a program can check: a model may then learn from its own, those that pass."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from luthier.batches.examples import Examples
from luthier.devices import Device
from luthier.forms.form import Form
from luthier.models.headed import HeadedModel
from luthier.tasks.writing import Writing


@dataclass(frozen=True)
class Sampled:
    """How answers are drawn."""

    answers: int
    """Answers to each row."""
    temperature: float
    seed: int


class Checkable(ABC):
    """How answers to rows are drawn from a model, checked, and made rows to learn from."""

    @abstractmethod
    def drawn(self, model: HeadedModel, examples: Examples, how: Sampled, device: Device) -> list[list[str]]:
        """Some answers to each row."""

    @abstractmethod
    def writing(self, examples: Examples) -> Writing:
        """What is written where one answer to each row is drawn."""

    @abstractmethod
    def passes(self, answer: str, right: Any) -> bool:
        """Whether an answer is as good as the right one. right: an entry of the targets."""

    @abstractmethod
    def form(self, form: Form) -> Form:
        """How rows with answers of the model's own are read: of these alone something is learnt."""

    @abstractmethod
    def answered(self, row: Any, answer: str) -> Any:
        """A row with another answer in the place of its own. row: as `Form.inputs` makes it."""


def passing(how: Checkable, answers: Sequence[Sequence[str]], rights: Sequence[Any]) -> list[list[str]]:
    """The different answers to each row that pass, in their order."""
    return [
        [answer for answer in dict.fromkeys(own) if how.passes(answer, right)]
        for own, right in zip(answers, rights, strict=True)
    ]
