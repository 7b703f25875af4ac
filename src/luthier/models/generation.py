"""Text written by a decoder: to many prompts at once, where no text depends on its batch, or to one, token by token."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from luthier import seeds
from luthier.arrays import Array
from luthier.batches.order import cut_by_budget
from luthier.errors import ModelError
from luthier.models.decoding.beginnings import common
from luthier.models.decoding.choices import drawn, likeliest
from luthier.models.decoding.reading import Cached, Reading, Slotted, Uncached, can_cache, can_slot

BUDGET_TOKENS = 8192
"""How many tokens the rows of a batch have at the most, prompts and answers: their keys and values stand in memory."""
MOST_ROWS = 512
STOP, LENGTH = "stop", "length"


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen, and when a text has ended."""

    end: frozenset[int]
    """The tokens that end a text."""
    most: int
    """How many tokens a text has at the most."""
    temperature: float = 0.0
    """What logits are divided by before a token is drawn; at 0 the likeliest token is taken."""
    top_p: float = 1.0
    """Only the likeliest tokens that together reach this probability are drawn."""
    seed: int = 0
    samples: int = 1
    """How many texts are written to each prompt."""


@dataclass(frozen=True)
class Written:
    """What was generated to one prompt."""

    ids: tuple[int, ...]
    """The tokens, without the one that ended it."""
    finish: str
    """`stop` where the model ended the text, `length` where the limit or the model's context did."""
    log_probability: float
    """The sum over the tokens and the one that ended them, in nats, in the distribution that they were chosen from."""


@dataclass
class Text:
    """A text that is being written."""

    prompt: tuple[int, ...]
    room: int
    """How many tokens it may have."""
    uniform: Array
    """Random numbers in [0, 1), one for each token; none where tokens are not drawn."""
    ids: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    finish: str = ""

    @property
    def longest(self) -> int:
        """How many tokens prompt and text have at the most."""
        return len(self.prompt) + self.room

    def add(self, token: int, log_probability: float, end: frozenset[int]) -> None:
        """Take the next token, which may be the end."""
        self.log_probability += log_probability
        if token in end:
            self.finish = STOP
            return
        self.ids.append(token)
        if len(self.ids) == self.room:
            self.finish = LENGTH

    @property
    def written(self) -> Written:
        return Written(tuple(self.ids), self.finish, self.log_probability)


def write(
    model: Any,
    prompts: Sequence[Sequence[int]],
    how: Decoding,
    device: torch.device,
    budget_tokens: int = BUDGET_TOKENS,
) -> list[Written]:
    """Write to each prompt, and return what was written in the prompts' order, all samples of a prompt side by side.

    model: a causal language model of transformers, on `device`.  A prompt that fills the model's context is written nothing
    to (`length`). Raises ValueError for a prompt that is empty or longer than the context: the caller leaves them out.
    """
    texts = texts_of(model, prompts, how)
    open_texts = [text for text in texts if not text.finish]
    model.eval()
    with torch.inference_mode():
        way = way_of(model)
        for batch in batches(open_texts, budget_tokens, any_length=way == SLOTTED):
            write_batch(reading(model, way, batch, device), batch, how, device)
    return [text.written for text in texts]


class Dialogue:
    """Texts of a conversation, token by token. What a turn shares with the turns before it is not read again."""

    def __init__(self, model: Any, device: torch.device) -> None:
        self.model, self.device = model.eval(), device
        self.way = way_of(model)
        self.state: Slotted | None = None
        self.read: list[int] = []
        """The tokens that `state` has read."""
        self.finish = ""
        """How the last text ended, `stop` or `length`; empty while it is being written."""

    def stream(self, prompt: Sequence[int], how: Decoding) -> Iterator[int]:
        """Write one text to a prompt, and yield its tokens, without the one that ends it. Raises ValueError as `write` does."""
        self.finish = ""
        (text,) = texts_of(self.model, [prompt], replace(how, samples=1))
        if not text.finish:
            # Entered anew for each token: a mode that is left open while a generator waits would leak into the caller.
            with torch.inference_mode():
                state = self.prepared(text)
            tokens = torch.tensor([prompt[-1]], device=self.device)
        while not text.finish:
            self.read.append(int(tokens))
            with torch.inference_mode():
                tokens = next_tokens(state, tokens, [text], how)
            if text.finish != STOP:
                yield text.ids[-1]
        self.finish = text.finish

    def prepared(self, text: Text) -> Reading:
        """A reading that has read all of the prompt but its last token."""
        head = text.prompt[:-1]
        if self.way != SLOTTED:
            self.read = list(head)
            return reading(self.model, self.way, [text], self.device)
        if self.state is None:
            self.state = Slotted(self.model, [text.prompt], text.longest, self.device)
        else:
            known = common(self.read, head)
            self.state.go_back(known)
            self.state.make_room(text.longest)
            self.state.append([head[known:]])
        self.read = list(head)
        return self.state


