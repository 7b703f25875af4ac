"""Reading the members of .tar, .tar.gz, .tgz and .zip files: nothing is unpacked to where it says, and no
more is read than an honest archive holds."""

import contextlib
import gzip
import io
import os
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

from luthier.data.formats.spill import telling_spill_errors, temporary_file
from luthier.data.images.image_bytes import LARGEST_BYTES, too_many_bytes
from luthier.data.problems import Problems
from luthier.data.raw_bytes import GZIP_MARK, telling_read_errors
from luthier.errors import DataError, counted, shorten

ARCHIVE_ENDINGS = (".tar", ".tar.gz", ".tgz", ".zip")
BLOCK = 512
"""Bytes of a block, of which a tar file is made."""
MOST_MEMBERS = 3_000_000
LONGEST_NAME = 4_096
"""The most characters of a member's name, with its folders."""
LARGEST_HEADER = 1 << 16
"""The most bytes of a tar file's header for one member."""
FREE_BYTES = 1 << 26
MOST_TIMES = 100
"""An archive may unpack to `FREE_BYTES`; and to more while that is at most so many times what there is of it. Images, which
are compressed in themselves, unpack to little more."""
CHUNK_BYTES = 1 << 20
UNPACKED_IN_PIECES = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Ways of packing that zipfile unpacks a piece at a time. A few hundred bytes of bzip2 may become a gigabyte at once."""
UTF_8 = 0x800
"""Mark of a member's flags: its name is UTF-8 (PKWARE's APPNOTE, 4.4.4, bit 11)."""

Reader = Callable[[str], bytes]
"""A function from a member's name to its bytes. Raises FileNotFoundError when there is none of that name."""


class Span(NamedTuple):
    """The place of a member's bytes in a tar file."""

    offset: int
    size: int


def archive_entries(path: Path) -> Iterator[tuple[str, str]]:
    """The members of an archive, folders with a slash at the end; and for each, what it is instead of a file, which is empty for
    files and folders. Raises DataError for an archive that is damaged or unsafe."""
    if path.suffix.lower() == ".zip":
        with telling_archive_errors(path), zipfile.ZipFile(path) as archive:
            names: Iterable[tuple[str, str]] = [(name, "") for name in zip_members(path, archive)]
        yield from names
        return
    with telling_archive_errors(path), open(path, "rb") as file:
        spans = tar_spans(path, Metered(path, file))
    for name, span in spans.items():
        yield name, span if isinstance(span, str) else ""


def archive_reader(path: Path) -> Reader:
    """A reader of an archive's members by their names, which several threads may use at once."""
    return zip_reader(path) if path.suffix.lower() == ".zip" else tar_reader(path)


