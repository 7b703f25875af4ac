"""What each format of an export has: whether a model can be written in it, how it is written, and how it is read back."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from luthier.export.original import Original


@dataclass(frozen=True)
class WeightsDifference:
    """How far the weights of one number type lie from those that they were written from."""

    tensors: int
    largest: float
    """The largest absolute difference of a weight."""
    largest_weight: float
    """The largest absolute weight of these tensors, to judge the difference by."""
    beyond: tuple[str, ...] = ()
    """Names of the tensors that lie further off than rounding to this number type can explain."""


@dataclass(frozen=True)
class TokensDifference:
    """How texts become token numbers in the written file and in the original."""

    texts: int
    vocabulary: int
    """Texts that the file's tokens and merges read otherwise, under the original's rules for cutting a text into words."""
    reader: int
    """Texts that the library which reads the file back reads otherwise, as it cuts a text into words by rules of its own."""


class Exporter(ABC):
    """A format that a model is written in."""

    words: ClassVar[str]
    """What the format is for, in half a sentence."""
    ending: ClassVar[str]
    """The ending of its files' names, with the dot."""
    types: ClassVar[dict[str, float]]
    """The number types of weights, the default first, each with the share of greedy answers that must be the original's."""

    @abstractmethod
    def why_not(self, original: Original) -> str | None:
        """Return why a model cannot be written in this format, in whole sentences; None where it can."""

    @abstractmethod
    def refuse_missing_library(self) -> None:
        """Raise WorldError, with the command that installs it, where the library that writes the format is not installed."""

    @abstractmethod
    def size(self, original: Original, kind: str) -> int:
        """Return how many bytes the file takes, without what its header needs."""

    @abstractmethod
    def write(self, original: Original, kind: str, path: Path, name: str) -> Iterator[str]:
        """Write a file, tensor after tensor, and yield the name of each that is written.

        kind: number type of the weights.  name: what the model is called in the file.
        """

    @abstractmethod
    def notes(self, original: Original, kind: str) -> list[str]:
        """Return in what the file differs from what its number type says, or says less than the original; a sentence each."""

    @abstractmethod
    def weights_differ(self, original: Original, path: Path) -> dict[str, WeightsDifference]:
        """Compare each tensor of a file with the one that it was written from, by number type. Raises WorldError where one is
        missing."""

    @abstractmethod
    def tokens_differ(self, original: Original, path: Path, texts: Sequence[str]) -> TokensDifference:
        """Compare the token numbers of texts."""

    @abstractmethod
    def open(self, original: Original, path: Path) -> Any:
        """Return the model of a file: a module that gives logits for token numbers, as transformers' language models do."""
