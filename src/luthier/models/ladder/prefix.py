"""A frozen prefix that is computed once: the last frozen block replays what it once gave, those below it are skipped.

The model itself runs as ever, so its own masks and positions apply; only the frozen blocks' forward gives way. Blocks
are the rungs of its ladder, and states are (parts, tokens, width), kept without padding.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from luthier.batches.examples import Batch, FlatExamples
from luthier.models.ladder.ladder import Ladder, first_tensor


@dataclass(frozen=True)
class States:
    """A block's states (its output) for each token of some examples."""

    examples: FlatExamples
    kept: Tensor
    """(tokens, width) states, in the order of `examples.ids`."""

    def put(self, batch: Batch, states: Tensor) -> None:
        """Keep what a block gave for a batch, (parts, tokens, width), without the padding."""
        places = torch.from_numpy(self.examples.places(batch.rows))
        if batch.packed is None:
            given = states[batch.real]
        else:  # a token that several rows begin with was computed once, and is kept for each
            given = states[0, torch.from_numpy(batch.packed.executed)]
        self.kept[places] = given.to("cpu", self.kept.dtype)

    def take(self, batch: Batch) -> Tensor:
        """The states of a batch, (parts, tokens, width). Those of padding are zero, and no real token ever reads them."""
        places = self.examples.places(batch.rows) if batch.packed is None else batch.packed.source
        mask = batch.real
        found = torch.zeros(*mask.shape, self.kept.shape[1], dtype=self.kept.dtype, device=mask.device)
        found[mask] = self.kept[torch.from_numpy(places)].to(mask.device)
        return found


class Prefix:
    """The frozen prefix of a model, recorded and replayed. `batch` is told by the model as a batch enters it."""

    def __init__(self, model: nn.Module, ladder: Ladder) -> None:
        self.blocks = [model.get_submodule(path) for path in ladder.blocks]
        self.batch: Batch | None = None
        self.forms: dict[int, int] = {}
        """By depth, the length of the tuple whose first entry is the block's states; 0 where the block gives them bare."""

    @contextlib.contextmanager
    def recording(self, into: dict[int, States]) -> Iterator[None]:
        """Inside, keep the states that pass. into: by depth, which is the number of frozen rungs; depth 2 is embeddings and
        block 0."""
        hooks = []
        for depth, states in into.items():

            def keep(
                module: nn.Module, args: Any, output: Any, states: States = states, depth: int = depth
            ) -> None:
                assert self.batch is not None, "a model tells its prefix of each batch"
                given = output if isinstance(output, tuple) else (output,)
                if any(more is not None for more in given[1:]):
                    raise TypeError("a block gives more than its states")
                self.forms[depth] = len(output) if isinstance(output, tuple) else 0
                states.put(self.batch, given[0])

            hooks.append(self.blocks[depth - 2].register_forward_hook(keep))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @contextlib.contextmanager
    def replaying(self, depth: int, states: Callable[[], States]) -> Iterator[None]:
        """Inside, the lowest `depth` rungs are not computed: what they give is in `states()`."""
        last = depth - 2

        def skip(*args: Any, **kwargs: Any) -> Any:
            return self.formed(first_tensor([args, kwargs]), depth)

        def replay(*args: Any, **kwargs: Any) -> Any:
            assert self.batch is not None, "a model tells its prefix of each batch"
            return self.formed(states().take(self.batch), depth)

        for at in range(depth - 1):
            self.blocks[at].forward = replay if at == last else skip
        try:
            yield
        finally:
            for at in range(depth - 1):
                del self.blocks[at].forward

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Inside, all blocks compute by themselves: of tokens that a model writes no states are kept."""
        replayed = {
            block: block.__dict__.pop("forward") for block in self.blocks if "forward" in block.__dict__
        }
        try:
            yield
        finally:
            for block, forward in replayed.items():
                block.forward = forward

    def formed(self, states: Tensor | None, depth: int) -> Any:
        """States in the form in which the block gives them: bare, or first in a tuple."""
        length = self.forms[depth]
        return (states, *[None] * (length - 1)) if length else states

    def why_not(
        self, depth: int, examples: FlatExamples, run: Callable[[Batch], Tensor], width: int
    ) -> str | None:
        """Why this model's prefix cannot be replayed, found out on a few rows; None when it can.

        run(batch) gives the features of a batch, (rows, n).
        """
        few = examples.select(np.arange(min(4, len(examples))))
        batch = few.batch(np.arange(len(few))).to(next(self.blocks[0].parameters()).device)
        states = States(few, torch.zeros(len(few.ids), width, dtype=next(self.blocks[0].parameters()).dtype))
        with torch.no_grad():
            try:
                with self.recording({depth: states}):
                    expected = run(batch)
                with self.replaying(depth, lambda: states):
                    found = run(batch)
            except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
                return f"its blocks do not pass on one state per token ({type(error).__name__})"
        far = float((found - expected).norm() / expected.norm())
        return None if far <= 1e-5 else "its upper blocks read more of the lower ones than their last states"
