"""Files that are either whole or not there, and nothing but files: no pipe is waited for, no link is written through."""

import contextlib
import errno
import fcntl
import json
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from luthier.errors import DiskError, InputError

LEFTOVER = re.compile(r"\..+\.[0-9a-f]+\.(part|old)")
"""The form of the names of files that were being written, or about to be deleted, when a command was killed."""
ROOM = "x" * 100 + "/" + "x" * 150
"""A name as long as the longest that a run puts below its folder."""
LONGEST_STEM = 100
"""The most characters of a file's name that stand in the name of its unfinished form, so that it does not grow too long."""
PATIENCE = 0.2
"""Seconds for which a process that only looks may hold a lock."""
STRANGE = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def open_file(path: Path, within: Path | None = None) -> BufferedReader:
    """Open a file to read it. A pipe, a socket, a device or a folder in its place is refused at once, never waited for.

    within: the folder that it may not leave by a link.  Raises FileNotFoundError as `open` does.
    """
    if within is not None:
        refuse_link_away(path, within)
    try:
        file = open(path, "rb", opener=without_waiting)  # noqa: SIM115  the caller closes it
    except IsADirectoryError:
        raise not_a_file(path, stat.S_IFDIR) from None
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket cannot be opened at all
            raise not_a_file(path, stat.S_IFSOCK) from None
        raise
    kind = stat.S_IFMT(os.fstat(file.fileno()).st_mode)
    if kind != stat.S_IFREG:
        file.close()
        raise not_a_file(path, kind)
    return file


def without_waiting(path: str, flags: int) -> int:
    """Open a file without waiting, even a pipe that nobody writes to."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def not_a_file(path: Path, kind: int) -> InputError:
    return InputError(
        f"{path}: is {STRANGE.get(kind, 'no file')}, and a file is expected here. Put the file itself in its place."
    )


def refuse_link_away(path: Path, within: Path) -> None:
    """Raise InputError where a path leads out of a folder: what lies elsewhere is not what was written there."""
    real, root = os.path.realpath(path), os.path.realpath(within)
    if os.path.commonpath([real, root]) != root:
        raise InputError(
            f"{path}: is a link that leaves {within}, to {real}, and is not followed. Put the file itself in its place."
        )


def refuse_links_away(folder: Path, within: Path) -> None:
    """Raise InputError for a link somewhere in a folder that leads out of `within`."""
    for place, folders, files in os.walk(folder):
        for path in (Path(place, name) for name in (*folders, *files)):
            if path.is_symlink():
                refuse_link_away(path, within)


def refuse_strange_file(path: Path, within: Path) -> None:
    """Raise InputError where something stands in the place of a file that is none, or that lies elsewhere."""
    if path.is_symlink():
        refuse_link_away(path, within)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        kind = stat.S_IFMT(os.stat(path).st_mode)
        if kind != stat.S_IFREG:
            raise not_a_file(path, kind)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """A lock for the block, which the system takes back when this process ends; False where another process has it.

    On a file system without locks there is none: it counts as ours.
    """
    with open_lock(path) as descriptor:
        yield take_lock(descriptor, fcntl.LOCK_EX)


def is_locked(path: Path) -> bool:
    """Whether some process has the lock of a file, which need not be there."""
    if not path.exists():
        return False
    with open_lock(path) as descriptor:
        return not take_lock(descriptor, fcntl.LOCK_SH)


@contextlib.contextmanager
def open_lock(path: Path) -> Iterator[int]:
    """The descriptor of a file that is there to be locked, through no link and never waited for."""
    with telling_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o644)
    try:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
        if kind != stat.S_IFREG:
            raise not_a_file(path, kind)
        yield descriptor
    finally:
        os.close(descriptor)


def take_lock(descriptor: int, how: int) -> bool:
    """Take a lock; False where another process has it, and keeps it."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
                raise
            return True
        else:
            return True


def cache_folder() -> Path:
    """luthier in the user's cache folder, as the XDG base directory specification names it. It may be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "luthier"


@contextlib.contextmanager
def telling_disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into a sentence that says which folder and what to do."""
    try:
        yield
    except Exception as raised:
        error = disk_error(raised)
        if error is None:
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(existing_parent(path)).free
            raise DiskError(
                f"{path}: the disk is full ({free / 1e6:,.0f} MB free). Everything finished before is kept; "
                "free some space and give the same command again."
            ) from raised
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise DiskError(
                f"{path}: no permission to write here. Choose another folder with --out."
            ) from raised
        raise DiskError(f"{path}: cannot be written ({error.strerror or error}).") from raised


