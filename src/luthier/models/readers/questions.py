"""Questions with their texts to tokens: long texts in overlapping windows, each of which begins with the question."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from luthier.arrays import Array
from luthier.batches.passages import END, START, Gold, Passage
from luthier.batches.text_examples import TextExamples
from luthier.batches.tokens import Tokens
from luthier.errors import DataError, ModelError
from luthier.models.readers.texts import Long, Texts

MOST_TOKENS = 384
"""The most tokens of a window, a third of which overlap with the next one, as in the reference settings for SQuAD (Devlin et
al. 2019)."""
OVERLAP = 1 / 3
MOST_QUESTION = 0.5
"""Largest share of a window that a question may take."""


def read_questions(texts: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[TextExamples, Long]:
    """Rows of Passages as token numbers. targets: (rows,) objects, each a Gold; anything else where nothing is learnt.

    A window without the answer learns to point at its first token, as for questions that have none (Devlin et al. 2019,
    section 4.3). Raises DataError for a question that leaves no room for the text.
    """
    if not texts.tokenizer.is_fast:
        raise ModelError(
            f"{type(texts.tokenizer).__name__} does not tell where in the text its tokens stand. Choose a model with a fast "
            "tokenizer (tokenizer.json)."
        )
    limit = min(MOST_TOKENS, texts.most)
    learnt = targets.dtype == object
    ids: list[Array] = []
    marks: list[Array] = []
    types: list[Array] = []
    lengths, parts_of_row, first_unit, whole, unknown = [], [], [0], [], []
    longer = beyond = 0
    sources = np.empty(len(rows), object)
    for at, row in enumerate(rows):
        check_question(texts, row, limit)
        parts = texts.windows_after(row.question, row.context, limit, int(limit * OVERLAP), way)
        tokens = sum(len(part.ids) for part in parts)
        text_tokens = parts[0].whole
        whole.append(text_tokens)
        unknown.append(sum(part.ids.count(texts.unknown) for part in parts))
        if text_tokens > limit:
            longer, beyond = longer + 1, beyond + text_tokens - limit
        gold, places = targets[at] if learnt else Gold(), []
        for part in parts:
            ids.append(np.array(part.ids, np.int32))
            types.append(np.array(part.types, np.int8))
            own = without_white_space(np.array(part.places, np.int32).reshape(-1, 2), row.context)
            places.append(own)
            marks.append(marked(own, gold))
            lengths.append(len(part.ids))
        parts_of_row.append(len(parts))
        first_unit.append(first_unit[-1] + tokens)
        ends = np.cumsum([0, *(len(part.ids) for part in parts)])
        sources[at] = replace(row, places=np.concatenate(places), parts=ends)
    if longer and way == "refuse":
        raise DataError(
            f"{longer:,} of {len(rows):,} questions with their texts are longer than the {limit} tokens of a window. "
            "Use --long windows."
        )
    empty = np.zeros(0, np.int32)
    told = np.concatenate([*types, empty.astype(np.int8)])
    examples = TextExamples(
        ids=np.concatenate([*ids, empty]),
        ends=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
        first_part=np.concatenate([[0], np.cumsum(parts_of_row, dtype=np.int64)]),
        targets=targets,
        pad=texts.pad,
        types=told if told.any() else None,
        tokens=Tokens(
            marks=np.concatenate([*marks, empty.astype(np.int16)]),
            unit=np.arange(first_unit[-1], dtype=np.int64),
            first_unit=np.array(first_unit, np.int64),
        ),
        sources=sources,
    )
    return examples, Long(limit, longer, beyond, way, np.array(whole, np.int64), np.array(unknown, np.int64))


def check_question(texts: Texts, row: Passage, limit: int) -> None:
    """Raise DataError for a question that takes most of a window."""
    tokens = tokens_of(texts, row.question)
    if tokens > MOST_QUESTION * limit:
        raise DataError(
            f"The question {row.question[:60]!r}... has {tokens} tokens, and a window of this model {limit}: no room is left for "
            "the text. Shorten it, or swap the columns (--text for the text, --question for the question)."
        )


def leaves_room(texts: Texts, question: str) -> bool:
    """Whether a question takes no more than its share of a window."""
    return tokens_of(texts, question) <= MOST_QUESTION * min(MOST_TOKENS, texts.most)


def tokens_of(texts: Texts, question: str) -> int:
    return len(texts.encode(texts.spelt_alike(question), truncation=False, verbose=False)["input_ids"])


def without_white_space(places: Array, context: str) -> Array:
    """(tokens, 2) where tokens stand, without the white space before them that some tokenizers count in."""
    blank = np.array([letter.isspace() for letter in context] + [False])
    begin, end = places[:, 0].copy(), places[:, 1]
    while True:
        early = (begin < end) & blank[begin]
        if not early.any():
            return np.stack([begin, end], axis=1)
        begin[early] += 1


def marked(places: Array, gold: Gold) -> Array:
    """(tokens,) marks of a window: where the first answer begins and ends, or at the first token where it is not inside."""
    found = np.full(len(places), -1, np.int16)
    inside = places[:, 1] > places[:, 0]
    found[inside] = 0
    found[0] = 0
    if gold.texts:
        begin, end = gold.starts[0], gold.starts[0] + len(gold.texts[0])
        touched = np.flatnonzero(inside & (places[:, 0] < end) & (places[:, 1] > begin))
        whole = len(touched) and places[touched[0], 0] <= begin and places[touched[-1], 1] >= end
        if whole:
            found[touched[0]] |= START
            found[touched[-1]] |= END
            return found
    found[0] = START | END
    return found
