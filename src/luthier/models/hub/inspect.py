"""What a model folder holds, found out before any weight is loaded: safe to open, whole, of the shape it claims."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from luthier.errors import ModelError, listing
from luthier.hashes import hash_file, hash_json
from luthier.models.hub.adapter import Adapter, adapter_of
from luthier.models.hub.find import find_model, ggufs_in
from luthier.models.hub.gguf_folder import Origin, made_of_gguf, origin_of
from luthier.models.hub.json_file import read_json, read_object
from luthier.models.hub.regular import files_of, refuse_outside
from luthier.models.hub.settings import checked_settings, refuse_custom_code
from luthier.models.hub.static_table import FAMILY as STATIC
from luthier.models.hub.static_table import MODULE as STATIC_MODULE
from luthier.models.hub.static_table import static_settings
from luthier.models.hub.weight_files import read_shapes, weight_files

TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "spm.model", "spiece.model", "tokenizer.model",
              "sentencepiece.bpe.model")  # fmt: skip
IMAGE_PROCESSOR = "preprocessor_config.json"
SIGNS = ("config.json", "modules.json", "adapter_config.json")
"""Files that show that a folder holds a model: any other folder is not looked through."""
MAY_NAME_CODE = ("tokenizer_config.json", IMAGE_PROCESSOR, "processor_config.json")
POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}
SENTENCE_MODULES = ("Transformer", "Pooling", STATIC_MODULE, "Dense", "Normalize")
"""The modules of a sentence-transformers folder that luthier knows, in the order in which they are understood; anything else may
be code from elsewhere. A table of word vectors stands in the place of transformer and pooling."""
FIRST_MODULES: tuple[list[str], ...] = ([], ["Transformer"], [STATIC_MODULE])


@dataclass(frozen=True)
class ReaderFiles:
    """What a model's folder must hold, beside the weights, to bring rows into the form that the model reads."""

    names: tuple[str, ...]
    """Files of which one is enough."""
    missing: str
    """What is said of a folder without any of them, after its path."""


TOKENIZER = ReaderFiles(
    TOKENIZERS,
    f"holds no tokenizer (looked for {listing(TOKENIZERS)}). Copy the tokenizer's files beside the weights: "
    "AutoTokenizer.from_pretrained(...).save_pretrained(FOLDER)",
)
NO_TEXTS = "is a model of images, and these rows are texts. Name a model of texts with --model."
PROCESSOR = ReaderFiles(
    (IMAGE_PROCESSOR,),
    f"holds no {IMAGE_PROCESSOR}, so it is no model of images, and these rows are images. Name one with --model, such as "
    "google/mobilenet_v2_1.0_224.",
)


@dataclass(frozen=True)
class Folder:
    """A model folder that may be opened."""

    name: str
    """The model as the user called it."""
    path: Path
    """The folder with config, weights and tokenizer, as transformers reads them."""
    home: Path
    """The model's own folder, of which `path` may be a folder inside: sentence-transformers may put the body one level deeper."""
    config: dict[str, Any]
    pooling: str | None
    """`mean`, `cls` or `max` where the folder declares one, as sentence-transformers folders do."""
    max_tokens: int | None
    """Tokens of the longest text, as the folder declares them; the tokenizer and the architecture may set a lower limit."""
    lower_case: bool
    """Whether the folder asks for texts in lower case beyond what its tokenizer does."""
    dense: tuple[Path, ...]
    """Folders of the linear layers between the pooled states and the vector."""
    normalised: bool
    """Whether vectors are brought to length 1, as the folder declares it."""
    tensors: dict[str, tuple[int, ...]]
    """Shape of each tensor in the weight files."""
    weights: tuple[Path, ...] = ()
    """The weight files."""
    adapter: Adapter | None = None
    """The adapter that is added to the weights, if `name` is one: then the other fields describe the model it was made for."""

    @property
    def family(self) -> str:
        return str(self.config["model_type"])

    @property
    def is_table(self) -> bool:
        """Whether its body is a table of word vectors, which transformers has no class for."""
        return self.family == STATIC

    @property
    def place(self) -> str:
        """What a message calls the folder: its path, or the user's name for a GGUF file, whose folder the user has never seen."""
        return self.name if made_of_gguf(self.home) else str(self.path)

    @property
    def told(self) -> tuple[str, ...]:
        """Sentences on the weights that belong wherever the model is told of."""
        return () if self.origin is None else (f"{self.name}: {self.origin.words()}.",)

    def fingerprint(self) -> str:
        """Hash of all that decides what the model computes: weights, settings, vocabulary."""
        found = hash_json(self.sums)
        return found if self.adapter is None else hash_json([found, hash_json(sums_of(self.adapter.path))])

    @cached_property
    def origin(self) -> Origin | None:
        """What the weights were quantised to before they were plain numbers; None where they were not, or nobody says."""
        return origin_of(self.home)

    @cached_property
    def sums(self) -> dict[str, str]:
        """SHA-256 of each of these files, read once."""
        return sums_of(self.home)


