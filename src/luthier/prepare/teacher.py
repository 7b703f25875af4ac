"""The teacher of a run: a finished model of the same task whose answers are learnt."""

from dataclasses import dataclass
from typing import Any

from luthier.batches.examples import Examples
from luthier.errors import PlanError, RunError
from luthier.folder.model_folder import ModelFolder
from luthier.hashes import hash_json
from luthier.prepare.rows import Rows
from luthier.tasks import form_of
from luthier.tasks.task import Task


@dataclass(frozen=True)
class Seen:
    """What a teacher has seen of the rows that its student is tested on."""

    rows: int | None
    """How many of them it learnt from, was chosen by or was calibrated on; None where that cannot be told."""
    words: str


@dataclass(frozen=True)
class Teacher:
    """A finished model whose calibrated answers a student learns."""

    name: str
    """As the user called it."""
    model: ModelFolder
    fingerprint: str
    """Hash of all that decides its answers."""
    seen: Seen | None = None

    @property
    def task(self) -> Task:
        return self.model.task

    def examples(self, inputs: list[Any]) -> Examples:
        """Rows as the teacher reads them. inputs: as the form of the rows makes them of a table."""
        return self.model.examples(inputs)


def teacher_of(name: str | None, rows: Rows) -> Teacher | None:
    """The teacher of a name; None where a plan names none. rows: what the student is to learn.

    Raises RunError where there is no such model, PlanError where its answers are not those of this task.
    """
    if name is None:
        return None
    model = finished_teacher(name)
    refuse_other_teacher(name, model.task, rows.task)
    told = model.model_record
    decides = [model.folder.fingerprint(), told.task, told.calibration.to_json(), told.long]
    return Teacher(name, model, hash_json(decides))


def finished_teacher(name: str) -> ModelFolder:
    """The model of a finished run. Raises RunError where there is none."""
    try:
        return ModelFolder(name)
    except RunError as error:
        raise RunError(f"train.teacher: {error}") from error


def refuse_other_teacher(name: str, theirs: Task, ours: Task) -> None:
    """Raise PlanError where a model of one task cannot teach one of another."""
    why = why_no_teacher(theirs, ours)
    if why:
        raise PlanError(
            f"train.teacher: {name} {why} Name a run of the same task and the same labels with --teacher, or leave it out."
        )


def why_no_teacher(theirs: Task, ours: Task) -> str:
    """Why a model of one task cannot teach one of another, in words that follow its name; empty where it can."""
    if theirs.name != ours.name or theirs.reads != ours.reads:
        of = {one.name: form_of(one).a_thing for one in (theirs, ours)}
        return f"does {theirs.name}, of {of[theirs.name]}, and these rows are for {ours.name}, of {form_of(ours).a_thing}."
    assert ours.teaching is not None, "prepare refuses a teacher for who learns from none"
    return ours.teaching.why_not(theirs)
