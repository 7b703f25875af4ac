"""Scores of numbers: against scipy and scikit-learn, coverage by simulation, values by hand."""

import math
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics

from luthier.scores import regression
from luthier.scores.intervals import bootstrap

Graded = tuple[NDArray[Any], NDArray[Any]]
"""The truth and the predictions."""

METRICS = ["pearson", "spearman", "mae", "r2"]


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def graded(random: np.random.Generator) -> Graded:
    """Truth in quarters from 0 to 5, so that many rows are equal, and predictions that go along with it."""
    truth = random.integers(0, 21, 500) / 4
    return truth, np.round(0.7 * truth + random.normal(size=500), 1)


def test_correlations_are_those_of_scipy_also_with_ties(graded: Graded) -> None:
    truth, predicted = graded
    assert len(np.unique(truth)) < len(truth)

    assert regression.pearson(truth, predicted) == pytest.approx(
        stats.pearsonr(truth, predicted)[0], rel=1e-12
    )
    assert regression.spearman(truth, predicted) == pytest.approx(
        stats.spearmanr(truth, predicted)[0], rel=1e-12
    )


def test_error_and_explained_variance_are_those_of_scikit_learn(
    graded: Graded,
) -> None:
    truth, predicted = graded

    assert regression.mae(truth, predicted) == pytest.approx(
        metrics.mean_absolute_error(truth, predicted), rel=1e-12
    )
    assert regression.r2(truth, predicted) == pytest.approx(metrics.r2_score(truth, predicted), rel=1e-12)
    assert regression.mae_per_row(truth, predicted).mean() == regression.mae(truth, predicted)


@pytest.mark.parametrize("constant", [0.1, 0.0, 1e300])
def test_a_constant_side_correlates_with_nothing(constant: float) -> None:
    # The mean of ten times 0.1 is not 0.1 in floating point: what centring leaves must not count.
    alike, rising = np.full(10, constant), np.arange(10.0)

    for metric in (regression.pearson, regression.spearman):
        assert metric(alike, rising) == metric(rising, alike) == metric(alike, alike) == 0


def test_a_constant_truth_is_explained_only_if_met_exactly() -> None:
    alike = np.full(10, 0.1)

    assert regression.r2(alike, alike) == 1 == metrics.r2_score(alike, alike)
    assert regression.r2(alike, alike + 1) == 0 == metrics.r2_score(alike, alike + 1)


def test_correlation_does_not_hang_on_unit_or_zero_point(random: np.random.Generator) -> None:
    truth = random.normal(size=50)
    predicted = truth + random.normal(size=50)
    expected = stats.pearsonr(truth, predicted)[0]

    assert regression.pearson(truth * 1e-200, predicted * 1e200) == pytest.approx(expected, rel=1e-9)
    assert regression.pearson(truth + 1e8, predicted - 1e8) == pytest.approx(expected, rel=1e-6)
    assert regression.pearson(-truth, predicted) == pytest.approx(-expected, rel=1e-12)


def test_correlation_never_leaves_its_range(random: np.random.Generator) -> None:
    sides = [random.normal(size=7) for _ in range(200)]

    assert max(regression.pearson(side, 3 * side + 1) for side in sides) <= 1
    assert min(regression.pearson(side, -side / 3) for side in sides) >= -1


def test_whole_numbers_are_numbers() -> None:
    truth, predicted = np.array([1, 2, 3]), np.array([1, 2, 5])

    assert regression.mae(truth, predicted) == pytest.approx(2 / 3)
    assert regression.spearman(truth, predicted) == 1


@pytest.mark.parametrize("metric", METRICS)
def test_a_resample_scores_what_its_rows_score_by_themselves(
    metric: str, graded: Graded, random: np.random.Generator
) -> None:
    truth, predicted = graded
    rows = random.integers(0, 500, (40, 3))  # so few that some are constant, or tied throughout

    found = getattr(regression, f"resampled_{metric}")(truth, predicted)(rows)

    alone = getattr(regression, metric)
    assert found == pytest.approx([alone(truth[each], predicted[each]) for each in rows], abs=1e-12)


