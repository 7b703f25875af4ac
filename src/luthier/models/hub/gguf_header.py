"""The header of a GGUF file: what it says of a model, and where its tensors stand, each length compared with the file's own."""

import mmap
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

from luthier.errors import ModelError, PlanError
from luthier.files import open_file
from luthier.models.hub.json_file import telling_read_errors
from luthier.models.hub.weight_files import GIT_LFS

MAGIC = b"GGUF"
VERSIONS = (2, 3)
"""The versions that are read: the first counted in 32 bits, and nobody has written it since 2023."""
SHORTEST = 24
"""The bytes before the first key: the magic bytes, the version and two counts."""
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""The types of values that are a number, with their letters in `struct`."""
TEXT, ARRAY = 8, 9
MOST_KEYS = 10_000
MOST_TENSORS = 100_000
MOST_ENTRIES = 2**22
"""The most entries of an array: the largest vocabularies have less than a tenth of it."""
MOST_LETTERS = 2**24
"""The most bytes of a text, such as the template of a conversation."""
MOST_DIMENSIONS = 4
ALIGNMENT = 32
"""The bytes to whose multiples tensors are moved, where the file does not say otherwise."""
AGAIN = "Fetch or copy it again."
ORIGINAL = "Give the folder or the hub name of the model that it was made of: --model FOLDER"


@dataclass(frozen=True)
class GgufTensor:
    """A tensor of a GGUF file, which nobody has read yet."""

    kind: str
    """The type of its numbers as ggml names it, such as F32 or Q4_1."""
    shape: tuple[int, ...]
    """As torch counts dimensions: the last one moves fastest."""
    begins: int
    """The byte of the file with which it begins."""
    bytes: int

    @property
    def numbers(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of itself, in agreement with its size."""

    path: Path
    values: dict[str, Any]
    tensors: dict[str, GgufTensor]

    def value(self, key: str, kind: type | tuple[type, ...], otherwise: Any = None) -> Any:
        """The value of a key, which has to be of such a type; `otherwise` where there is none.

        Raises ModelError for a value of another type, which is nonsense.
        """
        found = self.values.get(key)
        if found is None:
            return otherwise
        if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
            raise ModelError(f"{self.path}: {key} is {str(repr(found))[:60]}, which it cannot be. {AGAIN}")
        return found


def gguf_library(path: Path) -> ModuleType:
    """The gguf package. Raises PlanError where it is not installed. path: the file that needs it, for the message."""
    try:
        import gguf
    except ImportError as error:
        raise PlanError(
            f"{path}: is a GGUF file, which needs the package gguf, and that is not installed. Install it: "
            'pip install "luthier[gguf]"'
        ) from error
    return gguf


def read_gguf_header(path: Path) -> GgufHeader:
    """The header of a GGUF file. Raises ModelError for what is none, is cut off, or promises more than the file has.

    gguf's own reader believes a header: a count that is too large keeps it busy for ever. So this one comes first.
    """
    gguf = gguf_library(path)
    kinds = {
        int(kind): (kind.name, *sizes) for kind, sizes in gguf.constants.GGML_QUANT_SIZES.items()
    }  # name, numbers of a block, bytes of a block
    with telling_read_errors(path), open_file(path) as file:
        size = path.stat().st_size
        begins = file.read(max(len(MAGIC), len(GIT_LFS)))
        if begins == GIT_LFS:
            raise ModelError(f"{path}: is a note of Git LFS in place of the model. Fetch it: git lfs pull")
        if begins[: len(MAGIC)] != MAGIC:
            raise ModelError(
                f"{path}: is no GGUF file: it begins with {begins[: len(MAGIC)]!r}, and {MAGIC!r} is expected. {AGAIN}"
            )
        if size < SHORTEST:
            raise ModelError(
                f"{path}: is cut off: it has {size} bytes, and the header alone takes more. {AGAIN}"
            )
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return Walk(path, data, size).header(kinds)


