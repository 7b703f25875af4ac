"""Which word each token of a text belongs to, so that words can be hidden or left out whole."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.arrays import Ints
from luthier.models.readers.texts import CHUNK, Texts

BEGINNINGS = ("\u2581", "\u0120")
"""Signs for the white space before a word, as tokens of SentencePiece and of byte-level BPE begin with."""
NO_WORD = -1
"""The word number of a token that is no part of the text, such as one that begins it."""


def word_numbers(reader: Texts, texts: Sequence[str] | Sequence[tuple[str, str]], way: str) -> Ints:
    """(tokens,) the word that each token of `Texts.examples(texts, ..., way)` is of: numbers that differ between the words of a
    part, and NO_WORD for special tokens.

    A word begins where the tokenizer says that one does, and after white space: a tokenizer that does not cut words before it
    makes tokens says that a whole text is one.
    """
    windows = way == "windows"
    found: list[int] = []
    for begin in range(0, len(texts), CHUNK):
        chunk = [reader.spelt(text) for text in texts[begin : begin + CHUNK]]
        columns = (
            [chunk]
            if not chunk or isinstance(chunk[0], str)
            else [list(side) for side in zip(*chunk, strict=True)]
        )
        encoded = reader.encode(
            *columns,
            truncation=True,
            max_length=reader.limit,
            stride=reader.limit // 4 if windows else 0,
            return_overflowing_tokens=windows,
            return_offsets_mapping=True,
            verbose=False,
        )
        for part in range(len(encoded["input_ids"])):
            found += words_of_part(encoded, part)
    return np.array(found, np.int64)


def words_of_part(encoded: Any, part: int) -> list[int]:
    """The word numbers of the tokens of one part, as a fast tokenizer of transformers tells words and places."""
    places, tokens = encoded["offset_mapping"][part], encoded.tokens(part)
    number, known, ended = NO_WORD, (-1, -1), 0
    found = []
    for word, text, (start, end), token in zip(
        encoded.word_ids(part), encoded.sequence_ids(part), places, tokens, strict=True
    ):
        if text is None:
            found.append(NO_WORD)
            continue
        if (word, text) != known or start > ended or token.startswith(BEGINNINGS):
            number += 1
        known, ended = (word, text), end
        found.append(number)
    return found
