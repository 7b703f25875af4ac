"""The model that is exported, as transformers opens it: what an exported file is compared with."""

from typing import Any

import torch

from luthier.models.hub.inspect import Folder
from luthier.models.hub.json_file import read_object
from luthier.models.hub.pretrained import folder_config, skeleton_of, telling_library_errors
from luthier.models.hub.weight_files import read_weights
from luthier.models.quiet import quiet
from luthier.models.readers.texts import Texts

GENERATION = "generation_config.json"


def opened_tokenizer(folder: Folder) -> Any:
    """Return the tokenizer of a model's folder, as transformers makes it of its files."""
    return Texts(folder).tokenizer


def opened_model(folder: Folder) -> Any:
    """Return the language model of a folder, in F32."""
    config = folder_config(folder, None)
    skeleton = skeleton_of(folder, "AutoModelForCausalLM", config)
    with telling_library_errors(folder), quiet():
        return (
            type(skeleton)
            .from_pretrained(
                None, config=config, state_dict=read_weights(folder.weights), dtype=torch.float32
            )
            .eval()
        )


def end_tokens(folder: Folder) -> tuple[int, ...]:
    """Return the tokens at which a model stops, as its generation_config.json names them, or its config.json."""
    for settings in (read_object(folder.path / GENERATION), folder.config):
        found = settings.get("eos_token_id")
        if found is not None:
            return tuple(found) if isinstance(found, list) else (int(found),)
    return ()
