"""Columns of turns: read as they stand in the file, brought to the form of `data.conversations.cells`, and told of."""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from luthier.data.annotations.cells import fault_of, is_nested, replaced
from luthier.data.annotations.literals import literal
from luthier.data.annotations.telling import noted
from luthier.data.column_names import normal
from luthier.data.conversations.blocks import BETWEEN_TEXTS
from luthier.data.conversations.cells import cell_of
from luthier.data.conversations.exchanges import NAMES as SPOKEN
from luthier.data.conversations.exchanges import TOLD, are_exchanges, spelt_out
from luthier.data.conversations.fault import NO_TEXT, UNREADABLE, Fault
from luthier.data.conversations.naming import CHOSEN_NAMES, COMPLETION_NAMES, REJECTED_NAMES
from luthier.data.conversations.nulls import without_nulls
from luthier.data.conversations.speakers import ASSISTANT, CALL, USER, role_of
from luthier.data.conversations.transcripts import turns_in
from luthier.data.conversations.turns import (
    AROUND,
    Seen,
    Turns,
    holds_messages,
    turns_of,
)
from luthier.data.formats.as_written import AS_WRITTEN
from luthier.data.table import Table
from luthier.errors import counted, listing

ANSWERS = (*COMPLETION_NAMES, *CHOSEN_NAMES, *REJECTED_NAMES)
"""Columns in which a text among turns is the assistant's."""
TYPED = (
    "column {!r}: keys of tools' arguments without a value are left out, as every object of such a file has the keys of all "
    "others; JSON lines keep each as it is."
)
MEDIA = ("image", "images", "video", "videos", "audio", "audios")
"""Columns of what a conversation may be about and no text holds."""


def is_as_written(table: Table, name: str) -> bool:
    """Whether the values of a column are JSON, each of them, as the reader of JSON keeps them."""
    metadata = table.columns.schema.field(name).metadata or {}
    return AS_WRITTEN in metadata or fault_of(table, name) is not None


def values_of(table: Table, name: str) -> list[Any]:
    """The values of a column as they stand in the file; a text that is none of the JSON that it should be stays a text.

    Objects of a typed file have the keys of all others in the column, with null: these are no part of them.
    """
    values = table.values(name)
    if is_as_written(table, name):
        return [None if value is None else json.loads(value) for value in values]
    if is_nested(table, name):
        return [without_nulls(value) for value in values]
    return [in_text(value) if isinstance(value, str) else value for value in values]


def in_text(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return literal(text)
    except ValueError:
        return text


def tools_as_json(value: Any) -> str | None:
    """The descriptions of tools as JSON, as they stand in the row; who reads them says whether they are any."""
    return value if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False)


def media(table: Table) -> dict[int, str]:
    """The rows whose conversation is about a picture, a film or a sound, and the column that says so."""
    return {
        row: name
        for name in table.names
        if normal(name) in MEDIA
        for row, value in enumerate(table.values(name))
        if value not in (None, "", [])
    }


def with_turns(table: Table, name: str, beside: Mapping[int, str]) -> Table:
    """The table with the turns of a column in one form, and what is to be told of them. beside: as `media` gives it."""
    seen = Seen()
    alone = ASSISTANT if normal(name) in ANSWERS else USER
    mixed = is_as_written(table, name)
    cells: list[str | None] = []
    for row, value in enumerate(values_of(table, name)):
        if value is None:
            cells.append(None)
        elif row in beside:
            cells.append(cell_of(Fault(NO_TEXT, f"column {beside[row]!r} holds what the turns are about")))
        else:
            named = named_turns(value, normal(name), seen)
            cells.append(cell_of(turns_or_fault(named, seen, alone, mixed)))
    typed = is_nested(table, name) and any(cell is not None and '"tool_calls"' in cell for cell in cells)
    table = replaced(table, name, cells, pa.string())
    for sentence in [*told_of(seen, name), *([TYPED.format(name)] if typed else [])]:
        table = noted(table, sentence)
    return table


def named_turns(value: Any, name: str, seen: Seen) -> Any:
    """The value with a speaker in each turn, where the column is called as those of conversations without speakers are."""
    if name not in SPOKEN or not are_exchanges(value):
        return value
    seen.unnamed += 1
    return spelt_out(value)


def with_transcripts(table: Table, name: str) -> Table:
    """The table with the turns of a column whose texts are conversations written down."""
    cells = [None if text is None else cell_of(turns_in(text)) for text in table.values(name)]
    return noted(
        replaced(table, name, cells, pa.string()),
        f"column {name!r} holds conversations written down as texts, which are parted at 'Human:' and 'Assistant:'.",
    )


def turns_or_fault(value: Any, seen: Seen, alone: str, texts: bool) -> Turns | Fault:
    """The turns of a value, or why there are none. texts: whether a text in the place of turns is one turn."""
    try:
        if isinstance(value, str) and not texts:
            raise Fault(UNREADABLE, "a text that is no JSON stands in the place of the turns")
        return turns_of(value[AROUND] if holds_messages(value) else value, seen, alone)
    except Fault as fault:
        return fault


def told_of(seen: Seen, name: str) -> list[str]:
    """Sentences on what was met in the turns of a column and is read in some other way than it is written."""
    told = []
    if seen.unnamed:
        told.append(f"column {name!r}: {TOLD}.")
    if seen.joined:
        told.append(
            f"column {name!r}: {counted(seen.joined, 'turn')} of several texts, which are joined with "
            f"{BETWEEN_TEXTS!r} between them."
        )
    if seen.moved:
        told.append(
            f"column {name!r}: {counted(seen.moved, 'turn')} with a text behind a call of a tool or before what a tool gave: it "
            "is read on the other side of it, as chat templates write it."
        )
    if seen.renamed:
        told.append(f"column {name!r}: {names_of_speakers(seen.renamed)}.")
    if seen.unread:
        told.append(
            f"column {name!r}: the turns' keys {listing(sorted(seen.unread))} are not read; a turn is its role, its content "
            "and its calls of tools."
        )
    return told


def names_of_speakers(renamed: Mapping[str, int]) -> str:
    words = {CALL: "an assistant's call of a tool"}
    return ", ".join(
        f"{name!r} is read as {words.get(str(role_of(name)), role_of(name))}" for name in sorted(renamed)
    )
