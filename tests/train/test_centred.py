"""The probe of few rows is pulled to the labels' words, and is the plain one where rows are many."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from luthier.arrays import Array, Ints
from luthier.train.probe.centred import USUAL, Setting, fit_centred, folds_for, log_losses
from luthier.train.probe.folds import stratified_folds
from luthier.train.probe.probe import EXACT, Regression


def rows(count: int, noise: float = 0.3, seed: int = 0) -> tuple[Array, Ints, Array]:
    """Rows of length one around one of three directions, their labels, and these directions."""
    dice = np.random.default_rng(seed)
    words = np.linalg.qr(dice.standard_normal((8, 3)))[0].T
    labels = np.arange(count) % 3
    found = words[labels] + noise * dice.standard_normal((count, 8))
    return found / np.linalg.norm(found, axis=1, keepdims=True), labels, words


def accuracy(logits: Array, labels: Ints) -> float:
    return float((logits.argmax(1) == labels).mean())


def test_a_pull_to_a_centre_is_a_plain_pull_on_logits_that_begin_there() -> None:
    features, labels, words = rows(30)
    centre = 4 * words
    weight, bias = Regression(features, labels, 3, centre).solve(2.0, EXACT)

    # The gradient of the penalised loss, written out, is zero there.
    logits = features @ weight.T + bias
    chances = np.exp(logits - logits.max(1, keepdims=True))
    error = chances / chances.sum(1, keepdims=True) - np.eye(3)[labels]
    slope = error.T @ features / 30 + (weight - centre) / (2.0 * 30)
    assert np.abs(slope).max() < 1e-4
    assert np.abs(error.mean(0)).max() < 1e-4


def test_without_words_it_is_scikit_learns_logistic_regression() -> None:
    features, labels, _ = rows(60)
    found = fit_centred(features, labels, None, 3, folds=None).probe
    theirs = LogisticRegression(C=USUAL.strength, tol=1e-8, max_iter=2000).fit(features, labels)
    ours = features @ found.weight.T + found.bias
    assert log_losses(ours, labels).mean() == pytest.approx(
        log_losses(theirs.decision_function(features), labels).mean(), abs=1e-4
    )


def test_one_row_a_label_leaves_the_words_a_say() -> None:
    features, labels, words = rows(3, noise=1.0)
    asked, known, _ = rows(300, noise=0.5, seed=1)
    _, _, same = rows(3, seed=1)
    with_words = fit_centred(features, labels, same, 3, folds=None).probe
    without = fit_centred(features, labels, None, 3, folds=None).probe
    assert accuracy(with_words.logits(asked), known) > accuracy(without.logits(asked), known)
    assert words.shape == same.shape


def test_words_that_mislead_are_given_up_where_rows_say_so() -> None:
    features, labels, words = rows(90)
    folds = folds_for(labels, seed=0)
    wrong = fit_centred(features, labels, np.roll(words, 1, axis=0), 3, folds)
    right = fit_centred(features, labels, words, 3, folds)
    assert wrong.setting.sharpness == 0.0
    assert right.setting.sharpness >= USUAL.sharpness
    assert accuracy(wrong.probe.logits(features), labels) > 0.9


def test_of_few_rows_the_usual_setting_is_kept_unless_much_speaks_against_it() -> None:
    features, labels, words = rows(6)
    found = fit_centred(features, labels, words, 3, folds_for(labels, seed=0))
    assert found.setting == USUAL
    assert Setting(20.0, 100.0).doubt > Setting(10.0, 10.0).doubt > USUAL.doubt == 0.0


def test_held_out_logits_are_of_heads_that_did_not_see_the_row() -> None:
    features, labels, words = rows(12)
    folds = folds_for(labels, seed=0)
    assert folds is not None
    before = fit_centred(features, labels, words, 3, folds)
    assert before.held_out is not None
    held = np.flatnonzero(folds == 0)
    alone = Regression(features[folds != 0], labels[folds != 0], 3, before.setting.sharpness * words).solve(
        before.setting.strength, EXACT
    )
    scale = np.linalg.norm(features, axis=1).mean()
    np.testing.assert_allclose(
        before.held_out[held], features[held] / scale @ alone[0].T + alone[1], atol=0.1
    )


def test_the_one_row_of_a_label_is_always_learnt() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    folds = folds_for(labels, seed=0)
    assert folds is not None
    assert folds[5] == -1
    assert sorted(set(folds[:5])) == [0, 1, 2]
    assert folds_for(np.array([0, 1, 2]), seed=0) is None


def test_rows_that_go_together_are_held_out_together() -> None:
    labels = np.repeat([0, 1], 10)
    clusters = np.arange(20) // 2
    folds = stratified_folds(labels, 3, seed=0, clusters=clusters)
    assert all(len(set(folds[clusters == one])) == 1 for one in clusters)
    for label in (0, 1):
        counts = np.bincount(folds[labels == label])
        assert counts.max() - counts.min() <= 2
