"""Activations that are computed again on the way back, a block at a time, not kept (Chen et al. 2016, arXiv:1604.06174).

Of each block its input alone is kept, and one block at a time computes anew what its gradient needs: a third more computing for a
part of the memory. The gradient is the same to the bit, as a block finds all as it was: the batch it is in, and its dropout.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from luthier.models.kernels.dropout import DICE
from luthier.models.kernels.packed_attention import LAYOUT
from luthier.models.ladder.ladder import Ladder


def can_recompute(model: nn.Module, ladder: Ladder) -> bool:
    """Whether all blocks of a model are made so that transformers can have them computed again."""
    from transformers.modeling_layers import GradientCheckpointingLayer as Layer

    return bool(ladder.blocks) and all(isinstance(block, Layer) for block in blocks_of(model, ladder))


def recompute(model: nn.Module, ladder: Ladder) -> None:
    """Let the blocks of a model, where they train, compute their activations again on the way back."""
    again = partial(checkpoint, use_reentrant=False, context_fn=contexts)
    for block in blocks_of(model, ladder):
        block.gradient_checkpointing, block._gradient_checkpointing_func = True, again


def blocks_of(model: nn.Module, ladder: Ladder) -> list[Any]:
    return [model.get_submodule(path) for path in ladder.blocks]


def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """What torch asks for as a block begins: in what it computes now, and in what it will compute again."""
    return nullcontext(), as_it_was((LAYOUT.packed, LAYOUT.biases), (DICE.keys, DICE.call))


@contextmanager
def as_it_was(layout: tuple[Any, Any], dice: tuple[Any, Any]) -> Iterator[None]:
    """Inside, the packed batch and the dropout masks are those of another moment."""
    now = (LAYOUT.packed, LAYOUT.biases), (DICE.keys, DICE.call)
    (LAYOUT.packed, LAYOUT.biases), (DICE.keys, DICE.call) = layout, dice
    try:
        yield
    finally:
        (LAYOUT.packed, LAYOUT.biases), (DICE.keys, DICE.call) = now
