"""Slices: which rows they hold, which of them differ, and how rows that are alike are found and named."""

import numpy as np
import pytest

from luthier.scores.alike import clusters_of, telling_words
from luthier.scores.measures import PerRow
from luthier.scores.metrics import METRICS
from luthier.scores.slices import FEWEST, MOST, Slice, scores_of, thirds

ACCURACY = METRICS["accuracy"]


def slices_of(values: np.ndarray) -> list[Slice]:
    return [Slice("value", str(value), np.flatnonzero(values == value)) for value in np.unique(values)]


def test_thirds_are_as_large_as_equal_numbers_allow_and_leave_out_who_has_none() -> None:
    numbers = np.array([1.0] * 10 + [2.0] * 10 + [3.0] * 10 + [np.nan] * 4)

    assert [(one.low, one.high, len(one.rows)) for one in thirds(numbers)] == [
        (1, 1, 10),
        (2, 2, 10),
        (3, 3, 10),
    ]
    assert [len(one.rows) for one in thirds(np.arange(100.0))] == [34, 33, 33]
    assert [len(one.rows) for one in thirds(np.ones(9))] == [9]
    assert thirds(np.full(3, np.nan)) == []


def test_a_slice_that_is_worse_is_found_and_those_that_are_alike_are_not() -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 8, 1_600)
    right = (random.random(1_600) < np.where(values == 3, 0.6, 0.9)).astype(float)

    found = scores_of(slices_of(values), 1_600, PerRow(right, share=True), ACCURACY, seed=0)

    assert [one.slice.name for one in found if one.differs] == ["3"]
    (worse,) = [one for one in found if one.differs]
    own = right[values == 3]
    assert worse.score.value == own.mean()
    assert worse.apart.gap.value == pytest.approx(own.mean() - right[values != 3].mean())
    assert worse.apart.gap.high < 0


def test_by_a_metric_of_which_lower_is_better_the_slice_with_more_of_it_is_worse() -> None:
    values = np.repeat([0, 1, 2], 50)
    errors = np.where(values == 1, 2.0, 1.0) + np.random.default_rng(0).normal(0, 0.1, 150)

    found = scores_of(slices_of(values), 150, PerRow(errors), METRICS["mae"], seed=0)

    assert [one.apart.gap.value > 0 for one in found] == [True, False, True]


def test_of_slices_that_are_alike_one_differs_at_most_one_run_in_twenty() -> None:
    random = np.random.default_rng(1)
    false_alarms = 0
    for _ in range(200):
        right = PerRow((random.random(400) < 0.85).astype(float), share=True)
        slices = [one for _ in range(3) for one in slices_of(random.integers(0, 5, 400))]
        found = scores_of(slices, 400, right, ACCURACY, seed=0)
        assert len(found) == 15
        false_alarms += any(one.differs for one in found)

    assert false_alarms / 200 <= 0.075


def test_slices_that_are_small_say_the_same_or_hold_everything_are_passed_over() -> None:
    rows = 10 * FEWEST
    halves = np.repeat([0, 1], rows // 2)
    slices = [
        *slices_of(halves),  # one question, not two
        Slice("again", "half", np.arange(rows // 2)),
        Slice("small", "few", np.arange(FEWEST - 1)),
        Slice("large", "nearly all", np.arange(rows - FEWEST + 1)),
        Slice("whole", "all", np.arange(rows)),
        Slice("none", "nobody", np.zeros(0, np.int64)),
    ]

    found = scores_of(slices, rows, PerRow(np.ones(rows), share=True), ACCURACY, seed=0)

    assert [one.slice.name for one in found] == ["0"]


def test_rows_of_one_cluster_count_as_one() -> None:
    rows = 10 * FEWEST
    right = PerRow(np.ones(rows), share=True).clustered(np.arange(rows) // FEWEST)
    slices = [Slice("part", "two clusters", np.arange(2 * FEWEST))]

    assert scores_of(slices, rows, right, ACCURACY, seed=0) == []


def test_there_is_an_end_of_slices() -> None:
    rows = 400
    slices = [Slice("turn", str(at), np.sort((np.arange(40) + 3 * at) % rows)) for at in range(MOST + 9)]

    assert len(scores_of(slices, rows, PerRow(np.ones(rows), share=True), ACCURACY, seed=0)) == MOST


# Rows that are alike


def blobs(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows around three directions that are far from each other, and the number of the direction."""
    random = np.random.default_rng(0)
    of = random.integers(0, 3, rows)
    return (4 * np.eye(8)[of] + 0.3 * random.normal(size=(rows, 8))).astype(np.float32), of


def test_clusters_are_the_same_whenever_they_are_asked_for_and_cut_no_blob_with_another() -> None:
    features, of = blobs(300)

    found = clusters_of(features, seed=0)

    assert (found == clusters_of(features, seed=0)).all()
    assert len(np.unique(found)) > 1
    together = [len(set(of[found == cluster])) for cluster in np.unique(found)]
    assert together.count(1) >= len(together) - 1, "at most one cluster holds two blobs"


def test_too_few_rows_and_rows_that_are_all_alike_are_one_cluster() -> None:
    assert set(clusters_of(blobs(70)[0], seed=0)) == {0}
    assert set(clusters_of(np.ones((400, 4)), seed=0)) == {0}


def test_words_name_a_cluster_by_what_is_frequent_there_and_not_elsewhere() -> None:
    about = (["refund", "money"], ["parcel", "courier"])
    of = np.arange(80) % 2
    texts = [
        f"The {about[own][0]} and my {about[own][1]} is a {'guitar' if row % 3 else 'case'}"
        for row, own in enumerate(of)
    ]

    assert telling_words(texts, of, 0) == ["money", "refund"]
    assert telling_words(texts, of, 1) == ["courier", "parcel"]
    assert telling_words(["the same"] * 80, of, 0) == []
