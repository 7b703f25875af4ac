"""The run in one plain sentence: whether tuning was worth it, beside what costs less."""

from dataclasses import dataclass

from luthier.comparing.fitted import Fitted
from luthier.comparing.outcome import written
from luthier.scores.intervals import Difference
from luthier.scores.learning_curve import FARTHEST
from luthier.scores.metrics import metric_named


@dataclass(frozen=True)
class Compared:
    """The dearest candidate, and two that cost less: the next cheaper one that was trained, and the best of those that are there
    to be beaten."""

    dearest: Fitted
    rival: Fitted
    """The better of the two on the validation rows."""
    other: Fitted
    """The other one, or the rival itself where there is only one."""
    gap: Difference
    """By how much the dearest is better than the rival, on the test rows."""


@dataclass(frozen=True)
class Reach:
    """The training rows that the rival would take to score as the dearest does."""

    rows: int | None
    """None where that is not foretold."""
    learnt: int
    """Those that it learnt from; none where nothing is known of how it grows."""


def short_words(found: Compared, metric: str, reach: Reach, tuned: bool) -> str:
    """Whether tuning was worth it, with the scores on the test rows. tuned: whether the dearest has trained layers."""
    dearest, rival, other = found.dearest, found.rival, found.other
    scores = [f"{rival.words} comes to {of_test(rival, metric)}"]
    if other is not rival:
        scores.append(f"{other.words} to {of_test(other, metric)}")
    mine = f"{of_test(dearest, metric)} {metric_named(metric).words}"
    begins = beginning(found.gap, tuned, dearest)
    return f"{begins}: {mine} on the test rows, where {' and '.join(scores)}{reach_words(found, reach)}."


def beginning(gap: Difference, tuned: bool, dearest: Fitted) -> str:
    if not tuned:
        return f"No layer was tuned, and {dearest.words} is what there is"
    if gap.low > 0:
        return "Tuning was worth it"
    return "Tuning was not worth it" if gap.high < 0 else "Whether tuning was worth it these rows cannot tell"


def reach_words(found: Compared, reach: Reach) -> str:
    """What the rival would take to come as far; empty where it has, or where nothing is known of it: neither is where its curve
    says that it should have come as far with the rows it had."""
    if found.gap.low <= 0 or not reach.learnt:
        return ""
    if reach.rows is None:
        return f"; {found.rival.words} would not get there with {FARTHEST:g} times its {reach.learnt:,} training rows"
    if reach.rows <= reach.learnt:
        return ""
    return f"; {found.rival.words} would take about {reach.rows:,} training rows for that, in place of {reach.learnt:,}"


def of_test(one: Fitted, metric: str) -> str:
    return written(metric, one.scores["test"].value)
