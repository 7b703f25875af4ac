"""Log-probabilities of tokens under an output layer, some at a time: logits of all tokens never stand in memory together.

A vocabulary has 50,000 to 250,000 tokens, so the logits of 4,096 tokens take up to 4 GB, and their gradient as much again.
What is kept between the ways up and back is one number a token, the logarithm of the softmax's denominator.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

CHUNK = 32 * 2**20
"""The most bytes of fp32 logits that are computed at once."""
FEWEST = 16
"""Tokens that are computed at once however large the vocabulary: a product of fewer rows is no quicker."""


class TokenLogProbabilities(torch.autograd.Function):
    """log softmax(states weight' + bias) at the wanted tokens; the logits are computed again on the way back."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, wanted: Tensor) -> Tensor:
        found = torch.empty(len(states), dtype=at_least_fp32(states.dtype), device=states.device)
        denominators = torch.empty_like(found)
        for some in chunks(states, weight):
            logits = logits_of(states[some], weight, bias)
            denominators[some] = torch.logsumexp(logits, 1)
            found[some] = logits.gather(1, wanted[some, None])[:, 0] - denominators[some]
        ctx.save_for_backward(states, weight, bias, wanted, denominators)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        states, weight, bias, wanted, denominators = ctx.saved_tensors
        of_states, of_weight, of_bias, _ = ctx.needs_input_grad
        gradient = gradients[0]
        to_states = torch.empty_like(states) if of_states else None
        # In fp32 or finer, as it is a sum over chunks.
        to_weight = torch.zeros_like(weight, dtype=at_least_fp32(weight.dtype)) if of_weight else None
        to_bias = torch.zeros_like(bias, dtype=at_least_fp32(bias.dtype)) if of_bias else None
        for some in chunks(states, weight):
            # The gradient of log softmax at the wanted token: one there, less the softmax everywhere.
            to_logits = logits_of(states[some], weight, bias).sub_(denominators[some, None]).exp_()
            to_logits.mul_(-gradient[some, None])
            to_logits.scatter_add_(1, wanted[some, None], gradient[some, None].to(to_logits.dtype))
            narrow = to_logits.to(weight.dtype)
            if to_states is not None:
                to_states[some] = narrow @ weight
            if to_weight is not None:
                add_product(to_weight, narrow.t(), states[some])
            if to_bias is not None:
                to_bias += to_logits.sum(0)
        back = (
            None if total is None else total.to(like.dtype)
            for total, like in ((to_states, states), (to_weight, weight), (to_bias, bias))
        )  # fmt: skip
        return (*back, None)


def token_log_probabilities(states: Tensor, weight: Tensor, bias: Tensor | None, wanted: Tensor) -> Tensor:
    """(tokens,) in fp32 or finer, the log-probability in nats of a wanted token after each state.

    states: (tokens, width).  weight: (vocabulary, width) and bias: (vocabulary,) of the output layer.  wanted: (tokens,)
    """
    found: Tensor = TokenLogProbabilities.apply(states, weight, bias, wanted)  # type: ignore[no-untyped-call]
    return found


def logits_of(states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(tokens, vocabulary) in fp32 or finer, in memory that is free to be written to."""
    logits = torch.nn.functional.linear(states, weight, bias)
    return logits.to(at_least_fp32(logits.dtype))


def add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add a product to a sum that may be in a finer precision."""
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right


def chunks(states: Tensor, weight: Tensor) -> Iterator[slice]:
    """So many states at a time that their logits stay within `CHUNK`."""
    size = max(FEWEST, CHUNK // (4 * len(weight)))
    for begin in range(0, len(states), size):
        yield slice(begin, begin + size)


def at_least_fp32(dtype: torch.dtype) -> torch.dtype:
    """The type itself, or fp32 where it is coarser."""
    return torch.promote_types(dtype, torch.float32)
