"""How the lines of predictions/ tell what a task's metrics need, so that runs are compared by what they left."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from luthier.arrays import Array
from luthier.tasks.answers import Answers

Line = Mapping[str, Any]
"""A line of predictions/PART.jsonl: what `predict` gives, with the answer under `prediction` and the right one under `label`."""

Ans = TypeVar("Ans", bound=Answers, contravariant=True)


class Recorded(ABC, Generic[Ans]):
    """An optional part of a task: its metrics from lines, without a model."""

    def more(self, answers: Ans, targets: Array) -> list[dict[str, Any]]:
        """What the line of each row holds beside what `predict` gives."""
        return [{} for _ in range(len(answers))]

    @abstractmethod
    def evidence(self, lines: Sequence[Line]) -> Any:
        """What the measures of METRICS take for this task. Raises KeyError for lines that lack what an older luthier did not
        write."""

    def answer(self, line: Line) -> Any:
        """By what two runs are told to answer a row alike. Raises KeyError as `evidence` does."""
        return line["prediction"]

    def beside(self, other: Any) -> "Recorded[Ans]":
        """The same for two runs, of which the other's task may know more labels, or in another order."""
        return self

    def unlike(self, ours: Sequence[Line], theirs: Sequence[Line]) -> str:
        """Why two runs over the same rows cannot be compared all the same, as a sentence; empty where they can."""
        return ""