def sums_of(root: Path) -> dict[str, str]:
    """SHA-256 of the files of a folder that decide what its model computes."""
    return {
        str(file.relative_to(root)): hash_file(file)
        for file in files_of(root)
        if file.suffix in (".safetensors", ".json", ".txt", ".model", ".jinja")
        and file.name != "luthier.json"
    }


def inspect_folder(name: str, path: Path, files: ReaderFiles = TOKENIZER, base: str | None = None) -> Folder:
    """Read the settings and the weight files' headers; raise ModelError, with the mend, for what cannot or must not be loaded.

    files: what must be there to read rows with.  base: the model that an adapter was made for, as the user calls it.
    """
    if any(os.path.lexists(path / file) for file in SIGNS):
        files_of(path)
    adapter = adapter_of(path, base)
    if adapter is not None and base is not None:
        whole = inspect_folder(base, find_model(base), files)
        return replace(whole, name=name, adapter=adapter)
    if base is not None:
        raise ModelError(f"{path}: is no adapter, so it wants no other model below it. Leave --base out.")
    return inspect_whole(name, path, files)


def inspect_whole(name: str, path: Path, files: ReaderFiles) -> Folder:
    """As `inspect_folder`, of a folder with weights of its own."""
    modules = sentence_modules(path)
    root = path / modules[0].get("path", "") if modules else path
    table = bool(modules) and kind_of(modules[0]) == STATIC_MODULE
    config = {} if table else transformers_settings(path, root)
    for file in (root / other for other in MAY_NAME_CODE):
        refuse_custom_code(file, read_object(file))
    if not any((root / file).is_file() for file in files.names):
        of_images = files is TOKENIZER and (root / IMAGE_PROCESSOR).is_file()
        raise ModelError(f"{root}: {NO_TEXTS if of_images else files.missing}")
    weights = weight_files(root)
    tensors = read_shapes(root, weights)
    pooling, max_tokens, lower_case = None, None, False
    if table:
        config, pooling = static_settings(root, tensors), "mean"
    for module in modules:
        if kind_of(module) == "Pooling":
            pooling = declared_pooling(path / module["path"] / "config.json")
    if modules and not table and (root / "sentence_bert_config.json").is_file():
        sentence = read_object(root / "sentence_bert_config.json")
        max_tokens, lower_case = sentence.get("max_seq_length"), bool(sentence.get("do_lower_case"))
        if max_tokens is not None and (type(max_tokens) is not int or max_tokens < 1):
            raise ModelError(
                f"{root / 'sentence_bert_config.json'}: max_seq_length is {repr(max_tokens)[:60]}. Expected a whole number of "
                "tokens, 1 at the least. Correct it there."
            )
    dense = tuple(path / module["path"] for module in modules if module["type"].endswith(".Dense"))
    if answers_labels(path):
        dense = ()
    normalised = any(module["type"].endswith(".Normalize") for module in modules)
    return Folder(
        name, root, path, config, pooling, max_tokens, lower_case, dense, normalised, tensors, tuple(weights)
    )


def transformers_settings(path: Path, root: Path) -> dict[str, Any]:
    """The settings of a model of transformers. path: the folder that holds it.  root: where in it the model stands."""
    file = root / "config.json"
    missing = f"{path}: holds no config.json, so it is not a model folder of transformers. {instead_of(path)}"
    config = checked_settings(file, read_object(file, missing=missing))
    if not isinstance(config.get("model_type"), str):
        raise ModelError(
            f'{file}: names no model_type, so the architecture is not known. Add it, such as "bert".'
        )
    return config


def instead_of(path: Path) -> str:
    """What to give in the place of a folder that is none of transformers."""
    found = ggufs_in(path)
    return f"It holds a GGUF file: --model {found[0]}" if found else "Give one that is."


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
    for module in modules:
        refuse_outside(path, module["path"], file)
    strange = [
        module["type"] for module in modules
        if not module["type"].startswith("sentence_transformers.")
        or kind_of(module) not in SENTENCE_MODULES
    ]  # fmt: skip
    if strange:
        raise ModelError(
            f"{file}: asks for {listing(strange)}, which luthier does not know and will not import. "
            f"Known are {listing(sorted(SENTENCE_MODULES))} of sentence_transformers."
        )
    kinds = [kind_of(module) for module in modules]
    once = all(kinds.count(kind) < 2 for kind in kinds if kind != "Dense")
    if (
        kinds != sorted(kinds, key=SENTENCE_MODULES.index)
        or not once
        or kinds[:1] not in FIRST_MODULES
        or (STATIC_MODULE in kinds and "Transformer" in kinds)
    ):
        raise ModelError(
            f"{file}: its modules come in the order {listing(kinds, 9)}, which luthier does not know. Known is "
            f"{', '.join(SENTENCE_MODULES)}."
        )
    return modules


def kind_of(module: dict[str, Any]) -> str:
    """The class of a module, without where it is defined."""
    return str(module["type"]).rsplit(".", 1)[-1]


def is_module(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("path", "type"))


def declared_pooling(path: Path) -> str:
    """The pooling of a sentence-transformers folder, in its older or newer spelling."""
    config = read_object(path, missing=f"{path}: is missing, so the pooling is not known. Fetch or copy it.")
    chosen = [name for key, name in POOLINGS.items() if config.get(key) is True]
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
