"""States of frozen rungs on disk: memory-mapped, unpadded, found again by every run on the same rows and weights."""

import contextlib
import fcntl
import hashlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from luthier.batches.examples import FlatExamples
from luthier.errors import InputError
from luthier.files import (
    cache_folder,
    clear,
    create,
    open_file,
    refuse_link_away,
    telling_disk_errors,
    unfinished,
    write_json,
)
from luthier.hashes import hash_file, hash_json
from luthier.models.ladder.prefix import States
from luthier.records import Name, VersionedRecord, read_record, sealed, stamped

FRESH = 60.0
"""Seconds for which a new file may have no lock yet."""


class CacheRecord(VersionedRecord):
    """The record beside a file of states, which is written once they are whole."""

    states_sha256: Name


def default_folder() -> Path:
    """The folder where states are kept if no other is named."""
    return cache_folder() / "prefix"


@dataclass(frozen=True)
class PrefixCache:
    """A folder of states, each a file of numbers under the hash of all that decides them. It may be deleted at any time."""

    folder: Path
    limit: float
    """Bytes that all files together may take; those not used for longest go first."""
    filling: dict[str, tuple[Path, int]] = field(default_factory=dict)
    """Open files of states that are not whole yet, by key. They are locked, so that other processes leave them alone."""
    damaged: list[str] = field(default_factory=list)
    """Sentences on files that are no longer what was written."""

    def key(self, stands_on: list[object], depth: int, examples: FlatExamples) -> str:
        """The name under which states are kept: a hash of all that decides them.

        stands_on: whatever else decides the numbers, such as the model's fingerprint and the precision.
        """
        rows = [hash_array(examples.ids), hash_array(examples.ends), hash_array(examples.first_part)]
        return hash_json([*stands_on, depth, *rows])[:32]

    def size(self, examples: FlatExamples, width: int, dtype: torch.dtype) -> int:
        """Bytes that the states of some examples take."""
        return len(examples.ids) * width * dtype.itemsize

    def holds(self, key: str) -> bool:
        """Whether whole states are there under a key."""
        return self.record_path(key).is_file() and self.states_path(key).is_file()

    def find(self, key: str, examples: FlatExamples, width: int, dtype: torch.dtype) -> States | None:
        """The states under a key, memory-mapped; None when they are not there, or not what was written."""
        path = self.states_path(key)
        try:
            written = read_record(self.record_path(key), CacheRecord, within=self.folder).states_sha256
            refuse_link_away(path, self.folder)
            if path.stat().st_size != self.size(examples, width, dtype) or hash_file(path) != written:
                raise ValueError("it is not what was written")
            os.utime(path)
        except FileNotFoundError:  # never written, or another process has made room
            return None
        except (InputError, OSError, ValueError) as error:
            self.damaged.append(f"{path}: cannot be believed ({error}); it is computed again.")
            return None
        found = States(examples, mapped(path, len(examples.ids), width, dtype))
        # Who makes room takes the record away before the states: as long as it is there, it is these that are mapped.
        return found if self.holds(key) else None

    def begin(self, key: str, examples: FlatExamples, width: int, dtype: torch.dtype) -> States:
        """States to be filled in; `finish` gives them their name."""
        with telling_disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self.make_room(self.size(examples, width, dtype))
            path = unfinished(self.folder / key)
            file = create(path, 0o644)
            self.filling[key] = path, file
            fcntl.flock(file, fcntl.LOCK_EX)  # as long as this process lives
            os.posix_fallocate(file, 0, max(1, self.size(examples, width, dtype)))
            return States(examples, mapped(path, len(examples.ids), width, dtype))

    def finish(self, key: str) -> None:
        """Say that the states are whole."""
        path, file = self.filling.pop(key)
        digest = hash_file(path)
        for place in (self.record_path(key), self.states_path(key)):
            if place.is_dir():
                clear(place)
        os.replace(path, self.states_path(key))
        write_json(
            self.record_path(key), sealed(stamped({"whole": True, "states_sha256": digest}, CacheRecord))
        )
        os.close(file)

    def give_up(self) -> None:
        """Drop the states that are not whole."""
        for key in list(self.filling):
            path, file = self.filling.pop(key)
            path.unlink(missing_ok=True)
            os.close(file)

    def states_path(self, key: str) -> Path:
        return self.folder / f"{key}.states"

    def record_path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def make_room(self, size: int) -> None:
        """Delete what killed processes left, and what was not used for longest, until `size` more bytes fit."""
        for path in self.folder.glob(".*.part"):
            drop_if_abandoned(path)
        known = []
        for path in self.folder.glob("*.states"):
            with contextlib.suppress(FileNotFoundError):  # another process makes room too
                known.append((path.stat().st_mtime, path.stat().st_size, path))
        held = sum(size for _, size, _ in known)
        for _, freed, path in sorted(known):
            if held + size <= self.limit:
                return
            held -= freed
            clear(path.with_suffix(".json"))
            clear(path)


def drop_if_abandoned(path: Path) -> None:
    """Delete unfinished states whose process has ended: nobody holds their lock any more."""
    with contextlib.suppress(FileNotFoundError, BlockingIOError, InputError), open_file(path) as file:
        if time.time() - path.stat().st_mtime > FRESH:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def mapped(path: Path, tokens: int, width: int, dtype: torch.dtype) -> torch.Tensor:
    """(tokens, width) numbers of a file, in memory only as they are read."""
    if tokens == 0:
        return torch.zeros(0, width, dtype=dtype)
    return torch.from_file(str(path), shared=True, size=tokens * width, dtype=dtype).view(tokens, width)


def hash_array(array: object) -> str:
    """SHA-256 of an array's bytes."""
    return hashlib.sha256(memoryview(array).cast("B")).hexdigest()  # type: ignore[arg-type]
