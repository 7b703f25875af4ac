"""Rows of another kind are told, and those of the usual kind raise false alarms as often as is said."""

import numpy as np
import pytest
from scipy import stats
from sklearn.covariance import EmpiricalCovariance
from sklearn.neighbors import NearestNeighbors

from luthier.arrays import Array
from luthier.scores import unlike
from luthier.scores.stream import BETS, THRESHOLD, evidence_of
from luthier.scores.unlike import Detector, own_p_values, p_values, unit_length


def cloud(rows: int, seed: int, labels: int = 4, width: int = 12, away: float = 0.0) -> tuple[Array, Array]:
    """Features around the centre of each label; `away`: how far they are moved into a direction of their own."""
    random = np.random.default_rng(seed)
    centres = 2 * np.random.default_rng(0).normal(size=(labels, width))
    of = random.integers(labels, size=rows)
    moved = away * np.eye(width)[0]
    return (centres[of] + random.normal(size=(rows, width)) + moved).astype(np.float32), of


def test_the_distance_to_neighbours_is_that_of_scikit_learn() -> None:
    detector = Detector.fitted(*cloud(60, seed=1))
    new = unit_length(cloud(20, seed=2)[0])

    near, _ = NearestNeighbors(n_neighbors=unlike.NEIGHBOURS).fit(detector.reference).kneighbors(new)

    assert detector.distances(new)[0] == pytest.approx(near[:, -1], abs=1e-6)


def test_the_distance_to_all_rows_is_that_of_mahalanobis_and_labels_lie_in_their_own_clouds() -> None:
    features, labels = cloud(800, seed=1)
    detector = Detector.fitted(features, labels)
    new = unit_length(cloud(20, seed=2)[0])
    whole = EmpiricalCovariance().fit(unit_length(features)).mahalanobis(new)

    turned = (new - detector.centre) @ detector.directions
    apart = turned[:, None] - detector.centres
    to_labels = np.einsum("rld,de,rle->rl", apart, detector.inner, apart).min(axis=1)

    assert np.square(turned).sum(axis=1) == pytest.approx(whole, rel=1e-3)
    assert detector.distances(new)[1] == pytest.approx(to_labels - whole, rel=1e-3, abs=1e-2)


@pytest.mark.parametrize("labelled", [True, False])
def test_rows_of_another_kind_are_told_and_the_rate_of_false_alarms_is_kept(labelled: bool) -> None:
    features, labels = cloud(600, seed=1)
    detector = Detector.fitted(features, labels if labelled else None)
    usual = detector.scores(cloud(4_000, seed=2)[0])
    other = detector.scores(cloud(200, seed=3, away=40.0)[0])

    false = [np.mean(p_values(usual[at : at + 200], usual[2_000:]) <= 0.01) for at in range(0, 2_000, 200)]

    assert np.mean(false) == pytest.approx(0.01, abs=0.005)
    assert np.mean(p_values(usual[:500], other) <= 0.01) > 0.9


def test_p_values_are_uniform_or_above_and_never_zero() -> None:
    random = np.random.default_rng(0)
    found = np.array([p_values(random.normal(size=99), random.normal(size=1))[0] for _ in range(2_000)])

    assert found.min() >= 0.01
    assert stats.kstest(found - random.random(2_000) / 100, "uniform").pvalue > 0.01


def test_a_row_that_calibrates_has_its_p_value_among_the_others() -> None:
    known = np.array([3.0, 1.0, 2.0, 2.0])

    others = [p_values(np.delete(known, at), known[at : at + 1])[0] for at in range(4)]

    assert own_p_values(known).tolist() == others


def test_a_detector_that_is_saved_is_the_same_again() -> None:
    detector = Detector.fitted(*cloud(60, seed=1))
    new = cloud(20, seed=2)[0]

    assert Detector(**detector.arrays()).scores(new).tolist() == detector.scores(new).tolist()


def test_features_that_are_all_alike_make_no_trouble() -> None:
    detector = Detector.fitted(np.ones((20, 3)), np.zeros(20, np.int64))

    assert np.isfinite(detector.scores(np.eye(3))).all()


# The stream


def test_a_stream_of_the_usual_kind_raises_the_alarm_in_at_most_one_of_a_hundred() -> None:
    random = np.random.default_rng(0)
    alarms = [evidence_of(random.normal(size=100), random.normal(size=200)).alarm for _ in range(300)]

    assert sum(alarm is not None for alarm in alarms) <= 300 / THRESHOLD + 4


def test_the_evidence_is_that_of_a_game_that_is_written_out_and_no_bet_gains_on_average() -> None:
    known = np.arange(30.0)
    bets = np.array(BETS)

    # The mean of e p^(e-1) over p from (place - 1) / 31 to place / 31.
    after_one = [
        0.5 + 0.5 * np.mean(31 * ((place / 31) ** bets - ((place - 1) / 31) ** bets))
        for place in range(1, 32)
    ]
    found = [evidence_of(known, np.array([30.5 - place])).highest for place in range(1, 32)]

    assert found == pytest.approx(np.maximum(after_one, 1.0))
    assert np.mean(after_one) == pytest.approx(1)


def test_a_row_like_others_shares_their_places() -> None:
    """Whatever the order of equals would have been, the bet is the mean over all of them."""
    one, equals = np.array([5.0]), np.repeat([4.0, 5.0, 6.0], [10, 4, 0])
    bets = np.array(BETS)

    apart = [0.5 + 0.5 * np.mean(15 * (((at + 1) / 15) ** bets - (at / 15) ** bets)) for at in range(5)]

    assert evidence_of(equals, one).highest == pytest.approx(np.mean(apart))


@pytest.mark.parametrize("before", [0, 1_000])
def test_one_row_of_ten_from_elsewhere_raises_the_alarm_also_in_the_midst_of_a_stream(before: int) -> None:
    random, found = np.random.default_rng(3), []
    for _ in range(20):
        stream = random.normal(size=before + 400)
        strange = random.random(before + 400) < 0.1
        strange[:before] = False
        stream[strange] = random.normal(8, 1, strange.sum())
        alarm = evidence_of(random.normal(size=1_000), stream).alarm
        found.append(np.inf if alarm is None else alarm - before)

    assert np.median(found) < 150
    assert min(found) >= 0


def test_the_same_rows_give_the_same_evidence() -> None:
    known, stream = np.zeros(100), np.ones(50)

    assert evidence_of(known, stream) == evidence_of(known, stream)


def test_rows_that_are_all_alike_are_no_evidence() -> None:
    assert evidence_of(np.zeros(100), np.zeros(200)).alarm is None
