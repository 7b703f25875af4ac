"""Which column holds the text and which the label: as the user says, else by name, else by what they hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from luthier.data.column_facts import Facts, look_at, sample
from luthier.data.problems import shorten
from luthier.data.table import Table
from luthier.errors import DataError, did_you_mean, listing

TEXT_NAMES = (
    *(
        "text",
        "sentence",
        "review",
        "comment",
        "message",
        "tweet",
        "utterance",
        "question",
        "query",
        "content",
    ),
    *("body", "document", "article", "description", "abstract", "summary", "sentence1", "title"),
)
LABEL_NAMES = (
    *("label", "labels", "class", "classes", "category", "categories", "target", "intent", "sentiment"),
    *("emotion", "topic", "genre", "rating", "stars", "tag", "tags"),
)
"""In order of preference; compared in lower case, with `_` for a blank or a hyphen."""

NEVER_LABELS = (
    *("id", "index", "split", "fold", "lang", "language", "source", "date", "year", "url"),
    *("doc", "document", "group", "user", "author"),
)
"""Names of columns whose values may repeat as those of labels do."""

LONGEST_LABEL = 60
"""Characters on average: longer values that repeat are texts that occur more than once."""

COLUMNS_SHOWN = 20
"""In a message."""


@dataclass(frozen=True)
class ColumnGuess:
    """The column to learn from and the column to learn."""

    text: str
    label: str
    reasons: dict[str, str]
    """For `text` and for `label`: which column and why."""


def guess_text_and_label(table: Table, text: str | None = None, label: str | None = None) -> ColumnGuess:
    """The text and the label column. Raises DataError when one named cannot serve, or none can be found."""
    reasons = {}
    if text is not None:
        check(table, text, "text")
        reasons["text"] = f"column {text!r}, as named."
    if label is not None:
        check(table, label, "label")
        reasons["label"] = f"column {label!r}, as named."
    if text is not None and text == label:
        raise DataError(f"{table.files[0]}: column {text!r} cannot be both text and label. Name two columns.")

    # The names of both come before the contents of either: a column called `label` is not the text.
    if label is None and (label := by_name(table, LABEL_NAMES, "label", besides=text)) is not None:
        reasons["label"] = f"column {label!r}, by its name"
    if text is None and (text := by_name(table, TEXT_NAMES, "text", besides=label)) is not None:
        reasons["text"] = f"column {text!r}, by its name"
    if text is None or label is None:
        rows = sample(table)
        facts = look_at(table, rows)
        seen = "" if len(rows) == len(table) else f" ({len(rows):,} of {len(table):,} rows were looked at)"
    if text is None:
        text, reasons["text"] = text_by_content(table, facts, seen, besides=label)
    if label is None:
        label, reasons["label"] = label_by_content(table, facts, seen, besides=text)
    return ColumnGuess(text, label, reasons)


def check(table: Table, name: str, role: str) -> None:
    """Raise DataError unless there is a column of that name and it can hold a text, or a label."""
    if name not in table.names:
        raise DataError(
            f"{table.files[0]}: there is no column {shorten(name)!r}.{did_you_mean(name, table.names)} "
            f"Columns: {shown(table.names)}. Name one with --{role} COLUMN."
        )
    kind = table.columns.schema.field(name).type
    if not can_be(kind, role):
        what = "objects" if pa.types.is_struct(kind) else "lists"
        fit = [field.name for field in table.columns.schema if can_be(field.type, role)]
        others = f" Others: {shown(fit)}." if fit else ""
        raise DataError(
            f"{table.files[0]}: column {shorten(name)!r} holds {what} and cannot be the {role}. "
            f"Name another with --{role} COLUMN.{others}"
        )


def can_be(kind: pa.DataType, role: str) -> bool:
    """Whether values of a type can be texts, or labels; a label may also be a list of plain values."""
    if role == "label" and pa.types.is_list(kind):
        kind = kind.value_type
    return not pa.types.is_nested(kind)


def by_name(table: Table, known: Sequence[str], role: str, besides: str | None) -> str | None:
    """The column with the most telling name, if there is one. A text found this way is of strings."""
    there: dict[str, str] = {}
    for field in table.columns.schema:
        if field.name != besides and (
            pa.types.is_string(field.type) if role == "text" else can_be(field.type, role)
        ):
            there.setdefault(field.name.lower().replace(" ", "_").replace("-", "_"), field.name)
    return next((there[name] for name in known if name in there), None)


def text_by_content(table: Table, facts: Sequence[Facts], seen: str, besides: str | None) -> tuple[str, str]:
    """The column with the longest texts, mostly different ones, and why."""
    fit = [
        column
        for column in facts
        if column.name != besides
        and pa.types.is_string(column.kind)
        and column.wordy > 0.5
        and column.distinct > 0.3 * column.filled
    ]
    if not fit:
        raise not_found(table, facts, seen, "text")
    best = max(fit, key=lambda column: column.characters)
    why = f"because its texts are the longest, {best.characters:.0f} characters on average{seen}"
    return best.name, f"column {best.name!r}, {why}"


def label_by_content(table: Table, facts: Sequence[Facts], seen: str, besides: str) -> tuple[str, str]:
    """The column with the fewest values, most of which occur again, and why."""
    fit = [
        column
        for column in facts
        if column.name != besides
        and can_be(column.kind, "label")
        and not pa.types.is_floating(column.kind)
        and column.name.lower() not in NEVER_LABELS
        and column.distinct > 1
        and column.repeated > 0.5
        and column.characters <= LONGEST_LABEL
    ]
    if not fit:
        raise not_found(table, facts, seen, "label")
    best = min(fit, key=lambda column: column.distinct)
    others = [column.name for column in fit if column is not best]
    than = f", fewer than {shown(others)}" if others else ""
    why = f"because it has {best.distinct:,} values that occur again and again{than}{seen}"
    return best.name, f"column {best.name!r}, {why}"


def not_found(table: Table, facts: Sequence[Facts], seen: str, role: str) -> DataError:
    counts = ", ".join(f"{shorten(column.name)!r} {column.distinct:,}" for column in facts[:COLUMNS_SHOWN])
    more = f" and {len(facts) - COLUMNS_SHOWN:,} more columns" if len(facts) > COLUMNS_SHOWN else ""
    return DataError(
        f"{table.files[0]}: no column looks like the {role}. Name it with --{role} COLUMN. "
        f"Columns, and how many different values each has{seen}: {counts}{more}."
    )


def shown(names: Sequence[str]) -> str:
    return listing([shorten(name) for name in names], most=COLUMNS_SHOWN)
