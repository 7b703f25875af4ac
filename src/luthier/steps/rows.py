"""From the plan's files to rows that a task understands: read, named, counted, split, checked. Nothing is written."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from luthier.data.brat import is_brat
from luthier.data.checks import TABLE, examine
from luthier.data.checks.finding import Evidence, Finding
from luthier.data.columns import TEXT_ROLES, ColumnGuess, check, texts_beside
from luthier.data.composed import parts_of, with_marks, with_texts
from luthier.data.image_files import holds_images, is_image_set, read_images
from luthier.data.image_folder import with_images_in
from luthier.data.missing import without_marks
from luthier.data.read import read
from luthier.data.row_files import TABLES, ending
from luthier.data.shards import holds_shards, shards_for
from luthier.data.split import Shares, Split, joined_groups, split_rows
from luthier.data.table import Ints, Table
from luthier.data.writing import Writing
from luthier.errors import DataError, PlanError, StopFinding
from luthier.hashes import hash_json
from luthier.plan.plan import Plan
from luthier.plan.sections import DataPlan
from luthier.steps.parts import left_out_by, parted, roles_of, split_words, unread, without_set_aside
from luthier.steps.refusals import refuse_empty_parts
from luthier.steps.small_parts import small_parts
from luthier.steps.understanding import Understanding
from luthier.tasks import TASKS
from luthier.tasks.classification import Classification
from luthier.tasks.guess import guess_kind
from luthier.tasks.kind import Kind, Understood, Wishes
from luthier.tasks.task import Array, Task

IMAGES = "image-classification"
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


def read_files(plan: Plan) -> dict[str, Table]:
    """The table of each file, by the part it is for; `train` first. A folder of images may hold several parts."""
    files = {"train": plan.data.path, "valid": plan.data.valid, "test": plan.data.test}
    found: dict[str, Table] = {}
    for part, file in files.items():
        if file is not None and holds_shards(Path(file)):
            found |= shards_for(part, Path(file), writing_of(plan.data))
        elif file is not None and is_image_set(Path(file)) and not looks_like_rows(Path(file)):
            parts = read_images(Path(file), writing_of(plan.data))
            found |= parts if part == "train" else {part: parts["train"]}
        elif file is not None:
            table = read(Path(file), writing_of(plan.data))
            column = plan.data.image or (found["train"].layout.columns.get("image") if found else None)
            found[part] = with_its_images(plan, table, column)
    refuse_idle_folder(plan, found)
    return found


def with_its_images(plan: Plan, table: Table, column: str | None) -> Table:
    """A file's table, told where the images lie that it names, if it may be one of images."""
    asked = [role for role, name in asked_columns(plan).items() if name is not None]
    of_images = plan.task.name in ("auto", IMAGES) and set(asked) <= set(TASKS[IMAGES].roles)
    if not of_images:
        return table
    return with_images_in(table, None if plan.data.images is None else Path(plan.data.images), column)


def refuse_idle_folder(plan: Plan, tables: Mapping[str, Table]) -> None:
    """Raise PlanError for a folder of images that no file asks for."""
    if plan.data.images is not None and not any(table.image_names for table in tables.values()):
        raise PlanError(
            f"--images {plan.data.images}: no effect here, as no file of rows names images. Leave it out."
        )


def writing_of(data: DataPlan) -> Writing:
    """What a plan says of how its files are written."""
    return Writing(data.encoding, data.delimiter, data.quoting)


def looks_like_rows(path: Path) -> bool:
    """Whether a folder was named in the place of a file in it: it has files of rows, or nothing at all; or is one of brat's."""
    if not path.is_dir():
        return False
    if is_brat(path):
        return True
    names = [entry.name for entry in path.iterdir()]
    return not names or (any(ending(Path(name)) in TABLES for name in names) and not holds_images(path))


def kind_of(plan: Plan, table: Table) -> tuple[Kind, str]:
    """The task, named or guessed, and why."""
    asked = asked_columns(plan)
    if plan.task.name == "auto":
        return guess_kind(table, asked, plan.task.labels_per_row, plan.data.decimal)
    return TASKS[plan.task.name], "as named"


def asked_columns(plan: Plan) -> dict[str, str | None]:
    """The columns that the user named, by role."""
    return {role: getattr(plan.data, role) for kind in TASKS.values() for role in kind.roles}


