"""Images sorted into folders, one for each label: in a folder, or in an archive, which is read where it stands."""

import contextlib
import gzip
import os
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
import pyarrow as pa

from luthier.data.problems import Problems, counted, shorten
from luthier.data.raw_bytes import GZIP_MARK, telling_read_errors
from luthier.data.read import TABLES, ending, names_in
from luthier.data.table import Table
from luthier.errors import DataError, did_you_mean, listing

IMAGE_ENDINGS = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp", ".avif"),
        *(".tif", ".tiff", ".jp2", ".j2k", ".pbm", ".pgm", ".ppm", ".pnm"),
    )
)
ARCHIVE_ENDINGS = (".tar", ".tar.gz", ".tgz", ".zip")
PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Names of folders that are splits, in lower case, and the part of the data each is."""
SYSTEM_FILES = frozenset(("__MACOSX", "Thumbs.db", "desktop.ini"))
"""What systems leave behind. These, and names that begin with a dot, are passed over."""
DEEPEST = 6
"""Folders inside each other: more is no image set, but a disk."""
BLOCK = 512
"""Bytes: of which a tar file is made."""

EXPECTED = "Expected class/file, a folder for each label, or split/class/file with splits called train, valid and test."


class Span(NamedTuple):
    """Where a file stands in a tar file."""

    offset: int
    size: int


@dataclass
class Listing:
    """What there is, by names with slashes, from the set's own folder or the archive's root."""

    images: list[str]
    """In order."""
    others: Counter[str]
    """Files that are no images, by their ending."""
    bare: list[str]
    """Folders without an image in or below them."""


def is_image_set(path: Path) -> bool:
    """Whether a path is read as a set of images rather than as a file of rows.

    >>> is_image_set(Path("birds.tar.gz")), is_image_set(Path("reviews.csv.gz"))
    (True, False)
    """
    return path.name.lower().endswith(ARCHIVE_ENDINGS) or path.is_dir()


def read_images(path: Path) -> dict[str, Table]:
    """The images below a folder, or in a .tar, .tar.gz, .tgz or .zip file, by the part of the data: `train`, and `valid`
    and `test` where there are folders for them. One folder around everything is looked through.

    Columns: `image`, the file's path from `path`, or the member's name in the archive; `label`, the name of its folder.
    The line of a row is the image's number in the whole set, from 1. Raises DataError when the folders do not tell labels.
    """
    with telling_read_errors(path):
        check_place(path)
        found = sort_out(names_below(path) if path.is_dir() else archive_names(path))
    check_names(path, found)
    steps = [tuple(name.split("/")) for name in found.images]
    around = folders_around(steps)
    steps = [step[around:] for step in steps]
    check_depth(path, steps)
    if len(steps[0]) == 2:
        check_classes(path, steps)
        part_of = np.full(len(steps), "train")
    else:
        check_splits(path, {step[0] for step in steps})
        part_of = np.array([PARTS[step[0].lower()] for step in steps])

    columns = pa.table({"image": found.images, "label": [step[-2] for step in steps]})
    said = guesses(path, found)
    tables = {}
    for part in (part for part in ("train", "valid", "test") if part in part_of):
        rows = np.flatnonzero(part_of == part)
        told = said if part == "train" else ()
        tables[part] = Table(columns.take(rows), (path,), np.zeros(len(rows), np.int64), rows + 1, told)
    return tables


def every_image(path: Path) -> Table:
    """All images below a folder, or in an archive, in the order of their names, whatever folders they are in.

    Column: `image`, as in `read_images`. Raises DataError when there is none.
    """
    with telling_read_errors(path):
        check_place(path)
        found = sort_out(names_below(path) if path.is_dir() else archive_names(path))
    check_names(path, found)
    rows = len(found.images)
    columns = pa.table({"image": pa.array(found.images, pa.string())})
    return Table(columns, (path,), np.zeros(rows, np.int64), np.arange(rows) + 1, guesses(path, found))


def check_place(path: Path) -> None:
    """Raise DataError unless there is a folder, or an archive of a kind that is known."""
    if path.is_dir():
        return
    if not path.exists():
        near = did_you_mean(path.name, names_in(path.parent)) if path.parent.is_dir() else ""
        raise DataError(f"{path}: there is no such file or folder.{near}")
    if not path.is_file() or not path.name.lower().endswith(ARCHIVE_ENDINGS):
        raise DataError(
            f"{path}: is no set of images. Expected a folder, or a file that ends in {', '.join(ARCHIVE_ENDINGS)}."
        )


# What there is


def names_below(folder: Path, inside: str = "", depth: int = 0) -> Iterator[str]:
    """The files below a folder; folders too, with a slash at the end."""
    if depth > DEEPEST:
        raise DataError(f"{folder}: lies more than {DEEPEST} folders deep. {EXPECTED}")
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_left_behind(entry.name):
                continue
            if entry.is_dir():
                yield f"{inside}{entry.name}/"
                yield from names_below(folder / entry.name, f"{inside}{entry.name}/", depth + 1)
            else:
                yield inside + entry.name


def archive_names(path: Path) -> Iterable[str]:
    """The names in an archive, those of folders with a slash at the end. Raises DataError for one that is damaged."""
    with telling_archive_errors(path):
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                return zip_members(path, archive)
        with open(path, "rb") as file:
            if not is_gzip(file):
                return tar_spans(path, file)
            with gzip.GzipFile(fileobj=file) as unzipped:
                return tar_spans(path, cast(IO[bytes], unzipped))


def is_gzip(file: IO[bytes]) -> bool:
    """By its first bytes, whatever it is called."""
    mark = file.read(2)
    file.seek(0)
    return mark == GZIP_MARK


@contextlib.contextmanager
def telling_archive_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        words = shorten(next(iter(str(error).splitlines()), type(error).__name__).rstrip("."))
        raise DataError(f"{path}: is not a whole archive ({words}). Copy or download it again.") from error


def tar_spans(path: Path, file: IO[bytes]) -> dict[str, Span | None]:
    """Each member of an uncompressed tar file by its clean name, and where its bytes stand; None for what is no file."""
    spans: dict[str, Span | None] = {}
    with tarfile.open(fileobj=file, mode="r:") as tar:
        while (member := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # It would keep all it has read: a kilobyte each.
            name = clean(member.name)
            if not name:
                continue  # The folder that was packed, as a dot.
            if member.isdir():
                spans[f"{name}/"] = None
            elif member.isreg() and not member.issparse():
                spans[name] = Span(member.offset_data, member.size)
            else:  # A hard link stands for an earlier member; all else has no bytes.
                spans[name] = spans.get(clean(member.linkname)) if member.islnk() else None
        # It stops at a header that is damaged as it does at the end, which is a block of zeros.
        file.seek(tar.offset)
        block = file.read(BLOCK)
    if len(block) < BLOCK or any(block):
        raise tarfile.ReadError("it ends in the middle" if len(block) < BLOCK else "a header is damaged")
    check_inside(path, spans)
    return spans


def zip_members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Each member of a zip file by its clean name."""
    members = {
        clean(member.filename) + "/" * member.is_dir(): member
        for member in archive.infolist()
        if clean(member.filename)
    }
    if any(member.flag_bits & 1 for member in members.values()):
        raise DataError(f"{path}: is encrypted. Pack it anew without a password.")
    check_inside(path, members)
    return members


