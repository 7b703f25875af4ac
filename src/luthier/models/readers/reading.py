"""How the rows of each task become examples, by what they are made of. A new form is a function and a row here."""

from collections.abc import Callable, Sequence
from typing import Any

from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.models.hub.inspect import Folder
from luthier.models.readers.images import ImageReader, Preparation
from luthier.models.readers.questions import read_questions
from luthier.models.readers.texts import Long, Texts
from luthier.models.readers.words import read_words

Reader = Texts | ImageReader
"""A model's tokenizer, or its image processor."""
Reading = Callable[[Any, Sequence[Any], Array, str], tuple[Examples, Long]]
"""A function from rows, their targets, and the way with texts longer than the model reads (`cut`, `windows` or `refuse`) to
Examples."""

IMAGE = "image"


def read_texts(texts: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
    """Read one text, or one pair of texts, per row."""
    return texts.examples(rows, targets, way)


def read_images(
    pictures: ImageReader, rows: Sequence[Any], targets: Array, way: str
) -> tuple[Examples, Long]:
    """Read one image per row; no image is too long."""
    return pictures.examples(rows, targets)


def read_sets(texts: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
    """Read several texts per row, each by itself."""
    return texts.sets(rows, targets)


def read_apart(texts: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
    """Read several texts per row, each by itself, with one answer for all of them."""
    return texts.sets(rows, targets, way, by_part=False)


READERS: dict[str, Reading] = {
    "text": read_texts,
    "pair": read_texts,
    "texts": read_sets,
    "apart": read_apart,
    "words": read_words,
    "question": read_questions,
    IMAGE: read_images,
}
"""The reading of each form of rows, by a task's `reads`."""


def reader_of(folder: Folder, reads: str) -> Reader:
    """The tokenizer or image processor of a folder's model. Raises ModelError where the folder lacks it."""
    return ImageReader(folder) if reads == IMAGE else Texts(folder)


def preparation_of(reader: Reader) -> Preparation | None:
    """How a reader of images prepares them; None for a reader of texts."""
    return reader.preparation if isinstance(reader, ImageReader) else None
