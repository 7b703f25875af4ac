"""Near copies among many images: scaled, compressed anew, brightened, or cut a little at the edges.

A 64-bit hash of low frequencies says which pairs to look at (pHash: Zauner 2010, "Implementation and Benchmarking of Perceptual
Image Hash Functions", section 3.2.1), and a thumbnail of each decides. The hash alone takes one thing for another where all are
photographed alike: hands held before a white wall differ in a few of its bits.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from luthier.arrays import Ints

SIDE, THUMB = 32, 16
"""Pixels a side of what is hashed, and of the thumbnail."""
BITS = 64
DISTANCE = 10
"""Thumbnails are compared when their hashes differ in at most so many bits."""
ALIKE = 0.9
"""Smallest correlation of the thumbnails of two images that are near copies."""
FLAT = 1.0
"""Standard deviation of a thumbnail, of 255: with less there is nothing to compare."""
BANDS, BAND_BITS = 4, 16
RADIUS = DISTANCE // BANDS
"""Two hashes that differ in at most `DISTANCE` bits differ in at most so many in one of their bands."""
PAIRS_AT_ONCE = 1_000_000
THUMBS_AT_ONCE = 20_000

Hashes = np.ndarray[tuple[int], np.dtype[np.uint64]]
Grey = np.ndarray[Any, np.dtype[np.uint8]]
Values = np.ndarray[Any, np.dtype[np.float32]]
Pairs = np.ndarray[Any, np.dtype[np.int64]]

ANGLES = np.outer(np.arange(THUMB), 2 * np.arange(SIDE) + 1) * (np.pi / (2 * SIDE))
COSINES = np.cos(ANGLES)
"""(frequencies, pixels) of the discrete cosine transform (DCT-II), but for its scale."""
LOWEST = tuple(
    zip(
        *sorted(itertools.product(range(THUMB), repeat=2), key=lambda at: (sum(at), at))[1 : BITS + 1],
        strict=True,
    )
)
"""Rows and columns of the 64 lowest frequencies without the mean, in the order of their sums."""


@dataclass(frozen=True)
class Looks:
    """Hashes and thumbnails of images, by which near copies are found."""

    hashes: Hashes
    """(images,) 64-bit hash of each image's low frequencies."""
    thumbs: Grey
    """(images, 16, 16) grey thumbnails."""


def look(image: Image.Image) -> tuple[np.uint64, Grey]:
    """The hash of an image, and its thumbnail (16, 16): bits say which of its low frequencies are above zero."""
    grey = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)).astype(np.float64)
    frequencies = COSINES @ grey @ COSINES.T
    bits = np.packbits(frequencies[LOWEST] > 0)
    thumb = np.rint(grey.reshape(THUMB, 2, THUMB, 2).mean((1, 3))).astype(np.uint8)
    return bits.view(np.uint64)[0], thumb


def standard(thumbs: Grey) -> Values:
    """Values (images, values) with mean zero and length one, so that products are correlations; all zero for flat images."""
    values = thumbs.reshape(len(thumbs), THUMB * THUMB).astype(np.float32)
    values -= values.mean(1, keepdims=True)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    values *= (length > FLAT * THUMB) / np.maximum(length, 1e-9)
    return values


def near_images(looks: Looks, sources: Ints) -> Pairs:
    """(pairs, 2) positions of images that are near copies, the earlier one first: for each image and each source, one
    earlier image of that source, where there is any.

    sources: (images,) a small number for each, such as that of its file; images of a source stand together.
    """
    kinds = int(sources.max(initial=0)) + 1
    distinct, hash_of = np.unique(looks.hashes, return_inverse=True)
    _, first, which = np.unique(hash_of * kinds + sources, return_index=True, return_inverse=True)
    first_of = np.full((len(distinct), kinds), -1)
    first_of[hash_of[first], sources[first]] = first
    partners = Partners(looks, sources)
    for one, two in itertools.combinations(range(kinds), 2):
        partners.offer(first_of[:, one], first_of[:, two])
    for near, far in close_hashes(distinct):
        for one, two in itertools.product(range(kinds), repeat=2):
            partners.offer(first_of[near, one], first_of[far, two])

    # Images with the very hash of an earlier one of their source, and what that one is alike to.
    later = np.flatnonzero(first[which] != np.arange(len(sources)))
    earlier = first[which[later]]
    partners.offer(earlier, later)
    for kind in range(kinds):
        partners.offer(partners.of[earlier, kind], later)
    found, source = np.nonzero(partners.of >= 0)
    return np.stack([partners.of[found, source], found], axis=1)


