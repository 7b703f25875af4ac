"""The choice of the trial that a search ends with, and how much of its score is luck."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.scores.clusters import Clusters
from luthier.scores.intervals import Estimate
from luthier.scores.metrics import metric_named
from luthier.tasks.answers import Answers
from luthier.tasks.task import Task

DRAWS = 300
"""Number of bootstrap samples of the validation rows."""
CHEAPER = 0.8
"""A trial counts as cheaper when it took at most this share of the best one's work."""
ENOUGH_OUTSIDE = 8
"""Fewest rows that a sample must leave out for the choice to be scored on them."""


@dataclass(frozen=True)
class Entrant:
    """A finished trial as the choice sees it."""

    number: int
    score: float
    """The mean over its seeds."""
    work: float
    """Floating-point operations that learning took."""
    answers: Answers
    """On the validation rows, of its first seed."""


@dataclass(frozen=True)
class Choice:
    """The named trial, its score, and why."""

    number: int
    score: float
    words: str


def best_of_entrants(entrants: Sequence[Entrant], metric: str) -> Entrant:
    """The one with the best score by the metric; of equal ones the first."""
    goodness = metric_named(metric).goodness
    return max(entrants, key=lambda one: (goodness(one.score), -one.number))


def name(
    entrants: Sequence[Entrant], standard_error: Callable[[Entrant, Entrant], float], metric: str
) -> Choice:
    """The best on validation, unless one that took less work is within one standard error of it: then the cheapest of those
    that score at least what the recipe, number 0, does.

    standard_error(best, other): the standard error of the difference of their scores.
    The one-standard-error rule (Breiman et al. 1984, "CART", section 3.4.3).
    """
    known, best = metric_named(metric), best_of_entrants(entrants, metric)
    floor = next((known.goodness(one.score) for one in entrants if one.number == 0), -np.inf)
    near = [
        one
        for one in entrants
        if one.number == best.number
        or (
            known.goodness(one.score) >= floor
            and known.gain(best.score, one.score) <= standard_error(best, one)
        )
    ]
    # Of probes, which cost nothing, none is cheaper than another.
    cheaper = [one for one in near if one.work <= CHEAPER * best.work and one.work < best.work]
    cheapest = best
    if cheaper:
        cheapest = min(cheaper, key=lambda one: (one.work, -known.goodness(one.score), one.number))
    told = f"{metric} {cheapest.score:.4f} on validation"
    if not cheaper:
        rivals = len(near) - 1
        beside = f", and {rivals} more within one standard error are no cheaper" if rivals else ""
        return Choice(best.number, best.score, f"trial {best.number} is best: {told}{beside}")
    return Choice(
        cheapest.number,
        cheapest.score,
        f"trial {cheapest.number} is within one standard error of the best, trial {best.number} ({told}, against "
        f"{best.score:.4f}), and "
        + ("the recipe itself" if cheapest.number == 0 else "the cheapest of those to train"),
    )


def spread_words(scores: Sequence[float], noise: float, metric: str) -> str:
    """Whether trials differ by more than chance. noise: standard deviation that chance alone gives a trial's score."""
    if len(scores) < 3:
        return ""
    spread = float(np.std(scores, ddof=1))
    told = f"The {metric} of {len(scores)} finished trials has a standard deviation of {spread:.4f}"
    if spread <= noise:
        return f"{told}, and chance alone gives one of {noise:.4f}: the difference between these trials is noise."
    return f"{told}; chance alone gives one of {noise:.4f}."


def corrected(
    task: Task,
    answers: Sequence[Answers],
    targets: Array,
    seed: int,
    groups: Ints | None = None,
    draws: int = DRAWS,
) -> Estimate | None:
    """The score to expect on new rows of whichever trial validation favours, with a 95 % interval.

    The best of many on the same rows is partly the luckiest. So the best is chosen on rows drawn with replacement and scored
    on those that were not drawn, again and again (bootstrap bias corrected cross-validation, Tsamardinos et al. 2018,
    doi:10.1007/s10994-018-5714-4, algorithm 5). The interval is that of a third of the rows, so rather too wide. None
    where too few rows are left out, or a row has no score without the others.

    answers: those of each finished trial to all validation rows.  groups: (rows,) equal where rows share something, which are
    drawn together.
    """
    rows = len(targets)
    if not len(answers) or task.learning.compares_rows or 0.3 * rows < ENOUGH_OUTSIDE:
        return None
    dice, found = seeds.generator(seed, "corrected"), []
    measures, clusters = [task.measure(said, targets) for said in answers], Clusters.of_rows(groups, rows)
    for _ in range(draws):
        inside = clusters.sample(dice)
        outside = np.setdiff1d(np.arange(rows), inside)
        if len(outside) < ENOUGH_OUTSIDE:
            continue
        chosen = max(measures, key=lambda measure: task.goodness(measure.of(inside)))
        found.append(chosen.of(outside))
    if not found:
        return None
    low, high = np.quantile(found, [0.025, 0.975])
    return Estimate(float(np.mean(found)), float(low), float(high))


def chance(scores_by_seed: Sequence[Sequence[float]], row_error: float) -> float:
    """Standard deviation that chance alone gives a trial's score: between seeds of the same settings, where several were run;
    else that of a difference between two trials on these rows, halved in variance."""
    several = [np.var(scores, ddof=1) for scores in scores_by_seed if len(scores) > 1]
    if several:
        return float(np.sqrt(np.mean(several)))
    return row_error / float(np.sqrt(2.0))
