"""The bytes of an image's file: of a regular file alone, and of no more than an image can have."""

import os
import stat
from pathlib import Path

from luthier.data.raw_bytes import telling_read_errors
from luthier.errors import DataError

LARGEST_BYTES = 1 << 28
"""The most bytes of an image's file. An image of as many pixels as are decoded has fewer, unless it is hardly compressed."""


def image_bytes(path: Path) -> bytes:
    """The bytes of a whole file. Raises OSError where it cannot be had, DataError for what is no file or a very large one.

    It is opened without waiting: a pipe would wait for whoever writes to it, and a device may never end.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(path)
        if not stat.S_ISREG(found.st_mode):
            raise DataError(f"{path}: is a device or a pipe, no file. Replace or delete it.")
        if found.st_size > LARGEST_BYTES:
            raise DataError(too_many_bytes(str(path)))
        with telling_read_errors(path):
            raw = file.read(LARGEST_BYTES + 1)
    if len(raw) > LARGEST_BYTES:
        raise DataError(too_many_bytes(str(path)))
    return raw


def too_many_bytes(name: str) -> str:
    return f"{name}: has more than {LARGEST_BYTES >> 20} MB, which is too much for an image. Scale it down, or delete it."
