"""Texts to vectors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel, at_least_fp32
from luthier.models.heads.classifier import pool
from luthier.models.heads.dense import read_dense
from luthier.models.heads.head import Head, Saved, Wanted
from luthier.models.heads.sentence_modules import write_sentence_modules
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import folder_config, pretrained, refuse_encoder_decoder
from luthier.models.kernels.dropout import DICE
from luthier.models.readers.images import Preparation
from luthier.models.readers.texts import Texts
from luthier.models.readers.write_tokenizer import write_tokenizer


class SentenceEncoder(HeadedModel):
    """Body and pooling: each part of a row, such as the two texts of a pair, becomes a vector of its own.

    The head is the linear layers that the folder has between the pooled states and the vector, if any (models/heads/dense.py).
    """

    def __init__(self, body: nn.Module, pooling: str, head: nn.Sequential, normalised: bool) -> None:
        super().__init__(body, head)
        self.pooling = pooling
        self.normalised = normalised
        """Whether vectors are brought to length 1, as the folder declares it."""
        self.micro_tokens: int | None = None
        """Padded tokens that are computed at once in training; None: the whole batch."""

    @property
    def width(self) -> int:
        return self.outputs

    @property
    def outputs(self) -> int:
        """Numbers in a vector."""
        return width_of(self.head, self.state_width)

    def vectors(self, batch: Batch) -> Tensor:
        """(parts, width) of a batch, computed at once."""
        self.tell(batch)
        assert self.pooling is not None, "a sentence encoder pools"
        return vectors_of(batch, self.body, self.pooling, self.head, self.normalised)

    def features(self, batch: Batch) -> Tensor:
        """(rows, width): the vector of each row's first part."""
        first = torch.searchsorted(batch.part_of, torch.arange(len(batch.rows), device=batch.part_of.device))
        return self.vectors(batch)[first]

    def forward(self, batch: Batch) -> Tensor:
        """(parts, width).

        In training a loss may compare all vectors of a step with each other, however many there are. A step larger than
        `micro_tokens` keeps the vectors alone, and each piece is computed again on the way back: memory stays that of
        one piece, and the gradient is that of the whole step (Gao et al. 2021, "Scaling deep contrastive learning batch
        size under memory limited setup", arXiv:2101.06983).
        """
        size = int(batch.inputs["input_ids"].numel())
        if self.micro_tokens is None or size <= self.micro_tokens or not torch.is_grad_enabled():
            return self.vectors(batch)
        keys = DICE.keys
        pieces = cut(batch, -(-size // self.micro_tokens))
        found = []
        for piece, parts in pieces:
            own = None if keys is None else keys[parts]
            found.append(checkpoint(self.piece, piece, own, use_reentrant=False))
        DICE.keys = keys
        return torch.cat(found)

    def piece(self, batch: Batch, keys: Tensor | None) -> Tensor:
        """`vectors` under the dropout masks of its parts, the same each time it is computed."""
        DICE.keys, DICE.call = keys, 0
        return self.vectors(batch)


def vectors_of(batch: Batch, body: nn.Module, pooling: str, dense: nn.Sequential, normalised: bool) -> Tensor:
    """(parts, width) in fp32 or finer: body, pooling, and the layers above that."""
    out: Any = body(**batch.inputs)
    found: Tensor = dense(pool(at_least_fp32(out.last_hidden_state), batch.inputs["attention_mask"], pooling))
    return nn.functional.normalize(found, dim=1) if normalised else found


def width_of(dense: nn.Sequential, state_width: int) -> int:
    """Numbers in a vector, after the layers above the pooled states."""
    linears = [layer for layer in dense if isinstance(layer, nn.Linear)]
    return linears[-1].out_features if linears else state_width


def cut(batch: Batch, pieces: int) -> list[tuple[Batch, slice]]:
    """A batch in pieces of whole rows, and which of its parts each piece has."""
    rows = len(batch.rows)
    first = torch.searchsorted(batch.part_of, torch.arange(rows + 1, device=batch.part_of.device)).tolist()
    found = []
    at_once = max(1, rows // pieces)
    for begin in range(0, rows, at_once):
        end = min(begin + at_once, rows)
        parts = slice(first[begin], first[end])
        inputs = {name: tensor[parts] for name, tensor in batch.inputs.items()}
        tokens = int(inputs["attention_mask"].sum())
        part_of = batch.part_of[parts] - begin
        piece = Batch(inputs, part_of, batch.targets[begin:end], batch.rows[begin:end], tokens)
        found.append((piece, parts))
    return found


def load_encoder(folder: Folder, pooling: str, body_dropout: float | None = None) -> SentenceEncoder:
    """The body of a folder, pooled as it declares, or else by the mean over tokens, with the layers that it has above that."""
    refuse_encoder_decoder(folder)
    body = pretrained(folder, "AutoModel", folder_config(folder, None, body_dropout))
    declared = (folder.pooling or "mean") if pooling == "auto" else pooling
    dense = read_dense(folder.dense, int(body.config.hidden_size))
    return SentenceEncoder(body, declared, dense, folder.normalised)


@dataclass(frozen=True)
class VectorHead(Head[SentenceEncoder, Texts]):
    """A vector for each text: saved as modules of sentence-transformers, with no layer that the folder had not."""

    def build(self, folder: Folder, wanted: Wanted, preparation: Preparation | None) -> SentenceEncoder:
        return load_encoder(folder, wanted.pooling, wanted.body_dropout)

    def reopen(self, folder: Folder, saved: Saved, preparation: Preparation | None) -> SentenceEncoder:
        return load_encoder(folder, "auto")

    def save(
        self,
        folder: Path,
        model: SentenceEncoder,
        head: nn.Sequential,
        reader: Texts,
        settings: dict[str, Any],
    ) -> None:
        """Vectors answer for themselves: config.json says what it said before."""
        write_sentence_modules(folder, "", model, head, model.normalised, reader)
        write_tokenizer(folder, reader, reader.limit, lower_case=False)
