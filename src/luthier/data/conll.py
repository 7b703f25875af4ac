"""Columns of tokens and tags, as in CoNLL's shared tasks: a token a line, a blank line between sentences."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from luthier.data.json_rows import Row, batches
from luthier.data.problems import Problems, counted, shorten
from luthier.data.spill import spilling
from luthier.data.table import Table
from luthier.data.tags import parts
from luthier.data.text_files import TextFile
from luthier.errors import DataError

SCHEMA = pa.schema({"tokens": pa.list_(pa.string()), "tags": pa.list_(pa.string())})

DOCUMENT = "-DOCSTART-"
COMMENT = "# "

LONG_SENTENCE = 500
"""Tokens: the only sentence of a file, when it is longer, is taken for one whose blank lines are missing."""

EXPECTED = (
    "a token and its tag on each line, separated by a tab or spaces, such as 'Paris B-LOC', "
    "and a blank line after each sentence"
)


def read_conll(path: Path, encoding: str | None) -> Table:
    """The sentences of a file as rows, with `tokens`, the first column, and `tags`, the last one.

    The line of a row is that of its first token. What a tag may be is for `tags` to say.
    """
    file = TextFile.at(path, encoding)
    seen = Seen(path)
    with spilling(path) as spill:
        for batch in batches(sentences(file, seen)):
            columns = [
                pa.array([row[name] for _, row, _ in batch], SCHEMA.field(name).type) for name in SCHEMA.names
            ]
            spill.write(columns, SCHEMA, [line for line, _, _ in batch])
        seen.refuse_faults()
        return replace(spill.table(), guesses=(*file.guesses, *seen.guesses(spill.rows)))


@dataclass
class Seen:
    """What the lines of a file showed, up to the last one read."""

    path: Path
    columns: int = 0
    """Those of the first line that has more than one, which the others are to have too."""
    like: int = 0
    """That line."""
    tabs: bool = False
    """Whether tabs separate the columns there, and a token may hold spaces."""
    tokens: int = 0
    documents: int = 0
    comments: int = 0
    faults: Problems = field(default_factory=Problems)

    def is_comment(self, line: str) -> bool:
        """Whether a line begins as a comment does, and is not that of the token #, as `# O` is."""
        if not line.startswith(COMMENT):
            return False
        cells = self.cells(line)
        return len(cells) != (self.columns or 2) or parts(cells[-1]) is None

    def token_and_tag(self, number: int, line: str) -> tuple[str, str] | None:
        """The first and the last column of a line; None, and noted, when it is faulty."""
        self.tokens += 1
        cells = self.cells(line)
        if not self.columns and len(cells) > 1:
            self.columns, self.like, self.tabs = len(cells), number, "\t" in line
        if len(cells) == self.columns and cells[0] and cells[-1]:
            return cells[0], cells[-1]
        words = counted(len(cells), "column")
        if len(cells) == self.columns:
            words = "no tag" if cells[0] else "no token"
        self.faults.add(f"line {number} ({words}: {shorten(line)!r})")
        return None

    def cells(self, line: str) -> list[str]:
        if self.tabs or (not self.columns and "\t" in line):
            return [cell.strip(" ") for cell in line.split("\t")]
        # Not at a no-break space, nor at other white space: a token may be one.
        return [cell for cell in line.replace("\t", " ").split(" ") if cell]

    def refuse_faults(self) -> None:
        """Raise DataError unless there are tokens, all with their tags."""
        if not self.tokens:
            raise DataError(f"{self.path}: holds no token. Expected {EXPECTED}.")
        if not self.columns:
            raise DataError(f"{self.path}: no line has a tag: {self.faults}. Expected {EXPECTED}.")
        if self.faults.count:
            share = f"{self.faults.count:,} of {counted(self.tokens, 'line')}"
            by = (
                "a tab, the token first, the tag last" if self.tabs else "spaces, of which a token holds none"
            )
            raise DataError(
                f"{self.path}: {share} cannot be read as a token and its tag: {self.faults}. Expected "
                f"{self.columns} columns on each, as on line {self.like}, separated by {by}. Correct the lines; "
                "between sentences leave one blank."
            )

    def guesses(self, rows: int) -> Iterator[str]:
        """What the user should know of how the file was read."""
        if self.columns > 2:
            yield (
                f"{self.path}: of {self.columns} columns the first is read as the token, the last as the tag; "
                "a copy with only the right two corrects it."
            )
        if self.documents:
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
    begin, held = 0, 0
    tokens: list[str] = []
    tags: list[str] = []
    with file.open() as lines:
        for number, ended in enumerate(lines, start=1):
            line = ended.rstrip("\r\n")
            document = line.split(maxsplit=1)[:1] == [DOCUMENT]
            if document or not line.strip():
                seen.documents += document
                if tokens:
                    yield begin, {"tokens": tokens, "tags": tags}, held
                tokens, tags, held = [], [], 0
                continue
            if seen.is_comment(line):
                seen.comments += 1
                continue
            found = seen.token_and_tag(number, line)
            if found:
                begin = begin if tokens else number
                tokens.append(found[0])
                tags.append(found[1])
                held += len(line)
    if tokens:
        yield begin, {"tokens": tokens, "tags": tags}, held
