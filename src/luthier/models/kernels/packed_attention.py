"""Attention within the sequences of one packed batch, offered to transformers under the name `luthier-packed`.

A packed batch (batches/packed.py) is one long row of tokens in which no sequence may see another. A mask of all tokens
against all others would say so, at the cost of a square of mostly nothing; here each branch of the prefix tree attends to its
own keys alone, branches of like size together. Outside of a packed batch it is ordinary causal attention.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from luthier.batches.packed import Bucket, Packed
from luthier.models.kernels.attention import Attention, attention

NAME = "luthier-packed"
SHORT = 512
"""Keys of the longest branch that attends by plain products, which keep every weight of attention for the way back."""


@dataclass
class Layout:
    """The packed batch that is going through a model; None outside of one. One of this process, as there is one of dropout."""

    packed: Packed | None = None
    biases: dict[tuple[int, int | None, torch.dtype], Tensor] = field(default_factory=dict)
    """What is added to the scores of a bucket, by its number, the window and the precision: the same in every layer."""

    @contextmanager
    def of(self, packed: Packed) -> Iterator[None]:
        """Inside, attention is that of a packed batch."""
        before = self.packed, self.biases
        self.packed, self.biases = packed, {}
        try:
            yield
        finally:
            self.packed, self.biases = before

    def bias(self, at: int, window: int | None, like: Tensor) -> Tensor:
        """(branches, 1, queries, keys) 0 where a query of a bucket sees a key, and the lowest number where not."""
        key = at, window, like.dtype
        if key not in self.biases:
            assert self.packed is not None, "a bias is that of a bucket"
            self.biases[key] = bias_of(self.packed.buckets[at], window, like.dtype)
        return self.biases[key]


LAYOUT = Layout()


def bias_of(bucket: Bucket, window: int | None, dtype: torch.dtype) -> Tensor:
    """(branches, 1, queries, keys) what is added to the scores of a bucket. window: keys that a query sees, itself included."""
    columns = torch.arange(bucket.keys.shape[1], device=bucket.keys.device)
    seen = columns <= bucket.positions[..., None]
    if window is not None:
        seen &= columns > bucket.positions[..., None] - window
    bias = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return bias.masked_fill_(~seen, torch.finfo(dtype).min)[:, None]


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers calls it: of a packed batch (1, heads, tokens, width / heads) each to (1, tokens, heads, width
    / heads); of any other as `attention` does it."""
    packed = LAYOUT.packed
    if packed is None:
        return attention(module, query, key, value, attention_mask, scaling, dropout, **kwargs)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    window = kwargs.get("sliding_window")
    # Tokens first, so that those of a branch are rows that are picked whole.
    rows = [tensor[0].transpose(0, 1).flatten(1) for tensor in (query, key, value)]
    heads, keys, width = query.shape[1], key.shape[1], query.shape[-1]
    mixed = [
        of_bucket(
            at, bucket, rows, Heads(heads, keys, width, scale, window, dropout if module.training else 0.0)
        )
        for at, bucket in enumerate(packed.buckets)
    ]
    together = mixed[0] if len(mixed) == 1 else torch.cat(mixed)
    return together.index_select(0, packed.order).view(1, -1, heads, width), None


@dataclass(frozen=True)
class Heads:
    """How a layer attends."""

    queries: int
    keys: int
    """Heads of keys and values, each of which several heads of queries may share."""
    width: int
    """Numbers in a head."""
    scale: float
    window: int | None
    """Keys that a query sees, itself included; None: all before it."""
    dropout: float


def of_bucket(at: int, bucket: Bucket, rows: list[Tensor], heads: Heads) -> Tensor:
    """(tokens, heads x width) what the queries of a bucket find. rows: queries, keys and values, tokens first."""
    query, key, value = rows
    branches, queries = bucket.queries.shape
    own = query.index_select(0, bucket.queries.view(-1)).view(branches, queries, heads.queries, heads.width)
    seen = [
        tensor.index_select(0, bucket.keys.view(-1))
        .view(branches, -1, heads.keys, heads.width)
        .transpose(1, 2)
        for tensor in (key, value)
    ]
    own = own.transpose(1, 2)
    bias = LAYOUT.bias(at, heads.window, query)
    if query.device.type == "cpu" and bucket.keys.shape[1] <= SHORT and not heads.dropout:
        share = heads.queries // heads.keys
        # Heads of queries that share a head of keys stand below each other, so that the keys need not be repeated.
        folded = own.reshape(branches, heads.keys, share * queries, heads.width)
        mixed = Attention.apply(folded, *seen, bias.repeat(1, 1, share, 1), heads.scale, None)  # type: ignore[no-untyped-call]
        mixed = mixed.view(branches, share, queries, heads.keys, heads.width).permute(0, 2, 3, 1, 4)
    else:
        causal = bucket.causal and heads.window is None
        mixed = nn.functional.scaled_dot_product_attention(
            own,
            seen[0],
            seen[1],
            attn_mask=None if causal else bias,
            dropout_p=heads.dropout,
            is_causal=causal,
            scale=heads.scale,
            enable_gqa=heads.queries != heads.keys,
        ).transpose(1, 2)
    found: Tensor = mixed.reshape(branches * queries, heads.queries * heads.width)
    return found.index_select(0, bucket.found)


def use_packed_attention(model: Any) -> None:
    """Let a transformers model attend through `packed_attention`."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(NAME, packed_attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    model.set_attn_implementation(NAME)
