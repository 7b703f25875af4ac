"""Conversations to a score of their last answer: a causal language model whose output layer gives one number."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from luthier import seeds
from luthier.batches.examples import Batch
from luthier.errors import ModelError
from luthier.models.headed import HeadedModel, at_least_fp32
from luthier.models.heads.head import Head, Saved, Wanted
from luthier.models.heads.language_model import pack, states_of
from luthier.models.heads.own_class import write_own_class
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import folder_config, has_head, head_is_missing, pretrained
from luthier.models.quiet import quiet
from luthier.models.readers.conversations import Conversations, refuse_encoders
from luthier.models.readers.images import Preparation
from luthier.models.readers.write_tokenizer import write_tokenizer

CAUSAL, CLASS = "AutoModelForCausalLM", "AutoModelForSequenceClassification"
SPREAD = 0.02
"""Standard deviation of a new head's weights: scores begin near zero, so that the first steps move the body too."""


class RewardModel(HeadedModel):
    """A causal language model's body, with one linear layer on the state of each sequence's last token."""

    writes = True

    def __init__(self, body: nn.Module, head: nn.Sequential, last_name: str) -> None:
        super().__init__(body, head)
        self.packs = pack(body)
        """Whether sequences go through the body side by side; else padded, one below the other."""
        self.last_name = last_name
        """Where the body's own last layer was taken out."""

    def last_states(self, batch: Batch) -> Tensor:
        """(sequences, width) in fp32 or finer: the state of the last token of each sequence, which has seen all of it."""
        self.tell(batch)
        assert batch.packed is not None, "sequences are packed"
        states = states_of(self.body, batch, batch.packed, self.packs)
        last = torch.tensor([int(path[-1]) for path in batch.packed.paths], device=states.device)
        return at_least_fp32(states[last])

    def features(self, batch: Batch) -> Tensor:
        """(rows, width): the last state of each row's first sequence."""
        first = torch.searchsorted(batch.part_of, torch.arange(len(batch.rows), device=batch.part_of.device))
        return self.last_states(batch)[first]

    def forward(self, batch: Batch) -> Tensor:
        """(sequences, 1) in fp32 or finer: the score of each."""
        return at_least_fp32(self.head(self.last_states(batch)))


def own_class(folder: Folder, body_dropout: float | None = None) -> tuple[Any, str, nn.Linear]:
    """A causal language model in the architecture's own class of one label, without its last layer; that layer, and its name.

    The body is opened as what it was trained as: its embeddings may stand on disk as its output layer, which this class lacks.
    """
    import transformers

    refuse_encoders(folder)
    config = folder_config(folder, 1, body_dropout)
    trained: Any = pretrained(folder, CAUSAL, config)
    with torch.device("meta"), quiet():
        body = getattr(transformers, CLASS).from_config(trained.config)
    setattr(body, body.base_model_prefix, trained.base_model)
    body.config = trained.config
    name, last = last_of(folder, body.eval())
    body.set_submodule(name, nn.Identity())
    return body, name, last


def last_of(folder: Folder, body: Any) -> tuple[str, nn.Linear]:
    """The layer above the body, and its name. Raises ModelError where it is not the only one, or has a bias."""
    below = body.base_model_prefix + "."
    found = [
        (name, layer)
        for name, layer in body.named_modules()
        if isinstance(layer, nn.Linear) and not name.startswith(below)
    ]
    if len(found) != 1 or found[0][1].bias is not None or found[0][1].out_features != 1:
        raise ModelError(
            f"{folder.path}: what {type(body).__name__} makes of a text's last token is more than one linear layer. Choose a "
            "model of another architecture, or --objective dpo."
        )
    return found[0]


def head_with(weight: Tensor) -> nn.Sequential:
    """A head of one linear layer without a bias, as transformers has it. weight: (1, width)"""
    last = nn.Linear(weight.shape[1], len(weight), bias=False, dtype=weight.dtype)
    last.weight.data.copy_(weight)
    return nn.Sequential(nn.Dropout(0.0), last)


def padding(reader: Conversations) -> int:
    """A token that pads and ends no answer: transformers takes the last token that is none of padding for a text's last one."""
    tokenizer = reader.texts.tokenizer
    known = (reader.texts.pad, tokenizer.unk_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, 0)
    return next((int(one) for one in known if one is not None and one not in reader.renderer.end), 0)


@dataclass(frozen=True)
class RewardHead(Head[RewardModel, Conversations]):
    """A score of an answer: saved as the architecture's own class of one label, with the template that writes a text of it."""

    untrained = "language"
    writes = True

    def build(self, folder: Folder, wanted: Wanted, preparation: Preparation | None) -> RewardModel:
        body, name, last = own_class(folder, wanted.body_dropout)
        torch.manual_seed(seeds.derive(wanted.seed, "head"))
        return RewardModel(body, head_with(torch.randn(1, last.in_features) * SPREAD), name)

    def reopen(self, folder: Folder, saved: Saved, preparation: Preparation | None) -> RewardModel:
        refuse_encoders(folder)
        body: Any = pretrained(folder, CLASS, folder_config(folder, saved.outputs))
        name, last = last_of(folder, body)
        if not has_head(folder, name, last):
            raise head_is_missing(folder, f"{name}.weight", last)
        body.set_submodule(name, nn.Identity())
        return RewardModel(body, head_with(last.weight.data), name)

    def save(
        self,
        folder: Path,
        model: RewardModel,
        head: nn.Sequential,
        reader: Conversations,
        settings: dict[str, Any],
    ) -> None:
        tokenizer, pad = reader.texts.tokenizer, padding(reader)
        own = {**settings, "use_cache": True, "pad_token_id": pad}
        write_own_class(folder, model.body, model.last_name, head, own)
        tokenizer.chat_template = reader.renderer.template.text
        before = tokenizer.pad_token
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(pad)
        write_tokenizer(folder, reader.texts, reader.limit, lower_case=False)
        tokenizer.pad_token = before
