"""Images to one answer a row."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel, at_least_fp32
from luthier.models.heads.head import Head, Saved, Wanted
from luthier.models.heads.own_class import head_of, knowledge_of, write_own_class
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import (
    IMAGE_CLASS,
    first_tensor,
    own_class,
    refuse_not_finite_answer,
    silence_head_dropout,
    telling_library_errors,
)
from luthier.models.kernels.convolutions import fold_norms
from luthier.models.knowledge import Knowledge
from luthier.models.readers.images import ImageReader, Preparation


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

    def answer_with_features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        features = self.features(batch)
        return at_least_fp32(self.head(features)), features


@dataclass(frozen=True)
class ImageHead(Head[ImageModel, ImageReader]):
    """One answer for an image: saved as the architecture's own class for images, its processor beside it."""

    start: ClassVar[str] = "probe"
    """A fresh head would pull about all layers of a network for images."""
    reads_features: ClassVar[bool] = True
    untrained: ClassVar[str] = "image"

    def build(self, folder: Folder, wanted: Wanted, preparation: Preparation | None) -> ImageModel:
        assert preparation is not None, "a model of images is told how it wants them"
        body, last_name, last = own_class(folder, wanted.outputs, wanted.body_dropout, IMAGE_CLASS)
        silence_head_dropout(body)
        model = ImageModel(body, wanted.new_head(last.in_features), last_name, preparation)
        return made_fast(folder, model.eval())

    def reopen(self, folder: Folder, saved: Saved, preparation: Preparation | None) -> ImageModel:
        assert preparation is not None, "a model of images is told how it wants them"
        body, last_name, last = own_class(folder, saved.outputs, auto_class=IMAGE_CLASS)
        model = ImageModel(body, head_of(folder, last_name, last), last_name, preparation)
        return made_fast(folder, model.eval())

    def save(
        self,
        folder: Path,
        model: ImageModel,
        head: nn.Sequential,
        reader: ImageReader,
        settings: dict[str, Any],
    ) -> None:
        write_own_class(folder, model.body, model.last_name, head, settings)
        reader.processor.save_pretrained(folder)

    def knowledge(self, folder: Folder, model: ImageModel) -> Knowledge:
        return knowledge_of(folder, model.last_name, model.width)


def made_fast(folder: Folder, model: ImageModel) -> ImageModel:
    """Batch norms folded where no GPU does it better, memory in the order that convolutions like. Raises ModelError where the
    model cannot read an image as its processor prepares it."""
    size = model.preparation.size
    body: Any = model.body
    image = torch.linspace(-1, 1, 3 * size**2).view(1, 3, size, size)
    with telling_library_errors(folder), torch.no_grad():
        refuse_not_finite_answer(folder, body, lambda: first_tensor(body(pixel_values=image)))
    if not torch.cuda.is_available():
        fold_norms(body, lambda: body(pixel_values=image))
    body.to(memory_format=torch.channels_last)
    return model