class Partners:
    """The earlier image that is like an image, for each image and each source, filled in as pairs are offered."""

    def __init__(self, looks: Looks, sources: Ints) -> None:
        self.values = standard(looks.thumbs)
        self.sources = sources
        self.of = np.full((len(sources), int(sources.max(initial=0)) + 1), -1)

    def offer(self, some: Ints, others: Ints) -> None:
        """Take note of pairs, each the positions of two images in any order; -1 where there is none."""
        there = (some >= 0) & (others >= 0)
        one, two = np.minimum(some, others)[there], np.maximum(some, others)[there]
        for begin in range(0, len(one), THUMBS_AT_ONCE):
            part = slice(begin, begin + THUMBS_AT_ONCE)
            wanting = self.of[two[part], self.sources[one[part]]] < 0
            left, right = one[part][wanting], two[part][wanting]
            alike = np.einsum("pv,pv->p", self.values[left], self.values[right]) >= ALIKE
            self.of[right[alike], self.sources[left[alike]]] = left[alike]


def close_hashes(hashes: Hashes) -> Iterator[tuple[Ints, Ints]]:
    """Positions of two hashes that differ in at most `DISTANCE` bits, each pair once; hashes are distinct.

    Each hash is looked up in a table of each band, under all values near its own (Norouzi et al. 2012, "Fast Search in Hamming
    Space with Multi-Index Hashing", section 3).
    """
    flips = [
        sum(1 << bit for bit in bits)
        for count in range(RADIUS + 1)
        for bits in itertools.combinations(range(BAND_BITS), count)
    ]
    for band in range(BANDS):
        keys = in_band(hashes, band).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        starts = np.searchsorted(keys[order], np.arange(2**BAND_BITS + 1))
        for flip in flips:
            begins, ends = starts[keys ^ flip], starts[(keys ^ flip) + 1]
            for one, at in spread(begins, ends - begins):
                two = order[at]
                close = np.flatnonzero(one < two)
                differ = hashes[one[close]] ^ hashes[two[close]]
                near = np.bitwise_count(differ) <= DISTANCE
                close, differ = close[near], differ[near]
                for before in range(band):  # found there
                    new = np.bitwise_count(in_band(differ, before)) > RADIUS
                    close, differ = close[new], differ[new]
                if len(close):
                    yield one[close], two[close]


def in_band(hashes: Hashes, band: int) -> Hashes:
    found: Hashes = hashes >> np.uint64(band * BAND_BITS) & np.uint64(2**BAND_BITS - 1)
    return found


def spread(begins: Ints, counts: Ints) -> Iterator[tuple[Ints, Ints]]:
    """The positions of several runs, some at a time: which run each belongs to, and the position."""
    runs = np.flatnonzero(counts)
    ends = np.cumsum(counts[runs])
    done = 0
    while done < len(runs):
        before = int(ends[done - 1]) if done else 0
        last = max(done + 1, int(np.searchsorted(ends, before + PAIRS_AT_ONCE, side="right")))
        some = runs[done:last]
        inside = np.arange(before, ends[last - 1]) - np.repeat(ends[done:last] - counts[some], counts[some])
        yield np.repeat(some, counts[some]), np.repeat(begins[some], counts[some]) + inside
        done = last
