"""Calibration is kept where it helps: held-out log loss against a plain loop, and over many small sets."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats
from sklearn.metrics import log_loss

from luthier import seeds
from luthier.scores import classification, multilabel
from luthier.scores.calibration import apply_temperature, fit_temperature, sigmoid, softmax
from luthier.scores.calibration_gain import FOLDS, Gain, platt_gain, temperature_gain
from luthier.scores.evidence import Classified
from luthier.scores.measures import Measure
from luthier.scores.metrics import METRICS
from luthier.tasks.calibration import Calibration


def drawn(
    rows: int, seed: int, sharper: float = 1.0, classes: int = 5
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits that are `sharper` times those that the labels were drawn from."""
    random = np.random.default_rng(seed)
    logits = 1.7 * random.normal(size=(rows, classes))
    cumulated = special.softmax(logits, axis=1).cumsum(axis=1)
    labels = (cumulated < random.random((rows, 1))).sum(axis=1)
    return sharper * logits, np.minimum(labels, classes - 1)


def test_the_gain_is_that_of_a_plain_loop_over_folds() -> None:
    logits, labels = drawn(83, seed=0, sharper=1.5)
    folds = seeds.generator(0, "calibration folds").permutation(83) % FOLDS

    gain = temperature_gain(logits, labels)

    gains = np.zeros(83)
    for fold in range(FOLDS):
        held = folds == fold
        temperature = fit_temperature(logits[~held], labels[~held])
        for row in np.flatnonzero(held):
            plain, mended = special.log_softmax(logits[row]), special.log_softmax(logits[row] / temperature)
            gains[row] = mended[labels[row]] - plain[labels[row]]
    assert gain.value == pytest.approx(gains.mean())
    assert gain.error == pytest.approx(stats.sem(gains))


def test_what_helps_is_more_than_noise() -> None:
    assert Gain(0.02, 0.01).helps
    assert not Gain(0.01, 0.02).helps
    assert not Gain(-0.02, 0.01).helps


def test_an_overconfident_model_is_mended_and_a_calibrated_one_is_left_alone() -> None:
    assert temperature_gain(*drawn(150, seed=1, sharper=3.0)).helps
    assert not temperature_gain(*drawn(150, seed=1)).helps


def test_over_twenty_small_sets_what_is_kept_is_no_worse_than_nothing_beyond_noise() -> None:
    """One of twenty tests at two standard errors fails by chance."""
    gained, worse = [], []
    for at in range(20):
        rows, sharper = (50, 100, 200, 300)[at % 4], (1.0, 1.2, 1.5, 2.5, 0.7)[at % 5]
        logits, labels = drawn(rows + 2_000, at, sharper)
        kept = temperature_gain(logits[:rows], labels[:rows]).helps
        temperature = fit_temperature(logits[:rows], labels[:rows]) if kept else 1.0
        losses = [
            classification.log_loss_per_row(apply_temperature(logits[rows:], how), labels[rows:])
            for how in (temperature, 1.0)
        ]
        lost = losses[0] - losses[1]
        gained.append(-lost.mean())
        worse.append(lost.mean() > 2 * stats.sem(lost))
    assert sum(worse) <= 1
    assert np.mean(gained) > 0.05


def test_units_of_one_row_are_held_out_together_and_count_as_one_in_the_error() -> None:
    logits, labels = drawn(60, seed=3, sharper=2.0)
    times = 4
    rows_of = np.repeat(np.arange(60), times)

    once = temperature_gain(logits, labels)
    again = temperature_gain(np.repeat(logits, times, axis=0), np.repeat(labels, times), rows_of)

    assert again.value == pytest.approx(once.value)
    assert again.error == pytest.approx(once.error)


def test_lines_of_several_labels_are_kept_where_they_help() -> None:
    random = np.random.default_rng(0)
    logits = 1.5 * random.normal(size=(200, 3))
    truth = (random.random((200, 3)) < special.expit(logits)).astype(np.float32)

    assert not platt_gain(logits, truth).helps
    assert platt_gain(4 * logits, truth).helps


def test_one_row_gains_nothing() -> None:
    assert not temperature_gain(np.array([[1.0, 0.0]]), np.array([1])).helps


def test_a_calibration_that_does_not_help_is_a_plain_one_that_says_so() -> None:
    fitted = Calibration(temperature=1.4)

    kept, left = fitted.only_where(Gain(0.02, 0.01)), fitted.only_where(Gain(0.01, 0.02))

    assert (kept.temperature, kept.gain_record()["kept"]) == (1.4, True)
    assert (left.temperature, left.gain_record()["kept"]) == (1.0, False)
    assert Calibration().gain_record() == {}
    assert Calibration.from_json(json.loads(json.dumps(left.to_json()))) == left


def test_log_losses_are_those_of_scikit_learn() -> None:
    logits, labels = drawn(50, seed=0)

    assert classification.log_loss(softmax(logits), labels) == pytest.approx(
        log_loss(labels, softmax(logits))
    )


# The calibration error as a metric


@pytest.mark.parametrize("many", [False, True])
def test_the_calibration_error_as_a_metric_is_that_of_the_diagram_on_any_rows(many: bool) -> None:
    logits, labels = drawn(300, seed=2)
    targets = np.eye(5)[labels] if many else labels
    probabilities = sigmoid(logits) if many else softmax(logits)
    found = Classified(targets, probabilities.argmax(axis=1), 5, probabilities)
    module = multilabel if many else classification

    measure = METRICS["ece"].measures["text-classification"](found)

    rows = np.random.default_rng(0).integers(300, size=300)
    assert measure.value == pytest.approx(module.expected_calibration_error(probabilities, targets))
    assert measure.of(rows) == pytest.approx(
        module.expected_calibration_error(probabilities[rows], targets[rows])
    )
    estimate = measure.estimate(seed=0)
    assert estimate.low <= estimate.value <= estimate.high


@pytest.mark.parametrize("sharper", [1.0, 1.5, 2.5])
def test_the_interval_of_a_calibration_error_holds_the_true_one_though_few_rows_raise_it(
    sharper: float,
) -> None:
    """A calibrated model has no error, and all that few rows show of one is chance. Percentiles, which add as much chance again,
    would hold the zero in none of these draws."""
    true = ece_of(*drawn(200_000, seed=99, sharper=sharper)).value if sharper != 1 else 0.0

    found = [ece_of(*drawn(200, seed, sharper)).estimate(seed) for seed in range(20)]

    assert np.mean([one.low <= true <= one.high for one in found]) >= 0.9


def ece_of(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> Measure:
    probabilities = softmax(logits)
    return METRICS["ece"].measures["text-classification"](
        Classified(labels, probabilities.argmax(axis=1), 5, probabilities)
    )