def test_resampled_correlations_are_those_of_scipy_on_each_resample(
    graded: Graded, random: np.random.Generator
) -> None:
    truth, predicted = graded
    rows = random.integers(0, 500, (6, 300))

    linear = regression.resampled_pearson(truth, predicted)(rows)
    ranked = regression.resampled_spearman(truth, predicted)(rows)

    assert linear == pytest.approx([stats.pearsonr(truth[r], predicted[r])[0] for r in rows], rel=1e-12)
    assert ranked == pytest.approx([stats.spearmanr(truth[r], predicted[r])[0] for r in rows], rel=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_two_thousand_resamples_of_1379_rows_take_seconds_at_most(
    metric: str, random: np.random.Generator
) -> None:
    truth = random.normal(size=1379)
    predicted = truth + random.normal(size=1379)
    statistic = getattr(regression, f"resampled_{metric}")(truth, predicted)

    start = time.process_time()
    estimate = bootstrap(statistic, 1379, draws=2000, seed=0)

    assert time.process_time() - start < 5
    assert estimate.low < estimate.value == getattr(regression, metric)(truth, predicted) < estimate.high


def test_interval_of_a_correlation_is_about_fishers(random: np.random.Generator) -> None:
    truth = random.normal(size=1379)
    predicted = truth + random.normal(size=1379)

    found = bootstrap(regression.resampled_pearson(truth, predicted), 1379, draws=2000, seed=0)

    fisher = stats.pearsonr(truth, predicted).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(fisher), abs=0.01)


def test_conformal_margin_is_the_error_at_the_place_of_the_paper(random: np.random.Generator) -> None:
    truth, predicted = random.normal(size=99), random.normal(size=99)
    errors = np.sort(np.abs(truth - predicted))

    # (99 + 1) * coverage is whole; 100 * 0.55 is above 55 in floating point.
    for coverage, place in {0.5: 50, 0.55: 55, 0.9: 90, 0.95: 95, 0.99: 99}.items():
        assert regression.conformal_margin(truth, predicted, coverage) == errors[place - 1]
    assert regression.conformal_margin(truth, predicted, 0.905) == errors[91 - 1]


def test_too_few_rows_for_the_coverage_asked_for_give_an_infinite_margin() -> None:
    errors = np.arange(9.0)

    assert regression.conformal_margin(errors[:8], np.zeros(8), 0.9) == math.inf
    assert regression.conformal_margin(errors, np.zeros(9), 0.9) == 8
    assert regression.conformal_margin(errors, np.zeros(9), 0.91) == math.inf


def test_conformal_intervals_hold_as_many_new_rows_as_promised_whatever_the_errors_are_like(
    random: np.random.Generator,
) -> None:
    held = []
    for _ in range(2000):
        errors = random.standard_cauchy(31)
        margin = regression.conformal_margin(errors[:30], np.zeros(30), 0.8)
        held.append(regression.coverage(errors[30:], np.full(1, -margin), np.full(1, margin)))

    # Exactly ceil(31 * 0.8) / 31 = 25 / 31 for errors without ties; 3 standard errors are 0.027.
    assert np.mean(held) == pytest.approx(25 / 31, abs=0.027)


def test_coverage_counts_the_ends_as_inside() -> None:
    truth = np.array([0.0, 1.0, 2.0, 3.0])

    assert regression.coverage(truth, np.full(4, 1.0), np.full(4, 2.0)) == 0.5


def test_numbers_that_are_our_own_bug_are_refused() -> None:
    with pytest.raises(AssertionError, match=r"3 rows of truth and predictions \(2,\)"):
        regression.pearson(np.zeros(3), np.zeros(2))
    with pytest.raises(AssertionError, match="predictions must be finite"):
        regression.mae(np.zeros(2), np.array([0.0, np.nan]))
    with pytest.raises(AssertionError, match="no row to score"):
        regression.r2(np.zeros(0), np.zeros(0))
    with pytest.raises(AssertionError, match="coverage 90 is not a share"):
        regression.conformal_margin(np.zeros(2), np.zeros(2), coverage=90)
