"""The safetensors files of a model folder: which they are, what their headers say, and what they hold."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from luthier.errors import ModelError, listing
from luthier.machine import available_bytes
from luthier.models.hub.json_file import read_object, telling_read_errors
from luthier.models.hub.regular import refuse_outside

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
GIT_LFS = b"version https://git-lfs"
"""The first bytes of the pointer that stands in for a large file until git has fetched it."""
PLAIN = ("F64", "F32", "F16", "BF16")
"""Number types that weights may have, as safetensors names them."""
CONVERTED = frozenset(PLAIN) - {"F32"}
"""Those of them that a model does not keep as they are."""


def weight_files(root: Path) -> list[Path]:
    """The safetensors files that hold a model's weights. Raises ModelError where there are none, or not all of them."""
    index, single = root / "model.safetensors.index.json", root / "model.safetensors"
    if index.is_file():
        file_of = read_object(index).get("weight_map")
        if not isinstance(file_of, dict) or not file_of:
            raise ModelError(
                f"{index}: has no weight_map, which names the weight files. Fetch or copy it again."
            )
        names = sorted(set(map(str, file_of.values())))
        for name in names:
            refuse_outside(root, name, index)
        others = [name for name in names if not name.endswith(".safetensors")]
        if others:
            raise ModelError(
                f"{index}: names {listing(others)}, and weights are read as safetensors alone. Fetch or copy it again."
            )
        missing = [name for name in names if not (root / name).is_file()]
        if missing:
            raise ModelError(
                f"{index}: names {listing(missing)}, which {root} does not hold. Fetch the missing files."
            )
        return [root / name for name in names]
    if single.is_file():
        return [single]
    pickled = pickles_in(root)
    if pickled:
        raise ModelError(
            f"{root}: holds its weights only as {pickled}. "
            "Convert it where you trust it: AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)"
        )
    raise ModelError(
        f"{root}: holds no weights (looked for model.safetensors). Fetch or copy the weight file."
    )


def pickles_in(folder: Path) -> str:
    """The weights that a folder holds as pickles, which nobody here opens, as a message names them; empty where it holds none."""
    names = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLES)
    return f"{listing(names)}, a pickle, which can run any code when it is opened" if names else ""


def read_shapes(root: Path, weights: Sequence[Path]) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors, from the headers of the safetensors files; each file's size checked against its header."""
    shapes: dict[str, tuple[int, ...]] = {}
    for file in weights:
        shapes |= read_header(file)
    room, total = available_bytes(), 4 * sum(math.prod(shape) for shape in shapes.values())
    if total > room:
        raise ModelError(
            f"{root}: its weights take {total / 1e9:,.1f} GB in fp32, and this machine has {room / 1e9:,.1f} GB of memory free. "
            "Choose a smaller model."
        )
    return shapes


def read_header(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes in one safetensors file. Raises ModelError when it is cut off or not what it claims."""
    with telling_read_errors(path):
        size = path.stat().st_size
        try:
            # It compares the header with the file's size, and each tensor's place with its shape; it reads no weight.
            with safe_open(path, framework="np") as file:
                shapes = {}
                for name in file.keys():  # noqa: SIM118 (it is no dictionary)
                    piece = file.get_slice(name)
                    refuse_quantised(path, name, piece.get_dtype())
                    shapes[name] = tuple(piece.get_shape())
                return shapes
        except SafetensorError as error:
            with open(path, "rb") as raw:
                if raw.read(len(GIT_LFS)) == GIT_LFS:
                    raise ModelError(
                        f"{path}: is a note of Git LFS in place of the weights. Fetch them: git lfs pull"
                    ) from None
            raise ModelError(
                f"{path}: is cut off or damaged: its {size:,} bytes are not those that a header promises. "
                "Fetch or copy it again."
            ) from error


def refuse_quantised(path: Path, name: str, kind: str) -> None:
    """Raise ModelError for a weight that is no plain number. kind: as safetensors names it."""
    if kind not in PLAIN and name.rsplit(".", 1)[-1] in ("weight", "bias"):
        raise ModelError(
            f"{path}: {name} is of the kind {kind}, as quantised weights are, and luthier tunes plain ones ({listing(PLAIN)}). "
            "Choose the model that they were made of."
        )


def read_weights(files: Sequence[Path], kept: bool = False) -> dict[str, Tensor]:
    """All tensors of some weight files, still on disk until they are used.

    kept: whether a model keeps those in fp32 as they are. They are read at once then: as long as one tensor of a mapped file is
    used all its pages stay in memory, those of weights that training has put elsewhere too.
    """
    found: dict[str, Tensor] = {}
    for path in files:
        with telling_read_errors(path):
            whole = kept and not CONVERTED & kinds_in(path)
            with safe_open(path, framework="pt", backend="pread" if whole else "mmap") as file:
                found |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dictionary)
    return found


def kinds_in(path: Path) -> set[str]:
    """The kinds of numbers of a file's tensors, as safetensors names them."""
    with safe_open(path, framework="np") as file:
        return {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 (it is no dictionary)


def refuse_not_finite(where: Path, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Raise ModelError for a weight that is no number, or infinite: nothing that is computed with it means anything."""
    for name, tensor in tensors:
        if tensor.is_floating_point() and not all_finite(tensor):
            strange = int((~torch.isfinite(tensor)).sum())
            raise ModelError(
                f"{where}: {name} holds {strange:,} of {tensor.numel():,} weights that are not finite numbers. The "
                "file is damaged, "
                "or the training that made it went astray: fetch it again, or choose another model."
            )


def all_finite(tensor: Tensor) -> bool:
    """Whether all numbers are finite, told by the smallest and the largest, without a copy of the tensor."""
    return not tensor.numel() or bool(torch.isfinite(torch.stack(tensor.aminmax())).all())
