"""Pieces of a row that can be left out, to see what an answer rests on: words of texts, regions of an image."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

MOST = 32
"""The most pieces of a text: a longer one is taken apart into pieces of several words."""
SIDE = 6
"""Regions to a side of an image."""
SHOWN = 168
"""Pixels a side of an image in a picture of what its regions do: a multiple of `SIDE`."""
FOR, AGAINST = np.array([230.0, 90.0, 20.0]), np.array([20.0, 80.0, 220.0])
"""Colours, as parts of red, green and blue."""
FULLEST = 0.8
"""The share that the colour has of the region with the largest weight."""
WORD = re.compile(r"\w+(?:['’-]\w+)*")


class Piece(ABC):
    """A piece of a row."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The piece as a record holds it."""


@dataclass(frozen=True)
class Words(Piece):
    """A word of a text, or several that follow each other."""

    text: int
    """The number of the text among those of the row."""
    start: int
    end: int
    """Characters of the text: the first of the piece, and the first after it."""
    words: str
    """What stands there."""

    def to_json(self) -> dict[str, Any]:
        return {"text": self.text, "start": self.start, "end": self.end, "words": self.words}


@dataclass(frozen=True)
class Region(Piece):
    """A rectangle of an image, its sides as shares of the image's."""

    left: float
    top: float
    right: float
    bottom: float

    def to_json(self) -> dict[str, Any]:
        sides = {"left": self.left, "top": self.top, "right": self.right, "bottom": self.bottom}
        return {side: round(share, 4) for side, share in sides.items()}


def pieces_of(texts: Sequence[str]) -> list[Words]:
    """The words of some texts, or runs of words where there are more than `MOST` in all.

    >>> [one.words for one in pieces_of(["It's cracked, again."])]
    ["It's", 'cracked', 'again']
    """
    found = [[match.span() for match in WORD.finditer(text)] for text in texts]
    together = max(1, -(-sum(map(len, found)) // max(1, MOST - len(texts) + 1)))
    pieces = []
    for number, (text, spans) in enumerate(zip(texts, found, strict=True)):
        for first in range(0, len(spans), together):
            (start, _), (_, end) = spans[first], spans[first : first + together][-1]
            pieces.append(Words(number, start, end, text[start:end]))
    return pieces


def without(texts: Sequence[str], piece: Words) -> tuple[str, ...]:
    """Some texts without a piece, and without the blank after it.

    >>> without(["a cracked neck"], Words(0, 2, 9, "cracked"))
    ('a neck',)
    """
    text = texts[piece.text]
    after = piece.end + (text[piece.end : piece.end + 1] == " ")
    left = text[: piece.start] + text[after:]
    return (*texts[: piece.text], left, *texts[piece.text + 1 :])


@dataclass(frozen=True)
class CoveredImage:
    """An image of which a region has the colour that the whole has on average."""

    image: Image.Image
    region: Region

    @property
    def missing(self) -> bool:
        """Whether there is no image: there is one."""
        return False

    def open(self, draft_size: int | None = None) -> Image.Image:
        """The image in RGB."""
        wide, high = self.image.size
        region = self.region
        sides = (
            round(region.left * wide),
            round(region.top * high),
            round(region.right * wide),
            round(region.bottom * high),
        )
        mean = self.image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
        found = self.image.copy()
        found.paste(mean, sides)  # type: ignore[arg-type]  # a colour of an image in RGB has three numbers
        return found


def heat_of(image: Image.Image, weights: Sequence[float]) -> Image.Image:
    """A picture of an image, and beside it the same with its regions coloured: warm where they speak for the answer, cold where
    they speak against it, the more the fuller. weights: of `regions`, in their order."""
    plain = image.resize((SHOWN, SHOWN))
    grid = np.array(weights, float).reshape(SIDE, SIDE)
    most = float(np.abs(grid).max()) or 1.0
    colours = np.where(grid[..., None] > 0, FOR, AGAINST)
    large = SHOWN // SIDE
    strength = np.kron(FULLEST * np.abs(grid) / most, np.ones((large, large)))[..., None]
    pixels = (1 - strength) * np.asarray(plain, float) + strength * np.kron(
        colours, np.ones((large, large, 1))
    )
    found = Image.new("RGB", (2 * SHOWN, SHOWN))
    found.paste(plain, (0, 0))
    found.paste(Image.fromarray(pixels.round().astype(np.uint8)), (SHOWN, 0))
    return found


def regions() -> list[Region]:
    """The regions of any image, line by line."""
    ends = np.linspace(0, 1, SIDE + 1).tolist()
    return [
        Region(ends[column], ends[line], ends[column + 1], ends[line + 1])
        for line in range(SIDE)
        for column in range(SIDE)
    ]
