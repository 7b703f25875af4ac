"""Three ways in which a decoder reads prompts and then one token at a time, each with the same logits in the end.

`Slotted` is the fast one: rows of any length in one batch, shared beginnings read once. `Cached` serves architectures whose
layers keep something other than keys and values, or whose attention takes no masks from outside; `Uncached` those that
keep nothing. These two read only prompts of equal length together, as there is nothing then that padding could disturb.
"""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from luthier.arrays import Ints
from luthier.batches.order import by_length
from luthier.models.decoding.beginnings import Ids, Level, levels_of
from luthier.models.kernels.attention import NAME
from luthier.models.kernels.packed_attention import NAME as PACKED

if TYPE_CHECKING:  # slots are a cache of transformers, which is imported only where a model is at hand
    from luthier.models.decoding.slots import Sight

TOGETHER = 512
"""How many tokens of a row are read in one pass at the most, so that the scores of long prompts do not fill the memory; on a CPU
also how many of all rows."""


class Reading(Protocol):
    """Prompts that have been read but for their last token."""

    def read(self, tokens: Tensor) -> Tensor:
        """Read one token more of each row, (rows,); return the logits of what follows it, (rows, vocabulary)."""

    def keep(self, rows: Sequence[int]) -> None:
        """Let the other rows go; these take the places 0, 1, 2, ... in this order."""


class Slotted:
    """Reading with keys and values in slots."""

    def __init__(self, model: Any, prompts: Sequence[Ids], slots: int, device: torch.device) -> None:
        """Read all but the last tokens of some prompts. slots: how many tokens the longest row will have in the end."""
        from luthier.models.decoding.slots import Slots

        self.model, self.device = model, device
        self.sight = sight_of(model, slots)
        self.layers = model.config.get_text_config(decoder=True).num_hidden_layers
        self.filled: Ints = np.zeros(1, np.int64)
        """(rows,): how many tokens of each row have been read."""
        self.cache = Slots(self.layers, 1, 0, device)
        heads = [prompt[:-1] for prompt in prompts]
        distinct = sorted(set(heads))
        for level in levels_of(distinct):
            self.descend(level)
        place = {head: at for at, head in enumerate(distinct)}
        self.spread([place[head] for head in heads], slots)

    def descend(self, level: Level) -> None:
        """Read the pieces of one level, each after what its parent read."""
        ends = self.filled[list(level.parents)] + [len(piece) for piece in level.pieces]
        self.spread(level.parents, int(ends.max()))
        self.append(level.pieces)

    def spread(self, parents: Sequence[int], slots: int) -> None:
        rows = torch.tensor(parents, device=self.device)
        self.cache = self.cache.spread(rows, int(self.filled.max()), slots)
        self.filled = self.filled[list(parents)]

    def append(self, pieces: Sequence[Sequence[int]]) -> None:
        """Read some tokens more of each row, without asking for logits."""
        lengths = np.array([len(piece) for piece in pieces])
        tokens = np.zeros((len(pieces), lengths.max()), np.int64)
        for row, piece in enumerate(pieces):
            tokens[row, : len(piece)] = piece
        for begin in range(0, tokens.shape[1], TOGETHER):
            left = np.clip(lengths - begin, 0, TOGETHER)
            # Rows of like length together: on a CPU a pass of some hundred tokens is as fast a token as a longer one, and padding
            # is work. A GPU wants few passes.
            budget = TOGETHER if self.device.type == "cpu" else 32 * TOGETHER
            for rows in by_length(left, budget):
                rows = rows[left[rows] > 0]
                if len(rows):
                    some = tokens[rows, begin : begin + left[rows].max()]
                    padded = torch.from_numpy(some).to(self.device)
                    self.run(self.model.base_model, padded, left[rows], rows)

    def read(self, tokens: Tensor) -> Tensor:
        ones = np.ones(len(tokens), np.int64)
        logits: Tensor = self.run(self.model, tokens[:, None], ones, np.arange(len(tokens))).logits
        return logits[:, -1]

    def run(self, model: Any, tokens: Tensor, real: Ints, rows: Ints) -> Any:
        """Read the first `real` tokens of each line of `tokens` (rows, tokens), the others being padding, into some rows."""
        places = self.cache.places
        after = np.arange(tokens.shape[1])
        positions = np.minimum(self.filled[rows, None] + after, places.slots - 1)
        targets = np.where(after < real[:, None], positions, places.slots)
        self.filled[rows] += real
        in_order = bool((rows == np.arange(len(rows))).all())
        places.some = None if in_order else torch.from_numpy(rows).to(self.device)
        places.targets = torch.from_numpy(targets).to(self.device)
        places.visible = int(self.filled[rows].max())
        low, high = int(positions.min()), int(positions.max()) + 1
        where = torch.from_numpy(positions).to(self.device)
        return model(
            input_ids=tokens,
            position_ids=where,
            attention_mask=self.sight.masks(where, low, high, places.visible),
            past_key_values=self.cache,
            use_cache=True,
        )

    def keep(self, rows: Sequence[int]) -> None:
        for target, source in enumerate(rows):
            if source != target:
                self.cache.copy(source, target, int(self.filled[source]))
        self.filled = self.filled[list(rows)]

    def make_room(self, slots: int) -> None:
        """Let rows grow to so many tokens; at least twice as many as before, so that a dialogue does not copy at each turn."""
        if slots > self.cache.places.slots:
            slots = max(slots, 2 * self.cache.places.slots)
            self.spread(range(len(self.filled)), slots)
            self.sight = sight_of(self.model, slots)

    def go_back(self, tokens: int) -> None:
        """Forget all but the first tokens of each row."""
        self.filled = np.minimum(self.filled, tokens)


