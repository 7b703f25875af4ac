"""How a model that was never tuned is told of a task: by examples that stand before what it is asked."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from luthier.arrays import Ints
from luthier.batches.examples import Examples


class InContext(ABC):
    """How rows of a task are put before another one."""

    @abstractmethod
    def before(self, shown: Sequence[Any], row: Any) -> Any:
        """A row with some training rows before it, as a row of the same form."""

    @abstractmethod
    def lengths(self, alone: Examples) -> Ints:
        """(rows,) tokens that rows without others before them take, with an answer that is as long as answers may be."""

    @abstractmethod
    def of_row_alone(self, examples: Examples, alone: Examples) -> Examples:
        """Rows with others before them, of which only that counts which counts in the rows alone."""