def clean(name: str) -> str:
    """A member's name without the dots and slashes that some programs put around it.

    >>> clean("./train/ani/"), clean("../ani"), clean("/ani"), clean(".")
    ('train/ani', '../ani', '/ani', '')
    """
    name = name.rstrip("/") if name.strip("/") else ""
    while name.startswith("./"):
        name = name[2:]
    return "" if name == "." else name


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


def sort_out(names: Iterable[str] | dict[str, Span | None]) -> Listing:
    """Which names are images, which are other files, and which folders hold no image."""
    images, folders = [], set()
    others: Counter[str] = Counter()
    for name in names:
        if any(map(is_left_behind, name.split("/"))):
            continue
        if name.endswith("/"):
            folders.add(name.rstrip("/"))
        elif isinstance(names, dict) and names[name] is None:
            others["a link"] += 1
        elif (kind := os.path.splitext(name)[1].lower()) in IMAGE_ENDINGS:
            images.append(name)
        else:
            others[kind or "no ending"] += 1
    filled: set[str] = set()
    for folder in {name.rpartition("/")[0] for name in images}:
        while folder and folder not in filled:
            filled.add(folder)
            folder = folder.rpartition("/")[0]
    return Listing(sorted(images), others, sorted(folders - filled - {""}))


def is_left_behind(name: str) -> bool:
    return name.startswith(".") or name in SYSTEM_FILES


