"""A text with the places of its words: what a model that marks words reads, and what puts its marks back into the text."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The words of one row."""

    text: str
    places: tuple[tuple[int, int], ...]
    """(begin, end) of each word, in characters of the text; in order, without overlap."""

    @staticmethod
    def of_tokens(tokens: Sequence[str]) -> "Words":
        """Words that were given one by one, joined by blanks.

        >>> Words.of_tokens(["New", "York"])
        Words(text='New York', places=((0, 3), (4, 8)))
        """
        places, begin = [], 0
        for token in tokens:
            places.append((begin, begin + len(token)))
            begin += len(token) + 1
        return Words(" ".join(tokens), tuple(places))

    def __len__(self) -> int:
        return len(self.places)

    @property
    def tokens(self) -> list[str]:
        """The words themselves."""
        return [self.text[begin:end] for begin, end in self.places]
