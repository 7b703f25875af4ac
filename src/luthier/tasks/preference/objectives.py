"""What is made small where one answer is to be preferred to another. Each loss is of one row, in nats."""

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def dpo(policy: Tensor, reference: Tensor, beta: float) -> Tensor:
    """(rows,) direct preference optimization (Rafailov et al. 2023, arXiv:2305.18290, eq. 7).

    policy, reference: (rows, 2) log-probabilities of the chosen and the rejected answer, summed over their tokens, under the
    model that learns and under the model as it came.  beta: how much a difference of their ratio counts.
    """
    ratios = policy - reference
    return -logsigmoid(beta * (ratios[:, 0] - ratios[:, 1]))


def orpo(policy: Tensor, tokens: Tensor, weight: float) -> Tensor:
    """(rows,) odds ratio preference optimization (Hong et al. 2024, arXiv:2403.07691, eq. 6 and 7).

    policy: (rows, 2) summed log-probabilities of the chosen and the rejected answer.  tokens: (rows, 2) of these.  weight: lambda
    of the odds ratio, beside the loss of the chosen answer. Likelihoods are those of a token on average, as in section 4.1.
    """
    mean = policy / tokens.clamp(min=1)
    odds = log_odds(mean)
    return -mean[:, 0] - weight * logsigmoid(odds[:, 0] - odds[:, 1])


def log_odds(log_probability: Tensor) -> Tensor:
    """log p - log (1 - p), with all its digits however near p is to 0 or to 1.

    Of p = 1 it is that of the nearest number below 1, and so is its gradient: it is large there, and neither zero nor infinite.
    """
    most = -torch.finfo(log_probability.dtype).eps
    # Moved by a number of which no gradient is taken: a clamp would have the gradient 0 where the answer is nearly certain.
    below = log_probability + (log_probability.clamp(max=most) - log_probability).detach()
    return below - log_of_rest(below)


def log_of_rest(log_probability: Tensor) -> Tensor:
    """log (1 - p) by log p, which is below zero (Machler 2012, "Accurately computing log(1 - exp(-|a|))", eq. 7)."""
    half = -math.log(2)
    # Each form sees only what it is for, as the gradient of the other would be 0 times infinity there.
    near_one = torch.log(-torch.expm1(log_probability.clamp(min=half)))
    near_zero = torch.log1p(-torch.exp(log_probability.clamp(max=half)))
    return torch.where(log_probability > half, near_one, near_zero)


def kto(ratios: Tensor, good: Tensor, drift: Tensor, beta: float, weights: tuple[float, float]) -> Tensor:
    """(answers,) Kahneman-Tversky optimization (Ethayarajh et al. 2024, arXiv:2402.01306, eq. 8).

    ratios: (answers,) log-probability under the model that learns, less that under the model as it came.  good: (answers,)
    whether an answer is desirable.  drift: () z_0, how far the model has moved from where it came from, in nats; nothing is
    learnt through it.  weights: lambda of desirable and of undesirable answers.
    """
    moved = beta * (ratios - drift)
    desirable, undesirable = weights
    return torch.where(
        good, desirable * (1 - torch.sigmoid(moved)), undesirable * (1 - torch.sigmoid(-moved))
    )


def drift_of(ratios: Tensor) -> Tensor:
    """() z_0 of `kto`: the mean log ratio of answers that belong to other prompts, and never below zero (section 4.1).

    ratios: (answers,) log-probability under the model that learns, less that under the model as it came.
    """
    return ratios.detach().mean().clamp(min=0)


def weights_of(good: int, bad: int) -> tuple[float, float]:
    """lambda of desirable and of undesirable answers in `kto`, by how many there are of each: the rarer ones count more.

    The more of them, weighted, may be up to 4/3 times the others (section 4.1); beyond that both count the same.

    >>> weights_of(10, 10), weights_of(100, 10), weights_of(10, 40)
    ((1.0, 1.0), (1.0, 10.0), (4.0, 1.0))
    """
    if not good or not bad or 3 / 4 <= good / bad <= 4 / 3:
        return 1.0, 1.0
    return (1.0, good / bad) if good > bad else (bad / good, 1.0)


def bradley_terry(scores: Tensor) -> Tensor:
    """(rows,) the loss of a reward model (Ouyang et al. 2022, arXiv:2203.02155, eq. 1, for two answers).

    scores: (rows, 2) of the chosen and the rejected answer.
    """
    return -logsigmoid(scores[:, 0] - scores[:, 1])
