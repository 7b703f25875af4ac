"""The file of `--describe`: a label and its description in each row, in any form that rows may have."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from luthier.data.column_names import normal
from luthier.data.known_names import LABEL_NAMES
from luthier.data.missing import CERTAIN, DOUBTFUL, without_marks
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
    described = (
        None if data.describe is None else read_descriptions(data.describe, writing_of(data), data.missing)
    )
    return FewLabels(described, ONE_SHOT in plan.data.allow, plan.data.unlabelled is not None)


def read_descriptions(
    file: str,
    writing: Writing = Writing(),  # noqa: B008  it is frozen
    missing: Sequence[str] = (),
) -> Descriptions:
    """The descriptions of a file. writing: how files are written, as far as the user says.  missing: words for nothing, that the
    user names.

    Raises DataError for a file that has none, or rows of which only one half is there."""
    table = read(Path(file), writing)
    label, words = named_columns(table)
    if label is not None and words is not None:
        return described_by(table, label, words, missing)
    if len(table.names) != 2:
        raise DataError(
            f"{file}: no column looks like {'the label' if label is None else 'its description'}. --describe takes a file with "
            f"the columns label and description; its columns: {listing(table.names)}."
        )
    label, words = by_length(table)
    found = described_by(table, label, words, missing)
    try:
        return replace(found, otherwise=described_by(table, words, label, missing))
    except DataError:  # the other way round some description has no label
        return found


def described_by(table: Table, label: str, words: str, missing: Sequence[str]) -> Descriptions:
    """The descriptions of a table, by the columns of labels and of descriptions. Raises DataError as `read_descriptions`."""
    file = str(table.files[0])
    table, cleared = without_marks(
        table, [words], (), missing or (*CERTAIN, *DOUBTFUL)
    )  # none of which describes a label
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
    told = [f"{file}: {how_found(table, label, words)}"]
    if empty.count:
        told.append(f"{file}: column {words!r} is empty for {empty}.")
    taken = None if normal(label) in LABELS else label
    return Descriptions(
        file, tuple(rows), (*table.guesses, *told, *(f"{file}: {one}" for one in cleared)), taken
    )


def named_columns(table: Table) -> tuple[str | None, str | None]:
    """The columns of labels and of descriptions by their names; of two columns that of which one is known tells the other."""
    label = named(table, LABELS, ())
    words = named(table, WORDS, (label,))
    if len(table.names) == 2 and (label is None) != (words is None):
        (rest,) = [name for name in table.names if name not in (label, words)]
        return label or rest, words or rest
    return label, words


def how_found(table: Table, label: str, words: str) -> str:
    """What the columns were taken for, and what would make that sure, in words."""
    how = f"column {label!r} names labels, column {words!r} describes them"
    if not table.headed:
        return f"{how}; a first line with label and description would say so."
    sure = normal(label) == LABELS[0] and normal(words) == WORDS[0]
    return f"{how}{'' if sure else '; columns called label and description are taken first'}."


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
