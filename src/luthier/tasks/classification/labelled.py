"""Rows with labels, whatever they are made of: named, counted, and refused where nothing can be learnt from them."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from luthier.arrays import Array, Bools, Ints
from luthier.checks.finding import Finding
from luthier.data.column_numbers import lists_numbers
from luthier.data.numerals import plain_number
from luthier.data.row_facts import KnownAnswers, Unusable, no_rows
from luthier.data.table import Table
from luthier.errors import DataError, StopFinding, did_you_mean, listing, shorten
from luthier.scores.metrics import judging
from luthier.tasks.classification.finished import asked_rows
from luthier.tasks.classification.label_cells import most_in_a_row
from luthier.tasks.classification.label_column import (
    LabelColumn,
    rarest_label,
    read_labels,
    without_single_labels,
)
from luthier.tasks.classification.labels import in_order
from luthier.tasks.classification.one_shot import WAYS, keeps_single_labels
from luthier.tasks.classification.task import Classification
from luthier.tasks.descriptions import describe, told_of_names
from luthier.tasks.kind import Roles, Understood, Wishes
from luthier.tasks.metric import chosen_metric

OF_IMAGES = "image-classification"
"""The task whose labels cannot be estimated as numbers instead."""
MOST_NUMBERS = 20
"""Different numbers that are taken for labels unasked, and different times and versions."""
MEASURE = re.compile(r"[vV]?\d+(?:\s?[.:/T -]\s?\d+)+\s?(?:[zZ]|[+-]\d\d:?\d\d|[aApP]\.?[mM]\.?)?")
"""A duration, a date, a time, a version: numbers with signs between them."""


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
    several = wishes.labels_per_row == "auto" and lists_numbers(table, label)
    labels = read_labels(
        values, "many" if several else wishes.labels_per_row, label in table.layout.none_is_answer
    )
    if wishes.labels_per_row == "one" and most_in_a_row(values) > 1:
        raise DataError(
            f"{table.files[0]}: column {label!r} holds lists of labels. Use --labels-per-row many."
        )
    if labels.doubt is not None:
        raise DataError(
            f"{table.files[0]}: column {label!r} holds {labels.doubt}. Say which with --labels-per-row one or --labels-per-row "
            "many."
        )
    has_label = labels.there
    refuse_nothing_left(table, {**read, "label": (label, has_label)})
    has_input = np.logical_and.reduce([there for _, there in read.values()])
    if wishes.finished is not None:
        return asked_rows(table, labels, has_input, keys, wishes.finished)
    usable, single = np.flatnonzero(has_input & has_label), no_rows()
    learnt = labels.set_of[usable[roles.of[usable] == 0]]
    keeps = keeps_single_labels(roles, wishes, np.unique(learnt, return_counts=True)[1])
    if not keeps:
        usable, single = without_single_labels(usable, labels, roles.of)
    refuse_useless_labels(table, label, usable, single, labels, roles)
    known = in_order(labels.names(usable))
    refuse_numbers_taken_for_labels(table, label, known, labels.many, wishes)
    metric = chosen_metric(wishes.metric, judging(name), name)
    described = None if wishes.few.described is None else describe(known, wishes.few.described)
    words = () if described is None else described.words
    task = Classification(known, labels.many, metric, name, reads, words=words)
    refuse_unknown_labels(table, roles, usable, labels)

    def targets(rows: Ints) -> Array:
        return task.targets([labels.sets[at] for at in labels.set_of[rows]])

    return Understood(
        task=task,
        usable=usable,
        unusable=Unusable(np.flatnonzero(~has_input), np.flatnonzero(has_input & ~has_label), single),
        answers=KnownAnswers(
            label_sets=labels.set_of,
            strata=rarest_label(labels, usable, known),
            set_names=labels.sets,
            strata_names=names_of_strata(known, labels),
            labels=known,
        ),
        keys=keys,
        targets=targets,
        told=(
            *told_of_labels(label, known, labels, wishes),
            *(() if described is None else described.told),
            *(() if task.zero_shot is None else told_of_names(known, words)),
        ),
        keeps_single=keeps,
    )


def names_of_strata(known: Sequence[str], labels: LabelColumn) -> tuple[str, ...]:
    """What rows of each stratum have in common, in words that follow "rows"."""
    if not labels.many:
        return tuple(f"have the label {shorten(one)!r}" for one in known)
    none = [] if all(labels.sets) else ["have none of the labels"]
    return (*(f"have {shorten(one)!r} as their rarest label" for one in known), *none)


def told_of_labels(label: str, known: Sequence[str], labels: LabelColumn, wishes: Wishes) -> tuple[str, ...]:
    """What was taken for likely of the labels, with the flag that corrects it."""
    found = []
    if labels.how is not None and wishes.labels_per_row == "auto":
        found.append(
            f"column {label!r}: its cells hold {labels.how}: {listing(known)}; --labels-per-row one takes each for one label."
        )
    if all(map(is_number, known)) and not wishes.task_named and not labels.many:
        estimates = "" if wishes.task == OF_IMAGES else "; --task regression estimates them as numbers"
        found.append(
            f"column {label!r}: the numbers {known[0]} to {known[-1]} are taken for {len(known)} labels{estimates}."
        )
    return tuple(found)


def is_number(name: str) -> bool:
    return plain_number(name) is not None


def refuse_numbers_taken_for_labels(
    table: Table, label: str, known: Sequence[str], many: bool, wishes: Wishes
) -> None:
    """Many different numbers may be labels by their numbers, or amounts: nobody can tell them apart but the user."""
    if len(known) > MOST_NUMBERS and not many and not wishes.task_named and all(map(is_number, known)):
        estimates = "" if wishes.task == OF_IMAGES else ", --task regression estimates them"
        whole = "whole " if all(float(one).is_integer() for one in known) else ""
        raise DataError(
            f"{table.files[0]}: column {label!r} holds {len(known):,} different {whole}numbers, {known[0]} to {known[-1]}, which "
            f"may be labels or amounts. --task {wishes.task} learns them as labels{estimates}; --label COLUMN names another "
            "column."
        )
    if len(known) > MOST_NUMBERS and not many and not wishes.task_named and all(map(is_measure, known)):
        estimates = "; written as plain numbers, such as seconds, --task regression estimates them"
        raise DataError(
            f"{table.files[0]}: column {label!r} holds {len(known):,} different values such as {known[0]!r} and {known[-1]!r}, "
            f"which look like dates, times or versions rather than labels. --task {wishes.task} learns them as labels; --label "
            f"COLUMN names another column{'' if wishes.task == OF_IMAGES else estimates}."
        )


def is_measure(name: str) -> bool:
    """Whether a name is a number, or several with signs between them.

    >>> [is_measure(name) for name in ("0:03:39", "2024-01-31 08:00", "v1.2.10", "7", "E11.9", "24/7 support")]
    [True, True, True, True, False, False]
    """
    return is_number(name) or MEASURE.fullmatch(name.strip()) is not None


def useless(check: str, count: int, message: str, mend: str) -> StopFinding:
    """The error for data that nothing can be learnt from, whatever is allowed."""
    found = Finding(check, "stop", count, 1.0, (), message, "Nothing can be learnt from it.", mend)
    return StopFinding(f"{message} {mend}", found)


def refuse_nothing_left(table: Table, filled: Mapping[str, tuple[str, Bools]]) -> None:
    """Raise DataError where a column is empty throughout: it is a wrong column, not a few bad rows.

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
    """Raise StopFinding where all labels are alike, or all different: nothing can be learnt from either."""
    own = roles.rows(usable, "train")
    names = labels.names(own)
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
            f"Name the label column with --label. {WAYS}",
        )
    sets = {labels.sets[at] for at in np.unique(labels.set_of[own])}
    if len(sets) == 1 and len(single) > len(own):
        raise useless(
            "unique-labels",
            len(single),
            f"{table.files[0]}: {len(single):,} of {len(own) + len(single):,} rows have a label in column {label!r} that no "
            "other row has: it looks like an identifier, or like texts. Expected labels that recur.",
            "Name the label column with --label.",
        )
    if len(names) > 1 and len(sets) == 1:
        raise useless(
            "one-label",
            len(own),
            f"{table.files[0]}: every row has the same {len(names):,} labels in column {label!r}, {listing(sorted(names))}. "
            "Expected rows that differ.",
            "Add rows with others, or name another column with --label.",
        )
    if len(names) == 1 and len(sets) == 1:
        but = ", but for labels that occur once" if len(single) else ""
        raise useless(
            "one-label",
            len(own),
            f"{table.files[0]}: every row has the label {next(iter(names))!r} in column {label!r}{but}. "
            "Expected at least two different labels.",
            "Add rows with others, or name another column with --label.",
        )


def refuse_unknown_labels(table: Table, roles: Roles, usable: Ints, labels: LabelColumn) -> None:
    """Raise DataError for valid or test rows whose label no training row has."""
    own = roles.rows(usable, "train")
    known = labels.names(own)
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
