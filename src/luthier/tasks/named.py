"""The tasks that the names of labels make where no row has one. A task that can be made so is a row here."""

from collections.abc import Callable, Sequence

from luthier.tasks.classification import text
from luthier.tasks.descriptions import Descriptions
from luthier.tasks.task import Task

OfNames = Callable[[Sequence[str], Descriptions | None, str], tuple[Task, tuple[str, ...]]]
"""Takes names of labels, their descriptions where there are such, and the metric's name. Gives the task, and sentences on how
labels were described. Raises DataError for names that nothing tells apart."""

OF_NAMES: dict[str, OfNames] = {text.NAME: text.of_names}
"""By the name of a task; the first one is meant where nobody names any."""
