"""From the name of an image, as a table or a program wrote it, to a file on this machine."""

import contextlib
import os
import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from luthier.data.raw_bytes import telling_read_errors

IMAGE_ENDINGS = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp", ".avif"),
        *(".tif", ".tiff", ".jp2", ".j2k", ".pbm", ".pgm", ".ppm", ".pnm"),
    )
)
ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
"""The beginning of an address: `https://`, `s3://`, `gs://`."""
DRIVE = re.compile(r"[A-Za-z]:[\\/]")
LONGEST_FOLDER = 2_000_000
"""The most names of a folder that are held in memory to find one that is spelt a little differently."""


def scheme_of(name: str) -> str | None:
    """The scheme of an address; None for what is no address. A file's own address is a path.

    >>> scheme_of("https://example.org/1.jpg"), scheme_of("file:///home/me/1.jpg"), scheme_of(r"C:\\photos\\1.jpg")
    ('https', None, None)
    """
    found = ADDRESS.match(name.strip())
    scheme = found[1].lower() if found else None
    return None if scheme == "file" else scheme


def steps_of(name: str) -> tuple[str, ...]:
    r"""A name's folders and file, whatever machine wrote it: an address without its host, a path without its drive.

    >>> steps_of("https://example.org/a%20b/1.jpg?w=500"), steps_of(r"C:\photos\ani\1.jpg"), steps_of("./ani//1.jpg")
    (('a%20b', '1.jpg'), ('photos', 'ani', '1.jpg'), ('ani', '1.jpg'))
    """
    name = name.strip()
    if found := ADDRESS.match(name):
        name = name[found.end() :].partition("?")[0].partition("#")[0].partition("/")[2]
    elif DRIVE.match(name):
        name = name[3:]
    return tuple(step for step in name.replace("\\", "/").split("/") if step not in ("", "."))


def ends_as_image(name: str) -> bool:
    """Whether a name ends as image files do.

    >>> ends_as_image("Ani/1.JPG"), ends_as_image("https://example.org/1.png?w=500"), ends_as_image("see 1.jpg for it")
    (True, True, False)
    """
    steps = steps_of(name)
    return bool(steps) and os.path.splitext(steps[-1])[1].lower() in IMAGE_ENDINGS


def folded(name: str) -> str:
    """A name as it is compared with others: systems differ in case, and in how a letter with an accent is put together."""
    return unicodedata.normalize("NFC", name).casefold()


@dataclass(frozen=True)
class ImageNames:
    """Where the images lie that a file of rows names, and what is to be done with a name to find its file there."""

    folders: tuple[Path, ...]
    """The folders, in the order in which they are searched."""
    dropped: int = 0
    """Number of folders at a name's beginning that are another machine's."""
    endings: tuple[str, ...] = ("",)
    """Endings that are tried behind a name: "", or `.jpg` and so on where names are numbers or codes without an ending."""
    rooted: bool = True
    """Whether a name that begins at the root of the disk is looked for there."""
    refusal: str = ""
    """The message on why these names lead to no images; empty where they do."""


class Finder:
    """A finder of the files that names mean, by one way of reading them. Several threads may use it at once."""

    def __init__(self, names: ImageNames) -> None:
        self.names = names
        self.listed: dict[Path, dict[str, str | None]] = {}
        self.turn = threading.Lock()

    def find(self, name: str) -> Path | None:
        """The path of what a name means, of whatever kind it is; None where there is nothing."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator[Path]:
        """All paths that a name may mean, the likeliest first."""
        if "\0" in name:
            return  # No file has one in its name.
        for folder in self.names.folders:
            for ending in self.names.endings:
                if not self.names.dropped and (self.names.rooted or not os.path.isabs(name)):
                    path = folder / (name + ending)
                    if os.path.lexists(path):
                        yield path
                        continue
                steps = steps_of(name + ending)[self.names.dropped :]
                found = self.spelt_otherwise(folder, steps) if steps and ".." not in steps else None
                if found is not None:
                    yield found

    def spelt_otherwise(self, folder: Path, steps: Sequence[str]) -> Path | None:
        """A path found step by step: each as it stands, percent-decoded, or with differences in case and the form of accents."""
        for step in steps:
            spellings = (step, unquote(step))
            there = next((one for one in spellings if os.path.lexists(folder / one)), None)
            if there is None:
                known = self.names_in(folder)
                there = next((found for one in spellings if (found := known.get(folded(one)))), None)
            if there is None:
                return None
            folder /= there
        return folder

    def names_in(self, folder: Path) -> dict[str, str | None]:
        """The names in a folder, by the form in which they are compared; None where two have the same form."""
        with self.turn:
            if folder not in self.listed:
                self.listed[folder] = listed(folder)
            return self.listed[folder]


def listed(folder: Path) -> dict[str, str | None]:
    """The names in a folder, which need not exist, by the form in which they are compared."""
    found: dict[str, str | None] = {}
    with (
        telling_read_errors(folder),
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        os.scandir(folder) as entries,
    ):
        for entry in entries:
            key = folded(entry.name)
            found[key] = None if key in found else entry.name
            if len(found) >= LONGEST_FOLDER:
                break
    return found
