"""Which encoding a text file has: by its mark, by the pattern of its NULs, or by trying."""

import codecs
import io
from dataclasses import dataclass
from pathlib import Path

from luthier.data.problems import shorten
from luthier.data.raw_bytes import GZIP_MARK, open_bytes
from luthier.errors import DataError

HEAD_BYTES = 65_536
CHUNK_BYTES = 1 << 20

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
CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f")) + b"\x7f"


@dataclass(frozen=True)
class Flaw:
    """The first place where a file is not text in an encoding."""

    offset: int
    """Bytes before it, after decompression."""
    value: int
    """The byte there."""
    after_others: bool
    """Whether characters beyond ASCII were decoded before it."""


def find_encoding(path: Path) -> str:
    """The encoding in which the whole file is text. Raises DataError when there is none.

    UTF-8 is tried before Windows-1252 (cp1252), which takes nearly everything. A file that has
    letters beyond ASCII in UTF-8 and then is not UTF-8 is refused: as cp1252 they would be read wrong.
    """
    with open_bytes(path) as file:
        head = file.read(HEAD_BYTES)
    refuse_other_formats(path, head)
    marked = next((encoding for mark, encoding in BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)
    certain = marked or utf16_by_pattern(head)
    if certain is None and looks_binary(head):
        raise DataError(
            f"{path}: is binary data, not text (it begins with {head[:8]!r}). Expected rows of text."
        )
    encoding = certain or "utf-8"
    flaw = first_flaw(path, encoding)
    if flaw is None:
        return encoding
    if certain is not None or flaw.after_others:
        raise DataError(
            f"{where(path, encoding, flaw)} is not valid in {encoding}, as the text before it is. "
            "Correct it, or name the encoding with --encoding NAME."
        )
    flaw = first_flaw(path, "cp1252")
    if flaw is not None:
        raise DataError(
            f"{where(path, 'cp1252', flaw)} is text neither in UTF-8 nor in Windows-1252. "
            "Save the file as UTF-8, or name its encoding with --encoding NAME."
        )
    return "cp1252"


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
    done, lines, others = 0, 1, False
    with open_bytes(path) as file:
        while True:
            chunk = file.read(CHUNK_BYTES)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                # The decoder saw what it had kept of the last chunk before this one.
                start = error.start + len(chunk) - len(error.object)
                others = others or any(byte > 127 for byte in error.object[: error.start])
                return Flaw(done + start, error.object[error.start], others)
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
            others = others or not text.isascii()
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