def disk_error(error: Exception) -> OSError | None:
    """What the disk refused, if that is what an error tells; safetensors and tokenizers tell it in words only.

    >>> disk_error(ValueError("I/O error: No space left on device (os error 28)"))
    OSError(28, 'No space left on device')
    """
    if isinstance(error, OSError):
        return error
    number = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else None


def existing_parent(path: Path) -> Path:
    """The nearest folder above `path` (or `path` itself) that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def why_no_folder(path: Path) -> str | None:
    """Why a folder cannot be made, or written into where it is there; None where it can. Leaves nothing behind.

    It is tried, as only that tells what a disk, its owner and its limits say.
    """
    try:
        os.fsencode(path)
        str(path).encode()  # which reports and records spell it in
    except UnicodeEncodeError:
        return "its name holds what is no letter in UTF-8"
    if "\0" in str(path):
        return "its name holds a NUL"
    try:
        parent = existing_parent(path)
        if not parent.is_dir():
            return f"{parent} is no folder"
        trial = unfinished(parent / "out")
        missing = [name for name in path.relative_to(parent).parts if name != ".."]
        if missing and os.path.lexists(parent / missing[0]):
            return f"{parent / missing[0]} is a link to what is not there"
        trial.mkdir()
        try:
            for name in missing:  # each name on its own: how long it may be follows from where it is to stand
                place = trial / name
                place.mkdir()
                place.rmdir()
            os.lstat(path / ROOM)
        except FileNotFoundError:
            pass  # as it should be: only its length was asked for
        finally:
            trial.rmdir()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def write_bytes(path: Path, data: bytes, private: bool = False) -> None:
    """Write a file so that a reader, even after a power cut, sees the old one or the new one and nothing between.

    private: whether nobody but its owner may read it.
    """
    with telling_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = unfinished(path)
        try:
            with os.fdopen(create(part, 0o600 if private else 0o666), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write by its path; it takes its name only when the block ends well, as with `write_bytes`."""
    with telling_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = unfinished(path)
        try:
            os.close(create(part))  # before anybody else can lay a link there
            yield part
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_text(path: Path, text: str, private: bool = False) -> None:
    write_bytes(path, text.encode(), private)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill; it takes its name only when the block ends well, replacing an older one of that name."""
    with telling_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = unfinished(path)
        part.mkdir()
        try:
            yield part
            for file in part.rglob("*"):
                if file.is_file():
                    with open(file, "rb+") as opened:
                        os.fsync(opened.fileno())
            take_name(part, path)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        sync_folder(path.parent)


def take_name(part: Path, path: Path) -> None:
    """Rename the folder `part` to `path`; a folder of that name goes, but only once the new one stands."""
    old = unfinished(path, "old")
    there = os.path.lexists(path)
    if there:
        os.replace(path, old)
    try:
        os.replace(part, path)
    except BaseException:
        if there:
            os.replace(old, path)
        raise
    clear(old)


def clear(path: Path) -> None:
    """Remove whatever stands under a name; of a link the link alone. A folder loses its name first: a kill leaves all of it, or
    none under that name."""
    if path.is_dir() and not path.is_symlink():
        old = path if LEFTOVER.fullmatch(path.name) else unfinished(path, "old")
        if old != path:
            os.replace(path, old)
        shutil.rmtree(old, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what killed commands have left half written."""
    for path in [path for path in folder.rglob(".*") if LEFTOVER.fullmatch(path.name)]:
        clear(path)


def unfinished(path: Path, ending: str = "part") -> Path:
    """A name beside `path` that nobody can foresee, for what is not to be seen under its own name."""
    return path.with_name(f".{path.name[:LONGEST_STEM]}.{secrets.token_hex(8)}.{ending}")


def create(path: Path, mode: int = 0o666) -> int:
    """Open a new file to write it: one that is there already is an error, and so is a link."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` last through a power cut; file systems that cannot sync a folder are left alone."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a large file a second name, as it is only ever replaced whole; copy the log, which grows, and where links fail."""
    try:
        if source.suffix == ".safetensors":
            os.link(source, target)
            return
    except OSError:
        pass  # another file system: it is copied
    shutil.copyfile(source, target)
