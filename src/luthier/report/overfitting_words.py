"""Sentences on overfitting: the gap between training and validation rows, where training ended, what validation can show."""

from collections.abc import Iterator

from luthier.folder.looked_into_records import Claim, Course, CurvePoint, Gap, Overfitting
from luthier.report.numbers import Shown, count, decimals, shown
from luthier.report.sentences import called, sentence
from luthier.scores.validated import CROSSED, on_rows

ENDED = {
    "epochs": "",
    "patience": ", as validation no longer improved",
    "ceiling": ", as no score can be better",
    "budget": ", as its time was over",
    "enough": ", as it was told to",
}
"""Why training ended, by the event's word."""


def overfitting_words(found: Overfitting | None, metric: str, valid_from: str | None = None) -> Iterator[str]:
    """A sentence or two on each; none where nothing was measured. metric: the one that chose.  valid_from: what the validation
    rows are, as a scorecard tells it."""
    if found is None:
        return
    if found.gap is not None:
        yield gap_words(found.gap, valid_from)
    if found.course is not None:
        yield course_words(found.course, shown(metric))
    if found.claim is not None and found.claim.too_small:
        yield claim_words(found.claim, shown(metric), valid_from)


def gap_words(gap: Gap, valid_from: str | None = None) -> str:
    metric = shown(gap.metric)
    scores = (
        f"On {count(gap.train.rows, 'row')} that it has learnt from the kept model comes to {metric.show(gap.train.value)} "
        f"{metric.inside}, {on_rows(gap.valid.rows, valid_from)} to {metric.show(gap.valid.value)}"
    )
    size = metric.show_difference(abs(gap.difference), signed=False)
    ends = f"95 % interval {gap_range(gap, metric)}"
    if gap.low is not None and gap.low > 0:
        return f"{scores}: a gap of {size} ({ends}). So much of it is learnt by heart."
    if gap.high is not None and gap.high < 0:
        return f"{scores}: {size} better on rows that it has not learnt from ({ends}). Those may be easier."
    return f"{scores}: {size} apart ({ends}), which is no gap that these rows can show."


def gap_range(gap: Gap, metric: Shown) -> str:
    """Both ends of the interval of a gap, which is above zero where the rows that were learnt from do better."""
    if metric.metric.higher or gap.low is None or gap.high is None:
        return metric.show_difference_range(gap.low, gap.high)
    return f"{gap.low:+.3f} to {gap.high:+.3f}".replace("-", "−")


def course_words(course: Course, metric: Shown) -> str:
    """How long training was, which state was taken, and what that saved."""
    ran = f"{epochs(course.epochs)} of {epochs(course.planned_epochs)} epochs"
    why, taken = ENDED.get(course.why or "", ""), epochs(course.best_epoch)
    told = f"Training ran {ran}{why}; the state after {taken} is the one that was taken."
    saved = saved_words(course, metric)
    return f"{told} {saved}" if saved else told


def epochs(value: float | None) -> str:
    """
    >>> epochs(3.0), epochs(1.8333), epochs(None)
    ('3', '1.8', '–')
    """
    return "–" if value is None else f"{value:.1f}".removesuffix(".0")


def saved_words(course: Course, metric: Shown) -> str:
    """What taking the best state saved beside the last one; empty where nothing is known of either."""
    best = next((one for one in course.curve if one.step == course.best_step), None)
    if best is None or best.score is None:
        return ""
    last = course.curve[-1]
    if last.step <= best.step:
        full = course.why == "epochs"
        return "The last validation was the best: longer training may give more." if full else ""
    ended = f"At the end {metric.inside} on validation rows was {at(last, metric)}, there it was {at(best, metric)}"
    left = course.planned - course.steps
    spared = f"; {count(left, 'step')} of the plan were not taken" if left > 0 else ""
    return f"{ended}{spared}."


def at(point: CurvePoint, metric: Shown) -> str:
    """A validation in numbers."""
    loss = "" if point.loss is None else f" (loss {decimals(point.loss)})"
    return f"{metric.show(point.score)}{loss}"


def claim_words(claim: Claim, metric: Shown, valid_from: str | None = None) -> str:
    """What is said where validation is too small for the difference that it shows."""
    ends = metric.show_difference_range(claim.low, claim.high)
    dearer, cheaper = sentence(called(claim.dearer)), called(claim.cheaper)
    found, seen = (metric.show_difference(one, signed=False) for one in (claim.difference, claim.detectable))
    any_one = metric.metric.percent and (claim.detectable or 0) > 1  # of shares no difference is larger
    few = "so few find none" if any_one else f"so few find a true difference of {seen}"
    more = (
        "labelled rows tell"
        if valid_from == CROSSED
        else "validation rows tell (--valid-share, or a larger --valid FILE)"
    )
    return (
        f"{dearer} is {found} better than {cheaper} {on_rows(claim.rows, valid_from)} (95 % interval {ends}), but {few} 8 "
        f"times in 10: validation is too small to see what it claims. More {more}."
    )
