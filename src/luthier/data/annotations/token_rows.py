"""Tables with a word and its tag on each row: the words of a sentence become one row.

Where a sentence begins is said by a column that names it, in every row or in its first one alone, by a number that begins anew,
or by a blank line.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from luthier.data.annotations.cells import filled, head, is_nested, is_text, replaced
from luthier.data.annotations.expanding import expanded
from luthier.data.annotations.telling import named, noted
from luthier.data.column_names import normal
from luthier.data.table import Table
from luthier.data.tags import parts
from luthier.errors import DataError, counted

WORDS = pa.list_(pa.string())
TAG_NAMES = (
    "tag",
    "tags",
    "ner_tag",
    "ner_tags",
    "ner",
    "label",
    "labels",
    "entity",
    "iob",
    "bio",
    "iob_tag",
    "bio_tag",
    "ent",
    "entities",
    "entity_type",
    "ent_type",
    "ner_label",
)
PARTS_OF_SPEECH = ("pos", "pos_tag", "pos_tags", "upos", "xpos")
"""Names of columns of parts of speech, which belong to single words, and are learnt where there are no other tags."""
WORD_NAMES = ("word", "token", "words", "tokens", "text", "form", "surface", "lexeme", "tok")
SENTENCE_NAMES = (
    "sentence",
    "sent",
    "sentence_#",
    "sentence_id",
    "sent_id",
    "sentence_idx",
    "sentence_number",
    "sentence_no",
)
OTHER_GROUPS = ("doc", "document", "doc_id", "document_id", "text_id", "id", "example_id", "paragraph")
INDEX_NAMES = (
    "token_id",
    "word_id",
    "token_index",
    "word_index",
    "position",
    "token_no",
    "idx",
    "index",
    "token_number",
)
NUMBERED = re.compile(r"(?:\w+[\s:#_-]*)?\d+(?:\.0)?")
"""The pattern of a sentence's number, as `Sentence: 12`."""
OUTSIDE = 0.3
"""Smallest share of O among tags that are types without marks."""
MOST_TYPES = 100
ONE_WORD = 0.95
"""Smallest share of rows whose text is a single word."""
LONGEST = 500
"""The most words of a sentence, on average: longer groups of rows are no sentences."""


@dataclass(frozen=True)
class Columns:
    """The columns of such a table."""

    word: str
    tag: str | None
    """The column of tags; None in rows that are yet to be tagged."""


def token_rows(table: Table) -> Table | None:
    """Words and tags as lists, a row for each sentence; its line is that of its first word."""
    columns = columns_of(table)
    if columns is None:
        return None
    starts, said = starts_of(table, columns)
    if starts is None:
        if columns.tag is None:
            return None
        raise DataError(
            f"{table.files[0]}: has a word and a tag on each row, in {columns.word!r} and {columns.tag!r}, but nothing says "
            "where a sentence begins. Add a column 'sentence' with a number for each sentence, or a blank line after each."
        )
    return joined(table, columns, starts, said)


def columns_of(table: Table) -> Columns | None:
    """The columns of word and tag; None where rows are no words."""
    plain = [name for name in table.names if is_text(table, name)]
    if len(plain) < 2 and not any(normal(name) in SENTENCE_NAMES for name in table.names):
        return None
    tags = [name for name in plain if holds_tags(table, name)] or [
        name for name in plain if holds_bare_types(table, name)
    ]
    tags = tags or [name for name in plain if holds_parts_of_speech(table, name)]
    tag = by_name(tags, TAG_NAMES) or (tags[-1] if tags else None)
    words = [
        name
        for name in plain
        if name not in tags and normal(name) not in SENTENCE_NAMES and of_words(table, name)
    ]
    word = by_name(words, WORD_NAMES)
    if tag is not None and word is None and words:
        word = max(words, key=lambda name: len(set(head(table, name))))
    if word is None or (tag is None and not numbers_sentences(table)):
        return None
    return Columns(word, tag)


def numbers_sentences(table: Table) -> bool:
    """Whether a column named so numbers sentences: of words without tags nothing else tells what they are."""
    named = [name for name in table.names if normal(name) in SENTENCE_NAMES]
    values = [str(value).strip() for name in named for value in head(table, name)]
    return bool(values) and all(NUMBERED.fullmatch(value) for value in values)


