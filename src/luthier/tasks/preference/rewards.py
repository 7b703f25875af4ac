"""What a model gives for pairs of answers, and which of the two it prefers."""

from collections.abc import Mapping
from dataclasses import dataclass

from luthier.arrays import Array, Floats, Ints
from luthier.tasks.answers import Answers
from luthier.tasks.chat.replies import Written
from luthier.tasks.outputs import Outputs


@dataclass(frozen=True)
class Likelihoods(Outputs):
    """What a model gives for the answers of each row: how likely it finds them, or how it scores them."""

    values: Floats
    """(rows, answers) log-probabilities in nats, summed over an answer's tokens, or scores."""
    counts: Ints
    """(rows, answers) tokens of each answer."""
    written: Written | None = None
    """What was written, where rows are prompts alone."""

    def __len__(self) -> int:
        return len(self.values)

    def select(self, rows: Ints) -> "Likelihoods":
        return Likelihoods(self.values[rows], self.counts[rows])

    def arrays(self) -> dict[str, Array]:
        return {"values": self.values, "counts": self.counts}

    @staticmethod
    def read(arrays: Mapping[str, Array]) -> "Likelihoods":
        """What `arrays` was of. Raises KeyError where that was something else."""
        return Likelihoods(arrays["values"], arrays["counts"])


@dataclass(frozen=True)
class Rewards(Answers):
    """The rewards of the chosen and the rejected answer of each row."""

    values: Floats
    """(rows, 2)"""
    written: Written | None = None
    """What was written, where rows are prompts alone."""

    def __len__(self) -> int:
        return len(self.values)

    def select(self, rows: Ints) -> "Rewards":
        return Rewards(self.values[rows])

    @property
    def margins(self) -> Floats:
        """(rows,) by how much the chosen answer is rewarded more."""
        found: Floats = self.values[:, 0] - self.values[:, 1]
        return found
