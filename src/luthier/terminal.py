"""Words on a terminal: what comes from files is shown, and never obeyed."""

import contextlib
import io
import json
import re
import sys
from collections.abc import Iterator
from typing import TextIO

UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line feed: they move the cursor, and begin sequences
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of the letters around it (UAX 9)
    "\ud800-\udfff"  # halves of characters, as in names of files that are not UTF-8: no stream takes them
    "]"
)


def plain(text: str) -> str:
    r"""A text whose characters all are to be seen; those that are not are written as Python writes them.

    >>> plain("\x1b[2J gone\n")
    '\\x1b[2J gone\n'
    """
    return UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def json_line(value: object) -> str:
    r"""A value as JSON on one line, all of whose characters are to be seen: the same value when it is read again.

    >>> json_line({"é": "\x9b2J"})
    '{"é": "\\u009b2J"}'
    """
    written = json.dumps(value, ensure_ascii=False)
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


class PlainStream(io.TextIOBase):
    """A stream of which every character is to be seen, whoever writes to it: libraries warn of what they read."""

    def __init__(self, beneath: TextIO) -> None:
        self.beneath = beneath

    def write(self, text: str) -> int:
        self.beneath.write(plain(text))
        return len(text)

    def flush(self) -> None:
        self.beneath.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.beneath.isatty()

    def fileno(self) -> int:
        return self.beneath.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # it is writable there, and nobody writes it
        return self.beneath.encoding


def drawn_on(stream: TextIO) -> TextIO:
    """The stream itself, for what draws on it by control sequences of its own: a bar, or help in bold letters."""
    return stream.beneath if isinstance(stream, PlainStream) else stream


@contextlib.contextmanager
def plain_streams() -> Iterator[None]:
    """Inside the block, standard output and standard error show what comes from files, and do not obey it."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = PlainStream(sys.stdout), PlainStream(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
