"""The model that is exported, as transformers opens it: what an exported file is compared with."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from luthier.models.hub.end_tokens import end_tokens
from luthier.models.hub.inspect import Folder
from luthier.models.hub.json_file import read_object
from luthier.models.hub.pretrained import folder_config, skeleton_of, telling_library_errors
from luthier.models.hub.weight_files import read_weights
from luthier.models.quiet import quiet
from luthier.models.readers.texts import Texts

GENERATION = "generation_config.json"


@dataclass(frozen=True)
class Original:
    """The language model of a folder."""

    folder: Folder

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer, as transformers makes it of the folder's files: opened once, which takes seconds."""
        return Texts(self.folder).tokenizer

    @cached_property
    def weights(self) -> dict[str, torch.Tensor]:
        """The tensors by their names, on disk until they are used."""
        return read_weights(self.folder.weights)

    @cached_property
    def end_tokens(self) -> tuple[int, ...]:
        """The tokens at which the model stops, as its generation_config.json names them, or its config.json."""
        for name, settings in (
            (GENERATION, read_object(self.folder.path / GENERATION)),
            ("config.json", self.folder.config),
        ):
            found = end_tokens(settings, self.folder.path / name, self.folder.config.get("vocab_size"))
            if found is not None:
                return tuple(found)
        return ()

    def model(self) -> Any:
        """Open the model, in F32."""
        config = folder_config(self.folder, None)
        kind = type(skeleton_of(self.folder, "AutoModelForCausalLM", config))
        with telling_library_errors(self.folder), quiet():
            found = kind.from_pretrained(
                None, config=config, state_dict=dict(self.weights), dtype=torch.float32
            )
        return found.eval()
