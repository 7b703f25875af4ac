"""Intervals: against closed forms, SciPy, a plain loop, and how often they cover the truth."""

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics

from luthier.scores.classification import resampled_macro_f1
from luthier.scores.intervals import (
    Difference,
    Estimate,
    bootstrap,
    jackknife,
    mean_of,
    paired_bootstrap,
    paired_bootstrap_of,
    paired_proportions,
    paired_standard_error,
    proportion,
    wilson,
)


def excludes_zero(found: Difference) -> bool:
    """Whether a difference is beyond noise."""
    return found.low > 0 or found.high < 0


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_interval_of_a_mean_is_the_one_of_the_central_limit(random: np.random.Generator) -> None:
    losses = random.exponential(size=2000)

    found = bootstrap(mean_of(losses), 2000, draws=4000, seed=0)

    half = 1.96 * losses.std() / math.sqrt(2000)
    assert found.value == losses.mean()
    assert (found.low, found.high) == pytest.approx(
        (losses.mean() - half, losses.mean() + half), abs=half / 10
    )


def test_a_95_percent_interval_covers_the_true_mean_about_95_times_in_100(
    random: np.random.Generator,
) -> None:
    covered = 0
    for _ in range(300):
        found = proportion((random.random(120) < 0.8).astype(float))
        covered += found.low <= 0.8 <= found.high

    assert 0.90 < covered / 300 < 0.98


def test_a_wider_confidence_gives_a_wider_interval_around_the_same_value(random: np.random.Generator) -> None:
    statistic = mean_of(random.normal(size=200))

    narrow = bootstrap(statistic, 200, confidence=0.8, seed=0)
    wide = bootstrap(statistic, 200, confidence=0.99, seed=0)

    assert wide.low < narrow.low < narrow.value == wide.value < narrow.high < wide.high


def test_the_same_seed_gives_the_same_interval_and_another_seed_another(random: np.random.Generator) -> None:
    statistic = mean_of(random.normal(size=50))

    assert bootstrap(statistic, 50, seed=1) == bootstrap(statistic, 50, seed=1)
    assert bootstrap(statistic, 50, seed=1) != bootstrap(statistic, 50, seed=2)


def test_a_statistic_sees_the_rows_as_they_are_and_then_as_many_resamples_as_asked_for() -> None:
    seen = []

    def statistic(rows: NDArray[Any]) -> NDArray[Any]:
        seen.append(rows)
        return np.asarray(rows.mean(axis=1))

    bootstrap(statistic, 100_000, draws=5, seed=0)  # so many rows that the draws come in portions

    assert (seen[0] == np.arange(100_000)).all()
    assert [len(rows) for rows in seen] == [1, 2, 2, 1]


def test_the_interval_of_macro_f1_is_that_of_a_plain_loop(random: np.random.Generator) -> None:
    labels = random.integers(0, 4, 200)
    predicted = np.where(random.random(200) < 0.7, labels, random.integers(0, 4, 200))

    found = bootstrap(resampled_macro_f1(labels, predicted, 4), 200, draws=400, seed=0)

    resamples = [random.integers(0, 200, 200) for _ in range(400)]
    loop = [metrics.f1_score(labels[each], predicted[each], average="macro") for each in resamples]
    assert found.value == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(loop, [0.025, 0.975])), abs=0.015)


def test_an_interval_always_holds_its_value(random: np.random.Generator) -> None:
    # One row of each class: resamples miss classes, and macro F1 is far from symmetric.
    labels = np.arange(20)
    predicted = np.where(labels < 10, labels, (labels + 1) % 20)
    for seed in range(20):
        found = bootstrap(resampled_macro_f1(labels, predicted, 20), 20, draws=50, seed=seed)
        assert found.low <= found.value <= found.high


def test_ten_thousand_rows_of_77_classes_take_little_memory(random: np.random.Generator) -> None:
    labels = random.integers(0, 77, 10_000)
    predicted = np.where(random.random(10_000) < 0.9, labels, random.integers(0, 77, 10_000))

    tracemalloc.start()
    bootstrap(resampled_macro_f1(labels, predicted, 77), 10_000, seed=0)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 50e6


