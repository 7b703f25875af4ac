"""Greedy answers of an exported model beside those of the original: where they part, and by how little."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from luthier.models.generation import STOP, Decoding, write

NEAREST = 8
"""The likeliest next tokens of the original that are remembered at each place of an answer, with their logits."""

TOGETHER = 25
"""Prompts that are answered between two looks at whether the user wants to stop."""


@dataclass(frozen=True)
class Answer:
    """What the original answers to a prompt, and what else it might have said."""

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    nearest: Tensor
    """(tokens, NEAREST): the likeliest tokens at each place, the likeliest first."""
    logits: Tensor
    """(tokens, NEAREST): their logits."""


@dataclass(frozen=True)
class Parting:
    """The first token of an answer that an exported model chooses otherwise."""

    prompt: int
    """The place of the prompt among all."""
    at: int
    """How many tokens of the answer are the same before it."""
    original: int
    exported: int
    """The token that each chooses."""
    original_margin: float | None
    """By how much the original's logit of its own token is above that of the other; None where the other is not among its
    likeliest."""
    exported_margin: float
    """By how much the exported model's logit of its own token is above that of the original's."""


def original_answers(
    model: Any, prompts: Sequence[Sequence[int]], ends: Sequence[int], most: int
) -> Iterator[Answer]:
    """Yield the greedy answer to each prompt: up to an end token, which belongs to it, or `most` tokens."""
    how = Decoding(frozenset(ends), most)
    for begin in range(0, len(prompts), TOGETHER):
        some = prompts[begin : begin + TOGETHER]
        for prompt, written in zip(some, write(model, some, how, torch.device("cpu")), strict=True):
            ended = written.finish == STOP
            logits = answer_logits(model, prompt, [*written.ids, *ends[:ended]])
            # Which of several ends it was is told by the logits it was chosen from.
            tokens = (*written.ids, int(logits[-1].argmax())) if ended else written.ids
            best = logits.topk(min(NEAREST, logits.shape[1]))
            yield Answer(tuple(prompt), tokens, best.indices, best.values)


def answer_logits(model: Any, prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
    """Return (tokens, vocabulary): the logits from which each token of an answer is chosen, all in one pass."""
    given = torch.tensor([[*prompt, *answer]])
    with torch.no_grad():
        found: Tensor = model(input_ids=given, logits_to_keep=len(answer) + 1).logits[0, :-1].float()
    return found


def parting(model: Any, number: int, answer: Answer) -> Parting | None:
    """Return where the greedy answer of an exported model parts from the original's; None where it is the same.

    A greedy answer is the same as another exactly if at each place of the other the likeliest token is the one that stands
    there: so one pass over the original's answer takes the place of generating.
    """
    logits = answer_logits(model, answer.prompt, answer.tokens)
    chosen = logits.argmax(1)
    other = (chosen != torch.tensor(answer.tokens)).nonzero()
    if not len(other):
        return None
    at = int(other[0])
    ours, theirs = answer.tokens[at], int(chosen[at])
    among = (answer.nearest[at] == theirs).nonzero()
    own = answer.logits[at][answer.nearest[at] == ours]
    margin = float(own[0] - answer.logits[at][int(among[0])]) if len(among) and len(own) else None
    return Parting(number, at, ours, theirs, margin, float(logits[at, theirs] - logits[at, ours]))
