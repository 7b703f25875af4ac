"""Columns of tokens and tags, as in CoNLL's shared tasks: a token a line, a blank line between sentences."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from luthier.data.formats.conll_columns import DOCUMENT, Columns, find_columns, is_blank
from luthier.data.formats.json_rows import Row, batches
from luthier.data.formats.spill import spilling
from luthier.data.formats.text_files import TextFile
from luthier.data.problems import Problems
from luthier.data.table import Table
from luthier.errors import DataError, counted, shorten

SCHEMA = pa.schema({"tokens": pa.list_(pa.string()), "tags": pa.list_(pa.string()), "document": pa.string()})

LONG_SENTENCE = 500
"""A file with a single sentence of more tokens than this is taken for one whose blank lines are missing."""

EXPECTED = (
    "a token and its tag on each line, separated by a tab or spaces, such as 'Paris B-LOC', "
    "and a blank line after each sentence"
)


def read_conll(path: Path, encoding: str | None) -> Table:
    """The sentences of a file as rows, with `tokens` and `tags`: of several columns the first and the last, or those that
    hold words and tags. Where lines say that documents begin, a column `document` tells which one a sentence is of.

    The line of a row is that of its first token. What a tag may be is for `tags` to say.
    """
    file = TextFile.at(path, encoding)
    with file.open() as lines:
        columns, like = find_columns(path, lines)
    seen = Seen(path, columns, like)
    with spilling(path) as spill:
        for batch in batches(sentences(file, seen)):
            arrays = [
                pa.array([row[name] for _, row, _ in batch], SCHEMA.field(name).type) for name in SCHEMA.names
            ]
            spill.write(arrays, SCHEMA, [line for line, _, _ in batch])
        seen.refuse_faults()
        table = replace(spill.table(), guesses=(*file.guesses, *seen.guesses(spill.rows)))
    return table if seen.parted else table.with_columns(table.columns.drop_columns("document"))


@dataclass
class Seen:
    """Facts about the lines of a file, up to the last one read."""

    path: Path
    columns: Columns
    like: int
    """The line from which the number of columns was taken."""
    tokens: int = 0
    documents: int = 0
    comments: int = 0
    faults: Problems = field(default_factory=Problems)

    @property
    def parted(self) -> bool:
        """Whether the file says of which of several documents its sentences are."""
        return self.documents > 1

    def token_and_tag(self, number: int, line: str) -> tuple[str, str] | None:
        """Token and tag of a line; None, and noted, when it is faulty."""
        self.tokens += 1
        known = self.columns
        cells = known.cells(line)
        if len(cells) == known.width > 1 and cells[known.token] and cells[known.tag]:
            return cells[known.token], cells[known.tag]
        words = counted(len(cells), "column")
        if len(cells) == known.width > 1:
            words = "no tag" if cells[known.token] else "no token"
        self.faults.add(f"line {number} ({words}: {shorten(line)!r})")
        return None

    def refuse_faults(self) -> None:
        """Raise DataError unless there are tokens, all with their tags."""
        if not self.tokens:
            raise DataError(f"{self.path}: holds no token. Expected {EXPECTED}.")
        if not self.columns.width:
            raise DataError(f"{self.path}: no line has a tag: {self.faults}. Expected {EXPECTED}.")
        if self.faults.count:
            share = f"{self.faults.count:,} of {counted(self.tokens, 'line')}"
            last = self.columns.tag in (-1, self.columns.width - 1) and not self.columns.token
            order = (
                "the token first, the tag last"
                if last
                else f"the token in number {self.columns.token + 1}, the tag in number {self.columns.tag + 1}"
            )
            by = f"a tab, {order}" if self.columns.tabs else "spaces, of which a token holds none"
            raise DataError(
                f"{self.path}: {share} cannot be read as a token and its tag: {self.faults}. Expected "
                f"{self.columns.width} columns on each, as on line {self.like}, separated by {by}. Correct the lines; "
                "between sentences leave one blank."
            )

    @property
    def places(self) -> str:
        """Words on which columns are read."""
        return (
            f"number {self.columns.token + 1} is read as the token, number {self.columns.tag + 1} as the tag"
        )

    def guesses(self, rows: int) -> Iterator[str]:
        """What the user should know of how the file was read."""
        plain = self.columns.token == 0 and self.columns.tag == self.columns.width - 1
        if self.columns.width > 2 or not plain:
            which = "the first is read as the token, the last as the tag" if plain else self.places
            why = f" ({self.columns.why})" if self.columns.why else ""
            yield (
                f"{self.path}: of {self.columns.width} columns {which}{why}; a copy with only the right two corrects it."
            )
        if self.parted:
            yield (
                f"{self.path}: {self.documents:,} {DOCUMENT} lines begin documents, which the column 'document' numbers; "
                "--group document keeps the sentences of one together, and counts them as one cluster."
            )
        elif self.documents:
            yield f"{self.path}: {counted(self.documents, f'{DOCUMENT} line')} passed over."
        if self.comments:
            yield (
                f"{self.path}: {counted(self.comments, 'comment')} passed over (they begin with # and a space); "
                "a tab after it makes # a token."
            )
        if rows == 1 and self.tokens > LONG_SENTENCE:
            yield (
                f"{self.path}: has no blank line, so all {self.tokens:,} tokens are one row; "
                "a blank line after each sentence corrects it."
            )


def sentences(file: TextFile, seen: Seen) -> Iterator[Row]:
    """Each sentence with the line of its first token; faulty lines are left out, and noted in `seen`."""
    begin, held, document = 0, 0, ""
    tokens: list[str] = []
    tags: list[str] = []
    with file.open() as lines:
        for number, ended in enumerate(lines, start=1):
            line = ended.rstrip("\r\n")
            if is_blank(line):
                if tokens:
                    document = document or named(seen.documents, tokens)
                    yield begin, {"tokens": tokens, "tags": tags, "document": document}, held
                tokens, tags, held = [], [], 0
                if line.strip():
                    seen.documents += 1
                    document = ""
                continue
            if seen.columns.is_comment(line):
                seen.comments += 1
                continue
            found = seen.token_and_tag(number, line)
            if found:
                begin = begin if tokens else number
                tokens.append(found[0])
                tags.append(found[1])
                held += len(line)
    if tokens:
        yield (
            begin,
            {"tokens": tokens, "tags": tags, "document": document or named(seen.documents, tokens)},
            held,
        )


def named(number: int, tokens: Sequence[str]) -> str:
    """The name of a document: its number in its file and a hash of its first sentence, as the first document of one file is not
    that of another.

    >>> named(3, ["EU", "rejects"]) != named(3, ["Peter"])
    True
    """
    return f"{number} ({hashlib.blake2b(' '.join(tokens).encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()})"
