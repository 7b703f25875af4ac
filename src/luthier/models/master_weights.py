"""A model in two precisions: exact weights in fp32, and the copies it trains with."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class MasterWeights:
    """Each weight of a body twice: `exact` in fp32, and `fast` in the precision of training, which may be the same tensor.

    The model holds one of the two at a time, and `exact` between uses. Batch norms stay in fp32: their statistics need it.
    """

    def __init__(self, body: nn.Module, dtype: torch.dtype) -> None:
        self.weights = {
            name: weight for name, weight in body.named_parameters() if weight.is_floating_point()
        }
        norms = (nn.modules.batchnorm._BatchNorm,)
        kept = {
            id(weight)
            for module in body.modules()
            if isinstance(module, norms)
            for weight in module.parameters()
        }
        self.dtype = dtype
        self.exact: dict[int, Tensor] = {}
        """The exact weights, by the id of the parameter, as in `fast`."""
        self.fast: dict[int, Tensor] = {}
        for weight in self.weights.values():
            self.hold(weight, dtype == weight.dtype or id(weight) in kept)

    def hold(self, weight: nn.Parameter, same: bool) -> None:
        self.exact[id(weight)] = weight.data
        self.fast[id(weight)] = weight.data if same else weight.data.to(self.dtype)

    def adopt(self, body: nn.Module) -> None:
        """Take in weights that were put into the body after its weights were doubled, such as adapters."""
        known = self.by_id()
        for name, weight in body.named_parameters():
            if id(weight) not in known and weight.is_floating_point():
                self.weights[name] = weight
                self.hold(weight, self.dtype == weight.dtype)

    def reread(self) -> None:
        """Take in exact weights that now stand in the place of those that were known, such as merged ones."""
        for key, weight in self.by_id().items():
            if self.fast[key] is self.exact[key]:
                self.fast[key] = weight.data
            self.exact[key] = weight.data
        self.refresh()

    def refresh(self) -> None:
        """Carry exact weights that were changed from outside into the copies for training."""
        for key, exact in self.exact.items():
            if self.fast[key] is not exact:
                self.fast[key].copy_(exact)

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Inside, the model computes in the precision of training."""
        self.switch(self.fast)
        try:
            yield
        finally:
            self.switch(self.exact)

    @contextlib.contextmanager
    def reporting(self) -> Iterator[None]:
        """Inside, the model computes in fp32, also in the midst of training: for all that is reported or saved."""
        before = {key: weight.data for key, weight in self.by_id().items()}
        self.switch(self.exact)
        try:
            yield
        finally:
            self.switch(before)

    def by_id(self) -> dict[int, nn.Parameter]:
        return {id(weight): weight for weight in self.weights.values()}

    def switch(self, tensors: dict[int, Tensor]) -> None:
        for key, weight in self.by_id().items():
            weight.grad = None  # of the other precision
            weight.data = tensors[key]
