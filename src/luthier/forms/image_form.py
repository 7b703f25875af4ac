"""A row that is an image."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from PIL import Image

from luthier.arrays import Array, Ints
from luthier.batches.augment import Augment
from luthier.batches.examples import Examples
from luthier.batches.image_examples import ImageExamples
from luthier.data.images.files import every_image, is_image_set
from luthier.data.images.picture import FilePicture, Picture
from luthier.data.images.source import ImageSource
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.forms.form import Columns, Form, Role, Variety
from luthier.forms.pieces import CoveredImage, Piece, heat_of, regions
from luthier.models.hub.inspect import PROCESSOR, Folder, ReaderFiles
from luthier.models.readers.images import ImageReader
from luthier.models.readers.texts import Long

VARIED = {
    "light": Augment(min_area=0.5, jitter=0.2),
    "medium": Augment(min_area=0.25, jitter=0.3),
    "strong": Augment(min_area=0.08, jitter=0.4, erase=0.25),
}
"""How much images are varied in training; `strong` is what training from scratch takes."""


@dataclass(frozen=True)
class ImageForm(Form):
    """An image a row, opened only when a model looks at it."""

    name: ClassVar[str] = "image"
    roles: ClassVar[Mapping[str, Role]] = {"image": Role(nested=True)}
    effects: ClassVar[frozenset[str]] = frozenset(
        {"train.augment", "train.flip", "train.mix", "train.batch_norm", "model.dropout", "data.unlabelled"}
    )
    thing: ClassVar[str] = "image"
    a_thing: ClassVar[str] = "an image"
    files: ClassVar[ReaderFiles] = PROCESSOR
    shows_words: ClassVar[bool] = False
    of_pixels: ClassVar[bool] = True
    reads_texts: ClassVar[bool] = False
    file_role: ClassVar[str | None] = "image"
    pieces: ClassVar[str | None] = "regions"

    def open(self, folder: Folder) -> ImageReader:
        return ImageReader(folder)

    def read(
        self, reader: ImageReader, rows: Sequence[Any], targets: Array, way: str
    ) -> tuple[Examples, Long]:
        return reader.examples(rows, targets)

    def inputs(self, table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
        source = ImageSource(table, columns["image"])
        return [Picture(source, int(row)) for row in (np.arange(len(table)) if rows is None else rows)]

    def row(self, value: Any, place: str) -> FilePicture:
        """A path, bytes or an image of Pillow."""
        return FilePicture(value)

    def from_json(self, record: Mapping[str, Any], place: str = "the row") -> FilePicture:
        """The bytes of an image file in base64, alone or as a data URL. No path: whoever sends an object may not be who may read
        files here."""
        value = record.get("image", 0)
        try:
            if value is not None and not isinstance(value, str):
                raise TypeError("no text")
            return FilePicture(base64.b64decode((value or "").rpartition(",")[2], validate=True))
        except (TypeError, binascii.Error, ValueError):
            raise DataError(
                f"{place}: {str(value)[:60]!r} is no image. Expected an object with `image`, an image file's bytes in base64."
            ) from None

    def blank(self, row: Any) -> bool:
        return bool(row.missing)

    def occluded(self, row: Any) -> list[tuple[Piece, Any]]:
        image = row.open()
        return [(region, CoveredImage(image, region)) for region in regions()]

    def heat_map(self, row: Any, weights: Sequence[float]) -> Image.Image:
        return heat_of(row.open(), weights)

    def shown(self, table: Table, columns: Columns) -> list[str]:
        """The names of the images."""
        field = table.columns.schema.field(columns["image"])
        if pa.types.is_string(field.type):
            return table.texts(columns["image"])
        if pa.types.is_struct(field.type):
            names = [value and value.get("path") for value in table.values(columns["image"])]
            return [name or f"image {row + 1}" for row, name in enumerate(names)]
        return [f"image {row + 1}" for row in range(len(table))]

    def varied(self, examples: Examples, variety: Variety) -> Examples:
        """Each image cut, lit and coloured otherwise in each epoch, or blended with others."""
        assert isinstance(examples, ImageExamples), "these rows are images"
        settings = VARIED.get(variety.augment)
        flipped = None if settings is None else replace(settings, flip=variety.flip)
        return examples.varied(flipped, None if variety.mix == "none" else variety.mix, variety.outputs)

    def rows_of_folder(self, path: Path) -> tuple[Table, dict[str, str]] | None:
        return (every_image(path), {"image": "image"}) if is_image_set(path) else None
