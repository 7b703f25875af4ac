"""A GGUF file opened once: a folder of transformers, kept under the file's hash, which every later run opens in its place."""

import contextlib
import fcntl
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints

from luthier.errors import DiskError, InputError, WorldError
from luthier.files import cache_folder, clear, open_lock, whole_folder, why_no_folder
from luthier.hashes import hash_file
from luthier.models.hub.gguf_header import GgufHeader, read_gguf_header
from luthier.models.hub.gguf_llama import PLAIN, check_tensors, llama_config, llama_weights
from luthier.models.hub.gguf_tokenizer import tokenizer_of
from luthier.models.hub.json_file import telling_read_errors
from luthier.records import Count, Name, VersionedRecord, read_sealed, sealed, stamped, write_sealed

ENDING = ".gguf"
ORIGIN = "luthier-origin.json"
"""The file of a folder that says which GGUF file it was made of."""
MADE = 1
"""Which way of making a folder of a file: a change of it opens all files anew."""


Kind = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,8}[0-9][A-Z0-9_]{0,12}$")]
"""A type of numbers as ggml names it, with its bits."""


class OriginRecord(VersionedRecord):
    """luthier-origin.json: what a folder was made of, and what it held when it was whole."""

    gguf: Name
    """SHA-256 of the GGUF file."""
    weights: dict[Kind, Count]
    """How many weights there are of each type, as ggml names the types."""
    files: dict[str, str]
    """SHA-256 of each file of a kept folder but for this one; none in a model that was tuned from it."""


@dataclass(frozen=True)
class Origin:
    """What the weights of a folder were before they were plain numbers."""

    kinds: tuple[tuple[str, float], ...]
    """The types that were quantised, as ggml names them, with their shares of all weights; the largest first."""

    @property
    def bits(self) -> int:
        """Bits of the type that most of the quantised weights are of.

        >>> Origin((("Q4_1", 0.79), ("Q8_0", 0.21))).bits, Origin((("IQ2_XXS", 1.0),)).bits
        (4, 2)
        """
        found = re.search(r"\d", self.kinds[0][0])
        assert found is not None, "a quantised type has its bits in its name"
        return int(found[0])

    def words(self) -> str:
        """Say where the weights come from.

        >>> Origin((("Q4_1", 0.79), ("Q8_0", 0.21))).words()
        'its weights come from 4 bits (GGUF: Q4_1 79 %, Q8_0 21 %)'
        """
        shares = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in self.kinds)
        return f"its weights come from {self.bits} bits (GGUF: {shares})"


