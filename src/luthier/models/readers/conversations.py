"""Conversations to token numbers, through the chat template of a model's tokenizer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.models.hub.inspect import Folder
from luthier.models.readers.texts import Long


class Conversations(ABC):
    """What reads conversations and preferences for one model."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    @abstractmethod
    def examples(self, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        """Rows as token numbers. rows: each a Conversation, Preference or Judged.  way: as `Form.read` takes it."""
