"""Texts to the texts that follow: a causal language model, whose output layer came with its weights."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from luthier.batches.examples import Batch
from luthier.batches.packed import Packed
from luthier.batches.pieces import pieces_of
from luthier.errors import ModelError
from luthier.models.headed import HeadedModel, at_least_fp32
from luthier.models.heads.head import Head, Saved, Wanted
from luthier.models.heads.own_class import changed
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import few_tokens, folder_config, pretrained
from luthier.models.kernels.packed_attention import LAYOUT, use_packed_attention
from luthier.models.kernels.token_loss import logits_of, token_log_probabilities
from luthier.models.knowledge import Knowledge, NextTokens
from luthier.models.readers.conversations import Conversations, refuse_encoders
from luthier.models.readers.images import Preparation
from luthier.models.readers.write_tokenizer import write_tokenizer

CLASS = "AutoModelForCausalLM"
NEAR = 1e-4
"""How near the states of a packed batch come to those of its sequences alone, relative to the largest of them, where packing is
exact: far above rounding, far below what a token too much or too little makes."""


class LanguageModel(HeadedModel):
    """A causal language model as it came. What others call its head is a part of the body: it knows all that it will answer."""

    knows = True
    writes = True

    def __init__(self, body: nn.Module, packs: bool) -> None:
        super().__init__(body, nn.Sequential())
        self.packs = packs
        """Whether sequences go through the body side by side; else padded, one below the other."""
        self.micro_tokens: int | None = None
        """Tokens that are computed at once in training, where a loss compares all rows of a step; None: the whole batch."""

    @property
    def outputs(self) -> int:
        """One number is predicted of a token that is to come: its log-probability."""
        return 1

    @property
    def width(self) -> int:
        """Numbers in a token's state."""
        return self.state_width

    @property
    def output_layer(self) -> nn.Linear:
        """The layer that makes logits of a state; its weight may be the embeddings'."""
        body: Any = self.body
        layer: nn.Linear = body.get_output_embeddings()
        return layer

    def states(self, batch: Batch) -> Tensor:
        """(tokens, width) the state of each token of a packed batch, in the precision of the body."""
        self.tell(batch)
        assert batch.packed is not None, "sequences are packed"
        return states_of(self.body, batch, batch.packed, self.packs)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Any]:
        """Inside, the model of transformers as it writes: with all of its layers, whatever is replayed in training."""
        with contextlib.nullcontext() if self.prefix is None else self.prefix.aside():
            yield self.body.eval()

    def features(self, batch: Batch) -> Tensor:
        """(rows, width): the mean over the tokens of each row's sequences."""
        packed = batch.packed
        assert packed is not None, "sequences are packed"
        states = at_least_fp32(self.states(batch))
        paths = torch.from_numpy(packed.executed).to(states.device)
        counts = torch.tensor([len(path) for path in packed.paths], device=states.device)
        row = torch.repeat_interleave(batch.part_of, counts)
        sums = states.new_zeros(len(batch.rows), states.shape[1]).index_add(0, row, states[paths])
        return sums / torch.bincount(row, minlength=len(batch.rows)).clamp(min=1).unsqueeze(1)

    def forward(self, batch: Batch) -> Tensor:
        """(predictions,) in fp32 or finer: the log-probability in nats of each token that is learnt, sequence after sequence.

        A step larger than `micro_tokens` is computed in pieces, each of which is computed again on the way back: memory stays
        that of one piece, and the gradient is that of the whole step.
        """
        size = int(batch.inputs["input_ids"].numel())
        if self.micro_tokens is None or size <= self.micro_tokens or not torch.is_grad_enabled():
            return self.log_probabilities(batch)
        found = [
            checkpoint(self.log_probabilities, piece, use_reentrant=False)
            for piece in pieces_of(batch, self.micro_tokens)
        ]
        return torch.cat(found)

    def log_probabilities(self, batch: Batch) -> Tensor:
        """(predictions,) of a batch, computed at once."""
        packed = batch.packed
        assert packed is not None, "sequences are packed"
        wanted = packed.predictions
        states, layer = self.states(batch), self.output_layer
        found = token_log_probabilities(states[wanted.at], layer.weight, layer.bias, wanted.wanted)
        return found[wanted.pair]


def states_of(body: Any, batch: Batch, packed: Packed, packs: bool) -> Tensor:
    """(tokens, width) the last states of the tokens of a packed batch."""
    inner = body.base_model
    if not packs:
        return padded_states(inner, batch, packed)
    ids = batch.inputs["input_ids"]
    # A mask of four dimensions is passed on as it is: who sees whom is said by the layout.
    passed_on = torch.zeros(1, 1, 1, 1, dtype=next(body.parameters()).dtype, device=ids.device)
    with LAYOUT.of(packed):
        out = inner(**batch.inputs, attention_mask=passed_on, use_cache=False)
    states: Tensor = out.last_hidden_state[0]
    return states


