"""Which candidate is kept, and what a manager should be told about it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from luthier.arrays import Array
from luthier.scores.intervals import Difference, Estimate
from luthier.scores.metrics import metric_named
from luthier.tasks.task import Calibration

TO_BEAT = {
    "majority": "always answering the most frequent label",
    "mean": "always answering the mean",
    "nothing": "never answering",
    "lookup": "looking up the entities of the training rows",
    "overlap": "the sentence with most of the question's words",
    "zero-shot": "the untrained model",
}
"""Candidates for which nothing is trained, as a sentence calls them: what the verdict compares with."""


@dataclass
class Candidate:
    """One way to answer, from cheap to dear, with its answers on the parts."""

    name: str
    seconds: float
    """What it took beyond the cheaper ones."""
    logits: dict[str, Array]
    """(rows, outputs) for `valid`, `calibration`, `test`."""
    calibration: Calibration = field(default_factory=Calibration)
    predicted: dict[str, Array] = field(default_factory=dict)
    probabilities: dict[str, Array] = field(default_factory=dict)
    scores: dict[str, Estimate] = field(default_factory=dict)
    """The metric on `valid` and `test`."""


def best_on_validation(candidates: Sequence[Candidate]) -> Candidate:
    """The cheapest of equals, of candidates from cheap to dear."""
    return max(candidates, key=lambda one: one.scores["valid"].value)


def next_cheaper(candidates: Sequence[Candidate]) -> Candidate | None:
    """With what the dearest of some candidates is compared, from cheap to dear: the next cheaper that was trained, or the best
    of the others where none was; None where it is alone."""
    *others, _ = candidates
    trained = [one for one in others if one.name not in TO_BEAT]
    if trained:
        return trained[-1]
    return best_on_validation(others) if others else None


def choose(
    candidates: Sequence[Candidate], standard_error: Callable[[Candidate, Candidate], float]
) -> tuple[Candidate, str]:
    """The best on validation, unless a cheaper one is within one standard error of it; and why, in words.

    candidates: from cheap to dear.  standard_error(best, cheaper): of the difference of their scores, paired by row.
    The one-standard-error rule in favour of the simpler (Breiman et al. 1984, "CART", section 3.4.3).
    """
    best = max(range(len(candidates)), key=lambda at: (candidates[at].scores["valid"].value, -at))
    top = candidates[best].scores["valid"].value
    for at in range(best):
        gap = top - candidates[at].scores["valid"].value
        error = standard_error(candidates[best], candidates[at])
        # Of shares the two are often equal but for rounding: a single row more right is one standard error.
        if gap <= error or math.isclose(gap, error):
            return candidates[at], (
                f"{candidates[at].name} is within one standard error of {candidates[best].name} on the validation rows "
                f"({candidates[at].scores['valid'].value:.3f} against {top:.3f}), and cheaper"
            )
    return candidates[best], f"{candidates[best].name} is best on the validation rows ({top:.3f})"


def beyond_reach(
    cheaper: Sequence[Candidate],
    flawless: Candidate,
    standard_error: Callable[[Candidate, Candidate], float],
) -> Candidate | None:
    """The candidate that `choose` would keep even beside a dearer one with every validation row right; None where such a one
    would be kept itself.

    Of accuracy this is a candidate with one validation row wrong, or none: one row of n is a gap of 1/n, and so is its paired
    standard error.
    """
    if not cheaper:
        return None
    kept, _ = choose([*cheaper, flawless], standard_error)
    return None if kept is flawless else kept


COMPARING = "The untrained model compares the vectors of the two texts: --pair bi-encoder goes on from there."
"""What a verdict ends with where the nearness of two texts says more than what was tuned to give their number."""


def verdict_words(
    chosen: str,
    against: str,
    metric: str,
    ours: float,
    theirs: float,
    gap: Difference,
    ship: bool,
    spared: bool = False,
) -> str:
    """The verdict as a manager reads it. spared: whether nothing was tuned, as it could not have been better."""
    called = metric_named(metric).words
    if chosen == against and spared:
        return (
            "Do not ship it yet. The model was left as it was: on the validation rows tuning could not have made it better "
            f"beyond noise. It comes to {written(metric, ours)} {called} on the test rows. Use it as it is, or "
            "give harder rows to validate on."
        )
    if chosen == against:
        return (
            "Do not ship it yet. Tuning made the model no better than it was, so it is kept as it was: "
            f"{written(metric, ours)} {called} on the test rows. More rows to learn from, or better labels, may "
            "tell."
        )
    other = described(against)
    scores = f"{written(metric, ours)} against {written(metric, theirs)} {called} on the test rows"
    measured = f"{scores}, {gained(metric, gap.value)} ({interval(metric, gap)})."
    if ship:
        return f"Ship it. The {chosen} model is better than {other}, beyond noise: {measured}"
    if (
        round(gap.low, 4) == round(gap.high, 4) == 0
    ):  # the same answers, or in the same order where that is what counts
        return (
            f"Do not ship it yet. By {called} the {chosen} model is no different from {other}: "
            f"{written(metric, ours)} on the test rows. More rows to learn from, or better labels, may tell."
        )
    if gap.high < 0:
        return f"Do not ship it. The {chosen} model is worse than {other}, beyond noise: {measured}"
    return (
        f"Do not ship it yet. The {chosen} model is not better than {other} beyond noise: {measured} "
        "More test rows, or better labels, may tell."
    )


def worth_words(dearer: str, cheaper: str, metric: str, gap: Difference, seconds: float) -> str:
    """Whether the dearest candidate was worth its time."""
    cost = f"for {seconds:,.0f} more seconds ({interval(metric, gap)})."
    gain = f"{gained(metric, gap.value)} of {metric_named(metric).words}"
    other = described(cheaper)
    if gap.low > 0:
        return f"The {dearer} model is worth its time: {gain} over {other}, {cost}"
    if gap.high < 0:
        return f"The {dearer} model is not worth its time: {gain} against {other}, {cost}"
    return f"The {dearer} model is no different from {other} beyond noise: {gain}, {cost}"


MORE_ROWS = "The probe has learnt from the validation and calibration rows too, the tuned model has not."
"""What the comparison of the two ends with where the probe was kept, and solved for once more."""


def interval(metric: str, gap: Difference) -> str:
    return f"95 % interval {signed(metric, gap.low)} to {signed(metric, gap.high)}"


def described(name: str) -> str:
    return TO_BEAT.get(name, f"the {name}")


def written(metric: str, value: float) -> str:
    """
    >>> written("accuracy", 0.891), written("spearman", 0.8214)
    ('89.1 %', '0.821')
    """
    return f"{100 * value:.1f} %" if metric_named(metric).percent else f"{value:.3f}"


def signed(metric: str, value: float) -> str:
    return f"{100 * value:+.1f}" if metric_named(metric).percent else f"{value:+.3f}"


def gained(metric: str, value: float) -> str:
    """
    >>> gained("accuracy", 0.0312), gained("spearman", 0.0312)
    ('+3.1 points', '+0.031')
    """
    return signed(metric, value) + (" points" if metric_named(metric).percent else "")
