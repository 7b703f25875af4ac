"""What a model folder holds, found out before any weight is loaded: safe to open, whole, of the shape it claims."""

import json
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.errors import ModelError, listing
from luthier.hashes import hash_file, hash_json

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "spm.model", "spiece.model", "tokenizer.model",
              "sentencepiece.bpe.model")  # fmt: skip
POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}
SENTENCE_MODULES = {"Transformer", "Pooling", "Normalize", "Dense"}
"""The modules of a sentence-transformers folder that luthier knows; anything else may be code from elsewhere."""


@dataclass(frozen=True)
class Folder:
    """A model folder that may be opened."""

    name: str
    """As the user called it."""
    path: Path
    config: dict[str, Any]
    pooling: str | None
    """`mean`, `cls` or `max` where the folder declares one, as sentence-transformers folders do."""
    max_tokens: int | None
    """Longest text as the folder declares it; the tokenizer and the architecture may set a lower limit."""
    lower_case: bool
    """Whether the folder asks for texts in lower case beyond what its tokenizer does."""
    tensors: dict[str, tuple[int, ...]]
    """Shape of each tensor in the weight files."""

    @property
    def family(self) -> str:
        return str(self.config["model_type"])

    def fingerprint(self) -> str:
        """Hash of all that decides what the model computes: weights, settings, vocabulary."""
        return hash_json(
            {
                str(file.relative_to(self.path)): hash_file(file)
                for file in sorted(self.path.rglob("*"))
                if file.suffix in (".safetensors", ".json", ".txt", ".model") and file.name != "luthier.json"
            }
        )


def inspect_folder(name: str, path: Path) -> Folder:
    """Read the settings and the weight files' headers; raise ModelError, with the mend, for what cannot or must not be loaded."""
    modules = sentence_modules(path)
    root = path / modules[0].get("path", "") if modules else path
    config = read_json(root / "config.json", missing=f"{path}: holds no config.json, so it is not a model folder of transformers.")
    refuse_custom_code(root, config)
    if "model_type" not in config:
        raise ModelError(f"{root / 'config.json'}: names no model_type, so the architecture is not known. Add it.")
    if not any((root / file).is_file() for file in TOKENIZERS):
        raise ModelError(
            f"{root}: holds no tokenizer (looked for {listing(TOKENIZERS)}). Copy the tokenizer's files beside the weights: "
            "AutoTokenizer.from_pretrained(...).save_pretrained(FOLDER)"
        )
    tensors = read_shapes(root)
    pooling, max_tokens, lower_case = None, None, False
    for module in modules:
        kind = module["type"].rsplit(".", 1)[-1]
        if kind == "Pooling":
            pooling = declared_pooling(path / module["path"] / "config.json")
    if modules and (root / "sentence_bert_config.json").is_file():
        sentence = read_json(root / "sentence_bert_config.json", missing="")
        max_tokens, lower_case = sentence.get("max_seq_length"), bool(sentence.get("do_lower_case"))
    return Folder(name, root, config, pooling, max_tokens, lower_case, tensors)


def sentence_modules(path: Path) -> list[dict[str, Any]]:
    """The modules of a sentence-transformers folder, in order; none for a plain transformers folder."""
    if not (path / "modules.json").is_file():
        return []
    modules: list[dict[str, Any]] = read_json(path / "modules.json", missing="")
    strange = [
        module["type"] for module in modules
        if not module["type"].startswith("sentence_transformers.")
        or module["type"].rsplit(".", 1)[-1] not in SENTENCE_MODULES
    ]  # fmt: skip
    if strange:
        raise ModelError(
            f"{path / 'modules.json'}: asks for {listing(strange)}, which luthier does not know and will not import. "
            f"Known are {listing(sorted(SENTENCE_MODULES))} of sentence_transformers."
        )
    return modules


def declared_pooling(path: Path) -> str:
    """The pooling of a sentence-transformers folder, in its older or newer spelling."""
    config = read_json(path, missing=f"{path}: is missing, so the pooling is not known.")
    chosen = [name for key, name in POOLINGS.items() if config.get(key)]
    strange = [key for key, on in config.items() if key.startswith("pooling_mode_") and on is True and key not in POOLINGS]
    mode = config.get("pooling_mode")
    chosen += [mode] if isinstance(mode, str) else []
    if len(chosen) != 1 or strange or chosen[0] not in POOLINGS.values():
        raise ModelError(
            f"{path}: declares the pooling {listing([*chosen, *strange])}, which luthier does not know. "
            "Choose one with --pooling mean, cls or max, on the folder of the plain transformers model."
        )
    return chosen[0]


def refuse_custom_code(root: Path, config: dict[str, Any]) -> None:
    """A folder that brings its own Python is not opened: it could do anything."""
    for file in ("config.json", "tokenizer_config.json"):
        content = config if file == "config.json" else read_json(root / file, missing=None)
        if "auto_map" in content:
            raise ModelError(
                f"{root / file}: asks to run code of its own (auto_map: {listing(content['auto_map'])}). luthier runs no code "
                "from model folders. Use a model whose architecture is part of transformers."
            )


def read_shapes(root: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors, from the headers of the safetensors files; each file's size checked against its header."""
    index = root / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(read_json(index, missing="")["weight_map"].values()))
        missing = [name for name in names if not (root / name).is_file()]
        if missing:
            raise ModelError(f"{index}: names {listing(missing)}, which {root} does not hold. Fetch the missing files.")
    elif (root / "model.safetensors").is_file():
        names = ["model.safetensors"]
    else:
        pickles = sorted(file.name for file in root.iterdir() if file.suffix in PICKLES)
        if pickles:
            raise ModelError(
                f"{root}: holds its weights only as {listing(pickles)}, a pickle, which can run any code when it is opened. "
                "Convert it where you trust it: AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)"
            )
        raise ModelError(f"{root}: holds no weights (looked for model.safetensors). Fetch or copy the weight file.")
    shapes: dict[str, tuple[int, ...]] = {}
    total = 0
    for name in names:
        found, size = read_header(root / name)
        shapes |= found
        total += size
    room = available_bytes()
    if total > room:
        raise ModelError(
            f"{root}: its weights take {total / 1e9:,.1f} GB, and this machine has {room / 1e9:,.1f} GB of memory free. "
            "Choose a smaller model."
        )
    return shapes


def read_header(path: Path) -> tuple[dict[str, tuple[int, ...]], int]:
    """Shapes in one safetensors file and its size in bytes. Raises ModelError when it is cut off or not what it claims."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else -1
        if not 0 < length <= min(size - 8, 100_000_000):
            raise ModelError(f"{path}: is not a whole safetensors file ({size:,} bytes). Fetch or copy it again.")
        try:
            header: dict[str, Any] = json.loads(file.read(length))
            tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
            shapes = {name: tuple(int(side) for side in entry["shape"]) for name, entry in tensors.items()}
            expected = 8 + length + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{path}: its header is damaged. Fetch or copy it again.") from error
    if size != expected:
        raise ModelError(
            f"{path}: holds {size:,} bytes where its header promises {expected:,}: it is cut off or damaged. "
            "Fetch or copy it again."
        )
    return shapes, size


def read_json(path: Path, missing: str | None) -> Any:
    """A JSON file of a model folder. `missing` is the message when it is not there; None makes that an empty object."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if missing is None:
            return {}
        raise ModelError(missing) from None
    except ValueError as error:
        raise ModelError(f"{path}: is not valid JSON ({error}). Fetch or copy it again.") from error


def available_bytes() -> int:
    """Memory that can be had without swapping."""
    try:
        with open("/proc/meminfo") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
