"""Which column holds the text and which the label: as the user says, else by name, else by what they hold."""

from collections.abc import Mapping, Sequence
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

TEXT_ROLES = ("text", "text2", "question", "negative")
"""Of columns found by name, those that must hold strings."""

FEWEST_NUMBERS = 10
"""Different values from which on numbers are to be estimated; fewer are labels."""

COLUMNS_SHOWN = 20
"""In a message."""


PAIR_NAMES = (
    *(
        ("text", "text2"),
        ("sentence1", "sentence2"),
        ("text1", "text2"),
        ("premise", "hypothesis"),
        ("question1", "question2"),
    ),
    *(("sentence_1", "sentence_2"), ("text_1", "text_2"), ("sentence_a", "sentence_b"), ("text_a", "text_b")),
    *(("question", "sentence"), ("query", "passage"), ("query", "document"), ("source", "target")),
)
"""Names of the two columns of a pair of texts."""

SCORE_NAMES = ("score", "similarity", "similarity_score", "relatedness", "value", "target", "price", "label")
"""Of columns that hold a number to be learnt."""


@dataclass(frozen=True)
class ColumnGuess:
    """The columns to learn from and the column to learn."""

    columns: dict[str, str]
    """By role: `text`, `label` and so on."""
    reasons: dict[str, str]
    """By role: which column and why."""

    @property
    def label(self) -> str:
        return self.columns["label"]

    @property
    def text(self) -> str:
        return self.columns["text"]


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
    return ColumnGuess({"text": text, "label": label}, reasons)


def pair_by_name(table: Table) -> tuple[str, str] | None:
    """Two columns of strings whose names say that they are a pair."""
    there = names_there(table, "text")
    return next(((there[one], there[two]) for one, two in PAIR_NAMES if one in there and two in there), None)


def guess_by_name(
    table: Table, asked: Mapping[str, str | None], known: Mapping[str, Sequence[str]]
) -> ColumnGuess:
    """The column of each role of `known`: as asked, else the first that has one of the role's names. Raises DataError."""
    columns: dict[str, str] = {}
    reasons = {}
    for role, name in asked.items():
        if name is not None and role in known:
            check(table, name, role)
            columns[role], reasons[role] = name, f"column {name!r}, as named."
    for role, names in known.items():
        if role in columns:
            continue
        there = names_there(table, role)
        found = next((there[n] for n in names if n in there and there[n] not in columns.values()), None)
        if found is None:
            raise DataError(
                f"{table.files[0]}: no column looks like the {role}: none of {listing(names, 5)}. Name it with --{role} COLUMN. "
                f"Columns: {shown(table.names)}."
            )
        columns[role], reasons[role] = found, f"column {found!r}, by its name"
    twice = [role for role, name in columns.items() if list(columns.values()).count(name) > 1]
    if twice:
        raise DataError(
            f"{table.files[0]}: column {columns[twice[0]]!r} cannot be both {' and '.join(twice)}. Name different columns."
        )
    return ColumnGuess({role: columns[role] for role in known}, reasons)


def guess_pair(
    table: Table, asked: Mapping[str, str | None], labels: Sequence[str] = LABEL_NAMES
) -> ColumnGuess:
    """The two texts of a pair and what is to be learnt of them."""
    named = pair_by_name(table)
    first, second = ((named[0],), (named[1],)) if named else (TEXT_NAMES, ())
    known = {"text": [normal(n) for n in first], "text2": [normal(n) for n in second], "label": labels}
    return guess_by_name(table, asked, known)


def holds_numbers(table: Table, name: str) -> bool:
    """Whether a column holds numbers of many values, not all whole: something to be estimated, not a label."""
    values = [value for value in table.values(name, sample(table)) if value not in (None, "")]
    try:
        found = {float(value) for value in values if not isinstance(value, bool | list)}
    except (TypeError, ValueError):
        return False
    return len(found) > FEWEST_NUMBERS and any(not number.is_integer() for number in found)


def must_exist(table: Table, name: str, role: str) -> None:
    """Raise DataError unless there is a column of that name."""
    if name not in table.names:
        raise DataError(
            f"{table.files[0]}: there is no column {shorten(name)!r}.{did_you_mean(name, table.names)} "
            f"Columns: {shown(table.names)}. Name one with --{role} COLUMN."
        )


def check(table: Table, name: str, role: str) -> None:
    """Raise DataError unless there is a column of that name and it can hold a text, or a label."""
    must_exist(table, name, role)
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
    if role == "image" and pa.types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return not pa.types.is_nested(kind)


def by_name(table: Table, known: Sequence[str], role: str, besides: str | None) -> str | None:
    """The column with the most telling name, if there is one. A text found this way is of strings."""
    there = names_there(table, role, besides)
    return next((there[name] for name in known if name in there), None)


def names_there(table: Table, role: str, besides: str | None = None) -> dict[str, str]:
    """Columns that can serve in a role, by their name as it is compared."""
    there: dict[str, str] = {}
    for field in table.columns.schema:
        fits = pa.types.is_string(field.type) if role in TEXT_ROLES else can_be(field.type, role)
        if field.name != besides and fits:
            there.setdefault(normal(field.name), field.name)
    return there


def normal(name: str) -> str:
    """A column's name as it is compared.

    >>> normal("Sentence 1")
    'sentence_1'
    """
    return name.lower().replace(" ", "_").replace("-", "_")


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
