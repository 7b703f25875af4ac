"""Which token comes next: the likeliest, or one that is drawn."""

import torch
from torch import Tensor

NUCLEUS = 256
"""How many of the likeliest tokens are looked at first: they nearly always hold the share that is asked for."""


def likeliest(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest token of each row and its log-probability, from logits (rows, vocabulary)."""
    logits = logits.float()
    highest, tokens = logits.max(-1)
    return tokens, highest - torch.logsumexp(logits, -1)


def drawn(logits: Tensor, uniform: Tensor, temperature: float, top_p: float = 1.0) -> tuple[Tensor, Tensor]:
    """One drawn token of each row, and its log-probability in the distribution that it was drawn from.

    logits: (rows, vocabulary).  uniform: (rows,), evenly distributed in [0, 1); they decide, so what is drawn for a row does
    not depend on the rows beside it.  top_p: only the likeliest tokens that together reach this probability are drawn
    (nucleus sampling, Holtzman et al. 2020, arXiv:1904.09751).
    """
    chances = torch.softmax(logits.double() / temperature, -1)
    if top_p < 1:
        chances, tokens = nucleus(chances, top_p)
    sums = chances.cumsum(-1)
    chosen = torch.searchsorted(sums, (uniform.to(sums) * sums[:, -1])[:, None], right=True)
    # Rounding may lift a number to the very sum: the last token that has a chance is meant.
    chosen = torch.minimum(chosen, (sums < sums[:, -1:]).sum(-1, keepdim=True))
    share = chances.gather(1, chosen) / sums[:, -1:]
    if top_p < 1:
        chosen = tokens.gather(1, chosen)
    return chosen[:, 0], share.log()[:, 0]


def nucleus(chances: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """The probabilities of the likeliest tokens, nought from where those before reach `top_p`, and which tokens they are."""
    for count in (min(NUCLEUS, chances.shape[1]), chances.shape[1]):
        best, tokens = chances.topk(count, -1)
        before = best.cumsum(-1) - best
        if bool((before[:, -1] >= top_p).all()):
            break
    return best.where(before < top_p, 0), tokens
