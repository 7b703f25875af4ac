"""Texts of which each epoch sees other words: what those that hide words and those that leave words out have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples, Variation
from luthier.batches.text_examples import TextExamples

HELD_OUT = Variation(0, -1)
"""What decides the words of rows that are only asked: always the same ones."""


@dataclass(frozen=True)
class VariedTexts(Examples):
    """Texts that are varied word by word; abstract. Which words it meets is a function of seed, epoch and row."""

    texts: TextExamples
    words: Ints
    """(tokens,) the word of its part that each token is of; -1 where it is of none."""
    numbers: Ints
    """(rows,) identity of each row, which stays the same in every selection of the rows."""

    views: ClassVar[int] = 1
    """How often a batch holds each part of a text."""
    tokens: ClassVar[None] = None  # type: ignore[misc]
    sources: ClassVar[None] = None  # type: ignore[misc]
    budget: ClassVar[int] = TextExamples.budget  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def targets(self) -> Array:  # type: ignore[override]
        return self.texts.targets

    @property
    def lengths(self) -> Ints:
        return self.views * self.texts.lengths

    @property
    def amount(self) -> int:
        return self.views * self.texts.amount

    @property
    def parts_of_a_row(self) -> float:
        return self.texts.parts_of_a_row

    @property
    def varies(self) -> bool:
        return True

    def select(self, rows: Ints) -> Self:
        places = self.texts.places(rows)
        return replace(
            self, texts=self.texts.select(rows), words=self.words[places], numbers=self.numbers[rows]
        )

    def shapes(self, batches: Sequence[Ints]) -> tuple[Ints, Ints]:
        sizes, widths = self.texts.shapes(batches)
        return self.views * sizes, widths
