"""A pre-trained body with a head: what is trained, scored and saved."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from luthier.batches.examples import Batch
from luthier.models.prefix import Prefix


class Classifier(nn.Module):
    """Texts to logits: body, pooling, head.

    The body is either the architecture's own classification model with its last linear layer taken out (`pooling` is
    None: it pools by itself), or the bare model whose token states are pooled here.
    """

    def __init__(
        self, body: nn.Module, pooling: str | None, head: nn.Sequential, last_name: str | None = None
    ) -> None:
        super().__init__()
        self.body = body
        self.pooling = pooling
        self.head = head
        self.last_name = last_name
        """Where the body's own last layer was taken out; None when the body never had one."""
        self.prefix: Prefix | None = None
        """Told of each batch, where the frozen rungs are recorded or replayed."""

    @property
    def width(self) -> int:
        """Numbers in a feature vector."""
        return int(self.head[1].in_features)  # type: ignore[arg-type]

    @property
    def state_width(self) -> int:
        """Numbers in a token's state."""
        config: Any = self.body.config
        return int(config.hidden_size)

    @property
    def outputs(self) -> int:
        """Numbers the head gives per row."""
        return int(self.head[-1].out_features)  # type: ignore[arg-type]

    def part_features(self, batch: Batch) -> Tensor:
        """(parts, width) of the parts of a batch, in fp32 or finer."""
        inputs = batch.inputs
        if self.prefix is not None:
            self.prefix.batch = batch
        out: Any = self.body(**inputs)
        if self.pooling is None:
            return at_least_fp32(out.logits)
        return pool(at_least_fp32(out.last_hidden_state), inputs["attention_mask"], self.pooling)

    def features(self, batch: Batch) -> Tensor:
        """(rows, width): what the head reads; the mean over a row's windows."""
        return mean_of_parts(self.part_features(batch), batch)

    def forward(self, batch: Batch) -> Tensor:
        """(rows, labels) logits in fp32 or finer; the mean over a row's windows."""
        return mean_of_parts(at_least_fp32(self.head(self.part_features(batch))), batch)


def at_least_fp32(values: Tensor) -> Tensor:
    """Sums over tokens and windows are too coarse in bf16."""
    return values if values.dtype == torch.float64 else values.float()


def pool(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """(parts, tokens, width) and (parts, tokens) -> (parts, width), over real tokens only.

    As sentence-transformers' Pooling does it, so that a saved folder gives the same there.
    """
    if pooling == "cls":
        return states[:, 0]
    real = mask.unsqueeze(-1).to(states.dtype)
    if pooling == "max":
        return states.masked_fill(real == 0, -1e9).max(1).values
    return (states * real).sum(1) / real.sum(1).clamp(min=1e-9)


def mean_of_parts(values: Tensor, batch: Batch) -> Tensor:
    """(parts, n) -> (rows, n)."""
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
