"""From the plan's files to rows that a task understands: read, named, counted, split, checked. Nothing is written."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa

from luthier.arrays import Array, Ints
from luthier.checks import TABLE, examine
from luthier.checks.finding import Columns, Evidence, Finding, LeftOut, Parts
from luthier.data.columns import ColumnGuess, texts_beside
from luthier.data.composed import parts_of, with_marks
from luthier.data.missing import without_marks
from luthier.data.split import Split
from luthier.data.split_column import SplitColumn
from luthier.data.table import Table
from luthier.errors import StopFinding
from luthier.forms.form import Form
from luthier.hashes import hash_json
from luthier.plan.named_columns import column_settings
from luthier.plan.plan import Plan
from luthier.prepare.clusters import SharedRows
from luthier.prepare.continued import keys_by_part
from luthier.prepare.descriptions import few_labels
from luthier.prepare.division import Division, divide
from luthier.prepare.given import Given
from luthier.prepare.parts import (
    folds_told,
    left_out_by,
    parts_in,
    split_words,
    unread,
    without_set_aside,
)
from luthier.prepare.task_columns import kind_and_columns
from luthier.prepare.understanding import Understanding
from luthier.prepare.unlabelled import FreeRows, free_rows
from luthier.tasks import TASKS
from luthier.tasks.kind import Answering, Kind, Roles, Understood, Wishes
from luthier.tasks.task import Task

SHOWN = "luthier: shown"
"""The name of the column that shows a row in findings and reports, where none of the table's columns does."""


@dataclass(frozen=True)
class Assumed:
    """What was assumed about the rows, beside what they say themselves."""

    guesses: Mapping[str, str]
    """Guessed settings, and the reason of each."""
    told: tuple[str, ...]
    """Sentences on what was assumed about the rows, each with the flag that corrects it."""
    composed: tuple[str, ...]
    """Columns of the table that are made of several of the file's."""


@dataclass(frozen=True)
class Rows:
    """The understood data: table, task, columns and split, with the findings on them."""

    table: Table
    kind: Kind
    columns: dict[str, str]
    """The table's columns, by their role in the task."""
    understood: Understood
    split: Split
    left_out: dict[str, int]
    """How many rows are not used, by reason."""
    evidence: Evidence
    """All that checks may look at."""
    understanding: Understanding
    """The summary of how the data were understood, for people and programs."""
    assumed: Assumed
    seconds: float
    """Seconds that reading took."""
    unlabelled: FreeRows | None = None
    """Rows without labels; None where no file of such is named."""

    @property
    def guesses(self) -> Mapping[str, str]:
        return self.assumed.guesses

    @property
    def told(self) -> tuple[str, ...]:
        return self.assumed.told

    @property
    def task(self) -> Task:
        return self.understood.task

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels' names; empty where answers are not labels."""
        return self.evidence.answers.labels

    @property
    def fingerprint(self) -> str:
        """Hash of the rows, and of the images' own bytes where rows name them."""
        images = self.understood.images
        if images is None:
            return self.table.fingerprint
        return hash_json([self.table.fingerprint, images.contents.tobytes().hex()])

    @property
    def form(self) -> Form:
        """What a row is made of."""
        return self.kind.form(self.task)

    def inputs(self, rows: Ints) -> list[Any]:
        """What the model is to read."""
        return list(map(self.form.learnt, self.form.inputs(self.table, self.columns, rows)))

    def texts(self, rows: Ints) -> list[str]:
        """The texts that a person is shown for the rows."""
        return self.evidence.table.texts(self.evidence.columns.text, rows)

    def targets(self, rows: Ints) -> Array:
        return self.understood.targets(rows)

    @cached_property
    def shared(self) -> SharedRows:
        """Which of the rows share something, as the split keeps them on one side."""
        parts = self.evidence.parts
        return SharedRows.of_rows(self.understood, parts.group, parts.named_groups)

    def clusters(self, part: str) -> Ints | None:
        """(rows of the part,) equal where they share something; None where none do."""
        return self.shared.among(getattr(self.split, part))

    def keys(self) -> dict[str, Ints]:
        """The keys by which a next round of labelling knows the rows of each part again."""
        return keys_by_part(self.table, self.columns, self.understood, self.split)

    def settings(self) -> dict[str, Any]:
        """How the data were understood, as settings of a plan that would say the same."""
        told = self.understanding
        found: dict[str, Any] = {"task.name": told.task}
        found |= column_settings(told.columns)
        if told.labels_per_row is not None:
            found["task.labels_per_row"] = told.labels_per_row
        if "split_column" in self.guesses:
            found["data.split_column"] = told.split.removeprefix("column ")
        if told.encoding is not None:
            found["data.encoding"] = told.encoding
        return found


