"""Near copies among many texts, in time and memory that grow with their number alone: MinHash and banding.

Broder 1997, "On the resemblance and containment of documents"; banding as in Leskovec, Rajaraman and Ullman, "Mining of
Massive Datasets", section 3.4. All texts are hashed at once with numpy: a library that keeps an object per text needs
gigabytes for a million.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from luthier.arrays import Ints

GRAM = 4
"""Characters of a shingle. Words would be too coarse for short texts: a question of eight words has four runs of five."""
BANDS, HASHES = 24, 4
"""Two texts are compared when one band of hashes agrees: at a resemblance of 0.5, 79 of 100 pairs are; at 0.6, 97."""
ALIKE = 0.6
"""Resemblance from which on two texts are near copies: shared shingles over all shingles."""
FEWEST_SHINGLES = 8
"""Shorter texts resemble each other by chance."""
NEIGHBOURS = 8
"""How many texts of its bucket a text is compared with: what is said in ten thousand ways is found without a hundred million
comparisons."""
KEPT = 256
"""The most shingles of a text that are kept: those with the smallest hashes, a fair sample of a long text."""
CHARACTERS = 2_000
"""The most characters of a text that are looked at."""
AT_ONCE = 1_000_000
"""Characters hashed at once: some 60 bytes are held for each."""
PAIRS_AT_ONCE = 20_000
FACTORS = tuple(
    np.uint64((0x9E3779B97F4A7C15 * (2 * at + 1) & (2**64 - 1)) | 1) for at in range(BANDS * HASHES)
)
"""One factor for each hash, odd, so that none maps two shingles to one."""

Ids = np.ndarray[tuple[int], np.dtype[np.uint64]]
Pairs = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Hashes = np.ndarray[tuple[int, int], np.dtype[np.uint64]]


@dataclass(frozen=True)
class Sketches:
    """MinHash sketches of many texts, by position."""

    bands: Hashes
    """(texts, bands), a hash of each band of MinHashes."""
    shingles: np.ndarray[tuple[int], np.dtype[np.uint32]]
    """Hashes of every text's distinct shingles, in order, text after text."""
    ends: Ints
    """(texts + 1,) positions in `shingles` where those of each text begin, and the end."""

    def resemblance(
        self, pairs: Pairs, fewest: int = FEWEST_SHINGLES
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """(pairs,) Jaccard index of the shingles of each pair; zero where a text has fewer than `fewest`."""
        found = np.zeros(len(pairs))
        for begin in range(0, len(pairs), PAIRS_AT_ONCE):
            some = pairs[begin : begin + PAIRS_AT_ONCE]
            sizes = self.ends[some + 1] - self.ends[some]
            keys = np.sort(np.concatenate([self.keyed(some[:, 0]), self.keyed(some[:, 1])]))
            twice = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
            shared = np.bincount(twice.astype(np.int64), minlength=len(some))
            enough = sizes.min(1) >= fewest
            found[begin : begin + len(some)] = enough * shared / np.maximum(1, sizes.sum(1) - shared)
        return found

    def keyed(self, texts: Ints) -> Ids:
        """The shingles of some texts, each with the place of its text above it."""
        sizes = self.ends[texts + 1] - self.ends[texts]
        place = np.repeat(np.arange(len(texts)), sizes)
        inside = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        at = np.repeat(self.ends[texts], sizes) + inside
        found: Ids = place.astype(np.uint64) << np.uint64(32) | self.shingles[at].astype(np.uint64)
        return found


def near_pairs(texts: Iterable[str], sources: Ints) -> Pairs:
    """(pairs, 2) positions of texts that resemble each other, the earlier one first: for each text and each source, one
    earlier text of that source, where there is any.

    sources: (texts,) a small number for each, such as that of its file.
    """
    sketches = sketched(texts)
    count = len(sketches.ends) - 1
    found: list[Pairs] = []
    done = np.zeros((count, int(sources.max(initial=0)) + 1), bool)
    for band in sketches.bands.T:
        order = np.argsort(band, kind="stable")
        ordered = band[order]
        for step in range(1, NEIGHBOURS + 1):
            same = np.flatnonzero(ordered[step:] == ordered[:-step])
            if not len(same):
                break
            pairs = np.stack([order[same], order[same + step]], axis=1)
            pairs = pairs[~done[pairs[:, 1], sources[pairs[:, 0]]]]
            pairs = pairs[sketches.resemblance(pairs) >= ALIKE]
            done[pairs[:, 1], sources[pairs[:, 0]]] = True
            found.append(pairs)
    every: Pairs = np.concatenate([*found, np.zeros((0, 2), np.int64)])
    return every[np.lexsort([every[:, 0], every[:, 1]])]


def sketched(texts: Iterable[str]) -> Sketches:
    """The sketches of all texts, made in one pass, a few million characters at a time."""
    bands: list[Hashes] = []
    shingles_of: list[np.ndarray[tuple[int], np.dtype[np.uint32]]] = []
    sizes: list[Ints] = []

    def add(batch: list[str]) -> None:
        hashes, starts = rolled(batch)
        bands.append(banded(hashes, starts))
        kept, counts = distinct(hashes, starts, np.array([len(text) for text in batch]))
        shingles_of.append(kept)
        sizes.append(counts)

    batch: list[str] = []
    held = 0
    for text in texts:
        batch.append(normal(text))
        held += len(batch[-1])
        if held > AT_ONCE:
            add(batch)
            batch, held = [], 0
    if batch:
        add(batch)
    ends = np.concatenate([[0], np.cumsum(np.concatenate([*sizes, np.zeros(0, np.int64)]))]).astype(np.int64)
    return Sketches(
        np.concatenate([*bands, np.zeros((0, BANDS), np.uint64)]),
        np.concatenate([*shingles_of, np.zeros(0, np.uint32)]),
        ends,
    )


def distinct(
    hashes: Ids, starts: Ints, lengths: Ints
) -> tuple[np.ndarray[tuple[int], np.dtype[np.uint32]], Ints]:
    """The distinct shingles of each text, but for those that reach beyond its end, at most `KEPT`; and how many they are."""
    counts = np.maximum(lengths - GRAM + 1, 0)
    owner = np.repeat(np.arange(len(lengths)), counts)
    at = np.repeat(starts, counts) + np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    keys = np.unique(owner.astype(np.uint64) << np.uint64(32) | hashes[at] >> np.uint64(32))
    text = (keys >> np.uint64(32)).astype(np.int64)
    sizes = np.bincount(text, minlength=len(lengths))
    rank = np.arange(len(keys)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = rank < KEPT
    return (keys[kept] & np.uint64(0xFFFFFFFF)).astype(np.uint32), np.minimum(sizes, KEPT)


def normal(text: str) -> str:
    """A text as copies are compared: without case and repeated blanks, cut to `CHARACTERS`."""
    return " ".join(text.lower().split())[:CHARACTERS]


def rolled(batch: list[str]) -> tuple[Ids, Ints]:
    """A hash for each shingle of all texts, one after the other, and where each text's begin.

    Texts are parted by as many zeros as a shingle has characters, less one: none reaches over the end.
    """
    gap = "\0" * (GRAM - 1)
    joined = gap.join([*batch, ""])
    characters = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    lengths = np.array([len(text) + len(gap) for text in batch])
    ends = np.cumsum(lengths)
    hashes = np.zeros(len(characters) - len(gap), np.uint64)
    for at in range(GRAM):
        hashes = mixed(hashes + characters[at : at + len(hashes)] + np.uint64(1))
    return hashes, np.concatenate([[0], ends[:-1]])


def mixed(values: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Hashes mixed so that all 64 bits vary: the finisher of MurmurHash3 (Appleby, public domain)."""
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    return values ^ (values >> np.uint64(29))


def banded(hashes: Ids, starts: Ints) -> Hashes:
    """(texts, bands) a hash of each band of MinHashes. What reaches into the gap is a text's end, which counts too."""
    found = np.zeros((len(starts), BANDS), np.uint64)
    for at, factor in enumerate(FACTORS):
        least = np.minimum.reduceat((hashes ^ factor) * factor, starts)
        band = at // HASHES
        found[:, band] = mixed(found[:, band] + least + np.uint64(1))
    return found
