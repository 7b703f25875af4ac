"""Which part of the split each row was given for, by its file or by a column, and which rows are in none."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from luthier.arrays import Ints
from luthier.data.composed import parts_of
from luthier.data.split_column import NONE, PARTS, SplitColumn, find_split, numbers_folds
from luthier.data.table import Table
from luthier.errors import PlanError
from luthier.plan.plan import Plan
from luthier.prepare.understanding import LeftOut
from luthier.tasks import form_of
from luthier.tasks.kind import Roles, Understood


def parted(
    plan: Plan, tables: dict[str, Table], taken: Sequence[str]
) -> tuple[dict[str, Table], SplitColumn | None]:
    """The tables without the column that parts the rows, and that column; files that are named part the rows before it."""
    if len(tables) > 1 and plan.data.split_column in (None, NONE):
        return tables, None
    if len(tables) > 1:
        raise PlanError(
            "--split-column: no effect beside --valid and --test, whose files part the rows. Leave it out."
        )
    found = find_split(tables["train"], plan.data.split_column, taken)
    if found is None:
        return tables, None
    table = tables["train"]
    return {"train": table.with_columns(table.columns.drop_columns([found.name]))}, found


def folds_told(table: Table, unread: Sequence[str]) -> list[str]:
    """A sentence for each column of folds that is not used: that it does not divide the rows, and what would."""
    return [
        f"column {name!r} numbers folds, which part no rows here, as none says whether it is for training or testing; a column "
        "called split does, with train in some folds, and valid or test in others."
        for name in unread
        if numbers_folds(table, name)
    ]


def roles_of(tables: Mapping[str, Table], own: SplitColumn | None) -> Roles:
    """The part that each row was given for, by its file or by a column of its own. A row that names no part is in none."""
    if own is None:
        sizes = [len(table) for table in tables.values()]
        return Roles(tuple(tables), np.repeat(np.arange(len(sizes)), sizes))
    numbers = np.full(len(PARTS) + 1, -1, np.int64)
    for at, part in enumerate(own.parts):
        numbers[PARTS.index(part)] = at
    return Roles(own.parts, numbers[own.part_of], own.name)


def asked_roles(tables: Mapping[str, Table]) -> Roles:
    """As `roles_of`, where every row of a table that is not called `train` is a test row."""
    sizes = [len(table) for table in tables.values()]
    return Roles(("train", "test"), np.repeat([int(name != "train") for name in tables], sizes))


def without_set_aside(found: Understood, table: Table, own: SplitColumn | None) -> Understood:
    """What is understood, without rows that the annotator put aside or that name no part; nobody counts these as empty."""
    out = [*table.layout.set_aside.values(), *([] if own is None else [np.flatnonzero(own.part_of < 0)])]
    if not any(map(len, out)):
        return found
    rows, without = np.concatenate(out), found.unusable

    def kept(numbers: Ints) -> Ints:
        return numbers[~np.isin(numbers, rows)]

    return replace(
        found,
        usable=kept(found.usable),
        unusable=replace(
            without,
            empty_input=kept(without.empty_input),
            empty_label=kept(without.empty_label),
            single=kept(without.single),
            others={why: kept(own) for why, own in without.others.items()},
        ),
    )


def left_out_by(found: Understood, table: Table, own: SplitColumn | None) -> LeftOut:
    """How many rows are not used, by reason."""
    without = found.unusable
    thing = form_of(found.task).thing
    unparted = 0 if own is None else int(np.sum(own.part_of < 0))
    faults = {
        f"no {thing}": len(without.empty_input),
        "no label": len(without.empty_label),
        "a label that occurs once": len(without.single),
        **{why: len(own) for why, own in without.others.items()},
        "no known part" if own is None else f"no known part in {own.name!r}": unparted,
    }
    return LeftOut(
        faults={why: count for why, count in faults.items() if count},
        set_aside={why: len(rows) for why, rows in table.layout.set_aside.items() if len(rows)},
    )


def split_words(plan: Plan, tables: Mapping[str, Table], own: SplitColumn | None) -> str:
    """What parts the rows: `random`, `files`, `folders`, or a column."""
    if own is not None:
        return f"column {own.name}"
    if len(tables) == 1:
        return "random"
    return "files" if plan.data.valid or plan.data.test else "folders"


def unread(table: Table, columns: Mapping[str, str], others: Sequence[str | None]) -> tuple[str, ...]:
    """Columns of the file that nothing uses."""
    used = {*columns.values(), *parts_in(table, columns), *others}
    return tuple(name for name in table.names if name not in used)


def parts_in(table: Table, columns: Mapping[str, str]) -> list[str]:
    """Columns of the file that those of a task are made of."""
    return [part for name in columns.values() for part in parts_of(table, name)]