@dataclass(frozen=True)
class Reading:
    """How the plan's files are to be understood: their task, columns, and what divides their rows."""

    kind: Kind
    why: str
    """Why it is this task."""
    guess: ColumnGuess
    wishes: Wishes
    divide: Callable[[Plan, Understood, Table, Roles], Division]


def understand(plan: Plan) -> Rows:
    """Read, find the columns, understand the rows, split, check. Raises DataError for what cannot be used."""
    begin = time.monotonic()
    given = Given.of(plan)
    kind, why, guess = kind_and_columns(plan, given.first)
    dividing = partial(divide, guess.columns)
    return understood_as(plan, given, Reading(kind, why, guess, wishes_of(plan, kind), dividing), begin)


def understood_as(plan: Plan, given: Given, how: Reading, begin: float) -> Rows:
    """The rows of the plan's files, as a task sees them. begin: when reading began, by the monotonic clock."""
    kind, columns = how.kind, how.guess.columns
    whole, told = joined(plan, given, kind, columns)
    table = whole.with_columns(whole.columns.select(needed_names(plan, columns)))
    found = kind.understand(table, columns, given.roles, how.wishes)
    division = how.divide(plan, without_set_aside(found, table, given.own_split), table, given.roles)
    understanding = understanding_of(plan, given, columns, whole, division)
    form, images = kind.form(division.understood.task), division.understood.images
    free = free_rows(plan, form, table, columns, division.split, images)
    if free is not None:
        understanding = replace(understanding, unlabelled=free.counts.used)
    whole, text = with_shown(whole, form, columns)
    return Rows(
        table=table,
        kind=kind,
        columns=columns,
        understood=division.understood,
        split=division.split,
        left_out=left_out_of(division.understood, understanding, given.own_split),
        evidence=evidence_of(given, columns, whole, text, division, understanding, plan.data.group),
        understanding=understanding,
        assumed=Assumed(
            guesses={"task": how.why, **how.guess.reasons, **split_reason(given.own_split)},
            told=(
                *told,
                *folds_told(given.first, understanding.unread),
                *division.understood.told,
                *(() if free is None else free.told),
            ),
            composed=tuple(name for name in columns.values() if parts_of(given.first_read, name)),
        ),
        seconds=time.monotonic() - begin,
        unlabelled=free,
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
    roles = kind.roles
    texts = [name for role, name in columns.items() if roles[role].text and not given.as_they_stand]
    return without_marks(whole, texts, [label] if label else [], plan.data.missing, numbers=kind.numbers)


def wishes_of(plan: Plan, kind: Kind) -> Wishes:
    """The plan's settings for the task."""
    return Wishes(
        plan.task.labels_per_row,
        plan.task.metric,
        plan.task.language,
        task=kind.name,
        task_named=plan.task.name != "auto",
        decimal=plan.data.decimal,
        answering=Answering(
            plan.task.turns, plan.task.system, plan.task.max_tokens, plan.task.pattern, plan.task.verify
        ),
        objective=plan.task.objective,
        beta=plan.task.beta,
        few=few_labels(plan),
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
        unread=unread(given.first_read, columns, serving),
    )


def left_out_of(
    found: Understood, understanding: Understanding, own_split: SplitColumn | None
) -> dict[str, int]:
    """How many rows are not used, by the reason as the scorecard calls it."""
    without = found.unusable
    counts = {"empty": len(without.empty_input) + len(without.empty_label), "single": len(without.single)}
    counts |= {why: len(rows) for why, rows in without.others.items()}
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
        columns=Columns(
            text=text,
            label=columns.get("label", columns.get("text2", "")),
            used=frozenset(columns.values()),
            within=frozenset(parts_in(given.first_read, columns)),
            other_texts=tuple(other_texts(given, TASKS[understanding.task], columns)),
        ),
        parts=Parts(
            division.split,
            frozenset(given.roles.names[1:]),
            group,
            found.groups,
            division.named_groups,
            found.keeps_single,
        ),
        keys=found.keys,
        answers=found.answers,
        left_out=LeftOut(found.unusable, understanding.set_aside, understanding.left_out_by),
        repairs=found.repairs,
        reads=found.task.reads,
        images=found.images,
    )


def other_texts(given: Given, kind: Kind, columns: Mapping[str, str]) -> list[str]:
    """Columns that hold texts beside the one that is classified, and are not read."""
    if not kind.parts.tells_other_texts:
        return []
    return texts_beside(
        given.first, columns["text"], [*columns.values(), *parts_in(given.first_read, columns)]
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


def with_shown(table: Table, form: Form, columns: dict[str, str]) -> tuple[Table, str]:
    """The table with a column that shows each row, and that column's name."""
    shown = form.shown(table, columns)
    if shown is None:
        return table, columns[next(iter(form.roles))]
    wider = table.columns.append_column(SHOWN, pa.array(shown, pa.string()))
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
