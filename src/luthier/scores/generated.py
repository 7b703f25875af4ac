"""Scores of generated texts, row by row, by the names of their metrics."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats, Ints
from luthier.scores.chrf import chrf
from luthier.scores.intervals import Statistic
from luthier.scores.rouge import rouge_l
from luthier.scores.verifiers import VERIFIERS, verifier

Likeness = Callable[[str, str], float]
"""A function from a generated text and the right one to how alike they are, in [0, 1]."""
LIKENESSES: dict[str, Likeness] = {how.__name__: how for how in (rouge_l, chrf)}
"""Scores of texts that may be more or less right."""
TEXT_SCORES = (*VERIFIERS, *LIKENESSES)
"""Names of the metrics that take a generated text and the right one."""


def text_scores(
    texts: Sequence[str],
    rights: Sequence[str],
    names: Iterable[str] = TEXT_SCORES,
    pattern: str | None = None,
    comma: bool = False,
) -> dict[str, Floats]:
    """(rows,) each in [0, 1], by the name of the metric: how right each text is.

    texts: as they were generated.  rights: the right answers.  pattern, comma: what the user says, as `verifier` takes it.

    >>> text_scores(["yes", "no"], ["yes", "yes"], ["exact_match"])
    {'exact_match': array([1., 0.])}
    """
    assert len(texts) == len(rights), f"{len(texts)} texts and {len(rights)} right answers"

    def how(name: str) -> Callable[[str, str], float]:
        return LIKENESSES[name] if name in LIKENESSES else verifier(name, pattern, comma)

    return {name: np.array(list(map(how(name), texts, rights)), np.float64) for name in names}


def resampled_loss(losses: Floats, tokens: Ints) -> Statistic:
    """Mean loss of a token of the answers, in nats: each token counts the same, whichever row it is of.

    losses: (rows,) summed over the answer's tokens.  tokens: (rows,) how many these are.
    """
    assert losses.shape == tokens.shape, f"losses of {losses.shape} rows and tokens of {tokens.shape}"
    assert tokens.sum() > 0, "no token to score"

    def loss(rows: Ints) -> NDArray[np.float64]:
        found: NDArray[np.float64] = losses[rows].sum(1, np.float64) / np.maximum(1, tokens[rows].sum(1))
        return found

    return loss


def resampled_perplexity(losses: Floats, tokens: Ints) -> Statistic:
    """e to the power of the mean loss of a token: 1 is certainty, the size of the vocabulary is guessing.

    Jelinek et al. 1977, "Perplexity: a measure of the difficulty of speech recognition tasks", JASA 62.
    """
    loss = resampled_loss(losses, tokens)
    return lambda rows: np.exp(loss(rows))


def preferred(margins: Floats) -> Floats:
    """(rows,) 1 where the chosen answer has the higher reward, 0 where the rejected one has, half where both have the same.

    margins: (rows,) by how much the reward of the chosen answer is higher.

    >>> preferred(np.array([0.3, -2.0, 0.0]))
    array([1. , 0. , 0.5])
    """
    assert np.isfinite(margins).all(), "a reward is not a number"
    return (np.sign(margins) + 1) / 2


def resampled_preference(rewards: Floats, good: NDArray[np.bool_]) -> Statistic:
    """Share of the pairs of a good and a bad answer whose good one has the higher reward, ties half; half where there is no pair.

    This is the area under the ROC curve, or Mann and Whitney's U over the number of pairs, from ranks. rewards, good: (rows,)
    """
    assert np.isfinite(rewards).all(), "a reward is not a number"
    _, level = np.unique(rewards, return_inverse=True)
    levels = int(level.max(initial=0)) + 1

    def share(rows: Ints) -> NDArray[np.float64]:
        found = [share_of(level[some], good[some], levels) for some in rows]
        return np.array(found, np.float64)

    return share


def share_of(level: Ints, good: NDArray[np.bool_], levels: int) -> float:
    """Share of the pairs of a good and a bad answer whose good one has the higher level, ties half."""
    of_good = np.bincount(level[good], minlength=levels)
    of_bad = np.bincount(level[~good], minlength=levels)
    pairs = int(of_good.sum()) * int(of_bad.sum())
    below = np.cumsum(of_bad) - of_bad / 2
    return float(of_good @ below / pairs) if pairs else 0.5
