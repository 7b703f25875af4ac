"""Finding the encoding of a text file: by its mark, by the pattern of its NULs, by trying, or by its letters."""

import codecs
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from luthier.data.formats.code_pages import Reading, broken_words, clear_winner, readings
from luthier.data.formats.seven_bits import seven_bit_encodings
from luthier.data.raw_bytes import GZIP_MARK, open_bytes
from luthier.errors import DataError, listing, shorten

HEAD_BYTES = 65_536
CHUNK_BYTES = 1 << 20
SAMPLE_BYTES = 60_000
"""The most bytes of lines beyond ASCII by which a code page is chosen."""
LONGEST_LINE = 20_000
"""The most bytes of a line that are looked at together."""
SURE = rb'[ ,"]'
"""Signs that are no part of a longer character, in any encoding that is looked for."""
CANDIDATES = 3
"""The most encodings that a question to the user names."""
USUAL_PAGE = "cp1252"
FEW_SIGNS = 3
"""With so few distinct bytes beyond ASCII, letters say little about the language: how common a page is says more."""

BYTE_ORDER_MARKS = {  # UTF-32 first: its little-endian mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
OTHER_MARKS = {
    GZIP_MARK: "gzip data: add .gz to its name",
    b"PAR1": "parquet: let its name end in .parquet",
    b"PK\x03\x04": "a zip archive, as Excel workbooks are: unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file: save it as CSV",
    b"%PDF": "a PDF: extract its rows to CSV",
}
MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<table")
"""Beginnings of web pages and the like."""
CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f")) + b"\x7f"


@dataclass(frozen=True)
class Flaw:
    """The first place where a file is not text in an encoding."""

    offset: int
    """Number of bytes before the flaw, after decompression."""
    value: int
    """The byte at the flaw."""


def find_encoding(path: Path) -> str:
    """The encoding in which the whole file is text. Raises DataError when there is none, or several that are as likely.

    UTF-8 is tried first: text of another encoding hardly ever is UTF-8 as well. Then the code pages.
    """
    with open_bytes(path) as file:
        head = file.read(HEAD_BYTES)
    refuse_other_formats(path, head)
    marked = next((encoding for mark, encoding in BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)
    certain = marked or utf16_by_pattern(head)
    if certain is None and (seven := seven_bits(path)) is not None:
        return seven
    if certain is None and looks_binary(head):
        raise DataError(
            f"{path}: is binary data, not text (it begins with {head[:8]!r}). Expected rows of text."
        )
    encoding = certain or "utf-8"
    flaw = first_flaw(path, encoding)
    if flaw is None:
        return encoding
    lines = [] if certain is not None else lines_beyond_ascii(path)
    if certain is not None or mostly_utf8(lines):
        raise DataError(
            f"{where(path, encoding, flaw)} is not valid in {encoding}, as the text before it is. "
            "Correct it, or name the encoding with --encoding NAME."
        )
    return code_page(path, flaw, lines, head)


def seven_bits(path: Path) -> str | None:
    """The encoding of letters in bytes of ASCII, by its marks; None where there are none. Raises DataError where it is not
    plain."""
    with open_bytes(path) as file:
        found = seven_bit_encodings(iter(partial(file.read, CHUNK_BYTES), b""))
    if found is None:
        return None
    encoding = next((one for one in found.encodings if first_flaw(path, one) is None), None)
    if encoding is not None and found.certain:
        return encoding
    if encoding is not None:
        line, text = first_line_beyond_ascii(path, encoding)
        raise DataError(
            f"{path}, line {line}: may be text in {encoding}, in which it reads {near_beyond(text)!r}. Name the encoding that is "
            f"right: --encoding {encoding}, or --encoding utf-8 where the file is what it seems."
        )
    if found.certain:
        raise DataError(
            f"{path}: holds escape sequences of ISO 2022, in which Japanese and Korean texts are written, but is not valid in "
            f"{listing(found.encodings)}. Save the file as UTF-8, or name its encoding with --encoding NAME."
        )
    return None


def first_line_beyond_ascii(path: Path, encoding: str) -> tuple[int, str]:
    """The first line with a letter beyond ASCII, of a file that has one, and its number."""
    with open_bytes(path) as file, io.TextIOWrapper(file, encoding=encoding) as text:
        return next(((at, line) for at, line in enumerate(text, start=1) if not line.isascii()), (1, ""))


def code_page(path: Path, flaw: Flaw, lines: Sequence[bytes], head: bytes) -> str:
    """The code page of a file that is not UTF-8. Raises DataError unless one is likelier than all others."""
    found = readings(lines, head)
    best = clear_winner(found, lines)
    if best is None or best.encoding != likeliest_first(found)[0].encoding:
        raise DataError(asked(path, flaw, found))
    broken = first_flaw(path, best.encoding)
    if broken is not None:
        raise DataError(
            f"{where(path, best.encoding, broken)} is not valid in {best.encoding}, the encoding of the lines around it. "
            "Correct it, save the file as UTF-8, or name its encoding with --encoding NAME."
        )
    return best.encoding


def asked(path: Path, flaw: Flaw, found: Sequence[Reading]) -> str:
    """The question to the user about an encoding that cannot be found: how a line reads in the likeliest ones."""
    place = where(path, "utf-8", flaw)
    if not found:
        return (
            f"{place} is text neither in UTF-8 nor in a code page that is looked for. "
            "Save the file as UTF-8, or name its encoding with --encoding NAME."
        )
    first = likeliest_first(found)[:CANDIDATES]
    at = next(
        (
            at
            for at, lines in enumerate(zip(*(one.text.split("\n") for one in first), strict=False))
            if len(set(lines)) > 1
        ),
        0,
    )
    shown = "; ".join(f"in {one.encoding} {near_beyond(one.text.split(chr(10))[at])!r}" for one in first)
    return (
        f"{place} is not UTF-8, and no other encoding is clearly likelier than all others. A line reads {shown}. "
        "Name the one that is right with --encoding NAME, or save the file as UTF-8."
    )


def likeliest_first(found: Sequence[Reading]) -> list[Reading]:
    """Readings as a question names them: where hardly any sign is there to weigh, the page that most files are in comes first,
    unless words break in it."""
    if not found:
        return []
    signs = {byte for byte in found[0].text.encode(found[0].encoding) if byte > 127}
    usual = [one for one in found if one.encoding == USUAL_PAGE and not broken_words(one.text)]
    if len(signs) > FEW_SIGNS:
        return [*found]
    return [*usual, *(one for one in found if one not in usual)]


def near_beyond(line: str, most: int = 50) -> str:
    """The part of a line around its first character beyond ASCII."""
    first = next((at for at, sign in enumerate(line) if ord(sign) > 127), 0)
    begin = max(0, first - most // 2)
    return shorten(line[begin:].strip(), most)


def lines_beyond_ascii(path: Path) -> list[bytes]:
    """Lines of a file that are more than ASCII, spread over all of it: each, or every second, fourth and so on of many."""
    kept: list[bytes] = []
    size, met, every = 0, 0, 1
    with open_bytes(path) as file:
        while line := file.readline(LONGEST_LINE):
            if line.isascii():
                continue
            met += 1
            if met % every:
                continue
            kept.append(whole_characters(line))
            size += len(kept[-1])
            while size > SAMPLE_BYTES and len(kept) > 1:
                kept, every = kept[1::2], every * 2
                size = sum(map(len, kept))
    return kept


def whole_characters(line: bytes) -> bytes:
    """A line, or the piece of a very long one, without its end, and without characters that may be cut in half."""
    if len(line) == LONGEST_LINE:
        first, last = re.search(SURE, line), max(line.rfind(byte) for byte in (b" ", b",", b'"'))
        if first is not None and last > first.start():
            return line[first.start() : last]
    return line.rstrip(b"\r\n")


def mostly_utf8(lines: Sequence[bytes]) -> bool:
    """Whether so many of some lines beyond ASCII are UTF-8 that the others are damaged. Others hardly ever are by chance."""
    return 3 * sum(map(is_utf8, lines)) >= len(lines)


def is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def check_encoding(path: Path, encoding: str) -> str:
    """The encoding the user named, when all of the file is text in it."""
    try:
        "".encode(encoding)
        codecs.getincrementaldecoder(encoding)
    except (LookupError, UnicodeError):
        raise DataError(
            f"data.encoding: there is no text encoding {shorten(encoding)!r}. "
            "Name one that Python knows, such as utf-8, cp1252 or utf-16, or leave it out to have it found."
        ) from None
    flaw = first_flaw(path, encoding)
    if flaw is not None:
        raise DataError(
            f"{where(path, encoding, flaw)} is not valid in {encoding}, the encoding named. "
            "Name another with --encoding NAME, or leave it out to have it found."
        )
    return encoding


def refuse_other_formats(path: Path, head: bytes) -> None:
    for mark, words in OTHER_MARKS.items():
        if head.startswith(mark):
            raise DataError(f"{path}: is not text but {words}.")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].lower().startswith(MARKUP):
        raise DataError(
            f"{path}: is a web page or XML, no table: perhaps it was not the file that was downloaded. Fetch it again."
        )


def utf16_by_pattern(head: bytes) -> str | None:
    """UTF-16 without a mark, known by the NUL in every character of Latin text and of punctuation.

    >>> utf16_by_pattern("text,label".encode("utf-16-be"))
    'utf-16-be'
    """
    evens, odds = head[0::2], head[1::2]
    even, odd = evens.count(0) / (len(evens) or 1), odds.count(0) / (len(odds) or 1)
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.05 else None


def looks_binary(head: bytes) -> bool:
    """Whether control characters, which text hardly has, are more than a twentieth."""
    controls = len(head) - len(head.translate(None, CONTROLS))
    return controls >= 4 and controls > 0.05 * len(head)


def first_flaw(path: Path, encoding: str) -> Flaw | None:
    """The first byte that cannot be decoded; None when all can. Raises DataError for a NUL character."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    done, lines = 0, 1
    with open_bytes(path) as file:
        while True:
            chunk = file.read(CHUNK_BYTES)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                # The decoder saw what it had kept of the last chunk before this one.
                start = error.start + len(chunk) - len(error.object)
                return Flaw(done + start, error.object[error.start])
            except UnicodeError as error:  # no byte is to blame: UTF-16 without its mark, for one
                raise DataError(
                    f"{path}: cannot be read in {encoding} ({error}). "
                    "Name another encoding with --encoding NAME, or leave it out to have it found."
                ) from None
            if "\0" in text:
                line = lines + text.partition("\0")[0].count("\n")
                raise DataError(
                    f"{path}, line {line}: holds a NUL character, which is not text. Remove it; "
                    f"where there are many, the file is damaged, or in another encoding than {encoding}."
                )
            lines += text.count("\n")
            if not chunk:
                return None
            done += len(chunk)


def where(path: Path, encoding: str, flaw: Flaw) -> str:
    line = line_at(path, encoding, flaw.offset)
    return f"{path}, line {line}: byte {flaw.offset + 1:,} of the file, 0x{flaw.value:02X},"


def line_at(path: Path, encoding: str, offset: int) -> int:
    """The line, counted from 1, of the byte at an offset."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    ends = 0
    with open_bytes(path) as file:
        while offset:
            chunk = file.read(min(offset, CHUNK_BYTES))
            ends += decoder.decode(chunk).count("\n")
            offset -= len(chunk)
    return 1 + ends + decoder.decode(b"", final=True).count("\n")
