"""How much speaks for an answer, by which it is told which pieces of a row it rests on."""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic

from luthier.arrays import Floats, Ints
from luthier.tasks.calibration import Ans, Out


class Explaining(ABC, Generic[Out, Ans]):
    """An optional part of a task: the answer of a row as a whole number, and what speaks for it as a real one."""

    unit: ClassVar[str]
    """What the real number is counted in, as the end of a sentence has it."""

    @abstractmethod
    def said(self, answers: Ans) -> Ints:
        """(rows,) the number of the answer that each row has."""

    @abstractmethod
    def support(self, outputs: Out, said: Ints) -> Floats:
        """(rows,) how much speaks for these answers, as the model sees the rows."""
