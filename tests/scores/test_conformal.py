"""Sets and bounds hold the truth as often as they promise: against the definition, a plain reference and simulation."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import special, stats

from luthier.arrays import Array
from luthier.scores.conformal import FEWEST_OF_A_LABEL, LabelSets, conformal_bound, fewest_rows


def drawn(rows: int, classes: int, seed: int, sharper: float = 1.0) -> tuple[Array, Array]:
    """Probabilities of a model that is `sharper` times too sure, and labels."""
    random = np.random.default_rng(seed)
    logits = 1.5 * random.normal(size=(rows, classes))
    cumulated = special.softmax(logits, axis=1).cumsum(axis=1)
    labels = np.minimum((cumulated < random.random((rows, 1))).sum(axis=1), classes - 1)
    return special.softmax(sharper * logits, axis=1), labels


def of_truth(probabilities: Array, labels: Array) -> Array:
    found: Array = probabilities[np.arange(len(labels)), labels]
    return found


@pytest.mark.parametrize("error", [0.01, 0.05, 0.1, 0.25, 0.45])
@pytest.mark.parametrize("rows", [1, 5, 19, 99, 100, 101])
def test_the_bound_is_the_quantile_with_the_correction_for_few_rows(rows: int, error: float) -> None:
    scores = np.random.default_rng(rows).normal(size=rows)
    place = math.ceil((rows + 1) * (1 - Fraction(str(error))))

    found = conformal_bound(scores, error)

    assert found == (math.inf if place > rows else sorted(scores)[place - 1])


@pytest.mark.parametrize("error", [0.01, 0.05, 0.1, 0.2, 1 / 3])
def test_the_fewest_rows_are_those_from_which_there_is_a_bound(error: float) -> None:
    least = fewest_rows(error)

    assert math.isfinite(conformal_bound(np.arange(float(least)), error))
    assert math.isinf(conformal_bound(np.arange(float(least - 1)), error))


def test_coverage_over_many_draws_is_what_is_promised_though_the_model_is_far_too_sure() -> None:
    probabilities, labels = drawn(4_000, 6, seed=0, sharper=3.0)
    truth, random, covered = of_truth(probabilities, labels), np.random.default_rng(1), []
    for _ in range(200):
        order = random.permutation(4_000)
        known, new = order[:99], order[99:]
        sets = LabelSets.fitted(truth[known], labels[known], 6, 0.1)
        assert sets is not None
        covered.append(of_truth(sets.of(probabilities[new]), labels[new]).mean())

    assert np.mean(covered) == pytest.approx(0.9, abs=0.01)
    assert np.std(covered) == pytest.approx(stats.beta(90, 10).std(), rel=0.25)


def test_with_enough_rows_of_each_label_each_label_is_covered() -> None:
    probabilities, labels = drawn(20_000, 3, seed=2)
    probabilities = probabilities * [1.0, 0.3, 0.1]  # the third label is rarely thought of
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    truth = of_truth(probabilities, labels)

    few = LabelSets.fitted(truth[:120], labels[:120], 3, 0.1)
    many = LabelSets.fitted(truth[:2_000], labels[:2_000], 3, 0.1)

    assert few is not None
    assert many is not None
    assert (few.by_label, many.by_label) == (False, True)
    held = of_truth(many.of(probabilities[2_000:]), labels[2_000:])
    for label in range(3):
        assert held[labels[2_000:] == label].mean() > 0.87


def test_one_label_with_few_rows_leaves_one_bound_for_all() -> None:
    labels = np.repeat([0, 1], [200, FEWEST_OF_A_LABEL - 1])
    sets = LabelSets.fitted(np.random.default_rng(0).random(len(labels)), labels, 2, 0.1)

    assert sets is not None
    assert not sets.by_label
    assert sets.lowest[0] == sets.lowest[1]


def test_too_few_rows_make_no_set() -> None:
    assert LabelSets.fitted(np.full(8, 0.9), np.zeros(8, np.int64), 2, 0.1) is None
    assert LabelSets.fitted(np.full(9, 0.9), np.zeros(9, np.int64), 2, 0.1) is not None


def test_no_set_is_empty() -> None:
    sets = LabelSets(np.array([0.9, 0.9, 0.9]), by_label=False)

    assert sets.of(np.array([[0.4, 0.35, 0.25], [0.02, 0.95, 0.03]])).tolist() == [
        [True, False, False],
        [False, True, False],
    ]


def test_least_ambiguous_sets_hold_no_more_labels_than_adaptive_ones() -> None:
    """Adaptive sets (Romano et al. 2020, arXiv:2006.02544) as the plain reference: labels by probability, until enough."""
    probabilities, labels = drawn(6_000, 8, seed=3)
    known, new = slice(0, 1_000), slice(1_000, None)
    sets = LabelSets.fitted(of_truth(probabilities, labels)[known], labels[known], 8, 0.1)
    assert sets is not None

    def adaptive(of: Array) -> Array:
        order = np.argsort(-of, axis=1)
        sums = np.take_along_axis(of, order, axis=1).cumsum(axis=1)
        found = np.zeros_like(of)
        np.put_along_axis(found, order, sums, axis=1)
        return found

    sums = adaptive(probabilities)
    bound = conformal_bound(of_truth(sums, labels)[known], 0.1)
    ours, theirs = sets.of(probabilities[new]), sums[new] <= bound

    assert of_truth(ours, labels[new]).mean() == pytest.approx(0.9, abs=0.015)
    assert of_truth(theirs, labels[new]).mean() == pytest.approx(0.9, abs=0.015)
    assert ours.sum(axis=1).mean() < theirs.sum(axis=1).mean()
