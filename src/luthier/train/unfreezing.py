"""What moves in which epoch: a policy laid over a model's ladder."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from luthier.models.ladder.ladder import Ladder
from luthier.models.ladder.policies import Policy, frozen_prefix
from luthier.models.ladder.trainable import set_modes
from luthier.train.flat_parameters import Part
from luthier.train.sparse_embedding import looked_up


@dataclass(frozen=True)
class LadderUnfreezing:
    """The loop's Unfreezing for a model with a ladder."""

    model: nn.Module
    ladder: Ladder
    policy: Policy
    live_batch_norm: bool = False
    serve: Callable[[int], None] = lambda depth: None
    """Called with the number of rungs that are frozen in the epoch that begins: their states may be replayed."""
    inside: Callable[[str], bool] = lambda name: True
    """Which parameters of a rung under the head move where the rung does: LoRA moves its adapters alone."""
    new_head: bool = True
    """Whether the uppermost rung is a head that was put on the model, which trains whole beside adapters too."""
    rate: Callable[[str], float] = lambda name: 1.0
    """Multiplier of a parameter's learning rate within its rung."""

    def enter(self, epoch: int) -> None:
        """Training mode above the frozen prefix, evaluation mode inside it; gradients only where something moves."""
        self.serve(self.frozen(epoch))
        set_modes(self.model, self.ladder, self.frozen(epoch), frozen_batch_norm=not self.live_batch_norm)
        scales, named = self.scales(epoch), dict(self.model.named_parameters())
        for at, rung in enumerate(self.ladder.rungs):
            for name in rung.parameters:
                named[name].requires_grad_(scales[at] > 0 and self.moves(at, name))

    def moves(self, rung: int, name: str) -> bool:
        """Whether a parameter is among those of its rung that may train at all: of a head that was added, each does."""
        return (self.new_head and rung == len(self.ladder.rungs) - 1) or self.inside(name)

    def frozen(self, epoch: int) -> int:
        """Number of rungs, counted from the embeddings, that do not move in this epoch."""
        return frozen_prefix(self.policy, len(self.ladder.rungs) - 1, epoch)

    def scales(self, epoch: int) -> dict[int, float]:
        """Multiplier of the learning rate by rung."""
        return {
            at: self.policy.scale(self.ladder.below_head(at), epoch) for at in range(len(self.ladder.rungs))
        }

    def operations(self, epochs: float) -> float:
        """Floating-point operations of training a token, the mean over so many epochs.

        Two for each weight above the frozen prefix on the way up, two on the way back, and two more where it moves (Kaplan et
        al. 2020, arXiv:2001.08361, section 2.1): six in all for what trains, four for what adapters hang in. Tables of
        embeddings, which are looked up, count nothing.
        """
        tables, named = looked_up(self.model), dict(self.model.named_parameters())
        found = 0.0
        for epoch in range(math.ceil(epochs)):
            share, scales = min(1.0, epochs - epoch) / epochs, self.scales(epoch)
            for at in range(self.frozen(epoch), len(self.ladder.rungs)):
                for name in self.ladder.rungs[at].parameters:
                    moves = scales[at] > 0 and self.moves(at, name)
                    found += 0.0 if name in tables else share * (6 if moves else 4) * named[name].numel()
        return found

    def parts(self, epochs: int) -> list[Part]:
        """Every parameter that moves in some epoch. Norms and biases are not decayed (Devlin et al. 2019, arXiv:1810.04805).

        Rungs that always move alike count as one, so that they share a buffer.
        """
        named = dict(self.model.named_parameters())
        courses = [
            tuple(self.scales(epoch)[at] for epoch in range(epochs)) for at in range(len(self.ladder.rungs))
        ]
        return [
            Part(
                name,
                courses.index(courses[at]),
                decayed=named[name].ndim > 1,
                pulled=at < len(self.ladder.rungs) - 1,
                rate=self.rate(name),
            )
            for at, rung in enumerate(self.ladder.rungs)
            if any(courses[at])
            for name in rung.parameters
            if self.moves(at, name)
        ]
