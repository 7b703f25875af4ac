"""Which column holds the text and which the label: as the user says, else by name, else by what they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from luthier.data.column_facts import Facts
from luthier.data.column_names import normal, words_of_name
from luthier.data.column_numbers import AMOUNTS, holds_amounts
from luthier.data.known_names import LABEL_NAMES, NEVER_LABELS, SCORE_NAMES, SURE_TEXT_NAMES, TEXT_NAMES
from luthier.data.marks import TICKED, marking_of
from luthier.data.table import Table
from luthier.errors import DataError, did_you_mean, listing, shorten, spelt

LONGEST_LABEL = 60
"""The most characters of labels, on average: longer values that repeat are texts that occur more than once."""

TEXT_ROLES = ("text", "text2", "question", "negative")
"""Roles whose columns, when they are found by name, must hold strings."""

SURE_SHARE = 0.2
"""A column named as texts must have texts of at least this share of the longest column's length."""

COLUMNS_SHOWN = 20
"""The most columns that a message lists."""
TRIPLET = 3
"""Number of columns of a triplet: a query, a text that belongs to it and one that does not."""
COMMA = ","
"""The sign between the names of several columns that are read as one."""


SHORT = 30
"""Values that recur are names, and no texts, up to this mean number of characters."""


@dataclass(frozen=True)
class ColumnGuess:
    """The columns to learn from and the column to learn."""

    columns: dict[str, str]
    """Names of the columns, by role: `text`, `label` and so on."""
    reasons: dict[str, str]
    """Which column was taken and why, in words, by role."""

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
        reasons["text"] = f"column {text!r}, as named"
    if label is not None:
        check(table, label, "label")
        reasons["label"] = f"column {label!r}, as named"
    if text is not None and text == label:
        raise DataError(f"{table.files[0]}: column {text!r} cannot be both text and label. Name two columns.")
    # The names of both come before the contents of either: a column called `label` is not the text.
    if label is None and (label := label_by_name(table, table.facts(), besides=text)) is not None:
        reasons["label"] = by_marks(label) if label not in table.names else f"column {label!r}, by its name"
    if text is None:
        text, reasons["text"] = find_text(table, table.facts(), besides=label)
    if label is None:
        label, reasons["label"] = label_by_content(table, table.facts(), besides=text)
    return ColumnGuess({"text": text, "label": label}, reasons)


def label_by_name(table: Table, facts: Sequence[Facts], besides: str | None) -> str | None:
    """The column that is named as labels or amounts are. Raises DataError where two are, and nobody can tell which is meant."""
    if (known := by_name(table, LABEL_NAMES[:5], "label", besides)) is not None:
        return known
    fit = [one for one in facts if one.name != besides and may_be_label(one)]
    sure = [one.name for one in fit if normal(one.name) in LABEL_NAMES]
    if sure:
        return min(sure, key=lambda name: LABEL_NAMES.index(normal(name)))
    tailed = [one.name for one in fit if words_of_name(one.name)[-1:] in [[name] for name in LABEL_NAMES]]
    amounts = [one.name for one in fit if words_of_name(one.name)[-1:] in [[name] for name in AMOUNTS]]
    classes = [
        one.name for one in fit if "class" in words_of_name(one.name) or "label" in words_of_name(one.name)
    ]
    found = tailed or classes or amounts
    if len(found) > 1 and hold_marks(table, found):
        return COMMA.join(found)
    if len(found) > 1 and not alike(table, found):
        raise ask_which(table, facts, found)
    return found[0] if found else None


def may_be_label(column: Facts) -> bool:
    """Whether a column's values can be labels or numbers to be learnt: filled, several, some of them again, and short."""
    return (
        can_be(column.kind, "label")
        and column.distinct > 1
        and (column.characters <= LONGEST_LABEL or pa.types.is_list(column.kind))
        and (
            words_of_name(column.name)[-1:] not in [[name] for name in NEVER_LABELS]
            or "class" in words_of_name(column.name)
        )
    )


def alike(table: Table, names: Sequence[str]) -> bool:
    """Whether columns say the same in other words, so that each value of one goes with one value of the other."""
    first = table.texts(names[0])
    return all(goes_with(first, table.texts(name)) for name in names[1:])


def goes_with(one: Sequence[str], other: Sequence[str]) -> bool:
    """
    >>> goes_with(["0", "1", "0"], ["bad", "good", "bad"]), goes_with(["0", "1", "0"], ["a", "b", "c"])
    (True, False)
    """
    pairs = set(zip(one, other, strict=True))
    return len(pairs) == len(set(one)) == len(set(other))


