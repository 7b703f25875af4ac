"""What a model gives for the answers of a row, and how it rewards them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luthier.arrays import Array, Floats, Ints
from luthier.tasks.answers import Answers
from luthier.tasks.chat.replies import Written
from luthier.tasks.outputs import Outputs

FINAL = "final"


@dataclass(frozen=True)
class Likelihoods(Outputs):
    """What a model gives for the answers of each row: how likely it finds them, or how it scores them."""

    values: Floats
    """(rows, sequences) log-probabilities in nats, summed over an answer's tokens, or scores."""
    counts: Ints
    """(rows, sequences) tokens of each answer; 0 where a row has no answer."""
    final: bool = False
    """Whether values are rewards as they stand, of what learnt nothing, and are compared with nothing."""
    written: Written | None = None
    """What was written, where rows are prompts alone."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def means(self) -> Floats:
        """(rows, sequences) log-probabilities of a token on average."""
        found: Floats = self.values / np.maximum(1, self.counts)
        return found

    def select(self, rows: Ints) -> "Likelihoods":
        written = None if self.written is None else self.written.select(rows)
        return replace(self, values=self.values[rows], counts=self.counts[rows], written=written)

    def arrays(self) -> dict[str, Array]:
        return {"values": self.values, "counts": self.counts}

    def record(self) -> dict[str, Any]:
        return {FINAL: True} if self.final else {}

    @staticmethod
    def read(arrays: Mapping[str, Array], record: Mapping[str, Any]) -> "Likelihoods":
        """What `arrays` and `record` were of. Raises KeyError where they were of something else."""
        return Likelihoods(arrays["values"], arrays["counts"], bool(record.get(FINAL)))


@dataclass(frozen=True)
class Rewards(Answers):
    """The rewards of the answers of each row."""

    values: Floats
    """(rows, 2) of the chosen and the rejected answer; (rows, 1) of a judged one; not a number where there is no answer."""
    written: Written | None = None
    """What was written, where rows are prompts alone."""

    def __len__(self) -> int:
        return len(self.values)

    def select(self, rows: Ints) -> "Rewards":
        return Rewards(self.values[rows], None if self.written is None else self.written.select(rows))

    @property
    def margins(self) -> Floats:
        """(rows,) by how much the chosen answer is rewarded more than the rejected one."""
        found: Floats = self.values[:, 0] - self.values[:, 1]
        return found
