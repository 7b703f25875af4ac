"""Scores of single-label and multi-label answers: against scikit-learn, closed forms, values by hand."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from luthier.scores import classification, multilabel

Answered = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""The truth, the answers, and the probabilities they come from."""


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def single(random: np.random.Generator) -> Answered:
    """Labels, answers that are right for two rows in three, probabilities; 7 classes of which 6 occur."""
    labels = random.integers(0, 6, 400)
    logits = random.normal(size=(400, 7)) + 2.0 * np.eye(7)[labels]
    logits[:, 6] = -20
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities.argmax(axis=1), probabilities


@pytest.fixture
def several(random: np.random.Generator) -> Answered:
    """Truth, answers and probabilities of 5 labels, the last of which occurs nowhere."""
    truth = random.random((300, 5)) < [0.5, 0.3, 0.1, 0.8, 0.0]
    probabilities = np.clip(0.6 * truth + 0.3 * random.random((300, 5)) + 0.1 * ~truth, 0, 1)
    probabilities[:, :4] = np.where(
        random.random((300, 4)) < 0.2, 1 - probabilities[:, :4], probabilities[:, :4]
    )
    return truth, probabilities >= 0.5, probabilities


def test_accuracy_confusion_and_log_loss_are_those_of_scikit_learn(
    single: Answered,
) -> None:
    labels, predicted, probabilities = single

    assert classification.accuracy(labels, predicted) == metrics.accuracy_score(labels, predicted)
    assert classification.confusion(labels, predicted, 7).tolist() == (
        metrics.confusion_matrix(labels, predicted, labels=range(7)).tolist()
    )
    assert classification.log_loss(probabilities, labels) == pytest.approx(
        metrics.log_loss(labels, probabilities, labels=range(7)), rel=1e-12
    )


def test_macro_f1_leaves_out_a_class_that_occurs_nowhere(
    single: Answered,
) -> None:
    labels, predicted, _ = single
    assert 6 not in labels
    assert 6 not in predicted

    score = classification.macro_f1(labels, predicted, classes=7)

    assert score == pytest.approx(metrics.f1_score(labels, predicted, average="macro"), rel=1e-12)


def test_macro_f1_counts_a_class_that_occurs_only_in_predictions_as_zero() -> None:
    labels, predicted = np.array([0, 0, 0]), np.array([0, 0, 1])

    # Class 0: precision 1, recall 2/3, F1 4/5. Class 1: F1 0.
    assert classification.macro_f1(labels, predicted, classes=2) == pytest.approx(0.4)


def test_scores_per_class_are_those_of_scikit_learn(
    single: Answered,
) -> None:
    labels, predicted, _ = single

    found = classification.per_class(labels, predicted, classes=7)

    expected = metrics.precision_recall_fscore_support(labels, predicted, labels=range(7), zero_division=0)
    assert [(row.precision, row.recall, row.f1, row.support) for row in found] == [
        pytest.approx(row) for row in zip(*expected, strict=True)
    ]
    assert found[6] == classification.ClassScore(precision=0.0, recall=0.0, f1=0.0, support=0)


def test_brier_sums_over_classes_and_is_that_of_scikit_learn(
    single: Answered,
) -> None:
    labels, _, probabilities = single

    score = classification.brier(probabilities, labels)

    expected = metrics.brier_score_loss(labels, probabilities, labels=range(7), scale_by_half=False)
    assert score == pytest.approx(expected, rel=1e-12)


def test_brier_of_a_certain_mistake_is_two() -> None:
    assert classification.brier(np.array([[1.0, 0.0]]), np.array([1])) == 2


def test_a_certain_mistake_costs_36_nats_also_in_half_precision() -> None:
    probabilities = np.array([[1.0, 0.0]], np.float16)

    assert classification.log_loss(probabilities, np.array([1])) == pytest.approx(52 * np.log(2))


