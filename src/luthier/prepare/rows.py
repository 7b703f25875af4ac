"""From the plan's files to rows that a task understands: read, named, counted, split, checked. Nothing is written."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from luthier.checks import TABLE, examine
from luthier.checks.finding import Evidence, Finding
from luthier.data.columns import TEXT_ROLES, texts_beside
from luthier.data.composed import parts_of, with_marks
from luthier.data.missing import without_marks
from luthier.data.split import Split
from luthier.data.split_column import SplitColumn
from luthier.data.table import Ints, Table
from luthier.errors import StopFinding
from luthier.hashes import hash_json
from luthier.plan.plan import Plan
from luthier.prepare.data_files import read_files
from luthier.prepare.division import Division, divide
from luthier.prepare.parts import (
    folds_told,
    left_out_by,
    parted,
    parts_in,
    roles_of,
    split_words,
    unread,
    without_set_aside,
)
from luthier.prepare.task_columns import asked_columns, composed, kind_and_columns
from luthier.prepare.understanding import Understanding
from luthier.tasks.kind import Kind, Roles, Understood, Wishes
from luthier.tasks.task import Array, Task

SHOWN = "luthier: shown"
"""The column that stands for a row in findings and reports, where none of the table does."""


@dataclass(frozen=True)
class Rows:
    """The data, understood."""

    table: Table
    kind: Kind
    columns: dict[str, str]
    """By role."""
    guesses: dict[str, str]
    """Setting to the reason of its guess."""
    understood: Understood
    split: Split
    left_out: dict[str, int]
    """How many rows are not used, by reason."""
    evidence: Evidence
    """What checks may look at."""
    understanding: Understanding
    """What is told of all that, for people and programs."""
    told: tuple[str, ...]
    """What was taken for likely of the rows, each with the flag that corrects it."""
    composed: tuple[str, ...]
    """Those of the columns that are made of several of the file's."""
    seconds: float
    """What reading took."""

    @property
    def task(self) -> Task:
        return self.understood.task

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels' names; none where answers are no labels."""
        return self.evidence.labels

    @property
    def fingerprint(self) -> str:
        """Hash of the rows, and of the images' own bytes where rows name them."""
        images = self.understood.images
        if images is None:
            return self.table.fingerprint
        return hash_json([self.table.fingerprint, images.contents.tobytes().hex()])

    def inputs(self, rows: Ints) -> list[Any]:
        """What the model is to read."""
        return self.kind.inputs(self.table, self.columns, rows, self.task)

    def texts(self, rows: Ints) -> list[str]:
        """What a person is shown."""
        return self.evidence.table.texts(self.evidence.text, rows)

    def targets(self, rows: Ints) -> Array:
        return self.understood.targets(rows)

    def settings(self) -> dict[str, Any]:
        """What was understood, as settings of a plan that says it."""
        told = self.understanding
        found: dict[str, Any] = {"task.name": told.task}
        found |= {f"data.{role}": name for role, name in told.columns.items()}
        if told.labels_per_row is not None:
            found["task.labels_per_row"] = told.labels_per_row
        if "split_column" in self.guesses:
            found["data.split_column"] = told.split.removeprefix("column ")
        if told.encoding is not None:
            found["data.encoding"] = told.encoding
        return found


@dataclass(frozen=True)
class Given:
    """The plan's files as they were read, by part, and what parts their rows."""

    read: Mapping[str, Table]
    tables: Mapping[str, Table]
    """With the columns that the user makes of several, and without one that parts the rows."""
    own_split: SplitColumn | None

    @staticmethod
    def of(plan: Plan) -> "Given":
        """Read the files. Raises DataError for what cannot be read, PlanError for what has no effect on them."""
        read = read_files(plan)
        named = [name for name in (*asked_columns(plan).values(), plan.data.group) if name is not None]
        tables, own_split = parted(plan, composed(plan, read), named)
        return Given(read, tables, own_split)

    @property
    def first(self) -> Table:
        """The table that is learnt from, whose columns the others have too."""
        return self.tables["train"]

    @property
    def roles(self) -> Roles:
        return roles_of(self.tables, self.own_split)


def understand(plan: Plan) -> Rows:
    """Read, find the columns, understand the rows, split, check. Raises DataError for what cannot be used."""
    begin = time.monotonic()
    given = Given.of(plan)
    kind, why, guess = kind_and_columns(plan, given.first)
    columns = guess.columns
    whole, told = joined(plan, given, kind, columns)
    table = whole.with_columns(whole.columns.select(needed_names(plan, columns)))
    found = kind.understand(table, columns, given.roles, wishes_of(plan, kind))
    division = divide(plan, without_set_aside(found, table, given.own_split), table, given.roles)
    understanding = understanding_of(plan, given, columns, whole, division)
    whole, text = with_shown(whole, kind, columns)
    return Rows(
        table=table,
        kind=kind,
        columns=columns,
        guesses={"task": why, **guess.reasons, **split_reason(given.own_split)},
        understood=division.understood,
        split=division.split,
        left_out=left_out_of(division.understood, understanding, given.own_split),
        evidence=evidence_of(given, columns, whole, text, division, understanding, plan.data.group),
        understanding=understanding,
        told=(*told, *folds_told(given.first, understanding.unread), *division.understood.told),
        composed=tuple(name for name in columns.values() if parts_of(given.read["train"], name)),
        seconds=time.monotonic() - begin,
    )


def needed_names(plan: Plan, columns: Mapping[str, str]) -> list[str]:
    """Names of the columns that the rows are made of, and grouped by."""
    group = plan.data.group
    return list(dict.fromkeys([*columns.values(), *([group] if group else [])]))