def stream(model: Any, prompt: Sequence[int], how: Decoding, device: torch.device) -> Iterator[int]:
    """Write one text to a prompt, token by token: a dialogue of one turn."""
    return Dialogue(model, device).stream(prompt, how)


def texts_of(model: Any, prompts: Sequence[Sequence[int]], how: Decoding) -> list[Text]:
    """The texts to be written, those without room ended already."""
    context = context_of(model)
    texts = []
    for row, prompt in enumerate(prompts):
        if not len(prompt):
            raise ValueError(f"Prompt {row} is empty.")
        if len(prompt) > context:
            raise ValueError(f"Prompt {row} has {len(prompt)} tokens, more than the model's {context}.")
        room = int(min(how.most, context - len(prompt)))
        for sample in range(how.samples):
            uniform = seeds.generator(how.seed, "generation", row, sample).random(
                room if how.temperature else 0
            )
            texts.append(Text(tuple(prompt), room, uniform, finish="" if room else LENGTH))
    return texts


def context_of(model: Any) -> float:
    """How many tokens a model can read; infinite where its description does not say."""
    found = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
    return found or float("inf")


def batches(texts: Sequence[Text], budget_tokens: int, any_length: bool) -> Iterator[list[Text]]:
    """All texts, the longest first, in batches of so many tokens; unless rows may be of any length, only those of equal length
    together."""
    lengths = np.array([text.longest for text in texts], np.int64)
    order = np.argsort(-lengths, kind="stable")
    for cut in cut_by_budget(order, lengths, budget_tokens):
        for begin in range(0, len(cut), MOST_ROWS):
            some = [texts[at] for at in cut[begin : begin + MOST_ROWS]]
            if any_length:
                yield some
                continue
            for length in sorted({len(text.prompt) for text in some}, reverse=True):
                yield [text for text in some if len(text.prompt) == length]


SLOTTED, CACHED, UNCACHED = "slotted", "cached", "uncached"


def way_of(model: Any) -> str:
    """In which of its three ways (models/decoding/reading.py) a model, in evaluation mode, reads while it writes."""
    if can_slot(model):
        return SLOTTED
    return CACHED if can_cache(model) else UNCACHED


def doubt_of(model: Any) -> str:
    """A sentence for the user where a model can write only slowly; empty where it can do better."""
    if can_cache(model):
        return ""
    return (
        f"The architecture {model.config.model_type!r} keeps nothing of what it has read where others can use it again: each new "
        "token reads the whole text anew, so generation takes long."
    )


def reading(model: Any, way: str, texts: Sequence[Text], device: torch.device) -> Reading:
    """The prompts of some texts, read but for their last tokens."""
    prompts = [text.prompt for text in texts]
    if way == SLOTTED:
        return Slotted(model, prompts, max(text.longest for text in texts), device)
    return (Cached if way == CACHED else Uncached)(model, prompts, device)


def write_batch(state: Reading, texts: Sequence[Text], how: Decoding, device: torch.device) -> None:
    """Write texts whose prompts have been read, until all have ended."""
    live = list(texts)
    tokens = torch.tensor([text.prompt[-1] for text in live], device=device)
    while live:
        tokens = next_tokens(state, tokens, live, how)
        if any(text.finish for text in live):
            kept = without_ended(live)
            live = [live[at] for at in kept]
            if live:
                state.keep(kept)
                tokens = tokens[kept]


def next_tokens(state: Reading, tokens: Tensor, texts: Sequence[Text], how: Decoding) -> Tensor:
    """Read the last token of each text, choose the next one, and add it to the text."""
    logits = state.read(tokens)
    if how.temperature:
        numbers = [text.uniform[len(text.ids)] for text in texts]
        chosen, chances = drawn(logits, torch.tensor(numbers), how.temperature, how.top_p)
    else:
        chosen, chances = likeliest(logits)
    told = chances.tolist()
    if not np.isfinite(told).all():
        raise ModelError(
            "The model's logits are not finite numbers, so that there is no next token to choose."
        )
    for text, token, chance in zip(texts, chosen.tolist(), told, strict=True):
        text.add(token, chance, how.end)
    return chosen


def without_ended(texts: Sequence[Text]) -> list[int]:
    """Which texts have not ended, in an order in which few change their places: the last ones fill the gaps.

    >>> def text(finish): return Text((), 0, np.zeros(0), finish=finish)
    >>> without_ended([text(""), text("stop"), text(""), text("")])
    [0, 3, 2]
    """
    live = [at for at, text in enumerate(texts) if not text.finish]
    movers = iter(reversed(live))
    return [at if not texts[at].finish else next(movers) for at in range(len(live))]
