"""The choice of the candidate that is kept, and the verdict on it in words."""

import math
from collections.abc import Callable, Sequence
from itertools import takewhile

from luthier.comparing.fitted import Fitted
from luthier.comparing.outcome import BETTER, SAME, WORSE, gained, interval, outcome, seen, written
from luthier.scores.decimals import decimals
from luthier.scores.intervals import Difference
from luthier.scores.metrics import metric_named


def best_on_validation(candidates: Sequence[Fitted], metric: str) -> Fitted:
    """The best by the metric, and the cheapest of equals, of candidates from cheap to dear."""
    return best_on("valid", candidates, metric)


def best_on(part: str, candidates: Sequence[Fitted], metric: str) -> Fitted:
    """As `best_on_validation`, by the rows of a part."""
    goodness = metric_named(metric).goodness
    return max(candidates, key=lambda one: goodness(one.scores[part].value))


def next_cheaper(candidates: Sequence[Fitted], metric: str, part: str = "valid") -> Fitted | None:
    """With what the dearest of some candidates is compared, from cheap to dear: the next cheaper that was trained, or the best
    of the others by the rows of a part where none was; None where it is alone."""
    *others, _ = candidates
    trained = [one for one in others if not one.to_beat]
    if trained:
        return trained[-1]
    return best_on(part, others, metric) if others else None


def choose(
    candidates: Sequence[Fitted], standard_error: Callable[[Fitted, Fitted], float], metric: str
) -> tuple[Fitted, str]:
    """The best on validation, unless a cheaper one is within one standard error of it; and why, in words.

    candidates: from cheap to dear.  standard_error(best, cheaper): of the difference of their scores, paired by row.
    The one-standard-error rule in favour of the simpler (Breiman et al. 1984, "CART", section 3.4.3).
    """
    best = best_on_validation(candidates, metric)
    top = best.scores["valid"].value
    for cheaper in takewhile(lambda one: one is not best, candidates):
        value = cheaper.scores["valid"].value
        gap, error = metric_named(metric).gain(top, value), standard_error(best, cheaper)
        # Of shares the two are often equal but for rounding: a single row more right is one standard error.
        if gap <= error or math.isclose(gap, error):
            return cheaper, (
                f"{cheaper.name} is within one standard error of {best.name} on the validation rows "
                f"({decimals(value)} against {decimals(top)}), and cheaper"
            )
    return best, f"{best.name} is best on the validation rows ({decimals(top)})"


def choose_of_few(
    candidates: Sequence[Fitted], standard_error: Callable[[Fitted, Fitted], float], metric: str
) -> tuple[Fitted, str]:
    """The dearest of two or more, unless a cheaper one is better in cross-validation by more than two standard errors.

    The other way round than `choose`: of few rows the dearest was better on the mean wherever it was measured
    (benchmarks/few/few_labels.py), its time is spent, and its model answers as quickly. candidates, standard_error: as there.
    """
    *cheaper, dearest = candidates
    best = best_on_validation(cheaper, metric)
    ours, theirs = (one.scores["valid"].value for one in (dearest, best))
    if metric_named(metric).gain(theirs, ours) > 2 * standard_error(best, dearest):
        return (
            best,
            f"{best.name} is better in cross-validation, beyond noise ({decimals(theirs)} against {decimals(ours)})",
        )
    return (
        dearest,
        f"{dearest.name} is no worse in cross-validation, beyond noise ({decimals(ours)} against {decimals(theirs)})",
    )


def beyond_reach(
    cheaper: Sequence[Fitted],
    flawless: Fitted,
    standard_error: Callable[[Fitted, Fitted], float],
    metric: str,
) -> Fitted | None:
    """The candidate that `choose` would keep even beside a dearer one with every validation row right; None where such a one
    would be kept itself.

    Of accuracy this is a candidate with one validation row wrong, or none: one row of n is a gap of 1/n, and so is its paired
    standard error.
    """
    if not cheaper:
        return None
    kept, _ = choose([*cheaper, flawless], standard_error, metric)
    return None if kept is flawless else kept