def by_name(names: Sequence[str], known: Sequence[str]) -> str | None:
    there = {normal(name): name for name in names}
    return next((there[name] for name in known if name in there), None)


def holds_tags(table: Table, name: str) -> bool:
    """Whether all values of a column are tags with marks, of which some are O, as in IOB."""
    first = set(head(table, name))
    if not first or any(parts(tag) is None for tag in first):
        return False
    seen = set(filled(table, name))
    outside_alone = seen == {"O"} and normal(name) in TAG_NAMES and numbers_sentences(table)
    return "O" in seen and (len(seen) > 1 or outside_alone) and all(parts(tag) is not None for tag in seen)


def holds_bare_types(table: Table, name: str) -> bool:
    """Whether a column, by its name one of tags, holds types of entities without marks, and O, beside numbered sentences."""
    if normal(name) not in TAG_NAMES or not (numbers_sentences(table) or begins_with_groups(table, name)):
        return False
    first = head(table, name)
    return (
        "O" in first
        and first.count("O") >= OUTSIDE * len(first)
        and len(set(filled(table, name))) <= MOST_TYPES
    )


def begins_with_groups(table: Table, tag: str) -> bool:
    """Whether the first column groups rows in runs, whatever it is called, beside a column of single words called so."""
    first = table.names[0]
    words = [
        name
        for name in table.names[1:]
        if name != tag and normal(name) in WORD_NAMES and is_text(table, name)
    ]
    if first == tag or is_nested(table, first) or not any(of_words(table, name) for name in words):
        return False
    return by_value(table, first) is not None


def holds_parts_of_speech(table: Table, name: str) -> bool:
    """Whether a column, by its name one of parts of speech, holds few different values, beside numbered sentences."""
    if normal(name) not in PARTS_OF_SPEECH or not numbers_sentences(table):
        return False
    return len(set(filled(table, name))) <= MOST_TYPES


def of_words(table: Table, name: str) -> bool:
    """Whether nearly all values of a column are single words."""
    values = head(table, name)
    return bool(values) and sum(len(value.split()) == 1 for value in values) >= ONE_WORD * len(values)


Starts = np.ndarray[tuple[int], np.dtype[np.bool_]]


def starts_of(table: Table, columns: Columns) -> tuple[Starts | None, str]:
    """(rows,) whether a sentence begins at a row, and what says so; None where nothing does."""
    others = [
        name for name in table.names if name not in (columns.word, columns.tag) and not is_nested(table, name)
    ]
    for names in (SENTENCE_NAMES, OTHER_GROUPS):
        for name in sorted(others, key=lambda name: rank(name, names)):
            if rank(name, names) < len(names) and (starts := by_value(table, name)) is not None:
                return starts, f"the column {name!r}"
    for name in others:
        if normal(name) in INDEX_NAMES and (starts := by_number(table, name)) is not None:
            return starts, f"the numbers in {name!r}, which begin anew"
    starts = by_blanks(table, columns)
    if starts is not None:
        return starts, "blank lines"
    for name in others:
        if (starts := by_value(table, name)) is not None:
            return starts, f"the column {name!r}"
    for name in others:
        if (starts := by_number(table, name)) is not None:
            return starts, f"the numbers in {name!r}, which begin anew"
    return None, ""


def rank(name: str, names: Sequence[str]) -> int:
    """The position of a name among some, the likeliest first; their number where it is none of them."""
    own = normal(name).replace("#", "").strip("_")
    exact = [normal(one).replace("#", "").strip("_") for one in names]
    if own in exact:
        return exact.index(own)
    return len(names) - 1 if names is SENTENCE_NAMES and "sentence" in own else len(names)


def by_value(table: Table, name: str) -> Starts | None:
    """Sentences begin where the value of a column changes; empty ones go on. None where values come back, or none stays."""
    values = ["" if value is None else str(value).strip() for value in table.values(name)]
    starts = np.zeros(len(values), bool)
    seen: set[str] = set()
    before = ""
    for row, value in enumerate(values):
        if value in ("", "nan", "NaN") or value == before:
            continue
        if value in seen:
            return None
        seen.add(value)
        before, starts[row] = value, True
    return starts if starts.any() and starts[0] and 1 < len(values) / starts.sum() <= LONGEST else None