class Walk:
    """A walk through a file's header. It looks at no byte behind the end, and at no more of them than a header has."""

    def __init__(self, path: Path, data: mmap.mmap, size: int) -> None:
        self.path = path
        self.data = data
        self.size = size
        self.at = len(MAGIC)

    def header(self, kinds: dict[int, tuple[str, int, int]]) -> GgufHeader:
        """The whole header. kinds: name, and numbers and bytes of a block, by the number that ggml gives a type."""
        version = self.number("I", "the version")
        if version not in VERSIONS:
            other = " It may be of a machine with the other order of bytes." if version & 0xFFFF == 0 else ""
            raise ModelError(
                f"{self.path}: is GGUF of version {version:,}, and luthier reads versions 2 and 3.{other} Write it again with "
                "llama.cpp's convert_hf_to_gguf.py."
            )
        tensors = self.count("Q", "the number of tensors", MOST_TENSORS)
        keys = self.count("Q", "the number of keys", MOST_KEYS)
        values: dict[str, Any] = {}
        for _ in range(keys):
            key = self.text("the name of a key")
            values[key] = self.value(self.number("I", f"the type of {key}"), key)
        listed = [self.tensor(kinds) for _ in range(tensors)]
        alignment = values.get("general.alignment", ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise ModelError(
                f"{self.path}: general.alignment is {str(repr(alignment))[:60]}. Expected a power of two. {AGAIN}"
            )
        start = -(-self.at // alignment) * alignment
        placed = {
            name: GgufTensor(kind, shape, start + offset, size) for name, kind, shape, offset, size in listed
        }
        if len(placed) < len(listed):
            raise ModelError(f"{self.path}: holds two tensors of one name. {AGAIN}")
        for name, tensor in placed.items():
            self.reach(tensor.begins, tensor.bytes, f"the tensor {name[:80]}")
        return GgufHeader(self.path, values, placed)

    def reach(self, begins: int, length: int, what: str) -> None:
        """Raise ModelError for something that would end behind the end of the file."""
        if begins + length > self.size:
            raise ModelError(
                f"{self.path}: is cut off or damaged: its header has {what} end at byte {begins + length:,}, and the file has "
                f"{self.size:,}. {AGAIN}"
            )

    def number(self, letter: str, what: str) -> Any:
        """The number that is next. letter: its type in `struct`."""
        width = struct.calcsize("<" + letter)
        self.reach(self.at, width, what)
        (found,) = struct.unpack_from("<" + letter, self.data, self.at)
        self.at += width
        return found

    def count(self, letter: str, what: str, most: int) -> int:
        """The number that is next, which counts something. Raises ModelError for more than there can be."""
        found = int(self.number(letter, what))
        if found > most:
            raise ModelError(
                f"{self.path}: {what} is {found:,}, and {most:,} is the most there can be. {AGAIN}"
            )
        return found

    def text(self, what: str) -> str:
        length = self.count("Q", f"the length of {what}", MOST_LETTERS)
        self.reach(self.at, length, what)
        begins, self.at = self.at, self.at + length
        try:
            return self.data[begins : self.at].decode("utf-8")
        except UnicodeDecodeError as error:
            raise ModelError(f"{self.path}: {what} is no text in UTF-8 ({error.reason}). {AGAIN}") from error

    def value(self, kind: int, key: str) -> Any:
        """The value of a key: a number, a text, or a list of either."""
        if kind in NUMBERS:
            return self.number(NUMBERS[kind], key)
        if kind == TEXT:
            return self.text(key)
        if kind != ARRAY:
            raise ModelError(f"{self.path}: {key} is of the type {kind:,}, which GGUF does not have. {AGAIN}")
        kind = self.number("I", f"the type of {key}")
        entries = self.count("Q", f"the length of {key}", MOST_ENTRIES)
        if kind == TEXT:
            return [self.text(key) for _ in range(entries)]
        if kind not in NUMBERS:
            raise ModelError(
                f"{self.path}: {key} is a list of the type {kind:,}, which nobody writes. {AGAIN}"
            )
        form = f"<{entries}{NUMBERS[kind]}"
        self.reach(self.at, struct.calcsize(form), key)
        found = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return list(found)

    def tensor(self, kinds: dict[int, tuple[str, int, int]]) -> tuple[str, str, tuple[int, ...], int, int]:
        """Name, type, shape, place behind the header, and bytes of the tensor that is next."""
        name = self.text("the name of a tensor")
        count = self.count("I", f"the number of dimensions of {name[:80]}", MOST_DIMENSIONS)
        shape = tuple(self.number("Q", f"the shape of {name[:80]}") for _ in range(count))[::-1]
        number = self.number("I", f"the type of {name[:80]}")
        if number not in kinds:
            raise ModelError(
                f"{self.path}: {name[:80]} is of the type {number:,}, which the installed gguf does not know. Install a newer "
                "one: pip install --upgrade gguf"
            )
        kind, block, block_bytes = kinds[number]
        if not shape or shape[-1] % block:
            raise ModelError(
                f"{self.path}: {name[:80]} has the shape {shape}, and {kind} comes in blocks of {block}. {AGAIN}"
            )
        offset = self.number("Q", f"the place of {name[:80]}")
        return name, kind, shape, offset, prod(shape) // block * block_bytes