def ask_which(table: Table, facts: Sequence[Facts], names: Sequence[str]) -> DataError:
    """The question to the user where several columns may be meant."""
    counts = {column.name: column.distinct for column in facts}
    told = ", ".join(
        f"{shorten(name)!r} ({counts[name]:,} different values)" for name in names[:COLUMNS_SHOWN]
    )
    more = f" and {len(names) - COLUMNS_SHOWN:,} more" if len(names) > COLUMNS_SHOWN else ""
    return DataError(
        f"{table.files[0]}: several columns may be what is to be learnt: {told}{more}. Say which with --label COLUMN."
    )


def guess_by_name(
    table: Table, asked: Mapping[str, str | None], known: Mapping[str, Sequence[str]]
) -> ColumnGuess:
    """The column of each role of `known`: as asked, else the first that has one of the role's names. Raises DataError."""
    columns: dict[str, str] = {}
    reasons = {}
    for role, name in asked.items():
        if name is not None and role in known:
            check(table, name, role)
            columns[role], reasons[role] = name, f"column {name!r}, as named"
    for role, names in known.items():
        if role in columns:
            continue
        there = names_there(table, role)
        found = next((there[n] for n in names if n in there and there[n] not in columns.values()), None)
        if found is None:
            why = f": none of {listing(names, 5)}" if names else ""
            raise DataError(
                f"{table.files[0]}: no column looks like the {role}{why}. Name it with --{role} COLUMN. "
                f"Columns: {shown(table.names)}."
            )
        columns[role], reasons[role] = found, f"column {found!r}, by its name"
    twice = [role for role, name in columns.items() if list(columns.values()).count(name) > 1]
    if twice:
        raise DataError(
            f"{table.files[0]}: column {columns[twice[0]]!r} cannot be both {' and '.join(twice)}. Name different columns."
        )
    return ColumnGuess({role: columns[role] for role in known}, reasons)


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


def find_text(table: Table, facts: Sequence[Facts], besides: str | None) -> tuple[str, str]:
    """The column with words in it: by a name that says so, else the longest texts, mostly different ones; and why."""
    fit = [
        column
        for column in facts
        if column.name != besides
        and pa.types.is_string(column.kind)
        and column.wordy > 0.5
        and column.distinct > 0.3 * column.filled
    ]
    by_length = sorted(fit, key=lambda column: column.characters * column.filled, reverse=True)
    there = {normal(column.name): column for column in reversed(fit)}
    sure = next((there[name] for name in SURE_TEXT_NAMES if name in there), None)
    if sure is not None and sure.characters >= SURE_SHARE * by_length[0].characters:
        return sure.name, f"column {sure.name!r}, by its name"
    if not fit:
        named = by_name(table, TEXT_NAMES, "text", besides)
        if named is None:
            raise not_found(table, facts, "text")
        return named, f"column {named!r}, by its name"
    best = by_length[0]
    if best.repeated > 0.5 and best.characters <= SHORT and normal(best.name) not in TEXT_NAMES:
        raise not_found(table, facts, "text")
    if len(fit) == 1 and normal(best.name) in TEXT_NAMES:
        return best.name, f"column {best.name!r}, by its name"
    why = f"because its texts are the longest, {best.characters:.0f} characters on average{share_seen(table)}"
    return best.name, f"column {best.name!r}, {why}"


def texts_beside(table: Table, text: str, besides: Sequence[str], varied: bool = True) -> list[str]:
    """Other columns that hold texts, which are not read: some words in most rows. varied: mostly different ones only."""
    return [
        column.name
        for column in table.facts()
        if column.name not in (text, *besides)
        and pa.types.is_string(column.kind)
        and column.wordy > 0.5
        and (column.distinct > 0.3 * column.filled or not varied)
    ]


def label_by_content(table: Table, facts: Sequence[Facts], besides: str | None) -> tuple[str, str]:
    """The one column of values most of which occur again, or of numbers; and why. Raises DataError where there are several."""
    fit = [column for column in facts if column.name != besides and may_be_label(column)]
    recurring = [one for one in fit if one.repeated > 0.5 and not holds_fractions(table, one)]
    pairs = [one.name for one in recurring if one.distinct == 2]
    if len(pairs) == len(recurring) and len(pairs) > 1 and hold_marks(table, pairs):
        return COMMA.join(pairs), by_marks(COMMA.join(pairs))
    if len(recurring) > 1 and not alike(table, [one.name for one in recurring]):
        raise ask_which(table, facts, [one.name for one in recurring])
    if recurring:
        best = recurring[0]
        why = f"because it has {best.distinct:,} values that occur again and again{share_seen(table)}"
        return best.name, f"column {best.name!r}, {why}"
    ticked = [one.name for one in facts if one.distinct == 1 and one.filled < len(table.sample)]
    ticked = [name for name in ticked if name != besides and marking_of(table.texts(name)) is TICKED]
    if len(ticked) > 1:
        return COMMA.join(ticked), by_marks(COMMA.join(ticked))
    amounts = [one.name for one in fit if holds_amounts(table, one.name)]
    if len(amounts) > 1:
        raise ask_which(table, facts, amounts)
    if amounts:
        return amounts[0], f"column {amounts[0]!r}, because it holds numbers{share_seen(table)}"
    if (named := by_name(table, (*LABEL_NAMES, *SCORE_NAMES), "label", besides)) is not None:
        return (
            named,
            f"column {named!r}, by its name",
        )  # Nothing can be learnt from it, which is told by whoever reads it.
    raise not_found(table, facts, "label")


