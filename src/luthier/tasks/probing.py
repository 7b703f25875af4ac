"""How a linear head on frozen features learns a task."""

from abc import ABC, abstractmethod

from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.tasks.outputs import Logits


class Probing(ABC):
    """How a linear head on frozen features learns a task, and how it answers (train/probe/)."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """The numbers that the head gives for each unit."""

    @abstractmethod
    def to_learn(self, targets: Array) -> Array:
        """(units, ...) targets as the head learns them: classes, marks, or numbers."""

    def read(self, features: Array) -> Array:
        """(units, n) what the head reads of features, (units, width)."""
        return features

    def answered(self, values: Array, examples: Examples) -> Logits:
        """What the head gives for some rows, (units, outputs), as Outputs."""
        return Logits(values, examples.unit_ends)

    @abstractmethod
    def fit_score(self, values: Array, learnt: Array) -> float:
        """How well the head does on units that it did not see; higher is better.

        values: (units, outputs).  learnt: as `to_learn` gives it.
        """
