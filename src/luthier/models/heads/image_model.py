"""Images to one answer a row."""

from typing import Any

import torch
from torch import Tensor, nn

from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel, at_least_fp32
from luthier.models.readers.images import Preparation


class ImageModel(HeadedModel):
    """Body and head: the architecture's own classification model with its last linear layer taken out."""

    def __init__(
        self, body: nn.Module, head: nn.Sequential, last_name: str, preparation: Preparation
    ) -> None:
        super().__init__(body, head)
        self.last_name = last_name
        """Where the body's own last layer was taken out."""
        self.preparation = preparation

    def scaled(self, pixels: Tensor) -> Tensor:
        """(rows, 3, size, size) bytes as the body reads them, in its precision, channels last in memory."""
        made = self.preparation
        times = torch.tensor([made.scale / spread for spread in made.spread], device=pixels.device)
        plus = torch.tensor(
            [-mean / spread for mean, spread in zip(made.mean, made.spread, strict=True)],
            device=pixels.device,
        )
        numbers = pixels.float().mul_(times.view(1, 3, 1, 1)).add_(plus.view(1, 3, 1, 1))
        dtype = next(self.body.parameters()).dtype
        return numbers.to(dtype, memory_format=torch.channels_last)

    def features(self, batch: Batch) -> Tensor:
        """(rows, width): what the head reads."""
        out: Any = self.body(pixel_values=self.scaled(batch.inputs["pixel_values"]))
        return at_least_fp32(out.logits.flatten(1))

    def forward(self, batch: Batch) -> Tensor:
        """(rows, labels) logits in fp32 or finer."""
        logits: Tensor = at_least_fp32(self.head(self.features(batch)))
        return logits
