"""Near copies among many texts, in time and memory that grow with their number alone: MinHash and banding.

Broder 1997, "On the resemblance and containment of documents"; banding as in Leskovec, Rajaraman and Ullman, "Mining of
Massive Datasets", section 3.4. All texts are hashed at once with numpy: a library that keeps an object per text needs
gigabytes for a million.
"""

from collections.abc import Callable, Iterator

import numpy as np

from luthier.data.table import Ints

GRAM = 4
"""Characters of a shingle. Words would be too coarse for short texts: a question of eight words has four runs of five."""
BANDS, HASHES = 24, 4
"""Two texts are compared when one band of hashes agrees: at a resemblance of 0.5, 79 of 100 pairs are; at 0.6, 97."""
ALIKE = 0.6
"""Resemblance from which on two texts are near copies: shared shingles over all shingles."""
FEWEST_SHINGLES = 8
"""Shorter texts resemble each other by chance."""
NEIGHBOURS = 8
"""Texts of one bucket that each is compared with: what is said in ten thousand ways is found without a hundred million
comparisons."""
CHARACTERS = 2_000
"""Of a text that are looked at."""
AT_ONCE = 4_000_000
"""Characters hashed at once."""

FACTORS = tuple(
    np.uint64((0x9E3779B97F4A7C15 * (2 * at + 1) & (2**64 - 1)) | 1) for at in range(BANDS * HASHES)
)
"""One for each hash: odd, so that none maps two shingles to one."""

Pairs = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Hashes = np.ndarray[tuple[int, int], np.dtype[np.uint64]]


def near_pairs(texts: Callable[[], Iterator[tuple[int, str]]], count: int) -> Pairs:
    """(pairs, 2) numbers of texts that resemble each other, the smaller one first.

    texts: yields number and text, in order, twice the same.  count: how many there are at the most.
    """
    numbers, bands = signatures(texts, count)
    pairs = candidates(bands)
    if not len(pairs):
        return np.zeros((0, 2), np.int64)
    wanted = set(np.unique(pairs).tolist())
    held = {at: shingles(text) for at, (_, text) in enumerate(texts()) if at in wanted}
    alike = np.array([resemblance(held[one], held[two]) >= ALIKE for one, two in pairs.tolist()])
    found: Pairs = numbers[pairs[alike]]
    return found


def signatures(texts: Callable[[], Iterator[tuple[int, str]]], count: int) -> tuple[Ints, Hashes]:
    """Numbers of the texts, and (texts, bands) a hash of each band of MinHashes."""
    numbers, found = np.zeros(count, np.int64), np.zeros((count, BANDS), np.uint64)
    done = 0
    batch: list[str] = []
    held = 0
    for at, (number, text) in enumerate(texts()):
        numbers[at] = number
        batch.append(normal(text))
        held += len(batch[-1])
        if held > AT_ONCE:
            found[done : at + 1] = banded(batch)
            done, batch, held = at + 1, [], 0
    if batch:
        found[done : done + len(batch)] = banded(batch)
        done += len(batch)
    return numbers[:done], found[:done]


def normal(text: str) -> str:
    """As copies are compared: without case and repeated blanks, and no longer than is looked at."""
    return " ".join(text.lower().split())[:CHARACTERS]


def rolled(batch: list[str]) -> tuple[np.ndarray[tuple[int], np.dtype[np.uint64]], Ints]:
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
    """Spread over 64 bits: the finisher of MurmurHash3 (Appleby, public domain)."""
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    return values ^ (values >> np.uint64(29))


def banded(batch: list[str]) -> Hashes:
    """(texts, bands) of a batch. Texts too short to compare get hashes that nothing shares."""
    hashes, starts = rolled(batch)
    found = np.zeros((len(batch), BANDS), np.uint64)
    # A shingle that reaches into the gap is one of the text's end: it stays, as ends count too.
    for at, factor in enumerate(FACTORS):
        least = np.minimum.reduceat((hashes ^ factor) * factor, starts)
        band = at // HASHES
        found[:, band] = mixed(found[:, band] + least + np.uint64(1))
    return found


def candidates(bands: Hashes) -> Pairs:
    """(pairs, 2) of texts, by position, that agree in a band."""
    found: list[Pairs] = []
    for band in bands.T:
        order = np.argsort(band, kind="stable")
        ordered = band[order]
        for step in range(1, NEIGHBOURS + 1):
            same = np.flatnonzero(ordered[step:] == ordered[:-step])
            if not len(same):
                break
            found.append(np.stack([order[same], order[same + step]], axis=1))
    if not found:
        return np.zeros((0, 2), np.int64)
    pairs: Pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    return pairs


def shingles(text: str) -> frozenset[str]:
    """
    >>> sorted(shingles("a lot"))
    [' lot', 'a lo']
    """
    text = normal(text)
    return frozenset(text[at : at + GRAM] for at in range(len(text) - GRAM + 1))


def resemblance(one: frozenset[str], two: frozenset[str], fewest: int = FEWEST_SHINGLES) -> float:
    """Jaccard index; zero where one has fewer shingles than can tell.

    >>> resemblance(shingles("what is a fuel cell"), shingles("what is a fuel cell ?"))
    0.8888888888888888
    """
    if min(len(one), len(two)) < fewest:
        return 0.0
    shared = len(one & two)
    return shared / (len(one) + len(two) - shared)
