"""What runs over the same rows share, so that the second one does not compute it again."""

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

from luthier.folder.artefacts import Artefacts

Value = TypeVar("Value")

MODELS = 2
"""How many values of one kind are held at once: a search that goes to and fro between models holds the rows of both."""


class Memo:
    """What was made for an earlier run of this process; and a folder for what the runs of other processes may use too.

    A single run shares with nobody: its Memo is empty, and `folder` None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.wide: int | None = None
        """CPU threads of what no training stands in, while nobody else needs the cores; None: as many as any other step's."""
        self.made: dict[str, dict[Hashable, object]] = {}

    def once(self, name: str, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value that was made under this key before, or now. key: all that decides it."""
        held = self.made.setdefault(name, {})
        value = held.pop(key) if key in held else make()
        held[key] = value  # the one used last is the last to go
        while len(held) > MODELS:
            del held[next(iter(held))]
        return value  # type: ignore[return-value]  # what `make` of the same name and key returned

    def artefacts(self, key: str, own: Artefacts) -> Artefacts:
        """Where features go that depend on `key` alone: to the folder shared by all, or to the run's own."""
        return own if self.folder is None else Artefacts(self.folder / key)
