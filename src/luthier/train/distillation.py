"""Distillation towards the base: while the task is learnt, what the base made of the same rows is asked for too.

Learning without forgetting (Li and Hoiem 2016, arXiv:1606.09282) keeps what a classifier said by its old head; where there was
no head the features themselves are kept (Mukhoti et al. 2023, arXiv:2308.13320, "LDIFS"). Both follow from the base's features of
the training rows, which are computed once.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from luthier.arrays import Array
from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel, mean_of_parts

TEMPERATURE = 2.0
"""Probabilities of the old labels are softened by it (arXiv:1606.09282, section 3, eq. 3)."""


class Distillation:
    """How far a model is from its base on the rows of a batch, as a term of the training loss."""

    def __init__(self, features: Array, strength: float, old: nn.Linear | None) -> None:
        """features: (rows, width) of the base, of all training rows.  old: the base's own head; None where it had none."""
        self.features, self.strength, self.old = features, strength, old
        self.scale = max(float((features.astype(np.float64) ** 2).sum(axis=1).mean()), 1e-12)
        """Mean squared length of the base's features: distances are told in it, so that a strength means the same everywhere."""
        self.seen: Tensor | None = None
        """What the head has read last."""

    @contextlib.contextmanager
    def listening(self, model: HeadedModel) -> Iterator[None]:
        """Inside, what the model's head reads is seen here: no second pass is needed."""

        def caught(_: nn.Module, given: tuple[Any, ...]) -> None:
            self.seen = given[0]

        handle = model.head.register_forward_pre_hook(caught)
        try:
            yield
        finally:
            handle.remove()

    def loss(self, batch: Batch) -> Tensor:
        """() the term of the batch that went through the model last, summed over its rows: so a step in several micro-batches
        is the step whole."""
        assert self.seen is not None, "the head has read this batch"
        now, self.seen = mean_of_parts(self.seen, batch), None
        base = torch.from_numpy(self.features[batch.rows]).to(now)
        apart = (
            features_apart(base, now, self.scale) if self.old is None else labels_apart(base, now, self.old)
        )
        return self.strength * apart.sum()


def features_apart(base: Tensor, now: Tensor, scale: float) -> Tensor:
    """(rows,) squared distance of features, in multiples of `scale`."""
    return (now - base).square().sum(1) / scale


def labels_apart(base: Tensor, now: Tensor, old: nn.Linear) -> Tensor:
    """(rows,) KL in nats from what the old head says of the base's features to what it says of the features now, both softened;
    times the squared temperature, by which softening shrinks gradients (Hinton et al. 2015, arXiv:1503.02531, section 2)."""
    weight, bias = old.weight.detach().to(now), old.bias.detach().to(now)
    before, after = (
        (nn.functional.linear(features, weight, bias) / TEMPERATURE).log_softmax(1)
        for features in (base, now)
    )
    return TEMPERATURE**2 * (before.exp() * (before - after)).sum(1)