@pytest.mark.parametrize(("successes", "rows"), [(0, 10), (10, 10), (1, 1), (81, 263), (500, 1000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_is_that_of_scipy(successes: int, rows: int, confidence: float) -> None:
    expected = stats.binomtest(successes, rows).proportion_ci(confidence, method="wilson")

    found = wilson(successes, rows, confidence)

    assert found.value == successes / rows
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_accuracy_of_rows_all_right_has_the_interval_of_wilson_and_not_a_point() -> None:
    assert bootstrap(mean_of(np.ones(30)), 30, seed=0) == Estimate(1.0, 1.0, 1.0)
    assert proportion(np.ones(30)) == wilson(30, 30)
    assert proportion(np.zeros(30)) == wilson(0, 30)
    assert proportion(np.ones(1)) == wilson(1, 1)


def test_accuracy_of_many_rows_has_about_the_interval_of_the_bootstrap(random: np.random.Generator) -> None:
    right = (random.random(2000) < 0.9).astype(float)

    drawn = bootstrap(mean_of(right), 2000, draws=4000, seed=0)

    assert proportion(right) == wilson(int(right.sum()), 2000)
    assert proportion(right).to_json() == pytest.approx(drawn.to_json(), abs=0.002)


def test_one_row_is_its_own_interval() -> None:
    assert bootstrap(mean_of(np.array([0.3])), 1, seed=0) == Estimate(0.3, 0.3, 0.3)


def test_no_rows_are_our_own_bug() -> None:
    with pytest.raises(AssertionError, match="no row to resample"):
        bootstrap(mean_of(np.array([])), 0, seed=0)
    with pytest.raises(AssertionError, match="no row to compare on"):
        paired_bootstrap(np.array([]), np.array([]), seed=0)


def test_pairing_finds_a_difference_that_the_two_intervals_alone_would_hide(
    random: np.random.Generator,
) -> None:
    hardness = random.normal(size=500)
    first, second = hardness + 0.1 + 0.1 * random.normal(size=500), hardness

    found = paired_bootstrap(first, second, seed=0)

    alone = [bootstrap(mean_of(each), 500, seed=0) for each in (first, second)]
    assert alone[0].low < alone[1].high
    assert found.value == pytest.approx((first - second).mean())
    assert excludes_zero(found)
    half = 1.96 * stats.sem(first - second)
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), abs=half / 5)


def test_a_difference_changes_sign_with_the_order(random: np.random.Generator) -> None:
    first, second = random.random(300), random.random(300)

    forth, back = paired_bootstrap(first, second, seed=0), paired_bootstrap(second, first, seed=0)

    assert (back.value, back.low, back.high) == pytest.approx((-forth.value, -forth.high, -forth.low))


def test_two_equal_models_rarely_differ_beyond_noise(random: np.random.Generator) -> None:
    alarms = sum(
        excludes_zero(paired_bootstrap(random.random(100), random.random(100), draws=300, seed=seed))
        for seed in range(200)
    )

    assert alarms / 200 < 0.1


def test_candidates_that_answer_alike_differ_by_nothing() -> None:
    right = np.array([1.0, 0.0, 1.0])

    assert paired_bootstrap(right, right, seed=0) == Difference(0.0, 0.0, 0.0)
    assert not excludes_zero(paired_bootstrap(right, right, seed=0))


@pytest.mark.parametrize(("differing", "beyond"), [(1, False), (4, False), (5, False), (6, True), (20, True)])
def test_a_difference_on_fewer_than_six_rows_is_never_beyond_noise(differing: int, beyond: bool) -> None:
    # Rows in favour of the first only. McNemar's exact test agrees: 2 * 0.5**5 > 0.05 > 2 * 0.5**6.
    first, second = np.ones(100), np.repeat([0.0, 1.0], [differing, 100 - differing])
    assert (stats.binomtest(differing, differing).pvalue < 0.05) == beyond

    means = paired_bootstrap(first, second, seed=0)
    shares = paired_proportions(first, second, seed=0)
    same = paired_bootstrap_of(mean_of(first), mean_of(second), first != second, seed=0)

    assert excludes_zero(means) == excludes_zero(same) == excludes_zero(shares) == beyond
    assert (same.value, same.low, same.high) == pytest.approx((means.value, means.low, means.high))


def test_a_row_alone_decides_nothing() -> None:
    assert not excludes_zero(paired_bootstrap(np.array([1.0]), np.array([0.0]), seed=0))
    assert paired_standard_error(np.array([1.0]), np.array([0.0])) == math.inf


def test_macro_f1_of_two_candidates_is_compared_on_the_same_resamples(random: np.random.Generator) -> None:
    labels = random.integers(0, 3, 300)
    good = np.where(random.random(300) < 0.9, labels, 0)
    poor = np.where(random.random(300) < 0.6, good, 1)

    found = paired_bootstrap_of(
        resampled_macro_f1(labels, good, 3),
        resampled_macro_f1(labels, poor, 3),
        good != poor,
        seed=0,
    )

    expected = [metrics.f1_score(labels, each, average="macro") for each in (good, poor)]
    assert found.value == pytest.approx(expected[0] - expected[1])
    assert excludes_zero(found)


def test_the_paired_standard_error_is_that_of_scipy(random: np.random.Generator) -> None:
    first, second = random.random(80), random.random(80)

    assert paired_standard_error(first, second) == pytest.approx(stats.sem(first - second))


def test_an_estimate_reads_well_and_survives_json() -> None:
    found = Estimate(0.892, 0.87812, 0.90649)

    assert str(found) == "0.892 (0.878 to 0.906)"
    assert repr(found) == "Estimate(0.892, 0.878 to 0.906)"
    assert found.to_json() == {"value": 0.892, "low": 0.87812, "high": 0.90649}
    assert Estimate(**found.to_json()) == found


def test_a_difference_reads_well_and_has_the_keys_of_the_scorecard() -> None:
    found = Difference(-0.08, -0.097, -0.063)

    assert str(found) == "-0.080 (-0.097 to -0.063)"
    assert found.to_json() == {"difference": -0.08, "low": -0.097, "high": -0.063}
    assert excludes_zero(found)


@pytest.mark.parametrize("rows", [2, 7, 20])
def test_the_jackknife_of_a_mean_that_leaves_out_each_row_is_its_standard_error(
    random: np.random.Generator, rows: int
) -> None:
    first, second = random.normal(size=rows), random.normal(size=rows)

    found = jackknife(lambda at: float((first[at] - second[at]).mean()), rows)

    assert found == pytest.approx(paired_standard_error(first, second))


def test_the_jackknife_leaves_out_rows_that_share_something_together() -> None:
    """Copies of a row add nothing: the error is that of the rows without them. With a single cluster there is no telling."""
    once = np.random.default_rng(0).normal(size=12)
    copies, clusters = np.repeat(once, 5), np.repeat(np.arange(12) * 7, 5)

    of_once = jackknife(lambda at: float(once[at].mean()), 12)
    found = jackknife(lambda at: float(copies[at].mean()), 60, clusters=clusters)

    assert found == pytest.approx(of_once)
    assert jackknife(lambda at: float(copies[at].mean()), 60, clusters=np.zeros(60, np.int64)) == np.inf


def test_the_jackknife_of_groups_is_near_the_standard_error_of_a_correlation() -> None:
    """Fisher's: (1 - r^2) / sqrt(rows - 3), over many draws."""

    def of_a_draw(seed: int) -> float:
        random = np.random.default_rng(seed)
        truth = random.normal(size=400)
        said = truth + random.normal(size=400)
        return jackknife(lambda at: float(np.corrcoef(truth[at], said[at])[0, 1]), 400)

    assert np.mean([of_a_draw(seed) for seed in range(200)]) == pytest.approx(0.5 / np.sqrt(397), rel=0.1)