def test_a_metric_is_the_mean_of_its_rows(
    single: Answered,
    several: Answered,
) -> None:
    labels, predicted, probabilities = single
    for name, answer in {"accuracy": predicted, "log_loss": probabilities, "brier": probabilities}.items():
        pair = (labels, answer) if name == "accuracy" else (answer, labels)
        per_row = getattr(classification, f"{name}_per_row")(*pair)
        assert per_row.shape == (400,)
        assert per_row.mean() == getattr(classification, name)(*pair)

    truth, predicted, probabilities = several
    for name, answer in {"accuracy": predicted, "log_loss": probabilities, "brier": probabilities}.items():
        pair = (truth, answer) if name == "accuracy" else (answer, truth)
        per_row = getattr(multilabel, f"{name}_per_row")(*pair)
        assert per_row.shape == (300,)
        assert per_row.mean() == getattr(multilabel, name)(*pair)


def test_calibration_error_of_four_rows_worked_by_hand() -> None:
    # Two bins: (0, 0.5] holds nothing; (0.5, 1] holds 0.6, 0.7, 0.8, 0.9, of which three are right.
    probabilities = np.array([[0.6, 0.4], [0.3, 0.7], [0.8, 0.2], [0.1, 0.9]])
    labels = np.array([0, 1, 0, 0])

    bins = classification.reliability(probabilities, labels, bins=2)

    assert (bins.counts, bins.accuracy) == ((0, 4), (0.0, 0.75))
    assert bins.confidence == pytest.approx((0.0, 0.75))
    assert classification.expected_calibration_error(probabilities, labels, bins=2) == pytest.approx(0)
    # Five bins: 0.6 alone in (0.4, 0.6]; 0.7 and 0.8 in (0.6, 0.8]; 0.9, wrong, alone in (0.8, 1].
    by_hand = (1 * 0.4 + 2 * 0.25 + 1 * 0.9) / 4
    assert classification.expected_calibration_error(probabilities, labels, bins=5) == pytest.approx(by_hand)