def needed_columns(plan: Plan, table: Table, kind: Kind) -> ColumnGuess:
    """The task's columns: named, told by the file's form, or guessed. Raises DataError for a group column that cannot serve."""
    asked = asked_columns(plan)
    strange = [role for role, name in asked.items() if name is not None and role not in kind.roles]
    if strange:
        raise DataError(
            f"--{strange[0]} {asked[strange[0]]}: {kind.name} has no such column; its columns are "
            f"{', '.join(f'--{role}' for role in kind.roles)}. Leave it out, or name the task with --task."
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


def understand(plan: Plan) -> Rows:
    """Read, find the columns, understand the rows, split, check. Raises DataError for what cannot be used."""
    begin = time.monotonic()
    read_tables = read_files(plan)
    tables = composed(plan, read_tables)
    named = [name for name in (*asked_columns(plan).values(), plan.data.group) if name is not None]
    tables, own_split = parted(plan, tables, named)
    first = tables["train"]
    kind, why, guess = kind_and_columns(plan, first)
    columns, group = guess.columns, plan.data.group
    tables = {part: with_marks(table, columns.get("label", ""), "--label") for part, table in tables.items()}
    # The first file's columns first, so that a part that lacks one is told by its name.
    names = list(dict.fromkeys([*columns.values(), *([group] if group else [])]))
    whole = Table.join(with_columns(tables, [*names, *shared_columns(tables, besides=names)]))
    texts = [name for role, name in columns.items() if role in TEXT_ROLES]
    labels = [columns["label"]] if "label" in columns else []
    whole, told = without_marks(whole, texts, labels, plan.data.missing)
    table = whole.with_columns(whole.columns.select(names))
    roles = roles_of(tables, own_split)
    wishes = Wishes(
        plan.task.labels_per_row,
        plan.task.metric,
        plan.task.language,
        task=kind.name,
        task_named=plan.task.name != "auto",
        decimal=plan.data.decimal,
    )
    found = without_set_aside(kind.understand(table, columns, roles, wishes), table, own_split)

    named_groups = group_keys(table, group) if group else None
    keys = [found.keys, *found.groups, *([] if named_groups is None else [named_groups])]
    data, usual = plan.data, Shares()
    apart = data.calibration_share  # who asks for it has rows set aside, whatever the task would do
    shares = Shares(
        valid=data.valid_share,
        calibration=usual.calibration if apart is None else apart,
        test=data.test_share,
        calibrates=found.task.calibrates if apart is None else usual.calibrates,
        fewest_to_calibrate=found.task.fewest_to_calibrate,
        asked=apart is not None,
    )
    whole_groups = joined_groups(*keys)
    try:
        split = split_rows(
            found.usable,
            roles.names,
            roles.of,
            found.strata,
            whole_groups,
            shares,
            plan.split_seed,
        )
    except DataError as error:  # It knows row numbers only; the user knows the file.
        alone = len(found.single)
        more = (
            f" {alone:,} more {'has a label' if alone == 1 else 'have labels'} that no other row has."
            if alone
            else ""
        )
        raise DataError(f"{plan.data.path}: {error}{more}") from None
    refuse_empty_parts(plan, split)
    split = replace(split, warnings=small_parts(split, found))
    found = replace(found, task=found.task.having_seen(found.targets(split.train)))
    understanding = Understanding.of(
        task=found.task,
        columns=columns,
        left_out=left_out_by(found, table, own_split),
        table=whole,
        split=split,
        by=split_words(plan, tables, own_split),
        unread=unread(read_tables["train"], columns, [group, own_split.name if own_split else None]),
    )
    beside = (
        texts_beside(first, columns["text"], list(columns.values()))
        if kind.name == "text-classification"
        else []
    )

    whole, text = with_shown(whole, kind, columns)
    evidence = Evidence(
        table=whole,
        text=text,
        label=columns.get("label", columns.get("text2", "")),
        split=split,
        given=frozenset(roles.names[1:]),
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
        labels=found.task.labels if isinstance(found.task, Classification) else (),
        repairs=found.repairs,
        reads=found.task.reads,
        images=found.images,
        groups=found.groups,
        named_groups=named_groups,
        set_aside=understanding.set_aside,
        left_out_by=understanding.left_out_by,
        text_columns=tuple(beside),
    )
    left_out = {"empty": len(found.empty_input) + len(found.empty_label), "single": len(found.single)}
    left_out |= {
        why: count for why, count in understanding.left_out_by.items() if why in understanding.set_aside
    }
    if own_split is not None:
        left_out["unparted"] = int(np.sum(own_split.part_of < 0))
    split_reason = {"split_column": f"column {own_split.name!r}, by its name and values"} if own_split else {}
    return Rows(
        table=table,
        kind=kind,
        columns=columns,
        guesses={"task": why, **guess.reasons, **split_reason},
        understood=found,
        split=split,
        left_out={why: count for why, count in left_out.items() if count},
        evidence=evidence,
        understanding=understanding,
        told=(*told, *found.told),
        composed=tuple(name for name in columns.values() if parts_of(read_tables["train"], name)),
        seconds=time.monotonic() - begin,
    )


def with_shown(table: Table, kind: Kind, columns: dict[str, str]) -> tuple[Table, str]:
    """The table with a column that shows each row, and that column's name."""
    if kind.shown is None:
        return table, columns["text"]
    told = pa.array(kind.shown(table, columns), pa.string())
    wider = table.columns.append_column(SHOWN, told)
    return table.with_columns(wider), SHOWN


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
    return [first.with_columns(first.columns.select(names)), *rest]


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
