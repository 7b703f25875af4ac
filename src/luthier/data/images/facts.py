"""Facts about each image, gathered in one pass over the files before anything is learnt."""

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from luthier.arrays import Bools, Ints
from luthier.data.images.decode import BrokenImage, decode
from luthier.data.images.perceptual import SIDE, THUMB, Grey, Looks, look
from luthier.data.images.source import ImageSource
from luthier.data.split import key_of
from luthier.errors import DataError

BLANK = 3.0
"""Standard deviation of the thumbnail, of 255, below which an image shows nothing."""
DRAFT = 2 * SIDE
"""Pixels a side that a JPEG is decoded to: what is looked at is smaller still."""
AT_ONCE = 64
"""Number of images that a thread takes at a time."""


@dataclass(frozen=True)
class Fact:
    """Facts about one image."""

    width: int
    height: int
    hash: np.uint64
    thumb: Grey
    converted: str | None
    content: int
    """64 bits of the hash of the file's bytes."""


@dataclass(frozen=True)
class ImageFacts:
    """Facts about the images of some rows, in their order. All numbers of a broken image are zero."""

    rows: Ints
    """(images,) the table row of each image."""
    width: Ints
    """(images,) width of each in pixels, upright."""
    height: Ints
    blank: Bools
    """(images,) whether all of it is nearly of one brightness."""
    broken: tuple[str | None, ...]
    """(images,) why it cannot be used, as messages say it: the image by its name, and what is wrong; None where nothing is."""
    looks: Looks
    """Hashes and thumbnails of all images, by which near copies are found."""
    contents: Ints
    """(images,) equal for files of the same bytes: 64 bits of their SHA-256."""
    converted: dict[str, int]
    """Number of images that were not plain RGB, by what they were; the most frequent first."""

    @property
    def usable(self) -> Bools:
        """(images,) whether there is something to be seen."""
        return np.array([reason is None for reason in self.broken], bool) & ~self.blank


def image_facts(source: ImageSource, rows: Ints, threads: int) -> ImageFacts:
    """The facts of the images of some rows, read and decoded in several threads. What is broken or missing is told of, not
    raised; WorldError when a file may not be read."""
    pieces = [rows[begin : begin + AT_ONCE] for begin in range(0, len(rows), AT_ONCE)]
    with ThreadPoolExecutor(threads) as pool:
        found = [
            fact
            for piece in pool.map(lambda piece: [fact_of(source, int(row)) for row in piece], pieces)
            for fact in piece
        ]
    return together(rows, found)


def fact_of(source: ImageSource, row: int) -> Fact | str:
    """What is known of an image, or why nothing can be."""
    try:
        raw = source.bytes_of(row)
        decoded = decode(raw, DRAFT)
    except BrokenImage as error:
        return f"{source.name_of(row)} {error}."
    except DataError as error:
        return str(error)
    content = int.from_bytes(hashlib.sha256(raw).digest()[:8], "little", signed=True)
    return Fact(decoded.width, decoded.height, *look(decoded.image), decoded.converted, content)


def together(rows: Ints, found: list[Fact | str]) -> ImageFacts:
    """The facts of single images as one record."""
    count = len(found)
    width, height = np.zeros(count, np.int64), np.zeros(count, np.int64)
    hashes, thumbs = np.zeros(count, np.uint64), np.zeros((count, THUMB, THUMB), np.uint8)
    blank, contents = np.zeros(count, bool), np.zeros(count, np.int64)
    converted: Counter[str] = Counter()
    for at, fact in enumerate(found):
        if isinstance(fact, str):
            continue
        width[at], height[at], hashes[at], thumbs[at] = fact.width, fact.height, fact.hash, fact.thumb
        contents[at] = fact.content
        blank[at] = fact.thumb.std() < BLANK
        if fact.converted is not None:
            converted[fact.converted] += 1
    return ImageFacts(
        rows=rows,
        width=width,
        height=height,
        blank=blank,
        broken=tuple(fact if isinstance(fact, str) else None for fact in found),
        looks=Looks(hashes, thumbs),
        contents=contents,
        converted=dict(converted.most_common()),
    )


def looks(facts: ImageFacts) -> Ints:
    """(rows,) equal for images that look wholly the same; a broken one is like no other."""
    return np.array(
        [
            row if reason is not None else key_of(f"{code}{thumb.tobytes().hex()}")
            for row, (reason, code, thumb) in enumerate(
                zip(facts.broken, facts.looks.hashes, facts.looks.thumbs, strict=True)
            )
        ],
        np.int64,
    )
