"""What answers cost that are written: a few tokens timed on this machine, those of all rows counted batch by batch."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luthier.arrays import Array, Ints
from luthier.forecast.looks import LONG_SECONDS, Cost
from luthier.models.decoding.beginnings import Ids, levels_of
from luthier.models.generation import BUDGET_TOKENS, SLOTTED, STOP, Decoding, batches, texts_of, way_of, write
from luthier.prepare.prepare import Prepared
from luthier.tasks.writing import Writing

ROWS, TOKENS, SHORT, WHOLE = 24, 5, 8, 3
"""Rows that are written to side by side, the tokens of each, those of their prompts, and prompts that are read as they are."""
LISTENED, HEARD = 16, 48
"""Rows that the model as it came answers until it ends of itself, and how many tokens that is waited for."""
TRIES = 3
VERY_LONG_SECONDS = 10.0
COUNTED = 2_000
"""Prompts that are counted; where there are more, evenly spread ones stand for all."""


@dataclass(frozen=True)
class Amounts:
    """How much is written, each time that something is."""

    batches: Ints
    prompts: Ints
    """Tokens of prompts that are read, what they share at their beginning once."""
    steps: Ints
    """Tokens that follow one another: those of the longest answer of each batch."""
    tokens: Ints
    """Tokens of all answers."""

    def terms(self) -> Array:
        """(times, 4) what the time is a sum of."""
        return np.stack([self.batches, self.prompts, self.steps, self.tokens], axis=1)

    @staticmethod
    def together(several: Sequence["Amounts"]) -> "Amounts":
        """Several, one after the other."""
        return Amounts(*np.concatenate([one.terms() for one in several]).T)


@dataclass(frozen=True)
class WritingCost:
    """What a model's written answers cost."""

    model: Any
    """The causal language model of transformers."""
    slotted: bool
    """Whether prompts of any length are read side by side, with what they share once."""
    cost: Cost
    untouched: Ints
    """(rows,) tokens of answers of the model as it came, to some rows: as many as they may have where none of the first tokens
    ended it."""

    def eased(self, by: float) -> "WritingCost":
        """As it would be if all took `by` times as long."""
        return replace(self, cost=Cost(by * self.cost.terms))

    def first_lengths(self, writing: Writing) -> Ints:
        """(prompts,) tokens of the answers of the model as it came, which nobody told how to end: as long as those that it was
        heard to give."""
        return np.minimum(np.resize(self.untouched, len(writing.prompts)), writing.most)

    def seconds(self, writing: Writing, lengths: Ints) -> float:
        """Seconds of answers of so many tokens each."""
        if not len(writing.prompts):
            return 0.0
        some = np.linspace(0, len(writing.prompts) - 1, min(COUNTED, len(writing.prompts))).astype(np.int64)
        prompts = [writing.prompts[at] for at in some]
        found = amounts_of(self.model, self.slotted, prompts, lengths[some].tolist())
        return self.cost.of(found) * len(writing.prompts) / len(some)


def amounts_of(model: Any, slotted: bool, prompts: Sequence[Ids], lengths: Sequence[int]) -> Amounts:
    """What answers of so many tokens take, in the batches in which they are written."""
    texts = texts_of(model, prompts, Decoding(frozenset(), max(lengths)))
    for text, length in zip(texts, lengths, strict=True):
        text.room = min(length, text.room)
    found = []
    for batch in batches([text for text in texts if text.room], BUDGET_TOKENS, any_length=slotted):
        heads = [text.prompt[:-1] for text in batch]
        levels = levels_of(sorted(set(heads))) if slotted else []
        read = (
            sum(len(piece) for level in levels for piece in level.pieces) if slotted else sum(map(len, heads))
        )
        own = [text.room for text in batch]
        found.append((1, read, max(own), sum(own)))
    return Amounts(*np.array(found, np.int64).reshape(-1, 4).sum(axis=0)[:, None])


