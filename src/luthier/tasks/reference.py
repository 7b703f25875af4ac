"""What the model says before it learns, where a task's loss compares with that."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.devices import Device
from luthier.models.headed import HeadedModel

if TYPE_CHECKING:
    from luthier.tasks.task import Task


class Reference(ABC):
    """Numbers of the untouched model, one or several for each row: they are computed once, saved, and given to the rows."""

    @abstractmethod
    def told(self, task: "Task[Any, Any]", model: HeadedModel, examples: Examples, device: Device) -> Array:
        """(rows, ...) what the model says of some rows."""

    @abstractmethod
    def given(self, examples: Examples, values: Array) -> Examples:
        """The rows with what was said of them."""
