"""Texts to an answer for each token."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel, at_least_fp32, mean_of_parts
from luthier.models.heads.classifier import pool
from luthier.models.heads.head import Head, Saved, Wanted
from luthier.models.heads.own_class import changed, head_of
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import (
    folder_config,
    has_head,
    last_linear,
    pretrained,
    refuse_encoder_decoder,
)
from luthier.models.readers.images import Preparation
from luthier.models.readers.texts import Texts
from luthier.models.readers.write_tokenizer import write_tokenizer


class TokenModel(HeadedModel):
    """Body and head, with nothing between them but dropout."""

    def __init__(self, body: nn.Module, head: nn.Sequential, last_name: str) -> None:
        super().__init__(body, head)
        self.last_name = last_name
        """Where the class of transformers that it is saved as has its last layer."""

    def states(self, batch: Batch) -> Tensor:
        """(parts, tokens, width) in fp32 or finer."""
        self.tell(batch)
        out: Any = self.body(**batch.inputs)
        return at_least_fp32(out.last_hidden_state)

    def features(self, batch: Batch) -> Tensor:
        """(rows, width): the mean over a row's tokens."""
        pooled = pool(self.states(batch), batch.inputs["attention_mask"], "mean")
        return mean_of_parts(pooled, batch)

    def forward(self, batch: Batch) -> Tensor:
        """(parts, tokens, outputs) logits in fp32 or finer."""
        logits: Tensor = at_least_fp32(self.head(self.states(batch)))
        return logits


@dataclass(frozen=True)
class TokenHead(Head[TokenModel, Texts]):
    """An answer for each token: saved as the architecture's own class for such answers."""

    auto_class: str
    """The class of transformers that loads it where it is saved."""
    keeps_known: bool = False
    """Whether the folder's own last layer is kept where it has one: its outputs mean the same for every task of this kind."""
    reads_whole: bool = False
    """Whether texts are read up to what the architecture can read, whatever its sentence encoder was made for."""

    def build(self, folder: Folder, wanted: Wanted, preparation: Preparation | None) -> TokenModel:
        refuse_encoder_decoder(folder)
        whole = pretrained(
            folder, self.auto_class, folder_config(folder, wanted.outputs, wanted.body_dropout)
        )
        last_name, last = last_linear(whole, wanted.outputs, folder)
        made = wanted.new_head(last.in_features)
        model = TokenModel(whole.base_model, made, last_name)
        model.knows = self.keeps_known and has_head(folder, last_name, last)
        if model.knows:
            made[-1].load_state_dict(last.state_dict())
        return model

    def reopen(self, folder: Folder, saved: Saved, preparation: Preparation | None) -> TokenModel:
        whole = pretrained(folder, self.auto_class, folder_config(folder, saved.outputs))
        last_name, last = last_linear(whole, saved.outputs, folder)
        return TokenModel(whole.base_model, head_of(folder, last_name, last), last_name)

    def save(
        self, folder: Path, model: TokenModel, head: nn.Sequential, reader: Texts, settings: dict[str, Any]
    ) -> None:
        """The architecture's own class, around the body that was trained."""
        import transformers

        body: Any = model.body
        with changed(body.config, settings), torch.device("meta"):
            whole = getattr(transformers, self.auto_class).from_config(body.config)
            setattr(whole, whole.base_model_prefix, body)
            whole.set_submodule(model.last_name, head[-1])
            whole.save_pretrained(folder)
        limit = reader.most if self.reads_whole else reader.limit
        write_tokenizer(folder, reader, limit, lower_case=True)


TAGS = TokenHead("AutoModelForTokenClassification")
"""A tag for each word, by its first token."""
SPANS = TokenHead("AutoModelForQuestionAnswering", keeps_known=True, reads_whole=True)
"""Where an answer begins and ends, which means the same for all questions. They are read in windows."""
