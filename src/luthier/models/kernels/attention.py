"""Attention for short texts on a CPU, offered to transformers under the name `luthier`.

At the lengths of most tasks torch's fused attention is slow on a CPU, most of all backwards, and the plain way spends
its time on many small operations and on drawing the dropout mask (docs/engine.md has the measurements). This is the
plain way with its backward pass written out, and with dropout from `luthier.models.kernels.dropout`.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from luthier.models.kernels.dropout import DICE, Drawn

NAME = "luthier"
CACHE = 4 * 2**20
"""The most bytes of attention scores that are computed at once."""


class Attention(torch.autograd.Function):
    """softmax(query key' scale + bias) value, each (parts, heads, tokens, width / heads); Vaswani et al. 2017, eq. 1.

    Some parts at a time, as many as fit the cache; what was dropped is drawn again on the way back.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Tensor | None,
        scale: float,
        dropped: Drawn | Tensor | None,
    ) -> Tensor:
        parts, heads, tokens, width = query.shape
        found = query.new_empty(parts, tokens, heads, width)
        every_share = query.new_empty(parts, heads, tokens, key.shape[2])
        for some in pieces(query, key):
            # torch's softmax over short rows is three to ten times slower in bf16 than in fp32, casts included.
            scores = widened(torch.matmul(query[some], key[some].transpose(2, 3))).mul_(scale)
            if bias is not None:
                scores += bias if len(bias) == 1 else bias[some]
            shares = every_share[some].copy_(torch.softmax(scores, -1))
            kept = shares if dropped is None else shares * mask_of(dropped, some, shares)
            found[some] = torch.matmul(kept, value[some]).transpose(1, 2)
        ctx.scale, ctx.dropped = scale, dropped
        ctx.save_for_backward(query, key, value, every_share)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        query, key, value, every_share = ctx.saved_tensors
        of_query, of_key, of_value = (torch.empty_like(values) for values in (query, key, value))
        for some in pieces(query, key):
            gradient = gradients[0][some].transpose(1, 2)
            shares = every_share[some]
            mask = None if ctx.dropped is None else mask_of(ctx.dropped, some, shares)
            kept = shares if mask is None else shares * mask
            of_value[some] = torch.matmul(kept.transpose(2, 3), gradient)
            of_shares = torch.matmul(gradient, value[some].transpose(2, 3))
            if mask is not None:
                of_shares *= mask
            wide = widened(shares)
            of_scores = torch.ops.aten._softmax_backward_data(widened(of_shares), wide, -1, wide.dtype)
            of_scores = of_scores.mul_(ctx.scale).to(query.dtype)
            of_query[some] = torch.matmul(of_scores, key[some])
            of_key[some] = torch.matmul(of_scores.transpose(2, 3), query[some])
        return of_query, of_key, of_value, None, None, None


def pieces(query: Tensor, key: Tensor) -> Iterator[slice]:
    """The parts of a batch, so many at a time that their scores fit the cache."""
    parts, heads, tokens, _ = query.shape
    at_once = max(1, CACHE // (4 * heads * tokens * key.shape[2]))
    for begin in range(0, parts, at_once):
        yield slice(begin, begin + at_once)


def mask_of(dropped: Drawn | Tensor, some: slice, like: Tensor) -> Tensor:
    return dropped[some] if isinstance(dropped, Tensor) else dropped.of(some, like)


def widened(values: Tensor) -> Tensor:
    """The tensors in fp32, or as they are if that is finer."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers calls it, from (parts, heads, tokens, width / heads) each to (parts, tokens, heads, width /
    heads)."""
    if key.shape[1] != query.shape[1]:  # several query heads share a key
        share = query.shape[1] // key.shape[1]
        one_mask = attention_mask is None or attention_mask.shape[1] == 1
        if query.shape[2] == 1 and one_mask and not module.training:
            # One token of each row, as in generation: its heads are tokens of the key's head, and nothing is copied.
            grouped = query.reshape(len(query), key.shape[1], share, -1)
            found, _ = attention(module, grouped, key, value, attention_mask, scaling, dropout, **kwargs)
            return found.transpose(1, 2).reshape(len(query), 1, -1, found.shape[-1]), None
        key, value = key.repeat_interleave(share, 1), value.repeat_interleave(share, 1)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    mask: Drawn | Tensor | None = None
    if dropout and module.training:
        shape = (*query.shape[:3], key.shape[2])
        mask = DICE.draw(shape, dropout)
        if mask is None:
            mask = nn.functional.dropout(torch.ones(shape, dtype=query.dtype, device=query.device), dropout)
    if attention_mask is not None:
        attention_mask = attention_mask[..., : key.shape[2]]
        if attention_mask.requires_grad:  # a bias that is learnt: autograd writes its backward pass
            shares = torch.softmax(torch.matmul(query, key.transpose(2, 3)) * scale + attention_mask, -1)
            kept = shares if mask is None else shares * mask_of(mask, slice(None), shares)
            return torch.matmul(kept, value).transpose(1, 2).contiguous(), None
    mixed: Tensor = Attention.apply(query, key, value, attention_mask, scale, mask)  # type: ignore[no-untyped-call]
    return mixed, None


def use_short_attention(model: Any, run: Any) -> bool:
    """Let a transformers model attend through `attention`, if it then computes what it computed before.

    run() gives the model's output on a small batch. Architectures whose attention adds terms of its own (relative
    positions, sinks, caps) are found out by their output, and keep their own way.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    if not getattr(model, "_supports_attention_backend", False):
        return False
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    before = model.config._attn_implementation
    with torch.no_grad():
        expected = run()
        model.set_attn_implementation(NAME)
        found = run()
    if torch.allclose(expected, found, rtol=1e-4, atol=1e-5):
        return True
    model.set_attn_implementation(before)
    return False