def joined(plan: Plan, given: Given, kind: Kind, columns: Mapping[str, str]) -> tuple[Table, list[str]]:
    """The rows of all files in one table, with what stands for nothing cleared; and what was taken for that."""
    label = columns.get("label", "")
    tables = {part: with_marks(table, label, "--label") for part, table in given.tables.items()}
    # The first file's columns first, so that a part that lacks one is told by its name.
    names = needed_names(plan, columns)
    whole = Table.join(with_columns(tables, [*names, *shared_columns(tables, besides=names)]))
    texts = [name for role, name in columns.items() if role in TEXT_ROLES]
    return without_marks(
        whole, texts, [label] if label else [], plan.data.missing, numbers=kind.name == "regression"
    )


def wishes_of(plan: Plan, kind: Kind) -> Wishes:
    """What the plan asks of a task."""
    return Wishes(
        plan.task.labels_per_row,
        plan.task.metric,
        plan.task.language,
        task=kind.name,
        task_named=plan.task.name != "auto",
        decimal=plan.data.decimal,
    )


def understanding_of(
    plan: Plan, given: Given, columns: Mapping[str, str], whole: Table, division: Division
) -> Understanding:
    """What is told of the rows."""
    found, own_split = division.understood, given.own_split
    serving = [plan.data.group, own_split.name if own_split else None]
    return Understanding.of(
        task=found.task,
        columns=columns,
        left_out=left_out_by(found, whole, own_split),
        table=whole,
        split=division.split,
        by=split_words(plan, given.tables, own_split),
        unread=unread(given.read["train"], columns, serving),
    )


def left_out_of(
    found: Understood, understanding: Understanding, own_split: SplitColumn | None
) -> dict[str, int]:
    """How many rows are not used, by the reason as the scorecard calls it."""
    counts = {"empty": len(found.empty_input) + len(found.empty_label), "single": len(found.single)}
    counts |= understanding.set_aside
    if own_split is not None:
        counts["unparted"] = int(np.sum(own_split.part_of < 0))
    return {why: count for why, count in counts.items() if count}


def split_reason(own_split: SplitColumn | None) -> dict[str, str]:
    """Why a column parts the rows, by its setting."""
    return {} if own_split is None else {"split_column": f"column {own_split.name!r}, {own_split.why}"}


def evidence_of(
    given: Given,
    columns: Mapping[str, str],
    whole: Table,
    text: str,
    division: Division,
    understanding: Understanding,
    group: str | None,
) -> Evidence:
    """What checks may look at. whole: with a column, `text`, that shows each row.  group: the column that keeps rows together."""
    found = division.understood
    return Evidence(
        table=whole,
        text=text,
        label=columns.get("label", columns.get("text2", "")),
        split=division.split,
        given=frozenset(given.roles.names[1:]),
        grouped=group,
        keys=found.keys,
        label_sets=found.label_sets,
        set_names=found.set_names,
        empty_text=found.empty_input,
        empty_label=found.empty_label,
        single=found.single,
        settled=np.zeros(0, np.int64),
        strata=found.strata,
        strata_names=found.strata_names,
        used_columns=frozenset(columns.values()),
        columns_within=frozenset(parts_in(given.read["train"], columns)),
        labels=found.task.known_labels if found.task.labels_per_row is not None else (),
        repairs=found.repairs,
        reads=found.task.reads,
        images=found.images,
        groups=found.groups,
        named_groups=division.named_groups,
        set_aside=understanding.set_aside,
        left_out_by=understanding.left_out_by,
        text_columns=tuple(other_texts(given, understanding.task, columns)),
    )


def other_texts(given: Given, task: str, columns: Mapping[str, str]) -> list[str]:
    """Columns that hold texts beside the one that is classified, and are not read."""
    if task != "text-classification":
        return []
    return texts_beside(
        given.first, columns["text"], [*columns.values(), *parts_in(given.read["train"], columns)]
    )


def shared_columns(tables: Mapping[str, Table], besides: Sequence[str]) -> list[str]:
    """Other columns that every file has, with values of one type: for checks alone."""
    first, *rest = [{field.name: field.type for field in table.columns.schema} for table in tables.values()]
    return [
        name
        for name, kind in first.items()
        if name not in besides and all(other.get(name) == kind for other in rest)
    ]


def with_columns(tables: dict[str, Table], names: list[str]) -> list[Table]:
    """The first table with these columns alone; the others are brought to them when they are joined."""
    first, *rest = tables.values()
    return [first.with_columns(first.columns.select(names)), *rest]


def with_shown(table: Table, kind: Kind, columns: dict[str, str]) -> tuple[Table, str]:
    """The table with a column that shows each row, and that column's name."""
    if kind.shown is None:
        return table, columns["text"]
    told = pa.array(kind.shown(table, columns), pa.string())
    wider = table.columns.append_column(SHOWN, told)
    return table.with_columns(wider), SHOWN


def look_over(rows: Rows, allowed: Sequence[str]) -> tuple[Finding, ...]:
    """What the checks of rows and split find. Raises StopFinding for one that stops a run and is not allowed."""
    found = examine(rows.evidence, TABLE)
    for finding in found:
        if finding.severity == "stop" and finding.check not in allowed:
            raise StopFinding(
                f"{rows.table.files[0]}: {finding.message} {finding.matters} {finding.mend} "
                f"--allow {finding.check} goes on in spite of it.",
                finding,
            )
    return found
