"""A memo of what several runs over the same rows share, so that the second one does not compute it again."""

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

from luthier.folder.artefacts import Artefacts

Value = TypeVar("Value")

MODELS = 2
"""The most values of one kind that are held at once: a search that goes to and fro between two models holds the rows of both."""


class Memo:
    """Values that were made for earlier runs of this process, and a folder for those that runs of other processes may use too.

    A single run shares with nobody: its Memo is empty, and `folder` None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.wide: int | None = None
        """CPU threads for work outside of training, while nobody else needs the cores; None: as many as every other step has."""
        self.made: dict[str, dict[Hashable, object]] = {}

    def once(self, name: str, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value that was made under this key before, or is made now. key: all that decides the value."""
        held = self.made.setdefault(name, {})
        value = held.pop(key) if key in held else make()
        held[key] = value  # the one used last is the last to go
        while len(held) > MODELS:
            del held[next(iter(held))]
        return value  # type: ignore[return-value]  # what `make` of the same name and key returned

    def artefacts(self, key: str, own: Artefacts) -> Artefacts:
        """The folder for features that depend on `key` alone: the one shared by all runs, or the run's own."""
        return own if self.folder is None else Artefacts(self.folder / key)
