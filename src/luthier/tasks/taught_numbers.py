"""What numbers learn from a teacher: its estimates, in the user's units."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from luthier.arrays import Array
from luthier.tasks.teaching import Teaching

if TYPE_CHECKING:
    from luthier.tasks.regression import Numbers, Regression


@dataclass(frozen=True)
class TaughtNumbers(Teaching["Numbers"]):
    """Squared error towards a mean of truth and estimate has the gradient of that mean of the two errors."""

    task: "Regression"

    def why_not(self, teacher: "Regression") -> str:
        return ""

    def as_ours(self, answers: "Numbers", teacher: "Regression") -> "Numbers":
        return answers

    def learner(self) -> "Regression":
        return self.task

    def targets(self, answers: "Numbers") -> Array:
        return answers.values.astype(np.float32)

    def mixed(self, known: Array, answers: "Numbers", share: float) -> Array:
        found: Array = share * self.targets(answers) + (1 - share) * known
        return found.astype(np.float32)
