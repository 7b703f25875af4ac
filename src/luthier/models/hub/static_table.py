"""A table of word vectors as a model's body: a text is the mean of its tokens' vectors, whatever their order.

The format is sentence-transformers' StaticEmbedding: one tensor beside a tokenizer. There are no layers to run, so a text costs
as much as looking its tokens up.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from luthier.errors import ModelError, listing
from luthier.models.hub.weight_files import read_weights, refuse_not_finite

FAMILY = "static-embedding"
"""What such a folder, which has no config.json, has in the place of a `model_type`."""
MODULE = "StaticEmbedding"
"""The module of sentence-transformers that reads it."""
TENSOR = "embedding.weight"
FILE = "model.safetensors"
LONGEST = 100_000
"""The most tokens of a text: a mean has no positions that could end, and a text has to end somewhere."""


class TokenStates(NamedTuple):
    """What a body gives, under the name by which transformers' bodies give it."""

    last_hidden_state: Tensor
    """(parts, tokens, width)"""


class StaticTable(nn.Module):
    """A vector for each token, the same in every text."""

    def __init__(self, vectors: Tensor) -> None:
        """vectors: (vocabulary, width)"""
        from transformers import PretrainedConfig

        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors, freeze=False)
        self.config = PretrainedConfig(**settings_of(vectors.shape))

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> TokenStates:
        """The vectors of the tokens; what pads is left to who pools."""
        return TokenStates(self.embedding(input_ids))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the table as sentence-transformers reads it."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        vectors = self.embedding.weight.detach().to("cpu", torch.float32).contiguous()
        save_file({TENSOR: vectors}, Path(folder, FILE), metadata={"format": "pt"})


def settings_of(shape: Sequence[int]) -> dict[str, Any]:
    """The settings that a config.json would hold, by the shape of the table."""
    return {
        "hidden_size": int(shape[1]),
        "vocab_size": int(shape[0]),
        "max_position_embeddings": LONGEST,
    }


def static_settings(root: Path, tensors: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """What stands for the config.json of a table's folder. tensors: the shapes in its weight file.

    Raises ModelError for a file that holds no table.
    """
    shape = tensors.get(TENSOR, ())
    if len(shape) != 2 or len(tensors) != 1 or 0 in shape:
        raise ModelError(
            f"{root / FILE}: holds {listing(sorted(tensors))}. Expected one table, {TENSOR}, which is all that luthier knows of "
            "a StaticEmbedding. Open the model in sentence-transformers once and save it again, with save_pretrained."
        )
    return {"model_type": FAMILY, **settings_of(shape)}


def read_table(place: Path, weights: Sequence[Path]) -> StaticTable:
    """The table of a folder, in fp32. Raises ModelError for vectors that are no numbers."""
    vectors = read_weights(weights)[TENSOR].to(torch.float32)
    refuse_not_finite(place, [(TENSOR, vectors)])
    return StaticTable(vectors)
