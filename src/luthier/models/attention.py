"""Attention for short texts on a CPU, offered to transformers under the name `luthier`.

At the lengths of most tasks torch's fused attention is slow on a CPU, most of all backwards, and the plain way spends
its time on many small operations and on drawing the dropout mask (docs/engine.md has the measurements). This is the
plain way with its backward pass written out, and with dropout from `luthier.models.dropout`.
"""

from typing import Any

import torch
from torch import Tensor, nn

from luthier.models.dropout import DICE

NAME = "luthier"


class Attention(torch.autograd.Function):
    """softmax(query key' scale + bias) value, each (parts, heads, tokens, width / heads); Vaswani et al. 2017, eq. 1."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float, mask: Tensor | None
    ) -> Tensor:  # fmt: skip
        # torch's softmax over short rows is three to ten times slower in bf16 than in fp32, casts included.
        scores = widened(torch.matmul(query, key.transpose(2, 3))).mul_(scale)
        if bias is not None:
            scores += bias
        shares = torch.softmax(scores, -1).to(query.dtype)
        kept = shares if mask is None else shares * mask
        ctx.scale = scale
        ctx.save_for_backward(query, key, value, shares, *(() if mask is None else (kept, mask)))
        return torch.matmul(kept, value).transpose(1, 2).contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        query, key, value, shares, *dropped = ctx.saved_tensors
        kept, mask = dropped or (shares, None)
        gradient = gradients[0].transpose(1, 2)
        of_value = torch.matmul(kept.transpose(2, 3), gradient)
        of_shares = torch.matmul(gradient, value.transpose(2, 3))
        if mask is not None:
            of_shares *= mask
        wide = widened(shares)
        of_scores = torch.ops.aten._softmax_backward_data(widened(of_shares), wide, -1, wide.dtype)
        of_scores = of_scores.mul_(ctx.scale).to(query.dtype)
        of_query = torch.matmul(of_scores, key)
        of_key = torch.matmul(of_scores.transpose(2, 3), query)
        return of_query, of_key, of_value, None, None, None


def widened(values: Tensor) -> Tensor:
    """In fp32, or finer if they are."""
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
    """As transformers calls it: (parts, heads, tokens, width / heads) each -> (parts, tokens, heads, width / heads)."""
    if key.shape[1] != query.shape[1]:  # several query heads share a key
        share = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(share, 1), value.repeat_interleave(share, 1)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    mask = None
    if dropout and module.training:
        shape = (*query.shape[:3], key.shape[2])
        mask = DICE.mask(query, shape, dropout)
        if mask is None:
            mask = nn.functional.dropout(torch.ones(shape, dtype=query.dtype, device=query.device), dropout)
    if attention_mask is not None:
        attention_mask = attention_mask[..., : key.shape[2]]
        if attention_mask.requires_grad:  # a bias that is learnt: autograd writes its backward pass
            shares = torch.softmax(torch.matmul(query, key.transpose(2, 3)) * scale + attention_mask, -1)
            kept = shares if mask is None else shares * mask
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
