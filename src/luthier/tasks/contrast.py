"""What a body learns of few rows: to bring those of one label together, and all others apart."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from luthier.batches.examples import Batch
from luthier.models.by_length import features_by_length
from luthier.models.headed import HeadedModel
from luthier.tasks.task import Learning, Loss


@dataclass(frozen=True)
class Contrast:
    """The cosines of all pairs of rows in a step against 1 for rows of one label and 0 for others.

    The squared loss is that of SetFit (Tunstall et al. 2022, arXiv:2209.11055, section 3.1); but a step pairs each of its rows
    with each, as batch-contrastive losses do (Khosla et al. 2020, arXiv:2004.11362), so that there is no list of pairs: a row
    goes through the body once a step, and memory grows with the rows of a step alone. Pairs of one label count together as
    much as all others, of which there are many times more.
    """

    metric: str = "loss"

    @property
    def learning(self) -> Learning:
        return Learning(compares_rows=True, mixes_lengths=True)

    def loss(self, model: HeadedModel, batch: Batch) -> Loss:
        """Targets are label numbers, (rows,)."""
        rows = len(batch.rows)
        return Loss(rows * squared_gaps(features_by_length(model, batch), batch.targets), rows)

    def goodness(self, score: float) -> float:
        return -score


def squared_gaps(features: Tensor, labels: Tensor) -> Tensor:
    """() the mean of (1 - cosine)^2 over pairs of one label, and that of cosine^2 over all others.

    features: (rows, width).  labels: (rows,)

    >>> squared_gaps(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]]), torch.tensor([0, 0, 1])).item()
    0.0
    """
    units = functional.normalize(features, dim=1)
    same = labels[:, None] == labels[None, :]
    upper = torch.ones_like(same).triu(1)
    near, far = upper & same, upper & ~same
    cosines = units @ units.T
    gaps = (cosines - same.to(cosines.dtype)).square()
    total = (gaps * near).sum() / near.sum().clamp(min=1)
    found: Tensor = total + (gaps * far).sum() / far.sum().clamp(min=1)
    return found
