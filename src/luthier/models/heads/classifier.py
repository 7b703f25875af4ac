"""Texts to one answer a row."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel, at_least_fp32, mean_of_parts
from luthier.models.heads.head import Head, Saved, Wanted
from luthier.models.heads.own_class import head_of, knowledge_of, write_own_class
from luthier.models.heads.sentence_modules import (
    inner,
    read_dense_head,
    write_sentence_modules,
    write_what_it_is,
)
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import (
    folder_config,
    own_class,
    pretrained,
    refuse_encoder_decoder,
    silence_head_dropout,
)
from luthier.models.knowledge import Knowledge
from luthier.models.readers.images import Preparation
from luthier.models.readers.texts import Texts
from luthier.models.readers.write_tokenizer import write_tokenizer


class Classifier(HeadedModel):
    """Body, pooling, head.

    The body is either the architecture's own classification model with its last linear layer taken out (`pooling` is
    None: it pools by itself), or the bare model whose token states are pooled here.
    """

    def __init__(
        self, body: nn.Module, pooling: str | None, head: nn.Sequential, last_name: str | None = None
    ) -> None:
        super().__init__(body, head)
        self.pooling = pooling
        self.last_name = last_name
        """Where the body's own last layer was taken out; None when the body never had one."""

    def part_features(self, batch: Batch) -> Tensor:
        """(parts, width) of the parts of a batch, in fp32 or finer."""
        inputs = batch.inputs
        self.tell(batch)
        out: Any = self.body(**inputs)
        if self.pooling is None:
            return at_least_fp32(out.logits)
        return pool(at_least_fp32(out.last_hidden_state), inputs["attention_mask"], self.pooling)

    def features(self, batch: Batch) -> Tensor:
        """(rows, width): what the head reads; the mean over a row's windows."""
        return mean_of_parts(self.part_features(batch), batch)

    def forward(self, batch: Batch) -> Tensor:
        """(rows, labels) logits in fp32 or finer; the mean over a row's windows."""
        return mean_of_parts(at_least_fp32(self.head(self.part_features(batch))), batch)

    def answer_with_features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        features = self.part_features(batch)
        logits = mean_of_parts(at_least_fp32(self.head(features)), batch)
        return logits, mean_of_parts(features, batch)


def encoder_of(model: HeadedModel, pooling: str) -> Classifier:
    """The same body as an encoder of single texts, pooled as its folder declares: it shares all weights."""
    body: Any = model.body
    return Classifier(body.base_model, pooling, model.head)


def pool(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """(parts, tokens, width) and (parts, tokens) -> (parts, width), over real tokens only.

    As sentence-transformers' Pooling does it, so that a saved folder gives the same there.
    """
    if pooling == "cls":
        return states[:, 0]
    real = mask.unsqueeze(-1).to(states.dtype)
    if pooling == "max":
        return states.masked_fill(real == 0, -1e9).max(1).values
    return (states * real).sum(1) / real.sum(1).clamp(min=1e-9)


@dataclass(frozen=True)
class RowHead(Head[Classifier, Texts]):
    """One answer for a whole row of text: saved as the architecture's own classification class, or as modules of
    sentence-transformers where token states are pooled here."""

    reads_features: ClassVar[bool] = True

    def build(self, folder: Folder, wanted: Wanted, preparation: Preparation | None) -> Classifier:
        """With `pooling` "auto" token states are pooled as the folder declares, else as the architecture's own
        classification class does it."""
        pooling = pooling_for(folder, wanted)
        if pooling is None:
            body, last_name, last = own_class(folder, wanted.outputs, wanted.body_dropout)
            silence_head_dropout(body)
            return Classifier(body, None, wanted.new_head(last.in_features), last_name)
        refuse_encoder_decoder(folder)
        body = pretrained(folder, "AutoModel", folder_config(folder, None, wanted.body_dropout))
        return Classifier(body, pooling, wanted.new_head(int(body.config.hidden_size)))

    def reopen(self, folder: Folder, saved: Saved, preparation: Preparation | None) -> Classifier:
        if saved.pooling is None:
            body, last_name, last = own_class(folder, saved.outputs, tuned=True)
            return Classifier(body, None, head_of(folder, last_name, last), last_name)
        body = pretrained(folder, "AutoModel", folder_config(folder, None))
        return Classifier(
            body,
            saved.pooling,
            read_dense_head(folder, int(body.config.hidden_size), saved.hidden, saved.outputs),
        )

    def save(
        self, folder: Path, model: Classifier, head: nn.Sequential, reader: Texts, settings: dict[str, Any]
    ) -> None:
        if model.last_name is not None:
            write_own_class(folder, model.body, model.last_name, head, settings)
            write_tokenizer(folder, reader, reader.limit, lower_case=True)
            return
        write_sentence_modules(folder, inner(model.body), model, head, normalised=False, texts=reader)
        write_what_it_is(folder, model.state_width, settings)
        write_tokenizer(folder / inner(model.body), reader, reader.limit, lower_case=False)

    def knowledge(self, folder: Folder, model: Classifier) -> Knowledge:
        return knowledge_of(folder, model.last_name, model.width)


def pooling_for(folder: Folder, wanted: Wanted) -> str | None:
    """How token states are pooled; None where the architecture's own class does it."""
    declared = folder.pooling if wanted.pooling == "auto" else wanted.pooling
    if wanted.own_pooling and wanted.pooling == "auto":
        declared = None
    if declared is None and wanted.hidden:
        return "cls"  # the architecture's own class has no room for more layers
    return declared
