"""Texts to an answer for each token."""

from typing import Any

from torch import Tensor, nn

from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel, at_least_fp32, mean_of_parts
from luthier.models.heads.classifier import pool


class TokenModel(HeadedModel):
    """Body and head, with nothing between them but dropout."""

    def __init__(self, body: nn.Module, head: nn.Sequential, auto_class: str, last_name: str) -> None:
        super().__init__(body, head)
        self.auto_class = auto_class
        """The class of transformers that loads it where it is saved, such as AutoModelForTokenClassification."""
        self.last_name = last_name
        """Where that class has its last layer."""

    def states(self, batch: Batch) -> Tensor:
        """(parts, tokens, width) in fp32 or finer."""
        self.tell(batch)
        out: Any = self.body(**batch.inputs)
        return at_least_fp32(out.last_hidden_state)

    def features(self, batch: Batch) -> Tensor:
        """(rows, width): the mean over a row's tokens."""
        pooled = pool(self.states(batch), batch.inputs["attention_mask"], "mean")
        return mean_of_parts(pooled, batch)

    def forward(self, batch: Batch) -> Tensor:
        """(parts, tokens, outputs) logits in fp32 or finer."""
        logits: Tensor = at_least_fp32(self.head(self.states(batch)))
        return logits