def by_number(table: Table, name: str) -> Starts | None:
    """Sentences begin where whole numbers that count up by one begin anew."""
    try:
        numbers = np.array([int(float(value)) for value in table.values(name)])
    except (TypeError, ValueError, OverflowError):
        return None
    starts = np.ones(len(numbers), bool)
    starts[1:] = numbers[1:] <= numbers[:-1]
    steady = (numbers[1:] == numbers[:-1] + 1) | (numbers[1:] == numbers[0])
    return (
        starts if steady.all() and starts.sum() > 1 and 1 < len(numbers) / starts.sum() <= LONGEST else None
    )


def by_blanks(table: Table, columns: Columns) -> Starts | None:
    """Sentences begin after rows without a word, and after lines that the file leaves blank."""
    words = table.texts(columns.word)
    tags = table.texts(columns.tag) if columns.tag else [""] * len(words)
    blank = np.array([not word.strip() and not tag.strip() for word, tag in zip(words, tags, strict=True)])
    starts = np.zeros(len(words), bool)
    starts[0] = True
    starts[1:] = blank[:-1] | (np.diff(table.line_of) > 1)
    return starts if starts.sum() > 1 and len(words) / starts.sum() <= LONGEST else None


def joined(table: Table, columns: Columns, starts: Starts, said: str) -> Table:
    """The table with a row for each sentence. Words that are empty are passed over, and told."""
    words = table.texts(columns.word)
    tags = table.texts(columns.tag) if columns.tag else [""] * len(words)
    bare = any(tag.strip() and parts(tag.strip()) is None for tag in tags)
    each = columns.tag is not None and normal(columns.tag) in PARTS_OF_SPEECH
    if bare:  # types without marks are the scheme IO
        tags = [tag if tag.strip() in ("", "O") else f"{'B' if each else 'I'}-{tag.strip()}" for tag in tags]
    sentence_of = np.cumsum(starts) - 1
    tokens: list[list[str]] = [[] for _ in range(int(starts.sum()))]
    marks: list[list[str]] = [[] for _ in tokens]
    empty = untagged = 0
    for sentence, word, tag in zip(sentence_of.tolist(), words, tags, strict=True):
        if word.strip():
            untagged += columns.tag is not None and not tag.strip()
            tokens[sentence].append(word.strip())
            marks[sentence].append(tag.strip() or "O")
        else:
            empty += bool(tag.strip())
    firsts = np.flatnonzero(starts)
    kept = [at for at, own in enumerate(tokens) if own]
    sentences = expanded(table, firsts[kept].tolist())
    sentences = replaced(sentences, columns.word, [tokens[at] for at in kept], WORDS)
    if columns.tag is not None:
        sentences = replaced(sentences, columns.tag, [marks[at] for at in kept], WORDS)
    sentences = noted(
        sentences,
        f"{counted(len(table), 'row')} of one word each are read as {counted(len(kept), 'sentence')}, which begin by {said}; "
        "a row for each sentence, with lists of words and tags, corrects it.",
    )
    if bare and each:
        sentences = noted(
            sentences,
            f"the tags in {columns.tag!r} have no marks, and each is read as of its word alone (B-); B- and I- before the types "
            "correct it.",
        )
    elif bare:
        sentences = noted(
            sentences,
            f"the tags in {columns.tag!r} have no marks: words of one type side by side are read as one entity; B- and I- before "
            "the types correct it.",
        )
    if empty:
        sentences = noted(sentences, f"{counted(empty, 'row')} with a tag but no word are passed over.")
    if untagged:
        sentences = noted(
            sentences, f"{counted(untagged, 'word')} without a tag are read as outside of any entity (O)."
        )
    label = {} if columns.tag is None else {"label": columns.tag}
    return named(
        sentences, "token-classification", "a row is a word with its tag", {"text": columns.word, **label}
    )