def test_calibration_error_is_that_of_a_plain_loop_over_bins(
    single: Answered,
) -> None:
    labels, predicted, probabilities = single
    confidence, right = probabilities.max(axis=1), predicted == labels

    expected = 0.0
    for m in range(15):
        inside = (confidence > m / 15) & (confidence <= (m + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())

    assert classification.expected_calibration_error(probabilities, labels) == pytest.approx(expected)


def test_a_confidence_on_an_edge_belongs_to_the_lower_bin() -> None:
    edges = np.array([0.0, 0.04, 0.28, 1.0])  # 0.28 * 25 is above 7 in floating point

    bins = classification.Reliability.of(edges, np.ones(4, bool), bins=25)

    assert np.repeat(range(25), bins.counts).tolist() == [0, 0, 6, 24]


def test_macro_f1_of_resamples_is_that_of_scikit_learn_on_each(
    single: Answered, random: np.random.Generator
) -> None:
    labels, predicted, _ = single
    rows = random.integers(0, 400, (5, 12))  # so few rows that classes are missing

    found = classification.resampled_macro_f1(labels, predicted, classes=7)(rows)

    expected = [metrics.f1_score(labels[each], predicted[each], average="macro") for each in rows]
    assert found == pytest.approx(expected)


def test_labels_that_are_our_own_bug_are_refused() -> None:
    with pytest.raises(AssertionError, match="a class beyond the 2 known ones"):
        classification.macro_f1(np.array([0, 2]), np.array([0, 1]), classes=2)
    with pytest.raises(AssertionError, match="a negative class"):
        classification.macro_f1(np.array([0, -1]), np.array([0, 1]), classes=2)
    with pytest.raises(AssertionError, match="2 labels and 1 predictions"):
        classification.accuracy(np.array([0, 1]), np.array([0]))
    with pytest.raises(AssertionError, match="no row to score"):
        classification.accuracy(np.array([], int), np.array([], int))


def test_multi_label_scores_are_those_of_scikit_learn(
    several: Answered,
) -> None:
    truth, predicted, probabilities = several
    occurring = slice(0, 4)

    assert multilabel.accuracy(truth, predicted) == metrics.accuracy_score(truth, predicted)
    assert multilabel.macro_f1(truth, predicted) == pytest.approx(
        metrics.f1_score(truth[:, occurring], predicted[:, occurring], average="macro")
    )
    assert multilabel.micro_f1(truth, predicted) == pytest.approx(
        metrics.f1_score(truth, predicted, average="micro")
    )
    assert multilabel.log_loss(probabilities, truth) == pytest.approx(
        np.mean([metrics.log_loss(truth[:, k], probabilities[:, k], labels=[0, 1]) for k in range(5)])
    )
    assert multilabel.brier(probabilities, truth) == pytest.approx(
        np.mean([metrics.mean_squared_error(truth[:, k], probabilities[:, k]) for k in range(5)])
    )


def test_multi_label_scores_per_label_are_those_of_scikit_learn(
    several: Answered,
) -> None:
    truth, predicted, _ = several

    found = multilabel.per_class(truth, predicted)

    expected = metrics.precision_recall_fscore_support(truth, predicted, zero_division=0)
    assert [(row.precision, row.recall, row.f1, row.support) for row in found] == [
        pytest.approx(row) for row in zip(*expected, strict=True)
    ]


def test_multi_label_f1_of_resamples_is_that_of_scikit_learn_on_each(
    several: Answered, random: np.random.Generator
) -> None:
    truth, predicted, _ = (each[:, :4] for each in several)
    rows = random.integers(0, 300, (4, 60))

    macro = multilabel.resampled_macro_f1(truth, predicted)(rows)
    micro = multilabel.resampled_micro_f1(truth, predicted)(rows)

    assert macro == pytest.approx([metrics.f1_score(truth[r], predicted[r], average="macro") for r in rows])
    assert micro == pytest.approx([metrics.f1_score(truth[r], predicted[r], average="micro") for r in rows])


def test_multi_label_truth_may_be_zeros_and_ones(
    several: Answered,
) -> None:
    truth, predicted, probabilities = several
    ones, answers = truth.astype(int), predicted.astype(int)

    assert multilabel.accuracy(ones, answers) == multilabel.accuracy(truth, predicted)
    assert multilabel.macro_f1(ones, answers) == multilabel.macro_f1(truth, predicted)
    assert multilabel.log_loss(probabilities, ones) == multilabel.log_loss(probabilities, truth)
    assert multilabel.brier(probabilities, ones) == multilabel.brier(probabilities, truth)
    assert multilabel.reliability(probabilities, ones) == multilabel.reliability(probabilities, truth)


def test_multi_label_without_any_label_scores_zero_f1_and_full_accuracy() -> None:
    nothing = np.zeros((3, 2), bool)

    assert multilabel.macro_f1(nothing, nothing) == multilabel.micro_f1(nothing, nothing) == 0
    assert multilabel.accuracy(nothing, nothing) == 1


def test_multi_label_reliability_compares_probability_with_presence() -> None:
    # A label given 0.2 four times and present once; another given 1.0 and present.
    probabilities = np.array([[0.2, 0.2, 1.0], [0.2, 0.2, 1.0]])
    truth = np.array([[1, 0, 1], [0, 0, 1]])

    bins = multilabel.reliability(probabilities, truth, bins=4)

    assert bins.to_json() == {
        "counts": [4, 0, 0, 2],
        "confidence": [0.2, 0.0, 0.0, 1.0],
        "accuracy": [0.25, 0.0, 0.0, 1.0],
    }
    assert multilabel.expected_calibration_error(probabilities, truth, bins=4) == pytest.approx(4 / 6 * 0.05)


def test_multi_label_shapes_that_differ_are_refused() -> None:
    with pytest.raises(AssertionError, match=r"truth has shape \(2, 3\), what is judged by it \(2, 2\)"):
        multilabel.macro_f1(np.zeros((2, 3), bool), np.zeros((2, 2), bool))