def written_bytes(ready: Prepared) -> int:
    """Bytes of the keys and values, and of the logits, of the largest batch of answers; the last layer's are there twice while
    they are laid out."""
    model: Any = ready.model
    known = [ready.rows.task.writing(examples) for examples in ready.examples.values()]
    prompts = [prompt for one in known if one is not None for prompt in one.prompts]
    if not prompts:
        return 0
    config = model.body.config.get_text_config(decoder=True)
    heads = int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    width = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    each = 2 * (int(config.num_hidden_layers) + 1) * heads * width * ready.device.dtype.itemsize
    most = max(one.most for one in known if one is not None)
    texts = texts_of(model.body, prompts, Decoding(frozenset(), most))
    return max(
        len(batch) * (each * (max(text.longest for text in batch) + 1) + 4 * int(config.vocab_size))
        for batch in batches(texts, BUDGET_TOKENS, any_length=True)
    )


def time_writing(ready: Prepared) -> dict[str, WritingCost]:
    """What writing costs in training's precision (`fast`) and in fp32 (`exact`); nothing where nothing is written."""
    task, parts = ready.rows.task, ready.examples
    known = [task.writing(examples) for examples in parts.values()]
    if task.checkable is not None:
        known.append(task.checkable.writing(parts["train"]))
    writing = max((one for one in known if one is not None), key=lambda one: len(one.prompts), default=None)
    if writing is None or not len(writing.prompts):
        return {}
    found = {"fast": timed(ready, ready.masters.training, writing)}
    same = ready.device.precision == "fp32"
    found["exact"] = found["fast"] if same else timed(ready, ready.masters.reporting, writing)
    return found


def timed(ready: Prepared, mode: Callable[[], Any], writing: Writing) -> WritingCost:
    """The cost by a few answers: of many rows and of one, of several tokens and of one, to prompts that are short and whole; and
    of some rows until the model ends them, which also tells how long such answers become."""
    short = [prompt[-SHORT:] for prompt in writing.prompts[:ROWS]]
    tries = [(short, TOKENS), (short, 1), (short[:1], TOKENS), (list(writing.prompts[:WHOLE]), 1)]
    some = np.linspace(0, len(writing.prompts) - 1, min(LISTENED, len(writing.prompts))).astype(np.int64)
    heard = [writing.prompts[at] for at in some]
    seconds, sizes = [], []
    model: Any = ready.model
    with mode(), model.writing() as body:
        slotted = way_of(body) == SLOTTED
        write(
            body, short[:1], Decoding(frozenset(), 1), ready.device.torch
        )  # pays what only the first call does
        for prompts, tokens in tries:
            seconds.append(time_of(body, prompts, tokens, ready))
            sizes.append(amounts_of(body, slotted, prompts, [tokens] * len(prompts)))
        begin = time.perf_counter()
        answers = write(body, heard, Decoding(writing.end, min(HEARD, writing.most)), ready.device.torch)
        seconds.append(time.perf_counter() - begin)
    lengths = [len(one.ids) + (one.finish == STOP) for one in answers]
    sizes.append(amounts_of(body, slotted, heard, lengths))
    whole = [
        length if one.finish == STOP else writing.most for one, length in zip(answers, lengths, strict=True)
    ]
    return WritingCost(body, slotted, Cost.fit(Amounts.together(sizes), seconds), np.array(whole))


def time_of(body: Any, prompts: Sequence[Ids], tokens: int, ready: Prepared) -> float:
    """Seconds of answers that nothing but their length ends; the best of a few tries, as the first one compiles its shapes. Those
    that take very long are tried once."""
    found: list[float] = []
    while not found or len(found) < tries_of(found[0]):
        begin = time.perf_counter()
        write(body, prompts, Decoding(frozenset(), tokens), ready.device.torch)
        found.append(time.perf_counter() - begin)
    return min(found)


def tries_of(seconds: float) -> int:
    """How often answers are written whose first try took so many seconds.

    >>> [tries_of(seconds) for seconds in (0.1, 2.0, 20.0)]
    [3, 2, 1]
    """
    return TRIES if seconds < LONG_SECONDS else 2 if seconds < VERY_LONG_SECONDS else 1
