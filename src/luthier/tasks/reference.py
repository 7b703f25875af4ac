"""What the model says before it learns, where a task's loss compares with that."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from luthier.arrays import Array, Floats, Ints
from luthier.batches.examples import Examples
from luthier.devices import Device
from luthier.models.headed import HeadedModel

if TYPE_CHECKING:
    from luthier.tasks.task import Task


class Reference(ABC):
    """Numbers of the untouched model, several for each row: they are computed once, saved, and given to the rows."""

    @abstractmethod
    def told(
        self, task: "Task[Any, Any]", model: HeadedModel, examples: Examples, device: Device
    ) -> Iterator[tuple[Ints, Floats]]:
        """What the model says of all rows, batch by batch: the numbers of the batch's rows, and (rows, numbers) of each."""

    @abstractmethod
    def given(self, task: "Task[Any, Any]", examples: Examples, values: Array) -> Examples:
        """The rows with what was said of them. values: (rows, numbers)"""
