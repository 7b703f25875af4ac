"""A file of text whose encoding is known, to be read line by line."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from luthier.data.encoding import check_encoding, find_encoding
from luthier.data.raw_bytes import open_bytes


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
        with open_bytes(self.path) as raw, io.TextIOWrapper(raw, encoding=self.encoding, newline="") as text:
            if text.read(1) != "\ufeff":
                text.seek(0)
            yield text
