"""Files that are either whole or not there."""

import contextlib
import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from luthier.errors import DiskError


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


def write_bytes(path: Path, data: bytes, private: bool = False) -> None:
    """Write a file so that a reader, even after a power cut, sees the old one or the new one and nothing between.

    private: whether nobody but its owner may read it.
    """
    with telling_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with open(part, "wb") as file:
                if private:
                    os.fchmod(file.fileno(), 0o600)
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
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
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
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        shutil.rmtree(part, ignore_errors=True)
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
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    if path.exists():
        os.replace(path, old)
    try:
        os.replace(part, path)
    except BaseException:
        if old.exists():
            os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


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