def label_beside(table: Table, besides: Sequence[str]) -> tuple[str, str]:
    """The column of labels beside those of what is read, by its name, else by what it holds; and why. Raises DataError."""
    others = table.with_columns(table.columns.drop_columns([name for name in besides if name in table.names]))
    if not others.names:
        raise DataError(
            f"{table.files[0]}: has no column beside {listing(besides)}, so it tells no labels. Add one called label."
        )
    facts = table.facts(others.names)
    if (label := label_by_name(others, facts, besides=None)) is not None:
        return label, f"column {label!r}, by its name" if label in table.names else by_marks(label)
    if len(facts) == 1 and can_be(facts[0].kind, "label") and facts[0].repeated > 0.5:
        return facts[
            0
        ].name, f"column {facts[0].name!r}, the only other one, whose values occur again and again"
    return label_by_content(others, facts, besides=None)


def by_marks(name: str) -> str:
    """Why several columns of noughts and ones are the labels, with the flag that names them."""
    names = name.split(COMMA)
    return f"columns {shown(names)}, which say of each label whether it holds, as --label {spelt(name)} says"


def holds_fractions(table: Table, column: Facts) -> bool:
    """Whether a column of floating-point numbers has some that are not whole: amounts, and no labels."""
    if not pa.types.is_floating(column.kind):
        return False
    values = table.values(column.name, table.sample)
    return any(value is not None and np.isfinite(value) and not float(value).is_integer() for value in values)


def hold_marks(table: Table, names: Sequence[str]) -> bool:
    """Whether columns hold noughts and ones, or yes and no, all of them in one way."""
    words = {name: set(table.texts(name, table.sample)) for name in names}
    marking = marking_of(set().union(*words.values()))
    marks = [{marking.of(word) for word in found} for found in words.values()]
    return all(None not in found and {0, 1} <= found for found in marks)


def share_seen(table: Table) -> str:
    """How many rows were looked at, in brackets after a blank; empty where all were."""
    seen = len(table.sample)
    return "" if seen == len(table) else f" ({seen:,} of {len(table):,} rows were looked at)"


def holds_boxes(table: Table) -> bool:
    """Whether a column holds lists of labels with the coordinates of boxes."""
    kinds = [field.type for field in table.columns.schema if pa.types.is_list(field.type)]
    keys = [{own.name for own in kind.value_type} for kind in kinds if pa.types.is_struct(kind.value_type)]
    return any({"label", "coordinates"} <= own for own in keys)


def not_found(table: Table, facts: Sequence[Facts], role: str) -> DataError:
    counts = ", ".join(f"{shorten(column.name)!r} {column.distinct:,}" for column in facts[:COLUMNS_SHOWN])
    more = f" and {len(facts) - COLUMNS_SHOWN:,} more columns" if len(facts) > COLUMNS_SHOWN else ""
    if holds_boxes(table):
        return DataError(
            f"{table.files[0]}: is a list of images with boxes around what they show, as CreateML writes it, to find objects by. "
            "Luthier has no task for that: it learns one label, or several, of a whole image. Write a file of rows with 'image' "
            "and 'label', or a folder of images for each label."
        )
    texts = [one.name for one in facts if pa.types.is_string(one.kind) and one.wordy > 0.5]
    if len(table.names) == 1:
        on_and_on = (
            "; to have a language model read on in such texts, name --task adaptation" if texts else ""
        )
        return DataError(
            f"{table.files[0]}: no column looks like the {role}, as {shorten(table.names[0])!r} is the only one. "
            f"Add a column for it{on_and_on}."
        )
    if role == "label" and len(texts) == len(table.names) == TRIPLET:
        first, second, third = map(spelt, texts)
        return DataError(
            f"{table.files[0]}: has three columns of texts, and none that looks like the label. For a query, a text that belongs "
            f"to it and one that does not: --task embedding --text {first} --text2 {second} --negative {third}. Otherwise add a "
            "column for the label."
        )
    why = ": none holds several words in most rows, and mostly different ones" if role == "text" else ""
    return DataError(
        f"{table.files[0]}: no column looks like the {role}{why}. Name it with --{role} COLUMN. "
        f"Columns, and how many different values each has{share_seen(table)}: {counts}{more}."
    )


def shown(names: Sequence[str]) -> str:
    return listing([shorten(name) for name in names], most=COLUMNS_SHOWN)
