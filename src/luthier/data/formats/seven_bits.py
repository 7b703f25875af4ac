"""Encodings that write all letters in bytes of ASCII, so that their text is valid UTF-8 as well, and is not what it says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

ISO_2022 = re.compile(rb"\x1b(\$[@B]|\$\([CDOPQ]|\$\)[ACEG]|\([IJ])")
"""Escape sequences that choose a set of characters (ISO 2022), as Japanese and Korean mail has them; a terminal's begin
otherwise."""
ISO_2022_ENCODINGS = (*("iso2022_jp", "iso2022_kr", "iso2022_jp_ext", "iso2022_jp_2", "iso2022_jp_2004"),)
"""Encodings of ISO 2022, in the order in which they are tried."""
HZ = re.compile(rb"~\{(?:[!-w][!-~]){1,200}~\}")
UTF_7 = re.compile(rb"\+[A-Za-z0-9/]{3,}-?")
FEWEST_MARKS = 5
"""Fewest places that look like HZ or UTF-7 with which that is no accident."""
LONGEST_MARK = 8


@dataclass(frozen=True)
class SevenBits:
    """Evidence for letters beyond ASCII in bytes of ASCII."""

    encodings: tuple[str, ...]
    certain: bool
    """Whether such marks stand in no other text."""


def seven_bit_encodings(pieces: Iterator[bytes]) -> SevenBits | None:
    """Encodings by whose marks text in bytes of ASCII is known; None where there are no such marks, or bytes beyond ASCII.

    pieces: the whole file.

    >>> seven_bit_encodings(iter(["商品".encode("iso2022_jp")])).encodings[0]
    'iso2022_jp'
    >>> seven_bit_encodings(iter([b"plain +49 30 ~{ text"]))
    """
    escaped, hz, utf_7, end = False, 0, 0, b""
    for piece in pieces:
        if not piece.isascii():
            return None
        data = end + piece
        escaped = escaped or ISO_2022.search(data) is not None
        hz += len(HZ.findall(piece)) if b"~{" in piece else 0
        utf_7 += len(UTF_7.findall(piece)) if b"+" in piece else 0
        end = piece[-LONGEST_MARK:]
    if escaped:
        return SevenBits(ISO_2022_ENCODINGS, certain=True)
    if hz >= FEWEST_MARKS:
        return SevenBits(("hz",), certain=False)
    return SevenBits(("utf-7",), certain=False) if utf_7 >= FEWEST_MARKS else None
