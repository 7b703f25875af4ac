"""Texts to one answer a row."""

from typing import Any

from torch import Tensor, nn

from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel, at_least_fp32, mean_of_parts


class Classifier(HeadedModel):
    """Body, pooling, head.

    The body is either the architecture's own classification model with its last linear layer taken out (`pooling` is
    None: it pools by itself), or the bare model whose token states are pooled here.
    """

    def __init__(
        self, body: nn.Module, pooling: str | None, head: nn.Sequential, last_name: str | None = None
    ) -> None:
        super().__init__(body, head)
        self.pooling = pooling
        self.last_name = last_name
        """Where the body's own last layer was taken out; None when the body never had one."""

    def part_features(self, batch: Batch) -> Tensor:
        """(parts, width) of the parts of a batch, in fp32 or finer."""
        inputs = batch.inputs
        self.tell(batch)
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


def encoder_of(model: HeadedModel, pooling: str) -> Classifier:
    """The same body as an encoder of single texts, pooled as its folder declares: it shares all weights."""
    body: Any = model.body
    return Classifier(body.base_model, pooling, model.head)


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
