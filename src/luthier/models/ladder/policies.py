"""Policies: which rungs of a ladder train, when, and how fast. A new way to tune is one small class."""

from abc import ABC, abstractmethod
from dataclasses import dataclass


class Policy(ABC):
    """A map from (rungs below the head, epoch) to a multiplier of the learning rate; zero means frozen."""

    @abstractmethod
    def scale(self, below_head: int, epoch: int) -> float:
        """The multiplier of a rung's learning rate in an epoch.

        below_head: 0 is the head, 1 the last block, and so on down to the embeddings.
        """


@dataclass(frozen=True)
class AllRungs(Policy):
    """All rungs train at the same rate."""

    def scale(self, below_head: int, epoch: int) -> float:
        return 1.0


@dataclass(frozen=True)
class TopRungs(Policy):
    """Only the head and the `count` blocks under it train."""

    count: int

    def scale(self, below_head: int, epoch: int) -> float:
        return 1.0 if below_head <= self.count else 0.0


@dataclass(frozen=True)
class Thaw(Policy):
    """Gradual unfreezing: one more rung every `every` epochs (ULMFiT, arXiv:1801.06146, section 3.3)."""

    every: int = 1

    def scale(self, below_head: int, epoch: int) -> float:
        return 1.0 if below_head <= epoch // self.every else 0.0


@dataclass(frozen=True)
class LayerDecay(Policy):
    """Each rung's learning rate is `decay` times that of the rung above it.

    ULMFiT (arXiv:1801.06146, section 3.2) has 1 / 2.6; ELECTRA (arXiv:2003.10555, appendix B) 0.8 to 0.9.
    """

    policy: Policy
    decay: float

    def scale(self, below_head: int, epoch: int) -> float:
        return self.policy.scale(below_head, epoch) * self.decay**below_head


@dataclass(frozen=True)
class HeadRate(Policy):
    """The head's learning rate is `rate` times what it would be without this policy."""

    policy: Policy
    rate: float

    def scale(self, below_head: int, epoch: int) -> float:
        return self.policy.scale(below_head, epoch) * (self.rate if below_head == 0 else 1.0)


@dataclass(frozen=True)
class FrozenEmbeddings(Policy):
    """The lowest of `depth` rungs under the head never trains."""

    policy: Policy
    depth: int

    def scale(self, below_head: int, epoch: int) -> float:
        return 0.0 if below_head == self.depth else self.policy.scale(below_head, epoch)


def frozen_prefix(policy: Policy, depth: int, epoch: int) -> int:
    """How many rungs, counted from the embeddings up, do not train in an epoch. depth: rungs under the head.

    >>> frozen_prefix(TopRungs(2), depth=7, epoch=0)
    5
    """
    frozen = 0
    while frozen <= depth and policy.scale(depth - frozen, epoch) == 0:
        frozen += 1
    return frozen


def stages(policy: Policy, depth: int, epochs: int) -> list[int]:
    """The depths of the frozen prefix that a run goes through, in the order of time.

    >>> stages(Thaw(), depth=3, epochs=9)
    [3, 2, 1, 0]
    """
    return list(dict.fromkeys(frozen_prefix(policy, depth, epoch) for epoch in range(epochs)))
