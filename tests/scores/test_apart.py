"""Two samples beside each other: shares, means and other statistics, of rows that share something or nothing."""

import numpy as np
import pytest
from scipy import stats

from luthier.scores.apart import fisher, means_apart, newcombe, shares_apart, statistics_apart
from luthier.scores.clusters import Clusters
from luthier.scores.intervals import mean_of
from luthier.scores.measures import Measure, OfAll, OfSome, PerRow


def right(count: int, rows: int) -> np.ndarray:
    return (np.arange(rows) < count).astype(np.float64)


def alone(*rows: int) -> tuple[Clusters, Clusters]:
    first, second = rows
    return Clusters.of_rows(None, first), Clusters.of_rows(None, second)


@pytest.mark.parametrize(
    ("ours", "theirs", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_the_interval_of_two_shares_is_that_of_newcombes_table(
    ours: tuple[int, int], theirs: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe 1998, Statistics in Medicine 17, 873, table II, method 10, contrasts (a), (b) and (g)."""
    found = newcombe(right(*ours), right(*theirs), alone(ours[1], theirs[1]), 0.95)

    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    "table", [(3, 20, 30, 60), (0, 20, 5, 40), (20, 20, 31, 40), (7, 9, 1, 30), (0, 5, 0, 6)]
)
def test_the_exact_test_of_two_shares_is_that_of_scipy(table: tuple[int, int, int, int]) -> None:
    some, rows, others, all_others = table

    known = stats.fisher_exact([[some, rows - some], [others, all_others - others]]).pvalue

    assert fisher((some, rows), (others, all_others)) == pytest.approx(known)


def test_two_means_are_compared_as_welch_does() -> None:
    random = np.random.default_rng(0)
    ours, theirs = random.normal(0.5, 1, 30), random.normal(0, 3, 50)

    found = means_apart(ours, theirs, alone(30, 50))

    known = stats.ttest_ind(ours, theirs, equal_var=False)
    assert found.p == pytest.approx(known.pvalue)
    assert (found.gap.low, found.gap.high) == pytest.approx(tuple(known.confidence_interval()))


def test_a_statistic_that_is_a_mean_is_compared_as_the_mean_is_within_the_noise_of_its_draws() -> None:
    random = np.random.default_rng(1)
    ours, theirs = random.normal(0.5, 1, 200), random.normal(0, 1, 300)

    drawn = statistics_apart(mean_of(ours), mean_of(theirs), alone(200, 300), seed=3)

    known = means_apart(ours, theirs, alone(200, 300))
    assert drawn.gap.value == pytest.approx(known.gap.value)
    width = drawn.gap.high - drawn.gap.low
    assert width == pytest.approx(known.gap.high - known.gap.low, rel=0.15)


def test_rows_that_are_wholly_alike_tell_no_more_apart_than_their_clusters() -> None:
    """Each row five times: what is sure of 200 rows by themselves is not of 40 clusters."""
    ours, theirs = np.repeat(right(30, 40), 5), np.repeat(right(21, 40), 5)
    groups = np.repeat(np.arange(40), 5)
    fives = Clusters.of_rows(groups, 200), Clusters.of_rows(groups, 200)

    together, apart = shares_apart(ours, theirs, fives), shares_apart(ours, theirs, alone(200, 200))
    few = shares_apart(right(30, 40), right(21, 40), alone(40, 40))

    assert apart.p < 1e-4
    assert together.p == pytest.approx(few.p, abs=0.03)
    assert together.gap.low == pytest.approx(few.gap.low, abs=0.03)


def test_the_p_value_of_clusters_is_the_level_at_which_the_interval_reaches_zero() -> None:
    random = np.random.default_rng(2)
    groups = np.repeat(np.arange(30), 4)
    ours, theirs = (random.random(120) < 0.9).astype(float), (random.random(120) < 0.7).astype(float)
    both = Clusters.of_rows(groups, 120), Clusters.of_rows(groups, 120)

    p = shares_apart(ours, theirs, both).p

    assert 0 < p < 1
    assert newcombe(ours, theirs, both, 1 - p).low == pytest.approx(0, abs=1e-6)


def test_two_samples_that_are_alike_differ_beyond_noise_at_most_as_often_as_is_said() -> None:
    random = np.random.default_rng(3)
    groups = np.repeat(np.arange(40), 5)
    both = Clusters.of_rows(groups, 200), Clusters.of_rows(groups, 200)
    single, clustered = [], []
    for _ in range(400):
        ours, theirs = ((random.random(60) < 0.85).astype(float) for _ in range(2))
        single.append(shares_apart(ours, theirs, alone(60, 60)).p)
        sure = [np.repeat(random.beta(8.5, 1.5, 40), 5) for _ in range(2)]
        ours, theirs = ((random.random(200) < one).astype(float) for one in sure)
        clustered.append(shares_apart(ours, theirs, both).p)

    assert np.mean(np.array(single) <= 0.05) <= 0.065
    assert np.mean(np.array(clustered) <= 0.05) <= 0.075


# The same, asked of a metric as it was measured


def measures() -> dict[str, Measure]:
    random = np.random.default_rng(4)
    values = random.random(60)
    some = np.arange(0, 60, 3)
    return {
        "mean": PerRow(values),
        "share": PerRow((values > 0.4).astype(float), share=True),
        "words": PerRow(random.random(180), rows=np.repeat(np.arange(60), 3)),
        "all": OfAll(mean_of(values), values),
        "some": OfSome(PerRow(values[some]), some),
    }


@pytest.mark.parametrize("name", measures())
@pytest.mark.parametrize("grouped", [False, True])
def test_a_metric_among_some_rows_is_the_metric_of_those_rows(name: str, grouped: bool) -> None:
    whole, rows = measures()[name], np.arange(6, 36)
    if grouped:
        whole = whole.clustered(np.arange(60) // 2)

    part = whole.among(rows)

    measured = 10 if name == "some" else 30
    assert part.clusters.count == (measured if not grouped or name == "some" else 15)
    words = isinstance(whole, PerRow) and whole.rows is not None
    own = whole.values[18:108].mean() if isinstance(whole, PerRow) and words else whole.of(rows)
    assert part.value == pytest.approx(own)
    found = part.apart(whole.among(np.setdiff1d(np.arange(60), rows)), seed=0)
    assert found.gap.low < found.gap.value < found.gap.high
    assert 0 < found.p <= 1
    assert (-found).gap.value == -found.gap.value