class Metered:
    """The bytes of a file, gzip undone where it is compressed; raises DataError as soon as they are far more than there is of it,
    or more is asked for at once than a header has."""

    def __init__(self, path: Path, packed: IO[bytes]) -> None:
        self.path = path
        self.packed = packed
        mark = packed.read(2)
        packed.seek(0)
        self.compressed = mark == GZIP_MARK  # By its first bytes, whatever it is called.
        self.plain = cast(IO[bytes], gzip.GzipFile(fileobj=packed)) if self.compressed else packed

    def read(self, size: int) -> bytes:
        if not 0 <= size <= max(LARGEST_HEADER, CHUNK_BYTES):
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        found = self.plain.read(size)
        self.check()
        return found

    def header(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET or offset < 0:
            raise tarfile.ReadError("a header is damaged")
        while self.compressed and self.plain.tell() + CHUNK_BYTES < offset:
            before = self.plain.tell()
            self.plain.seek(before + CHUNK_BYTES)
            self.check()
            if self.plain.tell() == before:
                break  # The end.
        return self.plain.seek(offset)

    def tell(self) -> int:
        return self.plain.tell()

    def check(self) -> None:
        unpacked = self.plain.tell() if self.compressed else 0
        if unpacked > FREE_BYTES and unpacked > MOST_TIMES * self.packed.tell():
            raise DataError(too_much(self.path, unpacked, self.packed.tell()))


def too_much(path: Path, unpacked: int, packed: int) -> str:
    return (
        f"{path}: unpacks to {unpacked / 1e6:,.0f} MB from {packed / 1e6:,.1f} MB, more than {MOST_TIMES} times as much, as no "
        "images do. Unpack it yourself if you trust it, and name the folder."
    )


@contextlib.contextmanager
def telling_archive_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        words = shorten(next(iter(str(error).splitlines()), type(error).__name__).rstrip("."))
        raise DataError(f"{path}: is not a whole archive ({words}). Copy or download it again.") from error
    except NotImplementedError as error:  # as zipfile says of what it cannot unpack
        raise DataError(
            f"{path}: is packed in a way that is not read ({shorten(str(error))}). Pack the folder anew, as zip does by itself."
        ) from error
    except (ValueError, RecursionError, OverflowError, struct.error) as error:
        raise DataError(
            f"{path}: is not a whole archive (a header is damaged). Copy or download it again."
        ) from error


class HeadersOnly(io.RawIOBase):
    """A metered file as tarfile sees it, which reads nothing but headers."""

    def __init__(self, metered: Metered) -> None:
        self.metered = metered

    def read(self, size: int = -1) -> bytes:
        return self.metered.header(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.metered.seek(offset, whence)

    def tell(self) -> int:
        return self.metered.tell()


def tar_spans(path: Path, file: Metered) -> dict[str, Span | str]:
    """Each member of a tar file by its clean name, and where its bytes stand, uncompressed; or what it is instead of a file,
    which is empty for a folder."""
    spans: dict[str, Span | str] = {}
    reached = -1
    with tarfile.open(fileobj=cast(IO[bytes], HeadersOnly(file)), mode="r:") as tar:
        while (member := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # It would keep all it has read: a kilobyte each.
            if tar.offset <= reached or member.size < 0 or member.offset_data < 0:
                raise tarfile.ReadError("a header is damaged")
            reached = tar.offset
            name = clean(member.name)
            check_name(path, name, len(spans))
            if not name:
                continue  # The folder that was packed, as a dot.
            if member.isdir():
                spans[f"{name}/"] = ""
            elif member.isreg():
                spans[name] = (
                    "a file with holes" if member.issparse() else Span(member.offset_data, member.size)
                )
            elif member.islnk():  # A hard link stands for an earlier member.
                spans[name] = spans.get(clean(member.linkname), "a link")
            else:
                spans[name] = "a link" if member.issym() else "a pipe or a device"
        # It stops at a header that is damaged as it does at the end, which is a block of zeros.
        file.seek(tar.offset)
        block = file.read(BLOCK)
    if len(block) < BLOCK or any(block):
        raise tarfile.ReadError("it ends in the middle" if len(block) < BLOCK else "a header is damaged")
    check_inside(path, spans)
    return spans


def zip_members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Each member of a zip file by its clean name."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = clean(zip_name(member))
        check_name(path, name, len(members))
        if name:
            members[name + "/" * zip_name(member).endswith("/")] = member
    if any(member.flag_bits & 1 for member in members.values()):
        raise DataError(f"{path}: is encrypted. Pack it anew without a password.")
    odd = next((name for name, one in members.items() if one.compress_type not in UNPACKED_IN_PIECES), None)
    if odd is not None:
        raise DataError(
            f"{path}: {shorten(odd)!r} is compressed in a way that is not read (method {members[odd].compress_type}). "
            "Pack the folder anew, as zip does by itself (deflate)."
        )
    check_inside(path, members)
    unpacked = sum(member.file_size for member in archive.infolist())
    packed = path.stat().st_size
    if unpacked > FREE_BYTES and unpacked > MOST_TIMES * packed:
        raise DataError(too_much(path, unpacked, packed))
    return members


def zip_name(member: zipfile.ZipInfo) -> str:
    """A member's name with slashes. Python reads one that is not marked as UTF-8 as code page 437, as the format says; programs
    write UTF-8 all the same."""
    name = member.filename
    if not member.flag_bits & UTF_8 and not name.isascii():
        with contextlib.suppress(UnicodeError):  # Then it is as the format says.
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def clean(name: str) -> str:
    """A member's name without the dots and slashes that some programs put around it.

    >>> clean("./train/ani/"), clean("../ani"), clean("/ani"), clean(".")
    ('train/ani', '../ani', '/ani', '')
    """
    name = name.rstrip("/") if name.strip("/") else ""
    while name.startswith("./"):
        name = name[2:]
    return "" if name == "." else name


def check_name(path: Path, name: str, count: int) -> None:
    """Raise DataError for names, or so many of them, as no set of images has."""
    if len(name) > LONGEST_NAME:
        raise DataError(
            f"{path}: a member's name has {len(name):,} characters: {shorten(name)!r}. Expected at most {LONGEST_NAME:,}. "
            "Pack the folder anew."
        )
    if count >= MOST_MEMBERS:
        raise DataError(
            f"{path}: has more than {MOST_MEMBERS:,} members. Unpack it, and name a folder of fewer images."
        )


def check_inside(path: Path, names: Iterable[str]) -> None:
    """Raise DataError for members that would lie outside the folder an archive is unpacked in."""
    wrong = Problems()
    for name in names:
        if name.startswith(("/", "\\")) or name[1:2] == ":" or ".." in name.split("/"):
            wrong.add(repr(shorten(name)))
    if wrong.count:
        raise DataError(
            f"{path}: {counted(wrong.count, 'member')} would lie outside of it: {wrong}. Pack the folder anew, with names "
            "that begin inside it and have no '..'."
        )


def tar_reader(path: Path) -> Reader:
    """Members of a tar file, each read where it stands. One that is compressed is laid out in a temporary file first."""
    file = uncompressed(path)
    with telling_archive_errors(path):
        spans = tar_spans(path, Metered(path, file))

    def read(name: str) -> bytes:
        span = spans.get(name)
        if not isinstance(span, Span):
            raise FileNotFoundError(name)
        if span.size > LARGEST_BYTES:
            raise DataError(too_many_bytes(f"{path}: {name}"))
        with telling_read_errors(path):
            raw = os.pread(
                file.fileno(), span.size, span.offset
            )  # It has no position that threads would share.
        if len(raw) < span.size:
            raise DataError(f"{path}: is cut off in {name!r}. Copy or download it again.")
        return raw

    return read


def uncompressed(path: Path) -> IO[bytes]:
    """The bytes of a file, to be read in any order."""
    with telling_read_errors(path):
        file = open(path, "rb")  # noqa: SIM115  # It stays open as long as it is read.
        packed = Metered(path, file)
        if not packed.compressed:
            return file
        with file:
            laid_out = temporary_file(path)
            while chunk := packed.read(CHUNK_BYTES):
                with telling_spill_errors(path):
                    laid_out.write(chunk)
            with telling_spill_errors(path):
                laid_out.seek(0)
            return laid_out


def zip_reader(path: Path) -> Reader:
    """Members of a zip file, one at a time: zipfile counts its readers without a lock."""
    with telling_read_errors(path), telling_archive_errors(path):
        archive = zipfile.ZipFile(path)
        members = zip_members(path, archive)
    turn = threading.Lock()

    def read(name: str) -> bytes:
        member = members.get(name)
        if member is None:
            raise FileNotFoundError(name)
        with turn, telling_read_errors(path), telling_archive_errors(path):
            return unpacked(path, archive, member)

    return read


def unpacked(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The bytes of a member, a piece at a time: what it says of its size need not be true."""
    if member.file_size > LARGEST_BYTES:
        raise DataError(too_many_bytes(f"{path}: {member.filename}"))
    pieces = []
    with archive.open(member) as file:
        while piece := file.read(CHUNK_BYTES):
            pieces.append(piece)
    return b"".join(pieces)
