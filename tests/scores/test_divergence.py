"""How far models are apart: closed forms, and second ways to the same numbers."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import softmax
from scipy.stats import entropy, ortho_group

from luthier.scores.divergence import NEAR, kl_divergence, linear_cka, neighbour_logs


def drawn(rows: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, width))


def test_kl_is_that_of_the_definition_and_of_scipy() -> None:
    fair, bent = np.log([[0.5, 0.5]]), np.log([[0.25, 0.75]])

    assert kl_divergence(fair, bent) == pytest.approx([0.5 * np.log(2) + 0.5 * np.log(2 / 3)])
    assert kl_divergence(bent, fair) == pytest.approx([0.25 * np.log(0.5) + 0.75 * np.log(1.5)])
    one, other = softmax(drawn(5, 7), axis=1), softmax(drawn(5, 7, seed=1), axis=1)
    assert kl_divergence(np.log(one), np.log(other)) == pytest.approx(entropy(one, other, axis=1))


def test_an_outcome_that_cannot_be_adds_nothing_and_one_that_no_longer_can_be_is_infinitely_far() -> None:
    with np.errstate(divide="ignore"):
        sure, fair = np.log([[1.0, 0.0]]), np.log([[0.5, 0.5]])

    assert kl_divergence(sure, fair) == pytest.approx([np.log(2)])
    assert kl_divergence(sure, sure) == pytest.approx([0.0])
    assert np.isinf(kl_divergence(fair, sure)).all()


def test_neighbours_are_picked_by_the_softmax_of_cosines_over_the_other_rows() -> None:
    features = drawn(6, 4)
    cosines = 1 - cdist(features, features, "cosine")

    found = np.exp(neighbour_logs(features))

    for row in range(6):
        others = np.delete(np.arange(6), row)
        assert found[row, row] == 0
        assert found[row, others] == pytest.approx(softmax(cosines[row, others] / NEAR))


def test_features_that_were_turned_and_scaled_have_the_same_neighbours() -> None:
    features = drawn(40, 8)
    turned = 3 * features @ ortho_group.rvs(8, random_state=0)

    assert kl_divergence(neighbour_logs(features), neighbour_logs(turned)).max() == pytest.approx(0, abs=1e-9)
    assert kl_divergence(neighbour_logs(features), neighbour_logs(drawn(40, 8, seed=1))).min() > 0.1


def test_one_row_alone_has_no_neighbour_to_be_wrong_about() -> None:
    assert kl_divergence(neighbour_logs(drawn(1, 3)), neighbour_logs(drawn(1, 3, seed=1))).tolist() == [0.0]


def test_cka_of_what_was_turned_scaled_and_moved_is_1() -> None:
    features = drawn(30, 5)
    turned = 2 * features @ ortho_group.rvs(5, random_state=0) + 7

    assert linear_cka(features, turned) == pytest.approx(1)


def test_cka_of_features_that_have_nothing_in_common_is_0() -> None:
    wave = 2 * np.pi * np.arange(12) / 12

    assert linear_cka(np.sin(wave)[:, None], np.cos(wave)[:, None]) == pytest.approx(0, abs=1e-12)


def test_cka_is_the_papers_by_centred_gram_matrices() -> None:
    one, other = drawn(25, 6), drawn(25, 9, seed=1) + drawn(25, 6).sum(1, keepdims=True)
    centring = np.eye(25) - 1 / 25

    def hsic(first: np.ndarray, second: np.ndarray) -> float:
        grams = [centring @ values @ values.T @ centring for values in (first, second)]
        return float(np.trace(grams[0] @ grams[1])) / 24**2

    expected = hsic(one, other) / np.sqrt(hsic(one, one) * hsic(other, other))

    assert linear_cka(one, other) == pytest.approx(expected)


def test_cka_of_features_that_do_not_vary_is_known_only_where_both_do_not() -> None:
    still = np.ones((4, 2))

    assert (linear_cka(still, 3 * still), linear_cka(still, drawn(4, 2))) == (1.0, 0.0)
