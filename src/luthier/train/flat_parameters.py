"""Weights side by side: a step over one flat buffer is one pass through memory, over a hundred tensors a hundred small ones.

The model computes with views: of the masters themselves in fp32, else of copies in the precision of training, refreshed
after each step.
"""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from luthier.models.master_weights import MasterWeights

ALIGN = 16
"""Numbers to which each tensor's place in a buffer is rounded up: 64 bytes, a cache line and an AVX-512 register."""


@dataclass(frozen=True)
class Part:
    """A parameter, and how it moves."""

    name: str
    rung: int
    """Rungs with one policy multiplier share a buffer; counted from the embeddings."""
    decayed: bool
    pulled: bool = False
    """Whether the parameter comes from the pre-trained model, so that `pull` may draw it back there."""
    rate: float = 1.0
    """Multiplier of the learning rate that its rung has."""


class Holder(Protocol):
    """Anything that gathers the gradients of some parameters over a step."""

    def take(self, at: int, gradient: Tensor) -> None: ...


def listen(holder: Holder, at: int, parameter: nn.Parameter) -> RemovableHandle:
    """Hand a parameter's gradient over as soon as a backward pass has it: still in cache, and its memory free at once."""
    known = weakref.ref(holder)

    def arrived(parameter: Tensor) -> None:
        holder, gradient = known(), parameter.grad
        if holder is not None and gradient is not None:
            parameter.grad = None
            holder.take(at, gradient)

    handle: RemovableHandle = parameter.register_post_accumulate_grad_hook(arrived)
    return handle


def exact_of(weight: nn.Parameter, masters: MasterWeights | None) -> Tensor:
    """A weight in fp32 (or as the model has it, where it is finer)."""
    return weight.data if masters is None else masters.exact.get(id(weight), weight.data)


class FlatParameters:
    """Parameters that move alike, side by side in one buffer."""

    def __init__(
        self, parts: Sequence[Part], parameters: Sequence[nn.Parameter], masters: MasterWeights | None
    ) -> None:
        self.parts, self.parameters = parts, parameters
        sizes = [-(-weight.numel() // ALIGN) * ALIGN for weight in parameters]
        starts = np.cumsum([0, *sizes])
        first = parameters[0]
        self.master = nn.Parameter(
            torch.zeros(int(starts[-1]), dtype=exact_of(first, masters).dtype, device=first.device)
        )
        self.gradient = torch.zeros_like(self.master)
        places = [
            slice(int(at), int(at) + weight.numel()) for at, weight in zip(starts, parameters, strict=False)
        ]
        self.views = [
            self.master.data[place].view(weight.shape)
            for place, weight in zip(places, parameters, strict=True)
        ]
        self.gradient_views = [
            self.gradient[place].view(weight.shape) for place, weight in zip(places, parameters, strict=True)
        ]
        for view, weight in zip(self.views, parameters, strict=True):
            view.copy_(exact_of(weight, masters))
        self.working: Tensor | None = None
        doubled = masters is not None and id(first) in masters.fast
        if masters is not None and doubled and masters.fast[id(first)].dtype != self.master.dtype:
            self.working = self.master.data.to(masters.dtype)
        for view, place, weight in zip(self.views, places, parameters, strict=True):
            shown = view if self.working is None else self.working[place].view(weight.shape)
            if masters is not None and doubled:
                masters.exact[id(weight)], masters.fast[id(weight)] = view, shown
            weight.data = view
        self.start: Tensor | None = None
        """Where the weights began, if they are pulled back there."""
        self.average: Tensor | None = None
        self.begun = [False] * len(parameters)
        """Whether a gradient has arrived in this step."""
        self.handles = [listen(self, at, weight) for at, weight in enumerate(parameters)]

    def begin(self) -> None:
        """Let the next gradient be the first of its step."""
        self.begun = [False] * len(self.parameters)

    def take(self, at: int, gradient: Tensor) -> None:
        """Add a micro-batch's gradient to the step's."""
        if self.begun[at]:
            self.gradient_views[at].add_(gradient)
        else:
            self.gradient_views[at].copy_(gradient)
        self.begun[at] = True

    def settle(self) -> None:
        """Leave weights that no gradient has reached in this step without one."""
        for at, view in enumerate(self.gradient_views):
            if not self.begun[at]:
                self.take(at, torch.zeros_like(view))

    def exchange(self) -> None:
        """Swap the weights with their moving average."""
        if self.average is not None:
            held = self.master.data.clone()
            self.master.data.copy_(self.average)
            self.average.copy_(held)
            self.refresh()

    def computed(self) -> Tensor:
        """The weights as the model computes with them: rounded, where training is in less than their precision."""
        return self.master.data if self.working is None else self.working

    def refresh(self) -> None:
        """Carry the masters into the copies the model computes with."""
        if self.working is not None:
            self.working.copy_(self.master.data)
