"""The division of understood rows into training, validation, calibration and test."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luthier.arrays import Ints
from luthier.data.split import FEWEST_OF_FEW, Shares, Split, joined_groups, split_rows
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.forms.form import Columns
from luthier.plan.plan import Plan
from luthier.plan.sections import DataPlan
from luthier.prepare.clusters import SharedRows
from luthier.prepare.continued import Earlier, Usable, as_before, refuse_another_task, row_keys
from luthier.prepare.crossing import crossed, crosses, nothing_held_out
from luthier.prepare.refusals import refuse_empty_parts, refuse_none_to_answer, refuse_one_kind
from luthier.prepare.small_parts import small_parts
from luthier.tasks.calibration import FEWEST
from luthier.tasks.kind import Roles, Understood
from luthier.tasks.task import Task


@dataclass(frozen=True)
class Division:
    """The understood rows, and their division."""

    understood: Understood
    split: Split
    named_groups: Ints | None
    """(table rows,) equal for rows with the same value in the column of `--group`; None where none is named."""


def divide(columns: Columns, plan: Plan, found: Understood, table: Table, roles: Roles) -> Division:
    """Divide rows by the plan's shares, those that belong together on one side; those of a run that is gone on from as they were
    divided there. Raises DataError where a part stays empty."""
    groups = None if plan.data.group is None else group_keys(table, plan.data.group)
    together = joined_groups(found.keys, *found.groups, *([] if groups is None else [groups]))
    shares, earlier = shares_of(plan.data, found.task), earlier_of(plan, found)
    crossing = crosses(plan, found, roles, earlier is not None and earlier.held_out)
    if crossing:
        shares = nothing_held_out(shares)
    if found.keeps_single or (crossing and "test" in roles.names):  # of the latter no row is split off
        shares = replace(shares, fewest_rows=FEWEST_OF_FEW)
    try:
        split = split_rows(
            found.usable,
            roles.names,
            roles.of,
            found.answers.strata,
            together,
            shares,
            plan.split_seed,
            given_by(plan.data, roles),
        )
    except DataError as error:  # It knows row numbers only; the user knows the file.
        raise DataError(
            f"{plan.data.path}: {error}{own_file_words(found)}{alone_words(len(found.unusable.single))}"
        ) from None
    if earlier is not None:
        keys = row_keys(table, columns, found, found.usable)
        usable = Usable(found.usable, keys, together[found.usable], roles.of[found.usable] == 0)
        split, told = as_before(split, earlier, usable)
        found = replace(found, told=(*found.told, told))
    shared = SharedRows.of_rows(found, plan.data.group, groups)
    split = crossed(split, found, shared) if crossing else split
    if crossing:
        refuse_none_to_answer(plan, split, found)
    if "valid" not in roles.names:
        split = with_rows_to_validate_on(split, found)
    refuse_empty_parts(plan, split, found, roles)
    refuse_one_kind(plan, split, found)
    few = shared.warnings(split.test)
    split = replace(split, warnings=(*small_parts(split, found), *few))
    found = replace(found, task=found.task.having_seen(found.targets(split.train)))
    return Division(found, split, groups)


def with_rows_to_validate_on(split: Split, found: Understood) -> Split:
    """The training rows in the place of validation rows, where labels have so few rows that none could be spared: nothing is
    calibrated on rows that were learnt from."""
    if len(split.valid) or not found.keeps_single:
        return split
    calibrates = "" if split.calibrates == "valid" else split.calibrates
    return replace(split, valid=split.train, calibrates=calibrates)


def earlier_of(plan: Plan, found: Understood) -> Earlier | None:
    """The run that is gone on from; None where none is. Raises PlanError for one of another task."""
    if plan.data.continues is None:
        return None
    earlier = Earlier.of(plan.data.continues)
    refuse_another_task(earlier, found.task.name)
    return earlier


def given_by(data: DataPlan, roles: Roles) -> str:
    """What says which part a row is for, where rows were given for parts: `column NAME`, `file` or `folder`."""
    if roles.column is not None:
        return f"column {roles.column!r}"
    return "file" if data.valid is not None or data.test is not None else "folder"


def shares_of(data: DataPlan, task: Task) -> Shares:
    """The share of each part. Who asks for calibration has rows set aside for it, whatever the task would do."""
    usual, asked, how = Shares(), data.calibration_share, task.calibrating
    return Shares(
        valid=data.valid_share,
        calibration=usual.calibration if asked is None else asked,
        test=data.test_share,
        calibrates=("" if how is None else how.part) if asked is None else usual.calibrates,
        fewest_to_calibrate=FEWEST if how is None else how.fewest,
        asked=asked is not None,
    )


def own_file_words(found: Understood) -> str:
    """A sentence on what lets fewer rows do, to follow another one; empty where nothing does."""
    if not found.answers.labels or found.keeps_single:
        return ""
    return f" With rows to test on in a file of their own (--test FILE) {FEWEST_OF_FEW} rows do, one of each label."


def alone_words(rows: int) -> str:
    """A sentence on how many rows have a label that no other row has, to follow another one; empty where none has."""
    if not rows:
        return ""
    return f" {rows:,} more {'has a label' if rows == 1 else 'have labels'} that no other row has."


def group_keys(table: Table, column: str) -> Ints:
    """(rows,) equal for rows with the same value in the column; a row without a value is a group of its own."""
    values = table.values(column)
    numbers: dict[Any, int] = {}
    return np.array(
        [
            -1 - row if value is None or value == "" else numbers.setdefault(str(value), len(numbers))
            for row, value in enumerate(values)
        ]
    )
