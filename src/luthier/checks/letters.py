"""How well all other texts predict the letters of each one, in bits per character."""

from collections.abc import Callable, Iterator

import numpy as np

from luthier.arrays import Array, Ints
from luthier.checks.near import AT_ONCE, normal

SLOTS = 2**18
"""Number of slots that pairs and triples of characters are hashed into."""
FEWEST = 12
"""Fewest characters of a text that is judged: shorter ones say too little."""


def surprise(texts: Callable[[], Iterator[tuple[int, str]]]) -> tuple[Ints, Array]:
    """Positions of the texts that are long enough, and of each the mean bits of a character given the two before it.

    Probabilities are those of all texts together, each text's own share taken out (Katz's counts, add-a-half smoothed).
    """
    triples, pairs = np.zeros(SLOTS), np.zeros(SLOTS)
    for _, _, three, two in hashed(texts):
        triples += np.bincount(three, minlength=SLOTS)
        pairs += np.bincount(two, minlength=SLOTS)
    numbers: list[int] = []
    found: list[Array] = []
    for batch, starts, three, two in hashed(texts):
        numbers += batch
        lengths = np.diff(np.append(starts, len(three)))
        owner = np.repeat(np.arange(len(batch)), lengths)
        own = own_counts(owner, three), own_counts(owner, two)
        chance = (triples[three] - own[0] + 0.5) / (pairs[two] - own[1] + 0.5 * 64)
        found.append(np.add.reduceat(-np.log2(np.minimum(chance, 1.0)), starts) / lengths)
    return np.array(numbers, np.int64), np.concatenate([*found, np.zeros(0)])


def own_counts(owner: Ints, slots: Ints) -> Array:
    """How often each slot occurs in the text it stands in."""
    _, place, times = np.unique(owner * SLOTS + slots, return_inverse=True, return_counts=True)
    own: Array = times[place]
    return own


def hashed(texts: Callable[[], Iterator[tuple[int, str]]]) -> Iterator[tuple[list[int], Ints, Ints, Ints]]:
    """Numbers of a batch of texts, where each begins, and a slot for each of its triples and for the pair it begins with."""
    batch: list[str] = []
    numbers: list[int] = []
    held = 0
    for number, text in texts():
        text = normal(text)
        if len(text) >= FEWEST:
            batch.append(text)
            numbers.append(number)
            held += len(text)
        if held > AT_ONCE:
            yield numbers, *slots_of(batch)
            batch, numbers, held = [], [], 0
    if batch:
        yield numbers, *slots_of(batch)


def slots_of(batch: list[str]) -> tuple[Ints, Ints, Ints]:
    characters = np.frombuffer("".join(batch).encode("utf-32-le", "surrogatepass"), np.uint32).astype(
        np.int64
    )
    lengths = np.array([len(text) for text in batch])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    inside = np.ones(len(characters), bool)
    for back in (1, 2):
        inside[starts + lengths - back] = False  # a triple stays within its text
    at = np.flatnonzero(inside)
    two = (characters[at] * 40503 + characters[at + 1] * 2654435761) % SLOTS
    three = (two * 97 + characters[at + 2] * 2246822519) % SLOTS
    return starts - 2 * np.arange(len(batch)), three, two
