"""What a paired test has found, in words: better, worse, or no difference that it can see, and how small a one it could have."""

from typing import Any

from luthier.scores.decimals import decimals
from luthier.scores.intervals import Difference
from luthier.scores.metrics import metric_named

BETTER, WORSE = "better", "worse"
SAME = "no difference that this test can see"
UNSEEN = "no difference"
"""The same for programs."""


def outcome(gap: Difference) -> str:
    """What is said of a difference: it is better or worse where its 95 % interval leaves zero out.

    >>> outcome(Difference(0.02, 0.01, 0.03)), outcome(Difference(0.02, -0.01, 0.05))
    ('better', 'no difference that this test can see')
    """
    return BETTER if gap.low > 0 else WORSE if gap.high < 0 else SAME


def measured(gap: Difference) -> dict[str, Any]:
    """A difference as records hold it, with what is said of it and how small a one the test would have seen."""
    found = outcome(gap)
    return {
        **gap.to_json(),
        "outcome": UNSEEN if found == SAME else found,
        "detectable": gap.detectable,
    }


def seen(metric: str, gap: Difference) -> str:
    """How small a difference the test would have seen, as a sentence (`Difference.detectable`).

    >>> seen("accuracy", Difference(0.012, -0.01, 0.034))
    'A test like this one finds a true difference of 3.1 points 8 times in 10.'
    >>> seen("accuracy", Difference(0.5, -1.0, 1.0))
    'A test like this one is too small to find any difference 8 times in 10.'
    """
    assert gap.detectable is not None, "its interval has a width"
    known = metric_named(metric)
    if known.percent and gap.detectable > 1:  # of shares none is larger
        return "A test like this one is too small to find any difference 8 times in 10."
    size = f"{100 * gap.detectable:.1f} points" if known.percent else decimals(gap.detectable)
    return f"A test like this one finds a true difference of {size} 8 times in 10."


def interval(metric: str, gap: Difference) -> str:
    return f"95 % interval {signed(metric, gap.low)} to {signed(metric, gap.high)}"


def written(metric: str, value: float) -> str:
    """
    >>> written("accuracy", 0.891), written("spearman", 0.8214)
    ('89.1 %', '0.821')
    """
    return f"{100 * value:.1f} %" if metric_named(metric).percent else decimals(value)


def signed(metric: str, value: float, unit: str = "") -> str:
    """How much better, as a number with its sign; in words where lower values are better, as a sign would say the contrary.

    >>> signed("accuracy", 0.0312), signed("log_loss", 0.0312), signed("log_loss", -0.2)
    ('+3.1', '0.031 better', '0.200 worse')
    """
    known = metric_named(metric)
    size = (f"{100 * value:+.1f}" if known.percent else decimals(value, "+")) + unit
    return size if known.higher else f"{size[1:]} {'worse' if value < 0 else 'better'}"


def gained(metric: str, value: float) -> str:
    """
    >>> gained("accuracy", 0.0312), gained("spearman", 0.0312)
    ('+3.1 points', '+0.031')
    """
    return signed(metric, value, " points" if metric_named(metric).percent else "")
