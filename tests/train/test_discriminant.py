"""The probe of few rows whose labels are no texts is linear discriminant analysis, with the nearest class mean at its one end."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import NearestCentroid

from luthier.arrays import Array, Ints
from luthier.train.probe.centred import folds_for, log_losses
from luthier.train.probe.discriminant import (
    CLASS_MEANS,
    DISCRIMINANTS,
    SHARPNESSES,
    SHRINKAGES,
    Classes,
    Family,
    HeldOutRows,
    Whitening,
    discriminant_seconds,
    fit_discriminant,
)

WIDTH, LABELS = 12, 3


def rows(count: int, seed: int = 0, uneven: bool = False) -> tuple[Array, Ints]:
    """Rows around the mean of each label, far from zero, that scatter more in some directions than in others."""
    dice = np.random.default_rng(seed)
    means = np.random.default_rng(99).standard_normal((LABELS, WIDTH))
    labels = np.arange(count) % LABELS
    if uneven:
        labels = np.where(np.arange(count) % 5, 0, labels)
    scatter = dice.standard_normal((count, WIDTH)) * np.linspace(0.2, 2.5, WIDTH)
    return (means[labels] + scatter + 7).astype(np.float32), labels


def units(features: Array, learnt: Array) -> tuple[Array, Array]:
    """Features as they are learnt from and as they are asked: without the mean, and of length one, or of that on the mean."""
    moved = features - learnt.mean(0)
    length = np.linalg.norm(learnt - learnt.mean(0), axis=1).mean()
    return moved / np.linalg.norm(moved, axis=1, keepdims=True), moved / length


def fixed(shrinkage: float, sharpness: float = 8.0, frequencies: bool = True) -> Family:
    return Family((shrinkage,), Whitening(shrinkage, sharpness), frequencies)


def accuracy(logits: Array, labels: Ints) -> float:
    return float((logits.argmax(1) == labels).mean())


def mean_variance(features: Array, labels: Ints) -> float:
    """The variance within classes of rows of length one, on the mean over all directions."""
    own, _ = units(features, features)
    apart = own - np.stack([own[labels == at].mean(0) for at in range(LABELS)])[labels]
    return float((apart**2).mean())


# The same answers as scikit-learn's


def test_class_means_are_scikit_learns_nearest_centroid() -> None:
    features, labels = rows(40, uneven=True)
    asked, _ = rows(300, seed=1)

    ours = fit_discriminant(features, labels, LABELS, None, CLASS_MEANS).probe.logits(asked)

    theirs = NearestCentroid().fit(units(features, features)[0], labels)
    assert (ours.argmax(1) == theirs.predict(units(asked, features)[1])).all()


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("shrinkage", SHRINKAGES)
def test_discriminants_have_the_logits_of_scikit_learns(shrinkage: float, uneven: bool) -> None:
    """At the sharpness at which the covariance stands as it was found; ours is measured in its mean variance."""
    features, labels = rows(40, uneven=uneven)
    asked, _ = rows(300, seed=1)
    sharpness = 1 / mean_variance(features, labels)

    ours = fit_discriminant(features, labels, LABELS, None, fixed(shrinkage, sharpness)).probe.logits(asked)

    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
    theirs.fit(units(features, features)[0], labels)
    expected = theirs.decision_function(units(asked, features)[1])
    assert np.abs(ours - expected).max() < 1e-3 * np.abs(expected).max()
    assert (ours.argmax(1) == expected.argmax(1)).all()


def test_fewer_rows_than_directions_are_no_hindrance() -> None:
    features, labels = rows(6)
    asked, _ = rows(100, seed=1)
    sharpness = 1 / mean_variance(features, labels)

    ours = fit_discriminant(features, labels, LABELS, None, fixed(0.5, sharpness)).probe.logits(asked)

    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5).fit(
        units(features, features)[0], labels
    )
    expected = theirs.decision_function(units(asked, features)[1])
    assert np.abs(ours - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("shrinkage", [0.1, 0.7])
def test_it_is_the_nearest_class_mean_of_whitened_features(shrinkage: float) -> None:
    features, labels = rows(60)
    asked, _ = rows(300, seed=1)
    (own, _), (_, put) = units(features, features), units(asked, features)
    apart = own - np.stack([own[labels == at].mean(0) for at in range(LABELS)])[labels]
    within = apart.T @ apart / len(own)
    shrunk = (1 - shrinkage) * within + shrinkage * np.trace(within) / WIDTH * np.eye(WIDTH)
    whitening = np.linalg.cholesky(np.linalg.inv(shrunk))

    ours = fit_discriminant(features, labels, LABELS, None, fixed(shrinkage)).probe.logits(asked)

    theirs = NearestCentroid().fit(own @ whitening, labels)
    assert (ours.argmax(1) == theirs.predict(put @ whitening)).all()


@pytest.mark.parametrize("shrinkage", [0.1, 0.7])
def test_of_two_labels_it_has_the_direction_of_ridge_regression(shrinkage: float) -> None:
    features, labels = rows(60)
    features, labels = features[labels < 2], labels[labels < 2]
    own, _ = units(features, features)
    apart = own - np.stack([own[labels == at].mean(0) for at in range(2)])[labels]
    penalty = len(own) * shrinkage / (1 - shrinkage) * (apart**2).mean()

    ours = fit_discriminant(features, labels, 2, None, fixed(shrinkage)).probe.weight
    theirs = RidgeClassifier(alpha=penalty).fit(own, labels).coef_.ravel()

    direction = ours[1] - ours[0]
    cosine = direction @ theirs / np.linalg.norm(direction) / np.linalg.norm(theirs)
    assert cosine == pytest.approx(1, abs=1e-6)


# One row a label, and other little


def test_with_one_row_a_label_the_nearest_by_cosine_is_the_answer() -> None:
    features, labels = rows(3)
    asked, _ = rows(200, seed=1)

    found = fit_discriminant(features, labels, LABELS, folds_for(labels, seed=0))

    (own, _), (put, _) = units(features, features), units(asked, features)
    assert found.setting == DISCRIMINANTS.usual
    assert found.held_out is None
    assert (found.probe.logits(asked).argmax(1) == (put @ own.T).argmax(1)).all()


def test_two_rows_of_two_labels_are_parted_in_the_middle() -> None:
    features = np.array([[1.0, 5.0], [3.0, 5.0]], np.float32)

    probe = fit_discriminant(features, np.array([0, 1]), 2, None).probe

    assert probe.logits(np.array([[1.9, 0.0], [2.1, 9.0]], np.float32)).argmax(1).tolist() == [0, 1]


@pytest.mark.parametrize("features", [np.zeros((6, 4)), np.ones((6, 4)), np.eye(6, 4)])
def test_features_that_say_nothing_leave_numbers_finite(features: Array) -> None:
    labels = np.arange(6) % 2

    found = fit_discriminant(features.astype(np.float32), labels, 2, folds_for(labels, seed=0))

    assert np.isfinite(found.probe.weight).all()
    assert np.isfinite(found.probe.bias).all()


def test_a_label_whose_rows_are_all_held_out_together_is_hardly_answered() -> None:
    features, labels = rows(12)
    folds = np.where(labels == 2, 0, 1 + np.arange(12) % 2)

    found = fit_discriminant(features, labels, LABELS, folds)

    assert found.held_out is not None
    assert np.isfinite(found.held_out).all()


# What cross-validation says


def test_held_out_logits_are_of_heads_that_did_not_see_the_row() -> None:
    features, labels = rows(30)
    folds = folds_for(labels, seed=0)
    assert folds is not None

    found = fit_discriminant(features, labels, LABELS, folds)

    assert found.held_out is not None
    for fold in range(3):
        held = folds == fold
        alone = Family((found.setting.shrinkage,), found.setting, frequencies=True)
        probe = fit_discriminant(features[~held], labels[~held], LABELS, None, alone).probe
        np.testing.assert_allclose(found.held_out[held], probe.logits(features[held]), atol=1e-3)


def test_the_setting_has_the_smallest_log_loss_on_held_out_rows() -> None:
    features, labels = rows(90)
    folds = folds_for(labels, seed=0)
    assert folds is not None
    held = HeldOutRows.of(features, labels, LABELS, folds)

    found = fit_discriminant(features, labels, LABELS, folds)

    usual, losses = DISCRIMINANTS.usual, {}
    for shrinkage in SHRINKAGES:
        for sharpness, logits in held.logits(shrinkage, frequencies=True):
            setting = Whitening(shrinkage, sharpness)
            losses[setting] = log_losses(logits, labels).mean() + setting.doubt(usual) / len(labels)
    assert len(losses) == len(SHRINKAGES) * len(SHARPNESSES)
    assert found.setting == min(losses, key=lambda setting: losses[setting])


def test_scatter_that_hides_the_labels_is_whitened() -> None:
    features, labels = rows(90)
    asked, known = rows(600, seed=1)
    folds = folds_for(labels, seed=0)

    found = fit_discriminant(features, labels, LABELS, folds)
    means = fit_discriminant(features, labels, LABELS, folds, CLASS_MEANS)

    assert found.setting.shrinkage < DISCRIMINANTS.usual.shrinkage
    assert accuracy(found.probe.logits(asked), known) > accuracy(means.probe.logits(asked), known) + 0.05


def test_where_nothing_tells_settings_apart_it_is_the_usual_one() -> None:
    """There are two labels with two rows each, and in each fold one row of each: there is no scatter that could be whitened."""
    features, labels = rows(6)
    features, labels = features[labels < 2], labels[labels < 2]

    found = fit_discriminant(features, labels, 2, folds_for(labels, seed=0, count=2))

    assert found.setting.shrinkage == DISCRIMINANTS.usual.shrinkage


def test_doubt_grows_with_the_distance_from_the_usual_setting() -> None:
    usual = DISCRIMINANTS.usual
    assert usual.doubt(usual) == 0
    assert Whitening(0.7, 16.0).doubt(usual) == 0.5
    assert Whitening(0.1, 4.0).doubt(usual) == pytest.approx(0.5 + 0.3)


def test_the_variances_are_those_within_classes() -> None:
    features, labels = rows(60)

    found = Classes.of(features, labels, LABELS)

    own, _ = units(features, features)
    apart = own - found.means[labels]
    within = apart.T @ apart / len(own)
    again = (found.axes.T * found.variances) @ found.axes
    np.testing.assert_allclose(again, within * WIDTH / np.trace(within), atol=1e-5)


def test_what_it_takes_is_timed() -> None:
    assert 0 < discriminant_seconds(np.arange(40) % 4, 64, 4) < 5
