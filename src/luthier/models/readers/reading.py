"""What brings rows into the form that a model reads: its tokenizer, or its image processor. `FORMS` says which."""

from luthier.models.readers.conversations import Conversations
from luthier.models.readers.images import ImageReader, Preparation
from luthier.models.readers.texts import Texts

Reader = Texts | Conversations | ImageReader
"""A model's tokenizer, with or without its chat template, or its image processor."""


def preparation_of(reader: Reader) -> Preparation | None:
    """How a reader of images prepares them; None for a reader of texts."""
    return reader.preparation if isinstance(reader, ImageReader) else None
