"""The task that a table is for, and its columns by role, as the plan names them, or guessed."""

from collections.abc import Mapping

from luthier.data.columns import ColumnGuess, check
from luthier.data.composed import with_marks, with_texts
from luthier.data.table import Table
from luthier.errors import DataError, PlanError, did_you_mean, listing
from luthier.plan.named_columns import column_flag
from luthier.plan.plan import Plan
from luthier.tasks import TASKS
from luthier.tasks.guess import guess_kind
from luthier.tasks.kind import Kind


def kind_of(plan: Plan, table: Table) -> tuple[Kind, str]:
    """The task, named or guessed, and why."""
    asked = asked_columns(plan)
    if plan.task.name == "auto":
        return guess_kind(table, asked, plan.task.labels_per_row, plan.data.decimal)
    return TASKS[plan.task.name], "as named"


def asked_columns(plan: Plan) -> dict[str, str | None]:
    """The columns that the user named, by role. Raises PlanError for a role that no task knows."""
    roles = list(dict.fromkeys(role for kind in TASKS.values() for role in kind.roles))
    for role, name in plan.data.columns or ():
        if role not in roles:
            raise PlanError(
                f"{column_flag(role, name)}: no task has a column of that role.{did_you_mean(role, roles)} "
                f"Expected {listing(roles, most=len(roles))}."
            )
    return {role: plan.data.column(role) for role in roles}


def needed_columns(plan: Plan, table: Table, kind: Kind) -> ColumnGuess:
    """The task's columns: named, told by the file's form, or guessed. Raises DataError for a group column that cannot serve."""
    asked = asked_columns(plan)
    strange = [role for role, name in asked.items() if name is not None and role not in kind.roles]
    if strange:
        raise DataError(
            f"{column_flag(strange[0], asked[strange[0]])}: {kind.name} has no such column; its columns are "
            f"{', '.join(map(column_flag, kind.roles))}. Leave it out, or name the task with --task."
        )
    own = table.layout.columns if table.layout.task in (None, kind.name) else {}
    told = {role: name for role, name in own.items() if role in asked and asked[role] is None}
    guess, group = kind.find(table, asked | told), plan.data.group
    by_form = {role: f"column {name!r}, because {table.layout.why}" for role, name in told.items()}
    if group is not None:
        check(table, group, "group")
    if group is not None and group == guess.columns.get("label"):
        raise DataError(
            f"{plan.data.path}: column {group!r} is the label, so grouping by it would keep whole labels out of training. "
            "Name another column with --group."
        )
    return ColumnGuess(guess.columns, guess.reasons | by_form)


def kind_and_columns(plan: Plan, table: Table) -> tuple[Kind, str, ColumnGuess]:
    """The task, why, and its columns. Raises DataError as `kind_of` and `needed_columns` do."""
    try:
        kind, why = kind_of(plan, table)
        return kind, why, needed_columns(plan, table, kind)
    except DataError as error:
        if table.headed:
            raise
        raise DataError(
            f"{error} The file has no header, so its columns are called by their number: a first line with names would tell."
        ) from None


def composed(plan: Plan, tables: Mapping[str, Table]) -> dict[str, Table]:
    """The tables with columns made of several, where the user lists those."""
    found = dict(tables)
    for part, table in found.items():
        if plan.data.text is not None:
            table = with_texts(table, plan.data.text, "--text")
        if plan.data.label is not None:
            table = with_marks(table, plan.data.label, "--label")
        found[part] = table
    return found