def origin_of(folder: Path) -> Origin | None:
    """What the weights of a folder were quantised to; None where they were not, or nobody says."""
    try:
        record, _ = read_sealed(folder / ORIGIN, OriginRecord, within=folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    total = sum(record.weights.values()) or 1
    kinds = ((kind, count / total) for kind, count in record.weights.items() if count and kind not in PLAIN)
    found = tuple(sorted(kinds, key=lambda kind: -kind[1]))
    return Origin(found) if found else None


def made_of_gguf(folder: Path) -> bool:
    """Whether a folder is one that was made of a GGUF file and kept."""
    return folder.parent == cache_folder() / "gguf"


def carry_origin(source: Path, target: Path) -> None:
    """Write into a model's folder what the weights that it was tuned from were made of, where that is known."""
    try:
        record, _ = read_sealed(source / ORIGIN, OriginRecord, within=source)
    except (FileNotFoundError, NotADirectoryError):
        return
    write_sealed(target / ORIGIN, OriginRecord(gguf=record.gguf, weights=record.weights, files={}))


def opened_gguf(file: Path) -> Path:
    """The folder of a GGUF file, made of it where nobody has yet, or where what was made is damaged.

    Raises ModelError for a file that cannot be opened, DiskError where the folder cannot be kept.
    """
    digest = digest_of(file)
    folder = kept_at(digest)
    if is_sound(folder):
        return folder
    with making(file, folder):
        if not is_sound(folder):  # another process may have made it meanwhile
            make_folder(file, digest, folder)
    return folder


def what_making_takes(file: Path, name: str) -> str | None:
    """What to tell before a folder is made of a GGUF file; None where it is there. name: what the user calls the file."""
    folder = kept_at(digest_of(file))
    if is_sound(folder):
        return None
    if folder.is_dir():
        return (
            f"{folder}: is not what was written there. It is made of {name} once more, which takes a while."
        )
    return f"{name}: a GGUF file is opened once, which takes a while. What comes of it is kept in {folder}."


def digest_of(file: Path) -> str:
    """SHA-256 of a file, which a process reads once as long as nobody writes to the file."""
    with telling_read_errors(file):
        about = file.stat()
        return digest_as_it_is(file, about.st_size, about.st_mtime_ns)


@lru_cache
def digest_as_it_is(file: Path, size: int, written: int) -> str:
    """SHA-256 of a file of a size that was last written at a time, in nanoseconds."""
    return hash_file(file)


def kept_at(digest: str) -> Path:
    """The folder for a file of such a hash."""
    return cache_folder() / "gguf" / f"{digest[:32]}-{MADE}"


def is_sound(folder: Path) -> bool:
    """Whether a folder is there, and is what was written."""
    try:
        record, was_sealed = read_sealed(folder / ORIGIN, OriginRecord, within=folder)
        return (
            was_sealed
            and bool(record.files)
            and all(digest_of(folder / name) == digest for name, digest in record.files.items())
        )
    except (InputError, WorldError, OSError):  # not there, or not what was written
        return False


@contextlib.contextmanager
def making(file: Path, folder: Path) -> Iterator[None]:
    """Inside, no other process makes the same folder: it waits until this one has. Raises DiskError where nothing can be kept."""
    why_not = why_no_folder(folder)
    if why_not is not None:
        raise DiskError(
            f"{file}: is opened once, and what comes of it cannot be kept in {folder}: {why_not}. Name another folder for all "
            "that is kept by the environment variable XDG_CACHE_HOME."
        )
    with open_lock(folder.with_suffix(".lock")) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks: both make it, and both alike
        else:
            for left in folder.parent.glob(f".{folder.name}.*"):  # by a process that was killed
                clear(left)
        yield


def make_folder(file: Path, digest: str, folder: Path) -> None:
    """Write the folder of a GGUF file, whole or not at all. The same file gives the same bytes."""
    header = read_gguf_header(file)
    config = llama_config(header)
    check_tensors(header, config)
    tokenizer = tokenizer_of(header)
    weights = llama_weights(header, config)
    generation = {key: value for key, value in config.items() if key.endswith("_token_id")}
    texts = {
        "config.json": as_json(config),
        "generation_config.json": as_json(generation),
        "tokenizer.json": tokenizer.tokenizer,
        "tokenizer_config.json": as_json(tokenizer.settings),
    }
    if tokenizer.template is not None:
        texts["chat_template.jinja"] = tokenizer.template
    with whole_folder(folder) as part:
        from safetensors.torch import save_file

        for name, text in texts.items():
            (part / name).write_text(text, encoding="utf-8")
        save_file(weights, part / "model.safetensors", metadata={"format": "pt"})
        sums = {name: hash_file(part / name) for name in (*texts, "model.safetensors")}
        record = OriginRecord(gguf=digest, weights=weights_by_kind(header), files=sums)
        told = sealed(stamped(record.to_json(), OriginRecord))
        (part / ORIGIN).write_text(as_json(told), encoding="utf-8")


def weights_by_kind(header: GgufHeader) -> dict[str, int]:
    """How many weights a file has of each type."""
    found: Counter[str] = Counter()
    for tensor in header.tensors.values():
        found[tensor.kind] += tensor.numbers
    return dict(sorted(found.items()))


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
