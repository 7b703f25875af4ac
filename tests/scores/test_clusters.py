"""Rows that share something: how sure a score is, against closed forms and SciPy, and how often two equals differ."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from luthier.scores.classification import resampled_macro_f1
from luthier.scores.clusters import Clusters, student
from luthier.scores.evidence import Tagged
from luthier.scores.exchange import exchange_test
from luthier.scores.intervals import (
    Difference,
    bootstrap,
    mean_of,
    paired_bootstrap,
    paired_bootstrap_of,
    paired_proportions,
    paired_standard_error,
    proportion,
    wilson,
)
from luthier.scores.measures import Measure, OfAll, OfSome, PerRow
from luthier.scores.metrics import METRICS
from luthier.scores.multiple import holm
from luthier.scores.shares import tango_ends, wilson_ends


def beyond_noise(found: Difference) -> bool:
    return found.low > 0 or found.high < 0


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def in_fives(rows: int) -> np.ndarray:
    """(rows,) five rows to a cluster."""
    return np.arange(rows) // 5


def test_a_row_that_shares_nothing_is_a_cluster_of_its_own(random: np.random.Generator) -> None:
    right = (random.random(200) < 0.8).astype(float)
    others = (random.random(200) < 0.7).astype(float)
    alone = np.random.default_rng(1).permutation(200)

    assert proportion(right, groups=alone) == proportion(right)
    assert paired_proportions(right, others, groups=alone, seed=0) == paired_proportions(
        right, others, seed=0
    )
    assert paired_standard_error(right, others, alone) == pytest.approx(paired_standard_error(right, others))


def test_a_resample_is_made_of_whole_clusters() -> None:
    groups = np.array([0, 1, 1, 2, 2, 2, 3])
    clusters = Clusters.of_rows(groups, 7)

    pieces = list(clusters.resamples(200, seed=0))

    assert sum(len(piece) for piece in pieces) == 200
    for draw in (draw for piece in pieces for draw in piece):
        times = np.bincount(draw, minlength=7)
        assert all(len(set(times[groups == group])) == 1 for group in range(4))
        assert sum(times[groups == group][0] for group in range(4)) == 4


def test_the_mean_of_clusters_of_any_size_is_a_ratio_of_sums(random: np.random.Generator) -> None:
    """Against the jackknife over clusters, which knows nothing of the formula."""
    groups = np.repeat(np.arange(60), random.integers(1, 12, 60))
    values = random.normal(size=60)[groups] + random.normal(size=len(groups))
    clusters = Clusters.of_rows(groups, len(groups))

    left = np.array([values[groups != one].mean() for one in range(60)])
    jackknife = (60 - 1) / 60 * np.square(left - left.mean()).sum()
    drawn = [statistic for piece in clusters.resamples(2000, 0) for statistic in mean_of(values)(piece)]

    assert clusters.variance_of_mean(values) == pytest.approx(jackknife, rel=0.1)
    assert np.var(drawn) == pytest.approx(jackknife, rel=0.15)


def test_rows_that_are_wholly_alike_are_worth_no_more_than_their_clusters(
    random: np.random.Generator,
) -> None:
    right = (random.random(200) < 0.8).astype(float)

    whole, five = proportion(right), proportion(np.repeat(right, 5), groups=np.repeat(np.arange(200), 5))

    assert five.value == whole.value
    assert five.high - five.low == pytest.approx(whole.high - whole.low, rel=0.02)


def test_of_clusters_that_are_all_right_one_is_worth_about_a_row() -> None:
    found = proportion(np.ones(200), groups=in_fives(200))

    assert found.value == found.high == 1.0
    assert found.low == pytest.approx(wilson(40, 40).low, abs=0.02)


def test_one_cluster_says_nothing() -> None:
    together = np.zeros(30, np.int64)

    assert proportion(np.ones(30), groups=together).to_json() == {"value": 1.0, "low": 0.0, "high": 1.0}
    assert not beyond_noise(paired_proportions(np.ones(30), np.zeros(30), groups=together, seed=0))
    assert paired_standard_error(np.ones(30), np.zeros(30), together) == math.inf


@pytest.mark.parametrize("clusters", [20, 40, 100])
def test_an_interval_of_clustered_rows_covers_the_truth(clusters: int) -> None:
    """Half of the variance is between clusters, as a beta distribution has it."""
    covered, random = 0, np.random.default_rng(3)
    for _ in range(300):
        chance = np.repeat(random.beta(0.9, 0.1, clusters), 5)
        right = (random.random(5 * clusters) < chance).astype(float)
        found = proportion(right, groups=in_fives(5 * clusters))
        covered += found.low <= 0.9 <= found.high

    assert covered / 300 > 0.92


@pytest.mark.parametrize(("won", "lost", "rows"), [(12, 2, 50), (9, 3, 44), (3, 1, 30), (40, 10, 100)])
def test_the_difference_of_two_shares_has_the_score_interval(won: int, lost: int, rows: int) -> None:
    """Its ends are the differences whose likelihood, at the best of the other parameter, has a score of 1.96 (Tango 1998)."""
    ends = tango_ends(won, lost, rows, 0.95)

    for end in ends:
        most = min((1 - end) / 2, 1.0)

        def surprise(alone: float, end: float = end) -> float:
            return -(
                won * math.log(alone + end)
                + lost * math.log(alone)
                + (rows - won - lost) * math.log(1 - 2 * alone - end)
            )

        alone = optimize.minimize_scalar(
            surprise,
            bounds=(max(0.0, -end) + 1e-12, most - 1e-12),
            method="bounded",
            options={"xatol": 1e-12},
        ).x
        score = (won - lost - rows * end) / math.sqrt(rows * (2 * alone + end - end**2))
        assert abs(score) == pytest.approx(1.96, abs=1e-3)


def test_two_that_answer_alike_are_as_far_apart_as_the_rule_of_three_says() -> None:
    z = stats.norm.ppf(0.975)

    assert tango_ends(0, 0, 44, 0.95) == pytest.approx((-(z**2) / (44 + z**2), z**2 / (44 + z**2)))
    assert wilson_ends(0, 44, 0.95)[1] == pytest.approx(z**2 / (44 + z**2))


@pytest.mark.parametrize(("won", "lost"), [(6, 0), (9, 2), (30, 12), (300, 200), (5, 5)])
def test_exchanging_single_rows_is_mcnemars_exact_test(won: int, lost: int) -> None:
    gaps = np.repeat([1.0, -1.0, 0.0], [won, lost, 50])

    found = exchange_test(gaps, seed=0)

    assert found == pytest.approx(stats.binomtest(won, won + lost).pvalue)


@pytest.mark.parametrize("clusters", [8, 40])
def test_exchanging_clusters_is_the_permutation_test_of_scipy(
    random: np.random.Generator, clusters: int
) -> None:
    gaps = random.normal(0.3, 1.0, clusters)

    expected = stats.permutation_test(
        (gaps,), lambda one: one.mean(), permutation_type="samples", n_resamples=9_999, rng=1
    ).pvalue

    assert exchange_test(gaps, seed=0) == pytest.approx(expected, abs=1e-12 if clusters == 8 else 0.02)


@pytest.mark.parametrize("level", [0.05, 0.05 / 110, 0.05 / 2_550])
def test_so_many_exchanges_are_drawn_that_a_level_can_be_reached(
    random: np.random.Generator, level: float
) -> None:
    """The tenth look at some test rows, or the fiftieth, asks for a p-value that 2,000 exchanges cannot show."""
    sure = np.abs(random.normal(1.0, 0.3, 60)) + 0.1

    assert exchange_test(sure, seed=0, level=level) < level


@pytest.mark.parametrize("rows", [50, 200, 2000])
@pytest.mark.parametrize("clustered", [False, True])
def test_two_equals_whose_answers_are_exchanged_differ_beyond_noise_at_most_as_often_as_is_said(
    rows: int, clustered: bool
) -> None:
    """benchmarks/studies/false_alarms.py has more of it: 1,000 pairs, other metrics, and the power."""
    random, alarms = np.random.default_rng(rows), 0
    groups = in_fives(rows) if clustered else np.arange(rows)
    for seed in range(200):
        clusters = groups.max() + 1
        first, second = (random.random((2, clusters)) < 0.8).astype(float)[:, groups]
        exchanged = (random.random(clusters) < 0.5)[groups]
        ours, theirs = np.where(exchanged, (first, second), (second, first))
        alarms += beyond_noise(
            paired_proportions(ours, theirs, groups=groups if clustered else None, seed=seed)
        )

    assert alarms / 200 <= 0.065


def test_without_clusters_two_equals_would_differ_beyond_noise_often(random: np.random.Generator) -> None:
    right = (random.random((100, 2, 80)) < 0.7).astype(float).repeat(5, axis=2)

    alarms = [beyond_noise(paired_proportions(*pair, seed=0)) for pair in right]

    assert np.mean(alarms) > 0.25


def test_a_true_difference_of_two_points_is_found_in_two_thousand_rows() -> None:
    """One in twelve rows is answered differently: 5 % in favour of the first, 3 % of the second."""
    random, found = np.random.default_rng(5), 0
    for _ in range(100):
        gap = random.choice([1.0, -1.0, 0.0], 2000, p=[0.05, 0.03, 0.92])
        found += paired_proportions(np.maximum(gap, 0), np.maximum(-gap, 0), seed=0).low > 0

    assert found >= 80


def test_a_difference_says_how_small_a_one_it_could_have_seen() -> None:
    """A true difference of so much is found in about 8 of 10 cases."""
    random = np.random.default_rng(6)
    tried = random.choice([1.0, -1.0, 0.0], 1000, p=[0.06, 0.06, 0.88])
    smallest = paired_proportions(np.maximum(tried, 0), np.maximum(-tried, 0), seed=0).detectable
    assert smallest is not None

    better, worse = 0.06 + smallest / 2, 0.06 - smallest / 2
    gaps = random.choice([1.0, -1.0, 0.0], (200, 1000), p=[better, worse, 0.88])
    found = [paired_proportions(np.maximum(gap, 0), np.maximum(-gap, 0), seed=0).low > 0 for gap in gaps]

    assert 0.7 < np.mean(found) < 0.9


def test_macro_f1_is_compared_on_the_same_clusters(random: np.random.Generator) -> None:
    labels = np.repeat(random.integers(0, 3, 60), 5)
    good, poor = (
        np.where(np.repeat(random.random(60) < share, 5), labels, (labels + 1) % 3) for share in (0.8, 0.7)
    )
    first, second = (resampled_macro_f1(labels, each, 3) for each in (good, poor))

    alone = paired_bootstrap_of(first, second, good != poor, seed=0)
    together = paired_bootstrap_of(first, second, good != poor, groups=in_fives(300), seed=0)

    assert together.value == alone.value
    assert together.high - together.low > 1.8 * (alone.high - alone.low)


def test_clusters_that_are_answered_differently_count_and_not_their_rows() -> None:
    first, second = np.ones(100), np.repeat([0.0, 1.0], [25, 75])
    unlike = first != second

    for groups, beyond in ((None, True), (in_fives(100), False)):
        found = paired_bootstrap_of(mean_of(first), mean_of(second), unlike, groups=groups, seed=0)
        assert beyond_noise(found) == beyond
        assert beyond_noise(paired_bootstrap(first, second, groups=groups, seed=0)) == beyond


def test_every_measure_can_be_told_what_its_rows_share(random: np.random.Generator) -> None:
    scores, others = random.random((2, 100)).repeat(5, axis=1)
    places = np.arange(0, 500, 2)
    pairs: tuple[tuple[Measure, Measure], ...] = (
        (PerRow(scores), PerRow(others)),
        (OfAll(mean_of(scores), scores), OfAll(mean_of(others), others)),
        (OfSome(PerRow(scores[places]), places), OfSome(PerRow(others[places]), places)),
    )
    for ours, theirs in pairs:
        groups = in_fives(500)
        wider, plain = ours.clustered(groups), ours.estimate(0)

        assert wider.value == plain.value
        assert wider.estimate(0).high > plain.high
        assert wider.standard_error(theirs, 0) > 1.2 * ours.standard_error(theirs, 0)


def test_words_of_one_sentence_are_clustered_by_it_without_being_told(random: np.random.Generator) -> None:
    right = np.repeat((random.random(50) < 0.8).astype(float), 10)
    tagged = Tagged(np.zeros((50, 1, 3), np.int64), right, np.repeat(np.arange(50), 10))

    found = METRICS["accuracy"].measures["token-classification"](tagged).estimate(0)
    of_documents = METRICS["accuracy"].measures["token-classification"](tagged).clustered(in_fives(50))

    assert found.high - found.low == pytest.approx(2 * 1.96 * math.sqrt(0.16 / 50), rel=0.15)
    assert isinstance(of_documents, PerRow)
    assert of_documents.groups is not None
    assert of_documents.groups.tolist() == np.repeat(np.arange(10), 50).tolist()


def test_intervals_of_few_rows_are_those_of_student(random: np.random.Generator) -> None:
    covered = 0
    for seed in range(300):
        found = bootstrap(mean_of(random.normal(size=12)), 12, draws=400, seed=seed)
        covered += found.low <= 0 <= found.high

    assert student(12, 0.95) == pytest.approx(stats.t.ppf(0.975, 11))
    assert covered / 300 > 0.92


def test_holms_correction_is_that_of_his_rule() -> None:
    """Ordered, 0.005 * 4 = 0.02, 0.01 * 3 = 0.03, 0.03 * 2 = 0.06, 0.04 * 1 = 0.04, which may not be below the one before it."""
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, 0.9])).tolist() == [1.0, 1.0]
    assert len(holm(np.zeros(0))) == 0


def test_among_twenty_slices_that_are_alike_one_differs_at_most_one_time_in_twenty() -> None:
    values = np.random.default_rng(0).random((2000, 20))

    assert np.mean([holm(one).min() <= 0.05 for one in values]) == pytest.approx(0.05, abs=0.015)
