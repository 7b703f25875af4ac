"""A vector for each token of an encoder: what the encoder makes of a text that is that token alone.

Minish Lab's Model2Vec (Tulkens and van Dongen 2024, github.com/MinishLab/model2vec): every token of the vocabulary goes through
the encoder once, principal components keep the directions in which tokens differ, and frequent tokens are made short, as in
smooth inverse frequency weighting (Arora et al. 2017, "A simple but tough-to-beat baseline for sentence embeddings", eq. 2).
"""

from typing import Any

import torch
from torch import Tensor

from luthier.models.headed import at_least_fp32
from luthier.models.heads.classifier import pool

WIDTH = 256
"""Numbers in a vector at the most."""
SMOOTHING = 1e-3
"""`a` of a / (a + p), by which a token of probability p counts (Arora et al. 2017, section 4.1)."""
ROWS = 1_024
"""Tokens that go through the encoder at once."""


@torch.inference_mode()
def token_vectors(body: Any, pooling: str, around: tuple[list[int], list[int]], tokens: int) -> Tensor:
    """(tokens, width of the encoder): each token as a text of its own.

    pooling: how the encoder makes one vector of its states.  around: the special tokens before and behind a text.
    """
    before, behind = around
    found = []
    for begin in range(0, tokens, ROWS):
        numbers = range(begin, min(begin + ROWS, tokens))
        ids = torch.tensor([[*before, number, *behind] for number in numbers])
        mask = torch.ones_like(ids)
        states = body(input_ids=ids, attention_mask=mask).last_hidden_state
        found.append(pool(at_least_fp32(states), mask, pooling))
    return torch.cat(found)


def fewer_numbers(vectors: Tensor, width: int = WIDTH) -> Tensor:
    """(tokens, at most `width`): the principal components of vectors, those along which they differ most first.

    A component's sign, which is free, is such that its largest entry is positive: the same vectors give the same numbers.
    """
    exact = vectors.double()
    centred = exact - exact.mean(0)
    _, directions = torch.linalg.eigh(centred.T @ centred)
    main = directions.flip(1)[:, :width]
    largest = main.gather(0, main.abs().argmax(0, keepdim=True))
    found: Tensor = (centred @ (main * largest.sign())).float()
    return found


def likely_frequencies(tokens: int) -> Tensor:
    """(tokens,) how often each token of a vocabulary stands in texts, where vocabularies are listed from the most frequent on:
    Zipf's law, by which frequency goes with 1 / rank."""
    odds = 1 / (torch.arange(tokens, dtype=torch.float64) + 2)
    return odds / odds.sum()


def weighted(vectors: Tensor) -> Tensor:
    """(tokens, width): vectors such that the frequent ones, which say little, count little in a mean."""
    often = likely_frequencies(len(vectors))
    shares = SMOOTHING / (SMOOTHING + often)
    found: Tensor = (vectors * (shares / shares.mean())[:, None]).float()
    return found
