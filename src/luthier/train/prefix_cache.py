"""States of frozen rungs on disk: memory-mapped, unpadded, found again by every run on the same rows and weights."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from luthier.batches.text_examples import TextExamples
from luthier.files import telling_disk_errors, write_json
from luthier.hashes import hash_json
from luthier.models.prefix import States


def default_folder() -> Path:
    """luthier in the user's cache folder, as the XDG base directory specification names it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "luthier" / "prefix"


@dataclass(frozen=True)
class PrefixCache:
    """A folder of states, each a file of numbers under the hash of all that decides them. It may be deleted at any time."""

    folder: Path
    limit: float
    """Bytes that all files together may take; those not used for longest go first."""

    def key(self, stands_on: list[object], depth: int, examples: TextExamples) -> str:
        """stands_on: whatever else decides the numbers, such as the model's fingerprint and the precision."""
        rows = [hash_array(examples.ids), hash_array(examples.ends), hash_array(examples.first_part)]
        return hash_json([*stands_on, depth, *rows])[:32]

    def size(self, examples: TextExamples, width: int, dtype: torch.dtype) -> int:
        """Bytes that the states of some examples take."""
        return len(examples.ids) * width * dtype.itemsize

    def holds(self, key: str) -> bool:
        """Whether whole states are there under a key."""
        return (self.folder / f"{key}.json").is_file() and (self.folder / f"{key}.states").is_file()

    def find(self, key: str, examples: TextExamples, width: int, dtype: torch.dtype) -> States | None:
        """The states under a key, memory-mapped; None when they are not there or not whole."""
        path = self.folder / f"{key}.states"
        size = self.size(examples, width, dtype)
        if not self.holds(key) or path.stat().st_size != size:
            return None
        os.utime(path)
        return States(examples, mapped(path, len(examples.ids), width, dtype))

    def begin(self, key: str, examples: TextExamples, width: int, dtype: torch.dtype) -> States:
        """States to be filled in; `finish` gives them their name."""
        with telling_disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self.make_room(self.size(examples, width, dtype))
            path = self.unfinished(key)
            with open(path, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, max(1, self.size(examples, width, dtype)))
            return States(examples, mapped(path, len(examples.ids), width, dtype))

    def finish(self, key: str) -> None:
        """Say that the states are whole."""
        os.replace(self.unfinished(key), self.folder / f"{key}.states")
        write_json(self.folder / f"{key}.json", {"whole": True})

    def unfinished(self, key: str) -> Path:
        return self.folder / f".{key}.{os.getpid()}.part"

    def make_room(self, size: int) -> None:
        """Delete what was not used for longest until `size` more bytes fit."""
        files = sorted(self.folder.glob("*.states"), key=lambda path: path.stat().st_mtime)
        held = sum(path.stat().st_size for path in files)
        for path in files:
            if held + size <= self.limit:
                return
            held -= path.stat().st_size
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink(missing_ok=True)


def mapped(path: Path, tokens: int, width: int, dtype: torch.dtype) -> torch.Tensor:
    """(tokens, width) numbers of a file, in memory only as they are read."""
    if tokens == 0:
        return torch.zeros(0, width, dtype=dtype)
    return torch.from_file(str(path), shared=True, size=tokens * width, dtype=dtype).view(tokens, width)


def hash_array(array: object) -> str:
    """SHA-256 of an array's bytes."""
    return hashlib.sha256(memoryview(array).cast("B")).hexdigest()  # type: ignore[arg-type]