def sight_of(model: Any, slots: int) -> "Sight":
    from luthier.models.decoding.slots import Sight

    return Sight(model, slots)


class Cached:
    """Reading with the cache that transformers has for the model."""

    def __init__(self, model: Any, prompts: Sequence[Ids], device: torch.device) -> None:
        """Read all but the last tokens of some prompts of equal length."""
        from transformers import DynamicCache

        self.model = model
        self.cache: Any = DynamicCache(config=model.config)
        heads = torch.tensor([prompt[:-1] for prompt in prompts], dtype=torch.long, device=device)
        if heads.shape[1]:
            model.base_model(input_ids=heads, past_key_values=self.cache, use_cache=True)

    def read(self, tokens: Tensor) -> Tensor:
        output = self.model(input_ids=tokens[:, None], past_key_values=self.cache, use_cache=True)
        logits: Tensor = output.logits[:, -1]
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        self.cache.batch_select_indices(torch.tensor(rows))


class Uncached:
    """Reading all tokens of all rows again for each token more."""

    def __init__(self, model: Any, prompts: Sequence[Ids], device: torch.device) -> None:
        """Take some prompts of equal length; they are read when their last tokens come."""
        self.model = model
        self.tokens = torch.tensor([prompt[:-1] for prompt in prompts], dtype=torch.long, device=device)
        self.last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes(model) else {}

    def read(self, tokens: Tensor) -> Tensor:
        self.tokens = torch.cat([self.tokens, tokens[:, None]], 1)
        options = {"use_cache": False} if "use_cache" in takes(self.model) else {}
        logits: Tensor = self.model(input_ids=self.tokens, **options, **self.last_only).logits[:, -1]
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        self.tokens = self.tokens[list(rows)]


def takes(model: Any) -> set[str]:
    """The names of what a model's forward pass takes."""
    return set(inspect.signature(model.forward).parameters)


def can_cache(model: Any) -> bool:
    """Whether a model keeps what it has read in a cache that it takes from outside."""
    return {"past_key_values", "use_cache"} <= takes(model)


def can_slot(model: Any) -> bool:
    """Whether a model reads into slots what it reads without any cache: told by its description first, and then tried on
    two short prompts of unlike length."""
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

    if not can_cache(model) or not {"position_ids", "attention_mask"} <= takes(model):
        return False
    known = getattr(model, "_supports_attention_backend", False)
    if not known or model.config._attn_implementation not in ("eager", "sdpa", NAME, PACKED):
        return False
    kinds = {type(layer) for layer in DynamicCache(config=model.config).layers}
    if not kinds <= {DynamicLayer, DynamicSlidingWindowLayer}:
        return False
    return agree(model)


@torch.inference_mode()
def agree(model: Any) -> bool:
    """Whether the logits of two short prompts are the same through slots and without a cache."""
    weights = model.get_input_embeddings().weight
    some = [token % len(weights) for token in (5, 11, 7, 3, 2)]
    prompts = [tuple(some), tuple(some[1:3])]
    slotted = Slotted(model, prompts, len(some), weights.device)
    found = slotted.read(torch.tensor([prompt[-1] for prompt in prompts], device=weights.device))
    for prompt, row in zip(prompts, found, strict=True):
        tokens = torch.tensor([prompt], device=weights.device)
        expected = model(input_ids=tokens, use_cache=False).logits[0, -1]
        tolerance = 8 * torch.finfo(expected.dtype).eps ** 0.75 * float(expected.abs().max())
        if not float((row - expected).abs().max()) <= tolerance:  # nor where it is no number
            return False
    return True
