"""How a task learns from another model's answers: distillation from a teacher into a student.

Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network", arXiv:1503.02531, section 2: a student that learns
the teacher's probabilities learns more from a row than its one right label says.
"""

from abc import ABC, abstractmethod
from typing import Any, Generic

from luthier.arrays import Array
from luthier.tasks.calibration import Ans

TEMPERATURE = 2.0
"""By which the logits of teacher and student are divided while the student learns labels (docs/distillation.md has the
measurement). A teacher is nearly sure of rows that it has learnt itself: what it knows of other labels is in the small
probabilities."""


class Teaching(ABC, Generic[Ans]):
    """What a teacher's answers are to a student of the same task."""

    @abstractmethod
    def why_not(self, teacher: Any) -> str:
        """Why the answers of a teacher cannot be learnt, in words that follow its name; empty where they can.

        teacher: its task, of the same name and the same form of rows.
        """

    @abstractmethod
    def as_ours(self, answers: Ans, teacher: Any) -> Ans:
        """A teacher's answers in this task's terms, which may list its labels in another order."""

    @abstractmethod
    def learner(self) -> Any:
        """The task with the training loss that `targets` and `mixed` are made for."""

    @abstractmethod
    def targets(self, answers: Ans) -> Array:
        """(rows, ...) what is learnt of rows that the teacher alone has answered. answers: in this task's terms."""

    @abstractmethod
    def mixed(self, known: Array, answers: Ans, share: float) -> Array:
        """(rows, ...) what is learnt of rows whose right answers are known.

        known: (rows, ...) the targets that they have.  share: how much of a target is the teacher's; the rest is what is known.
        """
