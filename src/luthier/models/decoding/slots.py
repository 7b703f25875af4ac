"""Keys and values of rows of unlike length: a row's token at position p lies in slot p, so there are no holes to step over.

A row sees its slots up to its own position, whatever stands behind; so one row may be further than another, may go back,
and its place is free for another row as soon as it has ended. Nothing is moved when a token is added.
"""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.masking_utils import create_masks_for_generate

AHEAD = 256
"""For how many positions after those asked for masks are made at once."""

Masks = Any
"""A mask (rows, 1, tokens, slots) as the model's attention takes it, or one for each type of layer, by its name."""


class Places:
    """Which slots of which rows the tokens of the present pass go to; all layers read it."""

    def __init__(self, rows: int, slots: int, device: torch.device) -> None:
        self.rows, self.slots = rows, slots
        """How many there are; the layers have one slot more, where padding goes and nobody looks."""
        self.numbers = torch.arange(rows, device=device)
        self.some: Tensor | None = None
        """The rows that are read in this pass; None where these are the first ones."""
        self.targets = self.numbers[:, None]
        """(rows, tokens): the slot of each token."""
        self.visible = 0
        """How many slots, from the first on, the furthest row sees."""


class SlotLayer(CacheLayerMixin):  # type: ignore[misc]
    """The keys and values of one layer: (rows, heads, slots + 1, width) each."""

    def __init__(self, places: Places) -> None:
        super().__init__()
        self.places = places

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        # Zeros: what a mask hides is multiplied by nought, and nought times whatever lay in memory may be no number.
        self.keys, self.values = (
            states.new_zeros(self.places.rows, states.shape[1], self.places.slots + 1, states.shape[3])
            for states in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Keep the keys and values of the tokens of this pass; return those of all tokens that may be seen."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        some, visible = self.places.some, self.places.visible
        rows = self.places.numbers[: len(key_states)] if some is None else some
        for kept, states in ((self.keys, key_states), (self.values, value_states)):
            kept[rows[:, None], :, self.places.targets] = states.transpose(1, 2)
        seen = slice(len(rows)) if some is None else some
        return self.keys[seen, :, :visible], self.values[seen, :, :visible]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.places.visible, 0

    def get_seq_length(self) -> int:
        return self.places.visible - self.places.targets.shape[1]

    def get_max_length(self) -> int:
        return self.places.slots


class Slots(Cache):  # type: ignore[misc]
    """Keys and values of some rows in all layers of a model."""

    def __init__(self, layers: int, rows: int, slots: int, device: torch.device) -> None:
        self.places = Places(rows, slots, device)
        super().__init__(layers=[SlotLayer(self.places) for _ in range(layers)])

    def spread(self, parents: Tensor, filled: int, slots: int) -> "Slots":
        """New rows, each with the first `filled` slots of a row of this cache, `parents` (rows,) says which; and with so many
        slots in all. This cache is empty then: layer by layer, so that no more than one layer stands in memory twice."""
        new = Slots(len(self.layers), len(parents), slots, parents.device)
        for layer, mine in zip(new.layers, self.layers, strict=True):
            if mine.is_initialized:
                layer.lazy_initialization(mine.keys, mine.values)
                layer.keys[:, :, :filled] = mine.keys[parents, :, :filled]
                layer.values[:, :, :filled] = mine.values[parents, :, :filled]
                mine.keys = mine.values = None
        return new

    def copy(self, source: int, target: int, filled: int) -> None:
        """Put the first `filled` slots of one row into another's place."""
        for layer in self.layers:
            for kept in (layer.keys, layer.values):
                kept[target, :, :filled] = kept[source, :, :filled]


class Sight:
    """Who sees whom, as transformers' own functions say it for a model's layers, at whatever positions rows are."""

    def __init__(self, model: Any, slots: int) -> None:
        self.model, self.slots = model, slots
        self.first, self.last = 0, 0
        self.band: Masks = None
        """The masks of queries at the positions from `first` to before `last`."""

    def masks(self, positions: Tensor, low: int, high: int, visible: int) -> Masks:
        """The masks of tokens at `positions` (rows, tokens), which lie from `low` to before `high`, over the slots up to
        `visible`."""
        if low < self.first or high > self.last:
            self.first, self.last = low, min(self.slots, high + AHEAD)
            self.band = self.made()
        if isinstance(self.band, dict):
            return {kind: self.chosen(band, positions, visible) for kind, band in self.band.items()}
        return self.chosen(self.band, positions, visible)

    def chosen(self, band: Tensor, positions: Tensor, visible: int) -> Tensor:
        return band[0, 0, positions - self.first, :visible][:, None]

    def made(self) -> Masks:
        """The masks from `first` to before `last`, made as if all of it were one row's."""
        like = self.model.get_input_embeddings().weight
        queries = like.new_empty(1, self.last - self.first, 1)
        return create_masks_for_generate(
            self.model.config,
            inputs_embeds=queries,
            attention_mask=None,
            past_key_values=Band(self.first, self.slots),
            # Where nothing is masked beyond what is causal, no mask would be made; a further condition keeps it.
            and_mask_function=always,
        )


class Band:
    """What transformers asks a cache about when it makes masks."""

    def __init__(self, first: int, slots: int) -> None:
        self.first, self.slots = first, slots

    def get_query_offset(self, layer_idx: int = 0) -> int:
        return self.first

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        return self.slots, 0


def always(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
    return query >= 0
