"""From the plan's files to rows that a task understands: read, named, counted, split, checked. Nothing is written."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.data.checks import TABLE, examine
from luthier.data.checks.finding import Evidence, Finding
from luthier.data.columns import ColumnGuess, check, guess_text_and_label
from luthier.data.read import read
from luthier.data.split import Shares, Split, joined_groups, split_rows, text_keys
from luthier.data.table import Ints, Table
from luthier.errors import DataError, StopFinding
from luthier.plan.plan import Plan
from luthier.steps.label_column import LabelColumn, rarest_label, read_labels, without_single_labels
from luthier.steps.refusals import (
    refuse_empty_parts,
    refuse_nothing_left,
    refuse_unknown_labels,
    refuse_useless_labels,
)
from luthier.tasks.labels import in_order
from luthier.tasks.task import Array
from luthier.tasks.text_classification import TextClassification


@dataclass(frozen=True)
class Rows:
    """The data, understood."""

    table: Table
    text: str
    label: str
    guesses: dict[str, str]
    """Setting to the reason of its guess."""
    task: TextClassification
    split: Split
    labels: LabelColumn
    left_out: dict[str, int]
    """How many rows are not used, by reason."""
    evidence: Evidence
    """What checks may look at."""
    seconds: float
    """What reading took."""

    def texts(self, rows: Ints) -> list[str]:
        return self.table.texts(self.text, rows)

    def targets(self, rows: Ints) -> Array:
        return self.task.targets([self.labels.sets[at] for at in self.labels.set_of[rows]])


def read_files(plan: Plan) -> dict[str, Table]:
    """The table of each file, by the part it is for; `train` first."""
    files = {"train": plan.data.path, "valid": plan.data.valid, "test": plan.data.test}
    return {
        part: read(Path(file), encoding=plan.data.encoding, delimiter=plan.data.delimiter)
        for part, file in files.items()
        if file is not None
    }


def needed_columns(plan: Plan, table: Table) -> ColumnGuess:
    """Text and label column, named or guessed; raises DataError for a group column that cannot serve."""
    guess, group = guess_text_and_label(table, plan.data.text, plan.data.label), plan.data.group
    if group is not None:
        check(table, group, "group")
    if group == guess.label:
        raise DataError(
            f"{plan.data.path}: column {group!r} is the label, so grouping by it would keep whole labels out of training. "
            "Name another column with --group."
        )
    return guess


def understand(plan: Plan) -> Rows:
    """Read, find the columns, name the labels, split, check. Raises DataError for what cannot be used."""
    begin = time.monotonic()
    tables = read_files(plan)
    guess = needed_columns(plan, tables["train"])
    text, label, group = guess.text, guess.label, plan.data.group
    # The first file's columns first, so that a part that lacks one is told by its name.
    names = [name for name in dict.fromkeys((text, label, group)) if name is not None]
    roles = list(tables)
    whole = Table.join(with_columns(tables, [*names, *shared_columns(tables, besides=names)]))
    table = Table(whole.columns.select(names), whole.files, whole.file_of, whole.line_of, whole.guesses)
    role_of = table.file_of
    values = table.values(label)
    labels = read_labels(values, plan.task.labels_per_row)
    if plan.task.labels_per_row == "one" and any(isinstance(value, list) for value in values):
        raise DataError(
            f"{plan.data.path}: column {label!r} holds lists of labels. Use --labels-per-row many."
        )
    has_text = has_content(table, text)
    has_label = np.array([bool(names) for names in labels.sets])[labels.set_of]
    refuse_nothing_left(plan, table, text, label, has_text, has_label)

    usable = np.flatnonzero(has_text & has_label)
    usable, single = without_single_labels(usable, labels, role_of)
    refuse_useless_labels(plan, label, usable, single, labels, role_of)
    known = in_order({name for at in np.unique(labels.set_of[usable]) for name in labels.sets[at]})
    task = TextClassification(known, labels.many, plan.task.metric)
    refuse_unknown_labels(table, roles, role_of, usable, labels)

    keys = text_keys(table, text)
    groups = joined_groups(keys, group_keys(table, group)) if group else joined_groups(keys)
    strata = rarest_label(labels, usable, known)
    shares = Shares(plan.data.valid_share, plan.data.calibration_share, plan.data.test_share)
    try:
        split = split_rows(usable, roles, role_of, strata, groups, shares, plan.run.seed)
    except DataError as error:  # It knows row numbers only; the user knows the file.
        raise DataError(f"{plan.data.path}: {error}") from None
    refuse_empty_parts(plan, split)

    empty_text, empty_label = np.flatnonzero(~has_text), np.flatnonzero(has_text & ~has_label)
    evidence = Evidence(
        table=whole,
        text=text,
        label=label,
        split=split,
        given=frozenset(roles[1:]),
        grouped=group,
        keys=keys,
        label_sets=labels.set_of,
        set_names=labels.sets,
        empty_text=empty_text,
        empty_label=empty_label,
        single=single,
        settled=np.zeros(0, np.int64),
    )
    left_out = {"empty": len(empty_text) + len(empty_label), "single": len(single)}
    return Rows(
        table=table,
        text=text,
        label=label,
        guesses=guess.reasons,
        task=task,
        split=split,
        labels=labels,
        left_out={why: count for why, count in left_out.items() if count},
        evidence=evidence,
        seconds=time.monotonic() - begin,
    )


def shared_columns(tables: dict[str, Table], besides: Sequence[str]) -> list[str]:
    """Other columns that every file has, with values of one type: for checks alone."""
    first, *rest = [table.columns.schema for table in tables.values()]
    return [
        field.name
        for field in first
        if field.name not in besides
        and all(field.name in other.names and other.field(field.name).type == field.type for other in rest)
    ]


def with_columns(tables: dict[str, Table], names: list[str]) -> list[Table]:
    """The first table with these columns alone; the others are brought to them when they are joined."""
    first, *rest = tables.values()
    own = Table(first.columns.select(names), first.files, first.file_of, first.line_of, first.guesses)
    return [own, *rest]


def look_over(rows: Rows, allowed: Sequence[str]) -> tuple[Finding, ...]:
    """What the checks of rows and split find. Raises StopFinding for one that stops a run and is not allowed."""
    found = examine(rows.evidence, TABLE.values())
    for finding in found:
        if finding.severity == "stop" and finding.check not in allowed:
            raise StopFinding(
                f"{rows.table.files[0]}: {finding.message} {finding.matters} {finding.mend} "
                f"--allow {finding.check} goes on in spite of it.",
                finding,
            )
    return found


def has_content(table: Table, column: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(rows,) whether there is more than white space."""
    found = np.empty(len(table), bool)
    for begin, values in table.pieces(column):
        found[begin : begin + len(values)] = [bool(value.strip()) for value in values]
    return found


def group_keys(table: Table, column: str) -> Ints:
    """(rows,) equal where the column is; a row without a value is a group of its own."""
    values = table.values(column)
    numbers: dict[Any, int] = {}
    return np.array(
        [
            -1 - row if value is None or value == "" else numbers.setdefault(str(value), len(numbers))
            for row, value in enumerate(values)
        ]
    )
