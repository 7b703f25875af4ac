"""What a model folder holds, found out before any weight is loaded: safe to open, whole, of the shape it claims."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from luthier.errors import ModelError, WorldError, listing
from luthier.hashes import hash_file, hash_json
from luthier.machine import available_bytes

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "spm.model", "spiece.model", "tokenizer.model",
              "sentencepiece.bpe.model")  # fmt: skip
IMAGE_PROCESSOR = "preprocessor_config.json"
GIT_LFS = b"version https://git-lfs"
"""How the note begins that stands in for a large file until git has fetched it."""
POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}
SENTENCE_MODULES = ("Transformer", "Pooling", "Dense", "Normalize")
"""In the order in which they are understood."""
"""The modules of a sentence-transformers folder that luthier knows; anything else may be code from elsewhere."""


@dataclass(frozen=True)
class Folder:
    """A model folder that may be opened."""

    name: str
    """As the user called it."""
    path: Path
    """Where config, weights and tokenizer of transformers are."""
    home: Path
    """The folder itself: of sentence-transformers' modules the body may be one a folder deeper."""
    config: dict[str, Any]
    pooling: str | None
    """`mean`, `cls` or `max` where the folder declares one, as sentence-transformers folders do."""
    max_tokens: int | None
    """Longest text as the folder declares it; the tokenizer and the architecture may set a lower limit."""
    lower_case: bool
    """Whether the folder asks for texts in lower case beyond what its tokenizer does."""
    dense: tuple[Path, ...]
    """Folders of the linear layers between the pooled states and the vector."""
    normalised: bool
    """Whether vectors are brought to length 1, as the folder declares it."""
    tensors: dict[str, tuple[int, ...]]
    """Shape of each tensor in the weight files."""

    @property
    def family(self) -> str:
        return str(self.config["model_type"])

    def fingerprint(self) -> str:
        """Hash of all that decides what the model computes: weights, settings, vocabulary."""
        return hash_json(
            {
                str(file.relative_to(self.home)): hash_file(file)
                for file in sorted(self.home.rglob("*"))
                if file.suffix in (".safetensors", ".json", ".txt", ".model") and file.name != "luthier.json"
            }
        )


def inspect_folder(name: str, path: Path, reads: str = "text") -> Folder:
    """Read the settings and the weight files' headers; raise ModelError, with the mend, for what cannot or must not be loaded."""
    modules = sentence_modules(path)
    root = path / modules[0].get("path", "") if modules else path
    config = read_object(
        root / "config.json",
        missing=f"{path}: holds no config.json, so it is not a model folder of transformers. Give one that is.",
    )
    refuse_custom_code(root, config)
    if not isinstance(config.get("model_type"), str):
        raise ModelError(
            f'{root / "config.json"}: names no model_type, so the architecture is not known. Add it, such as "bert".'
        )
    if reads == "image":
        if not (root / IMAGE_PROCESSOR).is_file():
            raise ModelError(
                f"{root}: holds no {IMAGE_PROCESSOR}, so it is no model of images, and these rows are images. Name one with "
                "--model, such as google/mobilenet_v2_1.0_224."
            )
    elif not any((root / file).is_file() for file in TOKENIZERS):
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
        sentence = read_object(root / "sentence_bert_config.json")
        max_tokens, lower_case = sentence.get("max_seq_length"), bool(sentence.get("do_lower_case"))
    dense = tuple(path / module["path"] for module in modules if module["type"].endswith(".Dense"))
    if answers_labels(path):
        dense = ()
    normalised = any(module["type"].endswith(".Normalize") for module in modules)
    return Folder(name, root, path, config, pooling, max_tokens, lower_case, dense, normalised, tensors)


def answers_labels(path: Path) -> bool:
    """Whether luthier wrote the folder for a task whose head its Dense modules are; else they are part of the encoder."""
    task = read_object(path / "luthier.json").get("task")
    return isinstance(task, dict) and task.get("name") != "embedding" and task.get("reads") != "apart"