def padded_states(inner: Any, batch: Batch, packed: Packed) -> Tensor:
    """As `states_of`, of a model that cannot be packed: its sequences one below the other."""
    ids = batch.inputs["input_ids"][0]
    longest = max(len(path) for path in packed.paths)
    rows = ids.new_zeros(len(packed.paths), longest)
    mask = torch.zeros_like(rows)
    place = ids.new_zeros(len(ids))
    for line, path in enumerate(packed.paths):
        own = torch.from_numpy(path).to(ids.device)
        rows[line, : len(own)], mask[line, : len(own)] = ids[own], 1
        place[own] = line * longest + torch.arange(len(own), device=ids.device)
    states: Tensor = inner(input_ids=rows, attention_mask=mask, use_cache=False).last_hidden_state
    return states.flatten(0, 1)[place]


def language_model(folder: Folder, body_dropout: float | None = None) -> LanguageModel:
    """The causal language model of a folder. Raises ModelError where the folder holds none, or one of another kind."""
    refuse_encoders(folder)
    body = pretrained(folder, CLASS, folder_config(folder, None, body_dropout))
    refuse_other_outputs(folder, body)
    return LanguageModel(body, pack(body))


def pack(body: Any) -> bool:
    """Let a model attend within packed batches, if its states are then those of the sequences alone; whether they are."""
    if not getattr(body, "_supports_attention_backend", False):
        return False
    before = body.config._attn_implementation
    batch = few_sequences(body.config)
    assert batch.packed is not None, "sequences are packed"
    with torch.no_grad():
        expected = states_of(body, batch, batch.packed, packs=False)
        use_packed_attention(body)
        found = states_of(body, batch, batch.packed, packs=True)
    if float((found - expected).abs().max()) <= NEAR * float(expected.abs().max()):
        return True
    body.set_attn_implementation(before)
    return False


def few_sequences(config: Any) -> Batch:
    """Three short sequences, two of which begin alike, for looking at how a model computes."""
    import numpy as np

    from luthier.batches.sequences import Sequences

    shared = [1, 3, 2, 4, 3, 1]
    texts = [[*shared, 2, 4, 4], [*shared, 4, 3, 2, 1], [2, 1, 4, 3, 3]]
    ids = np.array([number for text in texts for number in text], np.int32)
    ends = np.cumsum([0, *map(len, texts)])
    rows = np.arange(len(texts) + 1)
    trained = np.ones(len(ids), bool)
    trained[ends[:-1]] = False
    few = Sequences(ids, trained, ends, rows, np.ones(3, np.int64), np.zeros(3))
    return few.batch(np.arange(3)).to(torch.device("cpu"))


def refuse_other_outputs(folder: Folder, body: Any) -> None:
    """Raise ModelError for a model that makes more of its output layer's products than probabilities."""
    few = few_tokens(body.config)
    with torch.no_grad():
        expected: Tensor = body(**few).logits
        layer = body.get_output_embeddings()
        states = body.base_model(**few).last_hidden_state
        found = logits_of(states.flatten(0, 1), layer.weight, layer.bias).view(expected.shape)
    if not torch.allclose(found, expected, rtol=1e-4, atol=1e-4):
        raise ModelError(
            f"{folder.path}: {folder.family} makes more of its output layer than luthier does (a scale or a cap of its logits). "
            "Choose another model."
        )


@dataclass(frozen=True)
class LanguageHead(Head[LanguageModel, Conversations]):
    """The next token: saved as the architecture's own class, with what transformers needs to write as luthier does."""

    untrained = "language"
    writes = True
    new = False

    def build(self, folder: Folder, wanted: Wanted, preparation: Preparation | None) -> LanguageModel:
        return language_model(folder, wanted.body_dropout)

    def reopen(self, folder: Folder, saved: Saved, preparation: Preparation | None) -> LanguageModel:
        return language_model(folder)

    def save(
        self,
        folder: Path,
        model: LanguageModel,
        head: nn.Sequential,
        reader: Conversations,
        settings: dict[str, Any],
    ) -> None:
        """The model as it came, with how it ends an answer (generation_config.json) and the template that it was tuned with.

        settings: what else generation_config.json says.
        """
        body: Any = model.body
        tokenizer = reader.texts.tokenizer
        ends = list(reader.renderer.end)
        body.generation_config = type(body.generation_config)(
            do_sample=False,
            eos_token_id=ends[0] if len(ends) == 1 else ends,
            bos_token_id=tokenizer.bos_token_id,
            pad_token_id=reader.texts.pad,
            **{"max_new_tokens": reader.most, **settings},
        )
        with changed(body.config, {"use_cache": True}):
            body.save_pretrained(folder)
        if reader.chats:
            tokenizer.chat_template = reader.renderer.template.saved
        write_tokenizer(folder, reader.texts, reader.limit, lower_case=False)

    def saved_weights(self, model: LanguageModel, head: nn.Sequential) -> nn.Module:
        return model.body

    def knowledge(self, folder: Folder, model: LanguageModel) -> Knowledge:
        return NextTokens()
