"""The limit of error holds as often as it says, and its thresholds are those of a walk that is written out."""

import math

import numpy as np
import pytest
from scipy import stats

from luthier.arrays import Array
from luthier.scores.error_limit import CERTAINTY, STARTS, Thresholds, fewest_answered, tail


def drawn(rows: int, seed: int, decimals: int = 12) -> tuple[Array, Array]:
    """Confidences, and whether each answer is right: surer ones more often, but never beyond 98 %."""
    random = np.random.default_rng(seed)
    sure = np.round(random.beta(4, 1.5, rows), decimals)
    return sure, random.random(rows) < 0.98 * sure**0.5


def walked(sure: Array, right: Array, error: float) -> float | None:
    """The lowest threshold, by plain loops: from each start, on while the exact test rejects."""
    level, reached = (1 - CERTAINTY) / len(STARTS), []
    for share in STARTS:
        begun = False
        for above in [*sorted(set(sure.tolist()), reverse=True), -math.inf]:
            answered = right[sure > above]
            enough = max(fewest_answered(error, level), math.ceil(share * len(sure)))
            if not begun and len(answered) < enough:
                continue
            begun = True
            test = stats.binomtest(int((~answered).sum()), len(answered), error, alternative="less")
            if test.pvalue > level:
                break
            reached.append(above)
    return min(reached) if reached else None


@pytest.mark.parametrize("decimals", [12, 1])
@pytest.mark.parametrize("error", [0.05, 0.1, 0.2])
def test_the_threshold_is_that_of_a_walk_that_is_written_out(error: float, decimals: int) -> None:
    """With one decimal, many rows have the same confidence."""
    for seed in range(3):
        sure, right = drawn(300, seed, decimals)

        limit = Thresholds.of(sure, right).limit(error)

        assert limit.above == walked(sure, right, error)


def test_rows_of_one_confidence_are_answered_all_or_none() -> None:
    sure = np.repeat([0.9, 0.8, 0.7], 100)
    right = np.concatenate([np.ones(100), np.ones(100), np.zeros(100)]).astype(bool)

    limit = Thresholds.of(sure, right).limit(0.05)

    assert limit.above == 0.7
    assert limit.answered == pytest.approx(2 / 3)
    assert limit.answers(np.array([0.71, 0.7, 0.69])).tolist() == [True, False, False]


def test_the_order_of_rows_does_not_matter() -> None:
    sure, right = drawn(200, seed=1, decimals=1)
    order = np.random.default_rng(0).permutation(200)

    assert Thresholds.of(sure, right).limit(0.1) == Thresholds.of(sure[order], right[order]).limit(0.1)


def test_a_model_that_is_always_right_answers_all_rows_where_these_are_enough() -> None:
    least = fewest_answered(0.05)

    enough, few = (
        Thresholds.of(np.linspace(0.5, 1, rows), np.ones(rows, bool)).limit(0.05)
        for rows in (least, least - 1)
    )

    assert (enough.above, enough.answered, enough.wrong) == (-math.inf, 1.0, 0.0)
    assert (few.above, few.answered, few.wrong) == (None, 0.0, None)
    assert not few.answers(np.ones(3)).any()


def test_rows_that_are_never_answered_are_not_and_count_among_all() -> None:
    sure = np.concatenate([np.full(100, -np.inf), np.linspace(0.5, 1, 100)])

    limit = Thresholds.of(sure, np.repeat([False, True], 100)).limit(0.05)

    assert (limit.above, limit.answered) == (-math.inf, 0.5)
    assert not limit.answers(np.array([-np.inf])).any()


def test_the_p_value_is_that_of_the_exact_binomial_test() -> None:
    wrong, rows = np.array([0, 3, 10]), np.array([50, 100, 101])

    expected = [
        stats.binomtest(int(k), int(n), 0.1, alternative="less").pvalue
        for k, n in zip(wrong, rows, strict=True)
    ]

    assert tail(wrong, rows, 0.1) == pytest.approx(expected)


@pytest.mark.parametrize("decimals", [12, 1])
def test_the_limit_is_broken_in_at_most_one_draw_of_twenty(decimals: int) -> None:
    """The true share of errors above a threshold is that of a large draw. Two standard errors are granted to 400 draws."""
    sure, right = drawn(400_000, seed=99, decimals=decimals)
    order = np.argsort(sure)
    ordered, wrong_above = sure[order], np.cumsum(~right[order][::-1])[::-1]
    broken, draws, error = 0, 400, 0.1
    for seed in range(draws):
        limit = Thresholds.of(*drawn(250, seed, decimals)).limit(error)
        if limit.above is not None:
            first = int(np.searchsorted(ordered, limit.above, side="right"))
            broken += wrong_above[first] / (len(ordered) - first) > error

    assert broken <= draws * (0.05 + 2 * math.sqrt(0.05 * 0.95 / draws))
