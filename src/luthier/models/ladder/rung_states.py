"""What the rungs of a ladder make of rows: the mean state of each row, rung by rung."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from luthier.batches.examples import Batch
from luthier.batches.packed import Packed
from luthier.models.ladder.ladder import Ladder, first_tensor


class RungStates:
    """The last states that the embeddings and each block gave, caught as they leave."""

    def __init__(self, ladder: Ladder) -> None:
        self.ladder = ladder
        self.found: dict[str, Tensor] = {}
        """By the rung's name, what came out of it last."""

    @contextlib.contextmanager
    def listening(self, model: nn.Module) -> Iterator[None]:
        """Inside, whatever goes through the model leaves its states here."""
        blocks = [rung for rung in self.ladder.rungs if rung.module is not None]
        handles = []
        for rung in blocks:
            module = model.get_submodule(str(rung.module))
            handles.append(module.register_forward_hook(self.leaving(rung.name)))
        if blocks:
            lowest = model.get_submodule(str(blocks[0].module))
            handles.append(lowest.register_forward_pre_hook(self.entering, with_kwargs=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def leaving(self, name: str) -> Any:
        def left(_: nn.Module, args: Any, output: Any) -> None:
            self.keep(name, output)

        return left

    def entering(self, _: nn.Module, args: Any, kwargs: Any) -> None:
        if (
            self.ladder.rungs[0].name not in self.found
        ):  # blocks that share their weights are entered again and again
            self.keep(self.ladder.rungs[0].name, [args, kwargs])

    def keep(self, name: str, value: Any) -> None:
        state = first_tensor(value)
        if state is not None:
            self.found[name] = state.detach()

    def taken(self, batch: Batch) -> dict[str, Tensor]:
        """By rung, (rows, width) of the batch that went through; a rung whose states cannot be told apart by row is left out."""
        found, self.found = self.found, {}
        rows = {name: by_row(state.float(), batch) for name, state in found.items()}
        return {name: state for name, state in rows.items() if state is not None}


def by_row(state: Tensor, batch: Batch) -> Tensor | None:
    """(rows, width) the mean over a row's tokens, or places of an image; None where states are not laid out by row."""
    if batch.packed is not None:
        parts = of_sequences(state, batch.packed)
    else:
        parts = of_parts(state, batch)
    if parts is None:
        return None
    rows = len(batch.rows)
    sums = parts.new_zeros(rows, parts.shape[1]).index_add(0, batch.part_of, parts)
    return sums / torch.bincount(batch.part_of, minlength=rows).clamp(min=1).unsqueeze(1)


def of_parts(state: Tensor, batch: Batch) -> Tensor | None:
    """(parts, width) of states (parts, tokens, width), of which padding does not count, (parts, width, height, width), or
    (parts, width)."""
    if len(state) != len(batch.part_of) or not 2 <= state.ndim <= 4:
        return None
    if state.ndim == 4:
        return state.mean((2, 3))
    mask = batch.inputs.get("attention_mask")
    if state.ndim == 3 and mask is not None and mask.shape == state.shape[:2]:
        real = mask.unsqueeze(-1).to(state.dtype)
        return (state * real).sum(1) / real.sum(1).clamp(min=1)
    return state.mean(1) if state.ndim == 3 else state


def of_sequences(state: Tensor, packed: Packed) -> Tensor | None:
    """(sequences, width) of states (1, tokens of the tree, width), or (sequences, tokens, width) one below the other."""
    if state.ndim != 3:
        return None
    if len(state) == 1 and len(packed.source) == state.shape[1]:
        return torch.stack(
            [state[0, torch.from_numpy(path).to(state.device)].mean(0) for path in packed.paths]
        )
    if len(state) != len(packed.paths):
        return None
    return torch.stack([state[at, : len(path)].mean(0) for at, path in enumerate(packed.paths)])