COMPARING = "The untrained model compares the vectors of the two texts: --pair bi-encoder goes on from there."
"""What a verdict ends with where the nearness of two texts says more than what was tuned to give their number."""


def verdict_words(
    ours: Fitted, theirs: Fitted, metric: str, gap: Difference, ship: bool, spared: bool = False
) -> str:
    """The verdict as a manager reads it, from the scores on the test rows.

    gap: how much better our answers are, paired by row.  spared: whether nothing was tuned, as it could not have been better.
    """
    called = metric_named(metric).words
    mine, other = (written(metric, one.scores["test"].value) for one in (ours, theirs))
    if ours.name == theirs.name and spared:
        return (
            "Do not ship it yet. The model was left as it was: on the validation rows tuning could not have made it better "
            f"beyond noise. It comes to {mine} {called} on the test rows. Use it as it is, or "
            "give harder rows to validate on."
        )
    if ours.name == theirs.name:
        return (
            "Do not ship it yet. Tuning made the model no better than it was, so it is kept as it was: "
            f"{mine} {called} on the test rows. More rows to learn from, or better ones, may tell."
        )
    scores = f"{mine} against {other} {called} on the test rows"
    measured = f"{scores}, {gained(metric, gap.value)} ({interval(metric, gap)})."
    if ship:
        return f"Ship it. The {ours.name} model is better than {theirs.words}, beyond noise: {measured}"
    if (
        round(gap.low, 4) == round(gap.high, 4) == 0
    ):  # the same answers, or in the same order where that is what counts
        return (
            f"Do not ship it yet. By {called} the {ours.name} model is no different from {theirs.words}: "
            f"{mine} on the test rows. More rows to learn from, or better ones, may tell."
        )
    if outcome(gap) == WORSE:
        return f"Do not ship it. The {ours.name} model is worse than {theirs.words}, beyond noise: {measured}"
    return (
        f"Do not ship it yet. Between the {ours.name} model and {theirs.words} there is {SAME}: {measured} "
        f"{seen(metric, gap)} More test rows, or better rows to learn from, may tell."
    )


def nothing_to_beat(ours: Fitted, metric: str) -> str:
    """The verdict where no candidate stands beside the one that is judged, so that nobody can say what its score is worth."""
    mine = written(metric, ours.scores["test"].value)
    return (
        f"Do not ship it yet. The {ours.name} model comes to {mine} {metric_named(metric).words} on the test rows, and there is "
        "nothing to compare that with. --base MODEL names the model that it was made of."
    )


def not_measured(ours: Fitted) -> str:
    """The verdict where there are no test rows."""
    return (
        f"Do not ship it yet. There are no test rows, so nothing was measured, and nobody can say how good the {ours.name} model "
        "is. Give rows with labels to test on: --test FILE."
    )


def worth_words(dearer: Fitted, cheaper: Fitted, metric: str, gap: Difference) -> str:
    """Whether the dearest candidate was worth its time."""
    ends, cost = f"({interval(metric, gap)})", f"for {dearer.seconds:,.0f} more seconds."
    known = metric_named(metric)
    gain = f"{gained(metric, gap.value)} {'of' if known.higher else 'in'} {known.words}"
    if outcome(gap) == BETTER:
        over = "over" if known.higher else "than"
        return f"The {dearer.name} model is worth its time: {gain} {over} {cheaper.words} {ends}, {cost}"
    if outcome(gap) == WORSE:
        against = "against" if known.higher else "than"
        return (
            f"The {dearer.name} model is not worth its time: {gain} {against} {cheaper.words} {ends}, {cost}"
        )
    same = f"Between the {dearer.name} model and {cheaper.words} there is {SAME}: {gain} {ends}, {cost}"
    return same if gap.low == gap.high else f"{same} {seen(metric, gap)}"


MORE_ROWS = "The probe has learnt from the validation and calibration rows too, the tuned model has not."
"""What the comparison of the two ends with where the probe was kept, and solved for once more."""
