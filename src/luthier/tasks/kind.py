"""What a task is before it has seen a row: how its columns are found, how its rows are understood."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from luthier.arrays import Array, Ints
from luthier.data.columns import ColumnGuess
from luthier.data.images.facts import ImageFacts
from luthier.data.row_facts import KnownAnswers, Unusable
from luthier.data.table import Table
from luthier.forms import FORMS
from luthier.forms.form import Columns, Form, Role
from luthier.models.chat.locate import Learnt
from luthier.models.hub.inspect import Folder
from luthier.tasks.descriptions import Descriptions
from luthier.tasks.suggesting import Suggesting
from luthier.tasks.task import Task

LABEL = "label"
"""The role of the column to be learnt, which belongs to the task and not to the form of a row."""


@dataclass(frozen=True)
class Answering:
    """The user's wishes about conversations, and about what is written in them."""

    turns: Learnt = "answers"
    """Which tokens of a conversation are learnt."""
    system: str | None = None
    """What is said in a first turn to conversations that have no such turn."""
    max_tokens: int | None = None
    """Tokens of an answer at the most, where the user says it."""
    pattern: str | None = None
    """The regular expression that answers are to match."""
    verify: str | None = None
    """How the model's own answers are checked, where it is to learn from those that pass."""


@dataclass(frozen=True)
class FewLabels:
    """The user's wishes where few rows, or none, say what a label means."""

    described: Descriptions | None = None
    """What labels mean, in words."""
    one_shot: bool = False
    """Whether a label may have a single row to learn from, however many the others have."""
    more_rows: bool = False
    """Whether there are rows without labels beside them."""


@dataclass(frozen=True)
class Wishes:
    """The user's wishes about what a task otherwise decides by itself."""

    labels_per_row: str = "auto"
    metric: str = "auto"
    language: str = "en"
    """Language of the texts, as ISO 639-1 names it, on which depends which answers count as the same."""
    task: str = "text-classification"
    """The task's name, as messages give it."""
    task_named: bool = True
    """Whether the user named the task, so that nothing is asked about it."""
    decimal: str | None = None
    """What stands before the decimals of numbers, where the user says it."""
    answering: Answering = Answering()
    objective: str = "auto"
    """What is made small where one answer is preferred to another."""
    beta: float | None = None
    """How much that preference counts, where the user says it."""
    few: FewLabels = FewLabels()
    finished: Task | None = None
    """The task of a finished model, where rows are only asked of it: its labels count, and no row is left out because nothing
    could be learnt from it. None where rows are to be learnt from."""


@dataclass(frozen=True)
class Roles:
    """Which file a row came from, and what that file was given for."""

    names: tuple[str, ...]
    """`train`, and those of `valid` and `test` that came in a file of their own."""
    of: Ints
    """(table rows,) index into `names`."""
    column: str | None = None
    """The column of the file's own that says so; None where files or folders do, or nothing."""

    def rows(self, among: Ints, name: str) -> Ints:
        """Those of some rows that came for a part."""
        found: Ints = among[self.of[among] == self.names.index(name)]
        return found


@dataclass(frozen=True)
class Understood:
    """The rows of a table as a task sees them. Arrays are over all rows of the table, unless they are row numbers."""

    task: Task
    usable: Ints
    """Numbers of the rows that have all that the task needs."""
    unusable: Unusable
    """The rows that lack something, and so are not used."""
    answers: KnownAnswers
    keys: Ints
    """(rows,) equal for rows with the same input."""
    targets: Callable[[Ints], Array]
    """What is learnt from some rows."""
    groups: tuple[Ints, ...] = ()
    """(rows,) each: equal for rows that must stay on one side of a split."""
    groups_by: tuple[str, ...] = ()
    """What the rows of each of `groups` share, in words such as "questions on one text"."""
    images: ImageFacts | None = None
    """What was seen of the images, where rows are images."""
    repairs: Mapping[str, Ints] = field(default_factory=dict)
    """What was mended on the way, in words that follow "rows have", and the numbers of the rows."""
    told: tuple[str, ...] = ()
    """What was taken for likely of the rows, each with the flag that corrects it."""
    keeps_single: bool = False
    """Whether a label may have a single row, so that the parts that nobody gave rows for may stay empty."""


@dataclass(frozen=True)
class Finished:
    """The task of a model that was tuned elsewhere."""

    task: Task
    after: Callable[[Any], Any] | None = None
    """What its own library makes of the Outputs before they are answers; None where they are answers as they are."""
    order: tuple[int | None, ...] | None = None
    """For each output of the task, the number of the model's output that gives it, or None where the model has no such; None
    where they are in the same order."""


@dataclass(frozen=True)
class KindParts:
    """Optional parts of a kind of task, which most have not."""

    suited: Callable[[Task, Folder], Task] | None = None
    """The task in the way in which a folder's model learns it; None: all models learn it alike."""
    suggests: Suggesting | None = None
    """How `luthier suggest` tells which rows to label next; None where it cannot."""
    tells_other_texts: bool = False
    """Whether columns that hold texts too, and are not read, are worth telling of."""
    warms_up: bool = False
    """Whether its head means the same whatever the rows, so that other rows may be learnt from first."""


@dataclass(frozen=True)
class Kind:
    """A kind of task, a row of TASKS: what it is before it has seen the data."""

    name: str
    example: tuple[dict[str, Any], ...]
    """Rows as a user would write them."""
    forms: tuple[str, ...]
    """What its rows may be made of: keys of FORMS."""
    find: Callable[[Table, Mapping[str, str | None]], ColumnGuess]
    """The columns of a table by role, some of which the user may have named. Raises DataError."""
    understand: Callable[[Table, Columns, Roles, Wishes], Understood]
    """Raises DataError for rows that cannot be used, StopFinding for what no option can help."""
    restore: Callable[[dict[str, Any]], Task]
    """A task from what its `to_json` gave."""
    claims: Callable[[Table], str | None] | None = None
    """Whether a table can only be for this task, and why, in words; None where it cannot, or may be for others too
    (tasks/guess.py)."""
    own_form: Callable[[Task], Form] | None = None
    """What rows are made of where the name that a task gives does not say all of it; None: the form of that name."""
    numbers: bool = False
    """Whether its label is a number: a word in the label's column then stands for nothing."""
    labelled: bool = True
    """Whether its rows have labels: images without any may lie in folders of whatever names."""
    parts: KindParts = KindParts()

    @property
    def suited(self) -> Callable[[Task, Folder], Task] | None:
        return self.parts.suited

    @property
    def suggests(self) -> Suggesting | None:
        return self.parts.suggests

    def form(self, task: Task) -> Form:
        """What the rows of one of its tasks are made of, as that task reads them."""
        return FORMS[task.reads] if self.own_form is None else self.own_form(task)

    @property
    def roles_in_files(self) -> list[set[str]]:
        """The columns of its rows where these lie in files of their own, for each form of such rows."""
        forms = [FORMS[form] for form in self.forms]
        return [{*form.roles, LABEL} for form in forms if form.file_role is not None]

    @property
    def roles(self) -> dict[str, Role]:
        """The columns it may have, that of the label the last."""
        of_rows = {role: told for form in self.forms for role, told in FORMS[form].roles.items()}
        return {**of_rows, LABEL: Role(nested=True, predicts=False)}
