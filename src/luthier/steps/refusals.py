"""Data that nothing can be learnt from, or that would fool: refused, with what mends it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.data.checks import CHECKS
from luthier.data.checks.finding import Finding
from luthier.data.split import Split
from luthier.data.table import Ints, Table
from luthier.errors import DataError, PlanError, StopFinding, did_you_mean, listing
from luthier.plan.plan import Plan
from luthier.steps.label_column import LabelColumn

STOPPING = ("leaks",)
"""Checks whose findings can stop a run that could go on. Without two labels, or without texts, it could not."""


def refuse_unknown_checks(allowed: Sequence[str]) -> None:
    """Raise PlanError for a name that is no check's."""
    for name in allowed:
        if name not in CHECKS:
            raise PlanError(
                f"data.allow: {name!r} is not a check that stops a run.{did_you_mean(name, CHECKS)} Expected {listing(STOPPING)}."
            )


def useless(check: str, count: int, message: str, mend: str) -> StopFinding:
    """What is told of data that nothing can be learnt from, whatever is allowed."""
    found = Finding(check, "stop", count, 1.0, (), message, "Nothing can be learnt from it.", mend)
    return StopFinding(f"{message} {mend}", found)


def refuse_nothing_left(
    plan: Plan, table: Table, text: str, label: str, has_text: Any, has_label: Any
) -> None:
    """A column that is empty throughout is a wrong column, not a few bad rows."""
    for column, filled, flag in ((text, has_text, "--text"), (label, has_label, "--label")):
        if not filled.any():
            raise useless(
                f"no-{flag.strip('-')}",
                len(table),
                f"{plan.data.path}: column {column!r} is empty in all {len(table):,} rows.",
                f"Name another column with {flag}; there are {listing(table.names)}.",
            )


def refuse_useless_labels(
    plan: Plan, label: str, usable: Ints, single: Ints, labels: LabelColumn, role_of: Ints
) -> None:
    """All alike, or all different: nothing can be learnt from either."""
    own = usable[role_of[usable] == 0]
    names = {name for at in np.unique(labels.set_of[own]) for name in labels.sets[at]}
    if not names and not len(single):
        raise DataError(
            f"{plan.data.path}: no row has both a text and a label. Fill them in, or name other columns with --text "
            "and --label."
        )
    if not names:
        raise useless(
            "unique-labels",
            len(single),
            f"{plan.data.path}: no two rows share a label in column {label!r}: it looks like an identifier.",
            "Name the label column with --label.",
        )
    if len(names) == 1:
        but = ", but for labels that occur once" if len(single) else ""
        raise useless(
            "one-label",
            len(own),
            f"{plan.data.path}: every row has the label {next(iter(names))!r} in column {label!r}{but}. "
            "Expected at least two different labels.",
            "Add rows with others, or name another column with --label.",
        )


def refuse_unknown_labels(
    table: Table, roles: list[str], role_of: Ints, usable: Ints, labels: LabelColumn
) -> None:
    """A valid or test row whose label cannot have been learnt."""
    own = usable[role_of[usable] == 0]
    known = {name for at in np.unique(labels.set_of[own]) for name in labels.sets[at]}
    for at, role in enumerate(roles[1:], start=1):
        rows = usable[role_of[usable] == at]
        strange = {
            number: missing
            for number in np.unique(labels.set_of[rows])
            if (missing := [name for name in labels.sets[number] if name not in known])
        }
        if strange:
            bad = rows[np.isin(labels.set_of[rows], list(strange))]
            names = sorted({name for missing in strange.values() for name in missing})
            raise DataError(
                f"{table.place(int(bad[0]))}: label {names[0]!r} never occurs in the training rows"
                f" ({len(bad):,} {role} {'row' if len(bad) == 1 else 'rows'}, labels {listing(names)})."
                f"{did_you_mean(names[0], known)} Correct the label, or add training rows with it."
            )


def refuse_empty_parts(plan: Plan, split: Split) -> None:
    """Nothing can be chosen or reported without rows for it."""
    for name, rows, file in (
        ("validation", split.valid, plan.data.valid),
        ("test", split.test, plan.data.test),
    ):
        if len(rows):
            continue
        if file is not None:
            raise DataError(
                f"{file}: none of its rows can be used: each lacks its text or its label, or has a label that occurs "
                "only once in the training rows."
            )
        raise DataError(
            f"{plan.data.path}: no row is left for the {name} part, because rows with the same text or the same group "
            "stay together, and here nearly all do. Add rows that differ, or choose another --group."
        )
