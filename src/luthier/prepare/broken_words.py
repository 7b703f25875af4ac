"""Into how many pieces a tokenizer breaks the words of the rows, beside those of general sentences."""

import re
from collections.abc import Sequence

import numpy as np

from luthier.arrays import Floats, Ints
from luthier.checks.finding import BrokenWords
from luthier.models.readers.reading import Reader
from luthier.models.readers.texts import Texts
from luthier.prepare.general import own

MOST_ROWS, MOST_CHARACTERS = 300, 2_000
"""Texts that are looked at, evenly from all, and characters of each."""
FEWEST_WORDS = 3
WORD = re.compile(r"[^\W\d_]{2,}")
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of scripts that put no blanks between words, where a run of letters is no word."""


def looked_at(count: int) -> Ints:
    """Places of the texts that are looked at, of so many."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_ROWS)).astype(np.int64))


def broken_words(reader: Reader, rows: Ints, texts: Sequence[str]) -> BrokenWords | None:
    """How the words of some rows are broken; None where a reader reads no texts, or there are no words.

    rows: numbers of the table's rows.  texts: what they hold.
    """
    tokenizer = reader.texts
    if tokenizer is None:
        return None
    words = [words_in(text[:MOST_CHARACTERS]) for text in texts]
    enough = [at for at, found in enumerate(words) if len(found) >= FEWEST_WORDS]
    if not enough:
        return None
    chosen = [words[at] for at in enough]
    usual = float(np.median(pieces(tokenizer, [words_in(text) for text in own().texts])))
    return BrokenWords(rows[enough], pieces(tokenizer, chosen), usual, common_share(chosen))


def words_in(text: str) -> list[str]:
    """
    >>> words_in("Die 3 Straßenbahnen, 電車 and a tram")
    ['Die', 'Straßenbahnen', 'and', 'tram']
    """
    return [word for word in WORD.findall(text) if not UNSPACED.search(word)]


def pieces(tokenizer: Texts, texts: Sequence[Sequence[str]]) -> Floats:
    """(texts,) tokens that a word of each becomes, on average."""
    joined = [" ".join(words) for words in texts]
    ids = tokenizer.encode(joined, truncation=False, verbose=False, add_special_tokens=False)["input_ids"]
    return np.array([len(own) / len(words) for own, words in zip(ids, texts, strict=True)])


COMMON = frozenset(
    (
        "the",
        "of",
        "and",
        "to",
        "in",
        "is",
        "for",
        "that",
        "with",
        "on",
        "are",
        "this",
        "it",
        "be",
        "was",
        "as",
        "at",
        "by",
    )
)
"""The commonest English words: a fifth to a third of an English text."""


def common_share(texts: Sequence[Sequence[str]]) -> float:
    """The share of words that are the commonest English ones."""
    every = [word.lower() for words in texts for word in words]
    return sum(word in COMMON for word in every) / len(every)
