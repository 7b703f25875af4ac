"""Words to tokens: which token answers for which word, in whichever window the word has most around it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.arrays import Array
from luthier.batches.text_examples import TextExamples
from luthier.batches.tokens import Tokens
from luthier.batches.word_rows import Words
from luthier.errors import DataError, ModelError
from luthier.models.readers.texts import CHUNK, Long, Texts

NOTHING = -1
"""The mark of a token at which nothing is learnt."""
OUTSIDE = 0
"""The tag of a word that belongs to no entity."""


def read_words(texts: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[TextExamples, Long]:
    """Rows of Words as token numbers. targets: (rows,) objects, each the tag numbers of the row's words; anything else
    where nothing is learnt.

    A tag is learnt at the first token of its word, as Devlin et al. 2019 do it (arXiv:1810.04805, section 5.3). A word
    without a token of its own (the tokenizer knows it not, or the row was cut) is answered at the first token of the row.
    """
    if not texts.tokenizer.is_fast:
        raise ModelError(
            f"{type(texts.tokenizer).__name__} does not tell where in the text its tokens stand. Choose a model with a fast "
            "tokenizer (tokenizer.json)."
        )
    ids: list[Array] = []
    marks: list[Array] = []
    unit: list[Array] = []
    parts_of_row, lengths, whole, unknown = [], [], [], []
    longer, beyond, held = 0, 0, 0
    learnt = targets.dtype == object
    for begin in range(0, len(rows), CHUNK):
        chunk: list[Words] = list(rows[begin : begin + CHUNK])
        spelt = [texts.spelt_alike(row.text) for row in chunk]
        encoded = texts.encode(spelt, truncation=False, verbose=False, return_offsets_mapping=True)
        for at, row in enumerate(chunk):
            numbers, places = encoded["input_ids"][at], encoded["offset_mapping"][at]
            parts = [(numbers, places)]
            whole.append(len(numbers))
            unknown.append(numbers.count(texts.unknown))
            if len(numbers) > texts.limit:
                longer, beyond = longer + 1, beyond + len(numbers) - texts.limit
                parts = texts.placed_parts(spelt[at], way)
            word_of = [words_of_tokens(row, found) for _, found in parts]
            tags = np.asarray(targets[begin + at], np.int16) if learnt else None
            place = units(word_of, len(row))
            made = [marked(words, tags) for words in word_of]
            if tags is not None and (place < 0).any() and made[0][0] == NOTHING:
                made[0][0] = OUTSIDE
            unit.append(np.maximum(place, 0) + held)
            for (part, _), mark in zip(parts, made, strict=True):
                ids.append(np.array(part, np.int32))
                marks.append(mark)
                lengths.append(len(part))
                held += len(part)
            parts_of_row.append(len(parts))
    if longer and way == "refuse":
        raise DataError(
            f"{longer:,} of {len(rows):,} texts are longer than the {texts.limit} tokens this model reads, by {beyond:,} tokens "
            "in all. Use --long windows or --long cut, or a model that reads more."
        )
    sources = np.empty(len(rows), object)
    sources[:] = list(rows)
    empty = np.zeros(0, np.int32)
    examples = TextExamples(
        ids=np.concatenate([*ids, empty]),
        ends=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
        first_part=np.concatenate([[0], np.cumsum(parts_of_row, dtype=np.int64)]),
        targets=targets,
        pad=texts.pad,
        tokens=Tokens(
            marks=np.concatenate([*marks, empty.astype(np.int16)]),
            unit=np.concatenate([*unit, np.zeros(0, np.int64)]),
            first_unit=np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]),
        ),
        sources=sources,
    )
    counts = np.array(whole, np.int64), np.array(unknown, np.int64)
    return examples, Long(texts.limit, longer, beyond, way, *counts)


def words_of_tokens(row: Words, places: Sequence[tuple[int, int]]) -> Array:
    """(tokens,) the word that each token begins, -1 where it begins none: it is inside of one, or a special token."""
    tokens = np.array(places, np.int64).reshape(-1, 2)
    found = np.full(len(tokens), -1, np.int64)
    if not len(row):
        return found
    words = np.array(row.places, np.int64)
    at = np.minimum(np.searchsorted(words[:, 1], tokens[:, 0], side="right"), len(words) - 1)
    # A token may begin with the blank before its word; one without characters is special.
    inside = (tokens[:, 1] > tokens[:, 0]) & (words[at, 0] < tokens[:, 1]) & (tokens[:, 0] < words[at, 1])
    where = np.flatnonzero(inside)
    _, first = np.unique(at[where], return_index=True)
    begins = where[first]
    found[begins] = at[begins]
    return found


def units(word_of: Sequence[Array], words: int) -> Array:
    """(words,) the token, counted over the parts of a row, that answers for each word; -1 where none does.

    Where windows overlap, the one with most tokens around the word, to the nearer side.
    """
    place = np.full(words, -1, np.int64)
    around = np.full(words, -1, np.int64)
    begin = 0
    for of in word_of:
        tokens = np.flatnonzero(of >= 0)
        own = of[tokens]
        room = np.minimum(tokens, len(of) - 1 - tokens)
        better = room > around[own]
        place[own[better]] = begin + tokens[better]
        around[own[better]] = room[better]
        begin += len(of)
    return place


def marked(word_of: Array, tags: Array | None) -> Array:
    """(tokens,) the tag of the word that a token begins."""
    found = np.full(len(word_of), NOTHING, np.int16)
    if tags is not None:
        begins = word_of >= 0
        found[begins] = tags[word_of[begins]]
    return found
