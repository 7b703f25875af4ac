"""Which files of a model folder may be opened: regular ones, of a bearable size, that lie inside of it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from luthier.errors import ModelError, WorldError

READ = (".safetensors", ".json", ".txt", ".model", ".jinja")
"""Endings of the files that luthier or transformers reads in a model folder."""
LARGEST = {"tokenizer.json": 40 * 2**20, ".json": 20 * 2**20}
"""The most bytes that a file may have, by its name or its ending: known ones have less than half of it, and JSON takes thirty
times its size in memory."""
LARGEST_OTHER = 100 * 2**20
"""The most bytes of any other file, such as a vocabulary or a template."""


def files_of(root: Path) -> list[Path]:
    """The files below a model folder, in order; hidden folders, such as git's own, belong to other programs.

    Raises ModelError for what is no regular file, for a link that leaves the folder, and for what is too large to be what its
    name says. In inner folders, which may be other programs' as well, only of what has the name of a model's file.
    """
    return list(files_below(root, places(root)))


def files_below(folder: Path, within: tuple[Path, ...], inner: bool = False) -> Iterator[Path]:
    for entry in entries(folder):
        path = folder / entry.name
        if inner and path.suffix not in READ and not entry.is_dir(follow_symlinks=False):
            continue
        if entry.is_symlink():
            refuse_stray_link(path, within)
        kind = path.stat().st_mode
        if not stat.S_ISDIR(kind):
            refuse_strange(path, kind)
            yield path
        elif path.suffix in READ:
            raise ModelError(f"{path}: is a folder, and a file is expected there. Fetch or copy it again.")
        elif not entry.is_symlink() and not entry.name.startswith("."):
            yield from files_below(path, within, inner=True)


def entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise WorldError(
            f"{folder}: cannot be read ({error.strerror or error}). Ask its owner, or copy it to a place of your own."
        ) from error


def places(root: Path) -> tuple[Path, ...]:
    """Where the links of a model folder may lead: into the folder itself, or, from the hub's cache, into the same model's blobs.

    >>> places(Path("/c/models--me--it/snapshots/1f"))
    (PosixPath('/c/models--me--it/snapshots/1f'), PosixPath('/c/models--me--it/blobs'))
    """
    here = root.resolve()
    for above in here.parents:
        if above.name == "snapshots" and above.parent.name.startswith("models--"):
            return here, above.parent / "blobs"
    return (here,)


def refuse_stray_link(path: Path, within: tuple[Path, ...]) -> None:
    """Raise ModelError for a link that leads out of a model folder, or nowhere."""
    try:
        target = path.resolve(strict=True)
    except (
        OSError,
        RuntimeError,
    ) as error:  # RuntimeError: links in a circle, as Python 3.11 and 3.12 tell it
        raise ModelError(
            f"{path}: is a link to {os.readlink(path)}, and that is not there. Copy the file itself to its place."
        ) from error
    if not any(target.is_relative_to(place) for place in within):
        raise ModelError(
            f"{path}: is a link that leads out of the model's folder, to {target}. luthier opens nothing beside a "
            "model's folder: "
            "copy the file itself to its place."
        )


def refuse_strange(path: Path, kind: int) -> None:
    """Raise ModelError for what is no regular file, or too large for what it is. kind: its `st_mode`."""
    if not stat.S_ISREG(kind):
        names = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
        raise ModelError(
            f"{path}: is {names.get(stat.S_IFMT(kind), 'a device')}, not a file. Remove it from the model's folder, "
            "or copy the "
            "file that belongs there."
        )
    most = LARGEST.get(path.name) or LARGEST.get(path.suffix) or LARGEST_OTHER
    if path.suffix in READ and path.suffix != ".safetensors" and path.stat().st_size > most:
        raise ModelError(
            f"{path}: has {path.stat().st_size / 2**20:,.0f} MB, and luthier reads {most / 2**20:,.0f} MB of such a "
            "file at the "
            "most. Fetch or copy it again."
        )


def refuse_outside(root: Path, name: str, told_by: Path) -> None:
    """Raise ModelError for a name of a file or folder that leads out of a model folder. told_by: the file that names it."""
    parts = PurePosixPath(name).parts
    if name.startswith(("/", "\\", "~")) or ".." in parts or "\\" in name or "\0" in name or ":" in name:
        raise ModelError(
            f"{told_by}: names {name!r}, which may lie outside of {root}. luthier opens nothing beside a model's "
            "folder: copy what "
            "it names into the folder, and name it from there."
        )