def guesses(path: Path, found: Listing) -> tuple[str, ...]:
    """What was passed over, to be told."""
    said = []
    if found.others:
        kinds = ", ".join(f"{kind}: {count:,}" for kind, count in found.others.most_common(8))
        said.append(
            f"{path}: {counted(found.others.total(), 'file')} passed over ({kinds}); images end in "
            f"{', '.join(sorted(IMAGE_ENDINGS))}."
        )
    if found.bare:
        said.append(f"{path}: {counted(len(found.bare), 'folder')} without an image: {listing(found.bare)}.")
    return tuple(said)


# What it means


def folders_around(steps: Collection[Sequence[str]]) -> int:
    """How many folders are around everything, before splits or classes begin."""
    around = 0
    shallowest = min(map(len, steps))
    while shallowest - around > 2:
        outer = {step[around] for step in steps}
        if len(outer) > 1 or outer.pop().lower() in PARTS:
            break
        around += 1
    return around


def check_names(path: Path, found: Listing) -> None:
    """Raise DataError unless there are images, with names that can be written down."""
    if not found.images:
        held = f"It holds {counted(found.others.total(), 'other file')}" if found.others else "It is empty"
        rows = [name for name in names_in(path) if ending(Path(name)) in TABLES] if path.is_dir() else []
        mend = f" Did you mean the file {str(path / rows[0])!r}?" if rows else ""
        raise DataError(f"{path}: holds no images. {held}. {EXPECTED}{mend}")
    wrong = Problems()
    for name in found.images:
        if not writable(name):
            wrong.add(ascii(name))
    if wrong.count:
        raise DataError(
            f"{path}: {counted(wrong.count, 'name')} cannot be read as UTF-8: {wrong}. Rename them."
        )


def check_depth(path: Path, steps: Collection[Sequence[str]]) -> None:
    """Raise DataError unless all images lie equally deep, in class folders, with or without splits around them."""
    depths = Counter(map(len, steps))
    usual = max(depths, key=lambda depth: (depths[depth], depth))
    example = "/".join(next(step for step in steps if len(step) == usual))
    if len(depths) > 1:
        odd = Problems()
        for step in steps:
            if len(step) != usual:
                odd.add(repr("/".join(step)))
        raise DataError(
            f"{path}: images lie at different depths: {depths[usual]:,} as {example!r} does, and {odd.count:,} "
            f"otherwise: {odd}. {EXPECTED} Move or delete those that lie otherwise."
        )
    if usual == 1:
        raise DataError(
            f"{path}: holds {counted(len(steps), 'image')} and no class folders, such as {example!r}. {EXPECTED} "
            "Move the images of each label into a folder of that name."
        )
    if usual > 3:
        raise DataError(f"{path}: images lie {usual - 1} folders deep, such as {example!r}. {EXPECTED}")


def check_classes(path: Path, steps: Collection[Sequence[str]]) -> None:
    """Raise DataError for folders of images that cannot be labels."""
    names = sorted({step[0] for step in steps})
    if all(name.lower() in PARTS for name in names):
        raise DataError(
            f"{path}: {listing(names)} are splits by their names, and hold images without class folders. {EXPECTED} "
            "Move the images of each label into a folder of that name, within each split."
        )
    if len(names) == 1:
        raise DataError(
            f"{path}: holds images in one folder only, {names[0]!r}, so there is one label. {EXPECTED} "
            "Move the images of each label into a folder of that name."
        )


def check_splits(path: Path, names: Collection[str]) -> None:
    """Raise DataError unless the outer folders are splits, `train` among them, and none there twice."""
    wrong = sorted(name for name in names if name.lower() not in PARTS)
    if wrong:
        raise DataError(
            f"{path}: images lie two folders deep, and {listing(wrong)} {'is no split' if len(wrong) == 1 else 'are no splits'}. "
            f"{EXPECTED} Rename what is a split, and move or delete what is none."
        )
    parts = Counter(PARTS[name.lower()] for name in names)
    twice = [part for part, count in parts.items() if count > 1]
    if twice:
        alike = sorted(name for name in names if PARTS[name.lower()] == twice[0])
        raise DataError(f"{path}: {listing(alike)} are the same split, {twice[0]}. Keep one of them.")
    if "train" not in parts:
        raise DataError(f"{path}: has {listing(sorted(names))} and no split called train. {EXPECTED}")


def writable(name: str) -> bool:
    r"""Whether a name is text: of one that is not UTF-8 Python keeps the bytes as lone surrogates.

    >>> writable("häher.jpg"), writable("h\udce4her.jpg")
    (True, False)
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