def sentence_modules(path: Path) -> list[dict[str, Any]]:
    """The modules of a sentence-transformers folder, in order; none for a plain transformers folder."""
    file = path / "modules.json"
    if not file.is_file():
        return []
    modules = read_json(file)
    if not isinstance(modules, list) or not all(map(is_module, modules)):
        raise ModelError(
            f"{file}: is not a list of modules, each with its path and type, as sentence-transformers writes it. "
            "Fetch or copy it again."
        )
    strange = [
        module["type"] for module in modules
        if not module["type"].startswith("sentence_transformers.")
        or module["type"].rsplit(".", 1)[-1] not in SENTENCE_MODULES
    ]  # fmt: skip
    if strange:
        raise ModelError(
            f"{file}: asks for {listing(strange)}, which luthier does not know and will not import. "
            f"Known are {listing(sorted(SENTENCE_MODULES))} of sentence_transformers."
        )
    kinds = [module["type"].rsplit(".", 1)[-1] for module in modules]
    if kinds != sorted(kinds, key=SENTENCE_MODULES.index):
        raise ModelError(
            f"{file}: its modules come in the order {listing(kinds, 9)}, which luthier does not know. Known is "
            f"{', '.join(SENTENCE_MODULES)}."
        )
    return modules


def is_module(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("path", "type"))


def declared_pooling(path: Path) -> str:
    """The pooling of a sentence-transformers folder, in its older or newer spelling."""
    config = read_object(path, missing=f"{path}: is missing, so the pooling is not known. Fetch or copy it.")
    chosen = [name for key, name in POOLINGS.items() if config.get(key)]
    strange = [
        key
        for key, on in config.items()
        if key.startswith("pooling_mode_") and on is True and key not in POOLINGS
    ]
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
        content = config if file == "config.json" else read_object(root / file)
        if "auto_map" in content:
            raise ModelError(
                f"{root / file}: asks to run code of its own (auto_map: {listing(content['auto_map'])}). luthier runs no code "
                "from model folders. Use a model whose architecture is part of transformers."
            )


def read_shapes(root: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors, from the headers of the safetensors files; each file's size checked against its header."""
    index = root / "model.safetensors.index.json"
    if index.is_file():
        file_of = read_object(index).get("weight_map")
        if not isinstance(file_of, dict) or not file_of:
            raise ModelError(
                f"{index}: has no weight_map, which names the weight files. Fetch or copy it again."
            )
        names = sorted(set(map(str, file_of.values())))
        missing = [name for name in names if not (root / name).is_file()]
        if missing:
            raise ModelError(
                f"{index}: names {listing(missing)}, which {root} does not hold. Fetch the missing files."
            )
    elif (root / "model.safetensors").is_file():
        names = ["model.safetensors"]
    else:
        pickles = sorted(file.name for file in root.iterdir() if file.suffix in PICKLES)
        if pickles:
            raise ModelError(
                f"{root}: holds its weights only as {listing(pickles)}, a pickle, which can run any code when it is opened. "
                "Convert it where you trust it: AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)"
            )
        raise ModelError(
            f"{root}: holds no weights (looked for model.safetensors). Fetch or copy the weight file."
        )
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
    with telling_read_errors(path):
        size = path.stat().st_size
        try:
            # It compares the header with the file's size, and each tensor's place with its shape; it reads no weight.
            with safe_open(path, framework="np") as file:
                names = file.keys()
                return {name: tuple(file.get_slice(name).get_shape()) for name in names}, size
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


def read_object(path: Path, missing: str | None = None) -> dict[str, Any]:
    """A JSON object of a model folder. `missing` is the message when it is not there; None makes that an empty object."""
    if not path.is_file():
        if missing is not None:
            raise ModelError(missing)
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise ModelError(f"{path}: holds no JSON object, which is expected here. Fetch or copy it again.")
    return content


def read_json(path: Path) -> Any:
    with telling_read_errors(path):
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{path}: is not valid JSON ({error}). Fetch or copy it again.") from error


@contextlib.contextmanager
def telling_read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorldError(
            f"{path}: cannot be read ({error.strerror or error}). Ask its owner, or copy it to a place of your own."
        ) from error
