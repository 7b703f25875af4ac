"""A file of text whose encoding is known, to be read line by line."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from luthier.data.formats.ceilings import MOST_JSON_BYTES, MOST_ROW_CHARACTERS, long_row
from luthier.data.formats.encoding import check_encoding, find_encoding
from luthier.data.raw_bytes import open_bytes
from luthier.errors import DataError

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class TextFile:
    """Text that was decoded once, to its end, without fault."""

    path: Path
    encoding: str
    found: bool
    """Whether the encoding was found here rather than given."""

    @staticmethod
    def at(path: Path, encoding: str | None) -> "TextFile":
        """The text at `path`, in the encoding given or found. Raises DataError when it is not text in it."""
        if encoding is not None:
            return TextFile(path, check_encoding(path, encoding), found=False)
        return TextFile(path, find_encoding(path), found=True)

    @property
    def guesses(self) -> tuple[str, ...]:
        """What the user should know of the encoding: nothing when it was given, or is UTF-8."""
        if not self.found or self.encoding == "utf-8":
            return ()
        return (f"{self.path}: is read as {self.encoding}; --encoding NAME corrects it.",)

    @contextlib.contextmanager
    def open(self) -> Iterator[TextIO]:
        r"""The text without its byte order mark. Lines end in \n, \r\n or \r, which they keep; not in
        U+2028 and its like, which are parts of a text."""
        with open_bytes(self.path) as raw, Text(self.path, raw, self.encoding) as text:
            if text.read(1) != "\ufeff":
                text.seek(0)
            yield text


class Text(io.TextIOWrapper):
    """Text with an end to its lines, and to what is read of it at once: where it has none, the file is refused."""

    def __init__(self, path: Path, raw: BinaryIO, encoding: str) -> None:
        super().__init__(raw, encoding=encoding, newline="")
        self.path = path
        self.lines = 0

    def __next__(self) -> str:  # type: ignore[override]  # as in TextIOWrapper itself
        line = self.readline(MOST_ROW_CHARACTERS + 1)
        if not line:
            raise StopIteration
        self.lines += 1
        if len(line) > MOST_ROW_CHARACTERS:
            raise long_row(self.path, f"line {self.lines}")
        return line

    def read(self, size: int | None = -1, /) -> str:
        if size is None or size < 0:
            check_whole(self.path)
        return super().read(size)


def check_whole(path: Path) -> None:
    """Raise DataError for a file that is too large to be held as one text, before it is."""
    with open_bytes(path) as file:
        count = 0
        while piece := file.read(CHUNK_BYTES):
            count += len(piece)
            if count > MOST_JSON_BYTES:
                raise DataError(
                    f"{path}: has more than {MOST_JSON_BYTES / 1e6:,.0f} MB, and is one text that would be held in memory. "
                    "Write its rows as JSON lines (.jsonl), an object on each line, which are read one by one."
                )
