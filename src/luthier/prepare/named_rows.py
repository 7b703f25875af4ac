"""The rows of a plan that names labels: those without labels, and those to test on, where a file of such is named."""

import time
from dataclasses import replace
from pathlib import Path

from luthier.arrays import Ints
from luthier.data.columns import ColumnGuess, check, find_text, label_by_name
from luthier.data.images.files import holds_images
from luthier.data.read import read
from luthier.data.row_facts import no_rows
from luthier.data.split import Split
from luthier.data.table import Table
from luthier.errors import DataError, PlanError, listing
from luthier.plan.plan import Plan
from luthier.prepare.data_files import writing_of
from luthier.prepare.descriptions import few_labels
from luthier.prepare.division import Division, group_keys
from luthier.prepare.given import Given
from luthier.prepare.rows import Reading, Rows, understood_as, wishes_of
from luthier.prepare.small_parts import small_parts
from luthier.prepare.task_columns import composed, needed_columns
from luthier.tasks import TASKS
from luthier.tasks.classification.named import without_labels
from luthier.tasks.kind import Kind, Roles, Understood
from luthier.tasks.matching import UnknownLabels
from luthier.tasks.named import OF_NAMES, OfNames
from luthier.tasks.texts import has_content

HOW = "labels are named and no row is learnt from"


def named_rows(plan: Plan) -> Rows:
    """The rows, understood; none of them is learnt from. Raises DataError for what cannot be used, and for DATA with labels."""
    begin = time.monotonic()
    kind, make = kind_of_names(plan)
    task, told = make(plan.data.label_names, few_labels(plan).described, plan.task.metric)
    plan = with_unlabelled(plan)
    wishes = replace(wishes_of(plan, kind), finished=task, labels_per_row="one", task_named=True)
    if plan.data.test is None:
        table = table_of(plan, plan.data.path, "train")
        blind = replace(kind, understand=without_labels)
        given, guess = Given({"train": table}, {"train": table}, None), guess_text(plan, table)
    else:
        table, blind = table_of(plan, plan.data.test, "test"), kind
        given = Given({"test": table}, {"test": table}, None, asked=True)
        guess = needed_columns(plan, table, kind)
    reading = Reading(blind, "as labels are named", guess, wishes, tested_alone)
    try:
        rows = understood_as(plan, given, reading, begin)
    except UnknownLabels as error:
        raise DataError(
            f"{error.place}: {error.of_rows} not among the names, which are {listing(error.model)}.{error.hint} Name all labels "
            "of the rows to test on with --label-names, or leave these rows out."
        ) from None
    split = "random" if plan.data.test is None else "files"
    return replace(
        rows,
        kind=kind,
        assumed=replace(rows.assumed, told=(*told, *rows.told)),
        understanding=replace(rows.understanding, split=split),
    )


def kind_of_names(plan: Plan) -> tuple[Kind, OfNames]:
    """The task whose labels are named, and how it is made of names. Raises PlanError for one that no names make."""
    name = next(iter(OF_NAMES)) if plan.task.name == "auto" else plan.task.name
    if name not in OF_NAMES:
        raise PlanError(
            f"data.label_names: no effect with {name}, as names alone say nothing of its answers. Leave it out, or choose --task "
            f"{next(iter(OF_NAMES))}."
        )
    return TASKS[name], OF_NAMES[name]


def with_unlabelled(plan: Plan) -> Plan:
    """The plan with DATA as its rows without labels, where DATA is not the file to test on. Raises DataError where its rows have
    labels."""
    data = plan.data
    if data.unlabelled is not None or data.path == data.test:
        return plan
    table = table_of(plan, data.path, "train")
    label = data.label if data.test is None else label_by_name(table, table.facts(), besides=data.text)
    label = label or label_by_name(table, table.facts(), besides=data.text)
    if label is not None and not is_empty(table, label):
        raise DataError(
            f"{data.path}: has labels, in column {label!r}, and --label-names says that no row has one. Leave --label-names out "
            f"to learn from them; or give the file to test on, as --test {data.path}; or, if they are no labels, as --unlabelled "
            f"{data.path}."
        )
    return plan.with_settings({"data.unlabelled": data.path})


def is_empty(table: Table, column: str) -> bool:
    """Whether a column holds nothing, as that of a list whose labels nobody has filled in yet."""
    return column in table.names and not has_content(table, column).any()


def table_of(plan: Plan, file: str, part: str) -> Table:
    """A file's rows, with the columns that the user makes of several. Raises PlanError for images, which no name is near to."""
    if Path(file).is_dir() and holds_images(Path(file)):
        raise PlanError(
            f"data.label_names: {file} holds images, and names are compared with texts. Leave it out: images in a folder for "
            "each label are learnt from."
        )
    return composed(plan, {part: read(Path(file), writing_of(plan.data))})[part]


def guess_text(plan: Plan, table: Table) -> ColumnGuess:
    """The column of texts, as named, or the only one, or by what it holds. Raises DataError where there is none."""
    name = plan.data.text
    if name is not None:
        check(table, name, "text")
        return ColumnGuess({"text": name}, {"text": f"column {name!r}, as named"})
    if len(table.names) == 1:
        return ColumnGuess({"text": table.names[0]}, {"text": f"column {table.names[0]!r}, the only one"})
    name, why = find_text(table, table.facts(), besides=None)
    return ColumnGuess({"text": name}, {"text": why})


def tested_alone(plan: Plan, found: Understood, table: Table, roles: Roles) -> Division:
    """No row is learnt from; those of a file to test on are test rows. Raises DataError where none of them has a label."""
    test: Ints = roles.rows(found.usable, "test") if "test" in roles.names else no_rows()
    if plan.data.test is not None and not len(test):
        raise DataError(
            f"{plan.data.test}: none of its rows has a label to test on. Fill them in, or leave --test out."
        )
    none = no_rows()
    how = f"{HOW}{'; the test rows as given by file' if len(test) else ''}"
    split = Split(none, none, none, test, how, calibrates="")
    split = replace(split, warnings=small_parts(split, found))
    return Division(found, split, None if plan.data.group is None else group_keys(table, plan.data.group))
