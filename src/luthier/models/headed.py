"""A pre-trained body with a head: what is trained, scored and saved, whatever it reads."""

from abc import abstractmethod
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from luthier.batches.examples import Batch
from luthier.models.ladder.prefix import Prefix


class HeadedModel(nn.Module):
    """What all models have in common. The head is dropout and linear layers, from features to outputs."""

    pooling: str | None = None
    """`mean`, `cls` or `max` where token states are pooled here; None where the architecture's own class pools, or
    nothing does."""
    knows: bool = False
    """Whether the head came with the weights, because the model did this task before."""

    writes: bool = False
    """Whether it is a language model, tuned as such."""

    def __init__(self, body: nn.Module, head: nn.Sequential) -> None:
        super().__init__()
        self.body = body
        self.head = head
        self.prefix: Prefix | None = None
        """The frozen prefix that is recorded or replayed, which is told of each batch; None where there is none."""

    @property
    def width(self) -> int:
        """Numbers in a feature vector."""
        return int(self.head[1].in_features)  # type: ignore[arg-type]

    @property
    def read_width(self) -> int:
        """Numbers that the head reads: a feature vector, or what the task makes of one (`Task.read_by_head`)."""
        return self.width

    @property
    def state_width(self) -> int:
        """Numbers in a token's state; 0 where nothing is made of tokens."""
        config: Any = self.body.config
        return int(getattr(config, "hidden_size", 0))

    @property
    def outputs(self) -> int:
        """Numbers the head gives per unit."""
        return int(self.head[-1].out_features)  # type: ignore[arg-type]

    def tell(self, batch: Batch) -> None:
        """Let the prefix know which batch enters."""
        if self.prefix is not None:
            self.prefix.batch = batch

    @abstractmethod
    def features(self, batch: Batch) -> Tensor:
        """The feature vectors of a batch, (rows, width), in fp32 or finer."""

    def states(self, batch: Batch) -> Tensor:
        """The tokens' states, (parts, tokens, width), in fp32 or finer, of a model whose head answers token by token."""
        raise NotImplementedError(f"{type(self).__name__} answers for rows")

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Logits in fp32 or finer: (rows, outputs), or (parts, tokens, outputs) token by token."""

    def answer_with_features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits and feature vectors of a batch, as `forward` and `features` give them."""
        return self(batch), self.features(batch)


def at_least_fp32(values: Tensor) -> Tensor:
    """The tensor in fp32 or finer: sums over tokens and windows are too coarse in bf16."""
    return values if values.dtype == torch.float64 else values.float()


def mean_of_parts(values: Tensor, batch: Batch) -> Tensor:
    """The mean over each row's parts: (parts, n) to (rows, n)."""
    rows = len(batch.rows)
    if len(values) == rows:
        return values
    sums = values.new_zeros(rows, values.shape[1]).index_add(0, batch.part_of, values)
    counts = torch.bincount(batch.part_of, minlength=rows).unsqueeze(1)
    return sums / counts


def new_head(width: int, hidden: tuple[int, ...], labels: int, dropout: float) -> nn.Sequential:
    """Dropout and linear layers from features to logits, with tanh between hidden ones; small random weights, no bias.

    Small, so that the first steps move the body and not only the head (docs/recipes.md).
    """
    widths = [width, *hidden, labels]
    layers: list[nn.Module] = []
    for level, (wide, narrow) in enumerate(pairwise(widths)):
        linear = nn.Linear(wide, narrow)
        nn.init.normal_(linear.weight, std=0.02 if level == len(hidden) else wide**-0.5)
        nn.init.zeros_(linear.bias)
        layers += [nn.Dropout(dropout), linear, *([nn.Tanh()] if level < len(hidden) else [])]
    return nn.Sequential(*layers)
