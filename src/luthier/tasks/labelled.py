"""Rows with labels, whatever they are made of: named, counted, and refused where nothing can be learnt from them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from luthier.data.checks.finding import Finding
from luthier.data.table import Ints, Table
from luthier.errors import DataError, StopFinding, did_you_mean, listing
from luthier.tasks.classification import Classification
from luthier.tasks.kind import Roles, Understood, Wishes
from luthier.tasks.label_column import LabelColumn, rarest_label, read_labels, without_single_labels
from luthier.tasks.labels import in_order
from luthier.tasks.metric import chosen_metric
from luthier.tasks.task import Array

Bools = np.ndarray[Any, np.dtype[np.bool_]]

METRICS = ("accuracy", "macro_f1")


def labelled_rows(
    table: Table,
    name: str,
    reads: str,
    read: Mapping[str, tuple[str, Bools]],
    label: str,
    keys: Ints,
    roles: Roles,
    wishes: Wishes,
) -> Understood:
    """Rows of a classification.

    read: by role, the column that is read and where it holds something, (table rows,).  label: the column of labels.
    keys: (table rows,) equal for rows with the same input.  Raises DataError for labels that cannot be used.
    """
    values = table.values(label)
    labels = read_labels(values, wishes.labels_per_row)
    if wishes.labels_per_row == "one" and any(isinstance(value, list) for value in values):
        raise DataError(
            f"{table.files[0]}: column {label!r} holds lists of labels. Use --labels-per-row many."
        )
    has_label = np.array([bool(names) for names in labels.sets])[labels.set_of]
    refuse_nothing_left(table, {**read, "label": (label, has_label)})
    has_input = np.logical_and.reduce([there for _, there in read.values()])
    usable, single = without_single_labels(np.flatnonzero(has_input & has_label), labels, roles.of)
    refuse_useless_labels(table, label, usable, single, labels, roles)
    known = in_order({name for at in np.unique(labels.set_of[usable]) for name in labels.sets[at]})
    metric = chosen_metric(wishes.metric, METRICS, name)
    task = Classification(known, labels.many, metric, name, reads)
    refuse_unknown_labels(table, roles, usable, labels)

    def targets(rows: Ints) -> Array:
        return task.targets([labels.sets[at] for at in labels.set_of[rows]])

    return Understood(
        task=task,
        usable=usable,
        empty_input=np.flatnonzero(~has_input),
        empty_label=np.flatnonzero(has_input & ~has_label),
        strata=rarest_label(labels, usable, known),
        strata_names=tuple(
            f"have {one!r} as their rarest label" if labels.many else f"have the label {one!r}"
            for one in known
        ),
        keys=keys,
        label_sets=labels.set_of,
        targets=targets,
        set_names=labels.sets,
        single=single,
    )


def useless(check: str, count: int, message: str, mend: str) -> StopFinding:
    """What is told of data that nothing can be learnt from, whatever is allowed."""
    found = Finding(check, "stop", count, 1.0, (), message, "Nothing can be learnt from it.", mend)
    return StopFinding(f"{message} {mend}", found)


def refuse_nothing_left(table: Table, filled: Mapping[str, tuple[str, Bools]]) -> None:
    """A column that is empty throughout is a wrong column, not a few bad rows.

    filled: by role, the column's name and where it holds something, (table rows,).
    """
    for role, (column, there) in filled.items():
        flag = f"--{role}"
        if not there.any():
            raise useless(
                f"no-{role}",
                len(table),
                f"{table.files[0]}: column {column!r} is empty in all {len(table):,} rows.",
                f"Name another column with {flag}; there are {listing(table.names)}.",
            )


def refuse_useless_labels(
    table: Table, label: str, usable: Ints, single: Ints, labels: LabelColumn, roles: Roles
) -> None:
    """All alike, or all different: nothing can be learnt from either."""
    own = roles.rows(usable, "train")
    names = {name for at in np.unique(labels.set_of[own]) for name in labels.sets[at]}
    if not names and not len(single):
        raise DataError(
            f"{table.files[0]}: no row has both a text and a label. Fill them in, or name other columns with --text "
            "and --label."
        )
    if not names:
        raise useless(
            "unique-labels",
            len(single),
            f"{table.files[0]}: no two rows share a label in column {label!r}: it looks like an identifier.",
            "Name the label column with --label.",
        )
    if len(names) == 1:
        but = ", but for labels that occur once" if len(single) else ""
        raise useless(
            "one-label",
            len(own),
            f"{table.files[0]}: every row has the label {next(iter(names))!r} in column {label!r}{but}. "
            "Expected at least two different labels.",
            "Add rows with others, or name another column with --label.",
        )


def refuse_unknown_labels(table: Table, roles: Roles, usable: Ints, labels: LabelColumn) -> None:
    """A valid or test row whose label cannot have been learnt."""
    own = roles.rows(usable, "train")
    known = {name for at in np.unique(labels.set_of[own]) for name in labels.sets[at]}
    for role in roles.names[1:]:
        rows = roles.rows(usable, role)
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
