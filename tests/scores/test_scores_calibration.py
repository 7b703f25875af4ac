"""Temperature, Platt's lines and thresholds: against known truths, scikit-learn and brute force."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, special
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from luthier.scores import classification
from luthier.scores.calibration import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    apply_platt,
    apply_temperature,
    fit_platt_per_label,
    fit_temperature,
    sigmoid,
    softmax,
)
from luthier.scores.thresholds import Thresholds, apply_thresholds, best_thresholds

Drawn = tuple[NDArray[Any], NDArray[Any]]
"""Logits, and the labels drawn from them."""


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def drawn(random: np.random.Generator) -> Drawn:
    """Logits, and labels drawn from their very softmax: a model that is calibrated already."""
    logits = 2 * random.normal(size=(20_000, 5))
    labels = (special.softmax(logits, axis=1).cumsum(axis=1) < random.random((20_000, 1))).sum(axis=1)
    return logits, np.minimum(labels, 4)


def test_softmax_and_sigmoid_are_those_of_scipy_and_do_not_overflow(random: np.random.Generator) -> None:
    logits = 300 * random.normal(size=(50, 6)).astype(np.float32)

    assert softmax(logits) == pytest.approx(special.softmax(logits.astype(np.float64), axis=1), rel=1e-12)
    assert sigmoid(logits) == pytest.approx(special.expit(logits.astype(np.float64)), rel=1e-12)
    assert softmax(logits).dtype == sigmoid(logits).dtype == np.float64


@pytest.mark.parametrize("known", [0.3, 1.0, 1.7, 8.0])
def test_logits_that_were_scaled_by_a_temperature_give_it_back(drawn: Drawn, known: float) -> None:
    logits, labels = drawn

    assert fit_temperature(logits * known, labels) == pytest.approx(known, rel=0.03)


def test_the_slope_of_the_log_loss_is_zero_at_the_fitted_temperature(
    drawn: Drawn,
) -> None:
    logits, labels = drawn[0][:500], drawn[1][:500]

    found = fit_temperature(logits, labels)

    def loss(temperature: float) -> float:
        return classification.log_loss(apply_temperature(logits, temperature), labels)

    assert (loss(found + 1e-4) - loss(found - 1e-4)) / 2e-4 == pytest.approx(0, abs=1e-6)
    best = optimize.minimize_scalar(loss, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-9})
    assert found == pytest.approx(best.x, abs=1e-5)


def test_temperature_mends_an_overconfident_model_and_changes_no_answer(
    drawn: Drawn,
) -> None:
    logits, labels = 4 * drawn[0], drawn[1]

    calibrated = apply_temperature(logits, fit_temperature(logits, labels))

    assert classification.expected_calibration_error(softmax(logits), labels) > 0.2
    assert classification.expected_calibration_error(calibrated, labels) < 0.02
    assert (calibrated.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_temperature_ignores_what_softmax_ignores(drawn: Drawn, random: np.random.Generator) -> None:
    logits, labels = drawn[0][:300], drawn[1][:300]
    shift = 100 * random.normal(size=(300, 1))

    assert fit_temperature(logits + shift, labels) == pytest.approx(fit_temperature(logits, labels))


def test_logits_against_the_truth_get_the_highest_temperature() -> None:
    logits = np.array([[3.0, 0.0], [0.0, 3.0]])

    assert fit_temperature(logits, np.array([1, 0])) == HIGHEST_TEMPERATURE


def test_tiny_logits_get_the_lowest_temperature(drawn: Drawn) -> None:
    logits, labels = drawn

    assert fit_temperature(logits * 1e-4, labels) == LOWEST_TEMPERATURE


def test_rows_all_right_give_the_confidence_of_the_rule_of_succession() -> None:
    # Alike rows of two classes: smoothing gives the truth the share 1 - 1/2 of one row in n + 2.
    for rows in (8, 98, 998):
        logits = np.tile([5.0, 1.0], (rows, 1))
        labels = np.zeros(rows, int)

        confidence = apply_temperature(logits, fit_temperature(logits, labels))[0, 0]

        assert confidence == pytest.approx(1 - 0.5 / (rows + 2))


def test_logits_all_alike_keep_temperature_one() -> None:
    assert fit_temperature(np.full((4, 3), 2.0), np.array([0, 1, 2, 0])) == 1.0


def test_logits_that_are_not_finite_are_our_own_bug() -> None:
    with pytest.raises(AssertionError, match="logits must be finite"):
        fit_temperature(np.array([[0.0, -np.inf]]), np.array([0]))
    with pytest.raises(AssertionError, match="logits must be finite"):
        fit_platt_per_label(np.array([[np.nan]]), np.array([[1]]))


def test_platts_lines_are_the_logistic_regression_on_smoothed_truth(random: np.random.Generator) -> None:
    logits = random.normal(size=(200, 3)) * [1, 10, 0.01] + [0, 50, 0]
    truth = random.random((200, 3)) < special.expit((logits - [0, 50, 0]) * [2, 0.1, 50] - 1)

    found = fit_platt_per_label(logits, truth)

    assert found.unfit == ()
    for label in range(3):
        # Scikit-learn knows no soft truth: each row is given twice, weighted by its shares of yes and no.
        n = truth[:, label].sum()
        soft = np.where(truth[:, label], (n + 1) / (n + 2), 1 / (200 - n + 2))
        spread = logits[:, label].std()
        column = ((logits[:, [label]] - logits[:, label].mean()) / spread).repeat(2, axis=0)
        weights = np.stack([soft, 1 - soft], axis=1).ravel()
        model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10)
        model.fit(column, np.tile([1, 0], 200), sample_weight=weights)
        assert apply_platt(logits, found)[:, label] == pytest.approx(
            model.predict_proba(column[::2])[:, 1], abs=1e-6
        )


def test_platts_lines_give_back_the_line_the_truth_was_drawn_from(random: np.random.Generator) -> None:
    logits = 3 * random.normal(size=(20_000, 2))
    truth = random.random((20_000, 2)) < special.expit(logits * [0.5, 1.5] + [-1, 0.3])

    found = fit_platt_per_label(logits, truth)

    assert found.scale == pytest.approx((0.5, 1.5), rel=0.05)
    assert found.bias == pytest.approx((-1, 0.3), abs=0.1)


def test_a_label_separated_perfectly_gets_a_finite_line() -> None:
    logits = np.array([[-2.0], [-1.0], [1.0], [2.0]])

    found = fit_platt_per_label(logits, np.array([[0], [0], [1], [1]]))

    probabilities = apply_platt(logits, found)[:, 0]
    assert found.unfit == ()
    assert math.isfinite(found.scale[0])
    # The slope along the bias is zero: the mean probability is the mean of the smoothed truth.
    assert probabilities.mean() == pytest.approx(0.5)
    assert probabilities[3] < 0.95


def test_labels_that_cannot_be_fitted_are_left_as_they_were_and_named() -> None:
    truth = np.array([[0, 1, 0, 0, 0], [0, 1, 0, 1, 1], [0, 1, 1, 0, 1], [0, 1, 1, 0, 0]])
    logits = np.array([[1, 1, -2, 2, 0.1], [2, 3, -1, -1, 0.1], [3, 1, 1, 0, 0.1], [4, 0, 2, 1, 0.1]], float)

    found = fit_platt_per_label(logits, truth)

    # Never present, always present, fitted, logits against the truth, logits all alike.
    assert found.unfit == (0, 1, 3, 4)
    assert [(found.scale[label], found.bias[label]) for label in found.unfit] == [(1.0, 0.0)] * 4
    assert found.scale[2] > 0
    assert np.isfinite(apply_platt(logits, found)).all()
    assert found.to_json()["unfit"] == [0, 1, 3, 4]


def test_thresholds_have_the_highest_f1_of_all_that_there_are(random: np.random.Generator) -> None:
    for scores in (random.random((60, 6)), random.integers(0, 5, (60, 6)) / 4):  # without and with ties
        truth = random.random((60, 6)) < 0.1 + 0.5 * scores

        found = best_thresholds(scores, truth)

        answers = apply_thresholds(scores, found)
        for label in range(6):
            tried = [f1_score(truth[:, label], scores[:, label] >= cut) for cut in scores[:, label]]
            assert f1_score(truth[:, label], answers[:, label]) == max(tried)


def test_a_threshold_is_one_half_where_nothing_is_gained_by_another() -> None:
    scores = np.array([[0.9], [0.8], [0.3], [0.1]])

    assert best_thresholds(scores, np.array([[1], [1], [0], [0]])).values == (0.5,)


def test_of_thresholds_equally_good_the_one_nearest_to_one_half_is_taken() -> None:
    # F1 is 2/3 for the first row alone (threshold 0.8) and for the first four (threshold 0.35).
    scores = np.array([[0.9], [0.7], [0.6], [0.4], [0.3]])
    truth = np.array([[1], [0], [0], [1], [0]])

    assert best_thresholds(scores, truth).values == pytest.approx((0.35,))


def test_a_label_that_no_row_has_keeps_one_half_and_is_named() -> None:
    found = best_thresholds(np.array([[0.9, 0.1], [0.2, 0.3]]), np.array([[0, 1], [0, 1]]))

    assert found == Thresholds((0.5, 0.05), (0,))
    assert found.to_json() == {"values": [0.5, 0.05], "unfit": [0]}


def test_a_threshold_between_neighbouring_floats_still_parts_them() -> None:
    # Two pairs, because the middle is rounded up in one and down in the other.
    first, second, third = 0.3, np.nextafter(0.3, 1), np.nextafter(np.nextafter(0.3, 1), 1)
    scores = np.array([[second, third], [first, second]])

    found = best_thresholds(scores, np.array([[1, 1], [0, 0]]))

    assert apply_thresholds(scores, found).tolist() == [[True, True], [False, False]]


def test_a_score_of_zero_can_count_as_present() -> None:
    scores = np.array([[0.0], [0.0]])

    found = best_thresholds(scores, np.array([[1], [0]]))

    assert apply_thresholds(scores, found).all()
