"""Words and tags that stand as lists in the cells of two columns, or as texts with blanks between them."""

from typing import Any

import pyarrow as pa

from luthier.data.annotations.cells import (
    filled,
    head,
    is_nested,
    is_text,
    lists_in,
    may_hold_objects,
    objects,
    replaced,
    sniffed,
)
from luthier.data.annotations.literals import literal
from luthier.data.annotations.telling import named, noted, remade
from luthier.data.annotations.token_rows import TAG_NAMES, WORDS, by_name
from luthier.data.column_names import normal
from luthier.data.table import Table
from luthier.data.tags import parts

TAG_LIST_NAMES = (*TAG_NAMES, "slots", "iob_tags", "bio_tags", "labels", "entities")
WORD_LIST_NAMES = (
    "tokens",
    "words",
    "token",
    "word",
    "sentence",
    "text",
    "utterance",
    "tokenized_text",
    "sentences",
)
FEWEST_OUTSIDE = 0.2
"""Smallest share of O among tags that are written as one text."""


def token_lists(table: Table) -> Table | None:
    """Both columns as lists. Raises DataError for a cell that is none, as the others are."""
    if table.layout.task not in (None, "token-classification"):
        return None
    tag = tag_column(table)
    if tag is None:
        return None
    tags = lists_of(table, tag)
    word = word_column(table, tag, tags)
    if word is None:
        return None
    for name, values in ((tag, tags), (word, lists_of(table, word))):
        if not is_nested(table, name) and sniffed(
            table, name
        ):  # texts with blanks between words are read as they are
            table = remade(replaced(table, name, values, WORDS))
    if (word, tag) == ("tags", "tokens"):
        table, word, tag = swapped(table), tag, word
    why = f"{tag!r} holds a tag for each word of {word!r}"
    return named(table, "token-classification", why, {"text": word, "label": tag})


def swapped(table: Table) -> Table:
    """Lines with the tag first and the word last, each under its own name."""
    other = {"tokens": "tags", "tags": "tokens"}
    table = table.with_columns(table.columns.rename_columns([other.get(name, name) for name in table.names]))
    return noted(table, "the tag stands first on each line, and the word last.")


def tag_column(table: Table) -> str | None:
    """The column of lists of tags. Raises DataError where it is cut short."""
    for name in table.names:
        if normal(name) in TAG_LIST_NAMES and is_text(table, name) and cut_short(table, name):
            objects(table, name, "lists of tags")
    found = [name for name in table.names if holds_tag_lists(table, name)]
    return by_name(found, TAG_LIST_NAMES) or (found[-1] if found else None)


def cut_short(table: Table, name: str) -> bool:
    """Whether numpy has left out the middle of some lists."""
    return may_hold_objects(table, name) and any(
        "..." in text and literal_fault(text) for text in filled(table, name)
    )


def literal_fault(text: str) -> bool:
    try:
        literal(text)
    except ValueError:
        return True
    return False


def holds_tag_lists(table: Table, name: str) -> bool:
    """Whether a column holds lists of tags in IOB or the like, or texts of them."""
    seen = sniffed(table, name)
    if not seen and is_text(table, name):
        texts = [text.split() for text in head(table, name)]
        outside = sum(tag == "O" for own in texts for tag in own)
        if outside < FEWEST_OUTSIDE * sum(map(len, texts)) or all(len(own) == 1 for own in texts):
            return False
        seen = list(texts)
    tags = [tag for own in seen for tag in (own if isinstance(own, list) else [own])]
    if all(isinstance(tag, int) and not isinstance(tag, bool) for tag in tags) and tags:
        return normal(name) in ("ner_tags", "tags", "ner", "bio_tags", "iob_tags") and is_text(table, name)
    fit = [isinstance(tag, str) and parts(tag) is not None for tag in tags]
    return bool(fit) and all(fit) and (marked(tags) or "O" in tags)


def marked(tags: list[Any]) -> bool:
    return any(tag != "O" for tag in tags)


def word_column(table: Table, tag: str, tags: list[Any]) -> str | None:
    """The column with as many words as there are tags, in nearly all rows; of several by its name."""
    fit = []
    for name in table.names:
        if (
            name == tag
            or not (is_text(table, name) or is_word_list(table, name))
            or holds_tag_lists(table, name)
        ):
            continue
        words = lists_of(table, name)
        pairs = [
            (one, two) for one, two in zip(words, tags, strict=True) if one is not None and two is not None
        ]
        if pairs and sum(len(one) == len(two) for one, two in pairs) >= 0.9 * len(pairs):
            fit.append(name)
    return by_name(fit, WORD_LIST_NAMES) or (fit[0] if len(fit) == 1 else None)


def is_word_list(table: Table, name: str) -> bool:
    kind = table.columns.schema.field(name).type
    return bool(pa.types.is_list(kind) and pa.types.is_string(kind.value_type))


def lists_of(table: Table, name: str) -> list[Any]:
    """The words or tags of all rows; None where a row has none."""
    if is_nested(table, name):
        return table.values(name)
    if may_hold_objects(table, name):
        return [own if own is None else [str(item) for item in own] for own in lists_in(table, name, "lists")]
    return [text.split() or None if isinstance(text, str) else None for text in table.values(name)]
