"""The file of `--describe`: a label and its description in each row, in any form that rows may have."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from luthier.data.column_names import normal
from luthier.data.known_names import LABEL_NAMES
from luthier.data.problems import Problems
from luthier.data.read import read
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.errors import DataError, listing
from luthier.plan.plan import Plan
from luthier.prepare.data_files import writing_of
from luthier.tasks.classification.labels import name_of
from luthier.tasks.descriptions import Descriptions
from luthier.tasks.kind import FewLabels

ONE_SHOT = "one-shot"
"""The check that the user allows where labels have a single row, and no other rows are given."""
LABELS = (*LABEL_NAMES, "label_name", "class_name", "name", "id")
"""Names of the column of labels, in order of preference."""
WORDS = (
    *("description", "descriptions", "definition", "meaning", "explanation", "words", "prompt", "text"),
    *("label_description", "label_text", "sentence", "details"),
)
"""Names of the column of descriptions, in order of preference."""


def few_labels(plan: Plan) -> FewLabels:
    """The plan's settings for labels of which few rows are there. Raises DataError for descriptions that cannot be read."""
    data = plan.data
    described = None if data.describe is None else read_descriptions(data.describe, writing_of(data))
    return FewLabels(described, ONE_SHOT in plan.data.allow, plan.data.unlabelled is not None)


def read_descriptions(file: str, writing: Writing = Writing()) -> Descriptions:  # noqa: B008  it is frozen
    """The descriptions of a file. writing: how files are written, as far as the user says.

    Raises DataError for a file that has none, or rows of which only one half is there."""
    table = read(Path(file), writing)
    label, words, how = label_and_words(table)
    rows, empty, unnamed = [], Problems(), Problems()
    names = ["" if one is None else name_of(one) for one in table.values(label)]
    for row, (name, description) in enumerate(zip(names, table.texts(words), strict=True)):
        if name.strip() and description.strip():
            rows.append((name, description))
        elif name.strip():
            empty.add(repr(name))
        elif description.strip():
            unnamed.add(f"line {table.place(row).line}")
    if unnamed.count:
        raise DataError(
            f"{file}: column {label!r} names no label in {unnamed}, where there is a description. Fill it in."
        )
    if not rows:
        raise DataError(
            f"{file}: column {words!r} describes nothing: it is empty in every row. Write a description of each label there."
        )
    told = [f"{file}: {how}"]
    if empty.count:
        told.append(f"{file}: column {words!r} is empty for {empty}.")
    taken = None if normal(label) in LABELS else label
    return Descriptions(file, tuple(rows), (*table.guesses, *told), taken)


def label_and_words(table: Table) -> tuple[str, str, str]:
    """The columns of labels and of descriptions, and how they were found, in words. Raises DataError where nobody can tell."""
    label, words = named(table, LABELS, ()), None
    words = named(table, WORDS, (label,))
    rest = [name for name in table.names if name not in (label, words)]
    if len(table.names) == 2 and (label is None or words is None):
        if label is None and words is None:
            label, words = by_length(table)
        label, words = label or rest[0], words or rest[0]
    if label is None or words is None:
        raise DataError(
            f"{table.files[0]}: no column looks like {'the label' if label is None else 'its description'}. --describe takes a "
            f"file with the columns label and description; its columns: {listing(table.names)}."
        )
    how = f"column {label!r} names labels, column {words!r} describes them"
    if not table.headed:
        return label, words, f"{how}; a first line with label and description would say so."
    sure = normal(label) == LABELS[0] and normal(words) == WORDS[0]
    return label, words, f"{how}{'' if sure else '; columns called label and description are taken first'}."


def named(table: Table, known: Sequence[str], besides: Sequence[str | None]) -> str | None:
    """The column with the first of some names; one of plain values."""
    there = {
        normal(field.name): field.name
        for field in reversed(list(table.columns.schema))
        if field.name not in besides and not pa.types.is_nested(field.type)
    }
    return next((there[name] for name in known if name in there), None)


def by_length(table: Table) -> tuple[str, str]:
    """Two columns in order: the one with the shorter values, which are names, and the other one."""
    lengths = {name: sum(map(len, table.texts(name))) for name in table.names}
    first, second = table.names
    return (first, second) if lengths[first] <= lengths[second] else (second, first)
