"""Images to their features, under a classifier that stays as it came."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel
from luthier.models.heads.head import Head, Saved, Wanted
from luthier.models.heads.image_model import ImageModel, made_fast
from luthier.models.heads.own_class import head_of, write_own_class
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import IMAGE_CLASS, own_class, silence_head_dropout
from luthier.models.hub.tuned_head import names_in
from luthier.models.readers.images import ImageReader, Preparation


class ImageEncoder(HeadedModel):
    """The body of a model of images; what it gives are its features."""

    def __init__(self, below: ImageModel) -> None:
        super().__init__(below.body, nn.Sequential())
        self.below = [below]
        """The same body under the last layer that it came with, which is saved with it and never trains. In a list, so that its
        weights are not counted twice."""
        self.knows = True

    @property
    def width(self) -> int:
        """Numbers in a feature vector."""
        return self.below[0].width

    @property
    def outputs(self) -> int:
        return self.width

    def features(self, batch: Batch) -> Tensor:
        self.tell(batch)
        return self.below[0].features(batch)

    def forward(self, batch: Batch) -> Tensor:
        """(rows, width) in fp32 or finer."""
        return self.features(batch)


@dataclass(frozen=True)
class ImageEncoderHead(Head[ImageEncoder, ImageReader]):
    """The features of an image: saved as the architecture's own class for images, with the last layer that it came with."""

    new: ClassVar[bool] = False
    untrained: ClassVar[str] = "image"

    def build(self, folder: Folder, wanted: Wanted, preparation: Preparation | None) -> ImageEncoder:
        return image_encoder(folder, preparation, wanted.body_dropout)

    def reopen(self, folder: Folder, saved: Saved, preparation: Preparation | None) -> ImageEncoder:
        return image_encoder(folder, preparation)

    def save(
        self,
        folder: Path,
        model: ImageEncoder,
        head: nn.Sequential,
        reader: ImageReader,
        settings: dict[str, Any],
    ) -> None:
        below = model.below[0]
        write_own_class(folder, below.body, below.last_name, below.head, settings)
        reader.processor.save_pretrained(folder)

    def saved_weights(self, model: ImageEncoder, head: nn.Sequential) -> nn.Module:
        return nn.ModuleList([model.body, model.below[0].head[-1]])


def image_encoder(
    folder: Folder, preparation: Preparation | None, body_dropout: float | None = None
) -> ImageEncoder:
    """The model of a folder that reads images, its own last layer kept. Raises ModelError where the folder lacks that layer."""
    assert preparation is not None, "a model of images is told how it wants them"
    labels = len(names_in(folder.config))
    body, last_name, last = own_class(folder, labels, body_dropout, IMAGE_CLASS)
    silence_head_dropout(body)
    below = ImageModel(body, head_of(folder, last_name, last), last_name, preparation)
    return ImageEncoder(made_fast(folder, below.eval()))
