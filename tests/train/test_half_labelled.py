"""A linear head learns from rows without labels: given labels by clusters or by its own sure answers, weighted, and judged."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from luthier.arrays import Array, Ints
from luthier.scores.classification import accuracy_per_row
from luthier.tasks.probing import Probing
from luthier.train.probe.better_features import Gain
from luthier.train.probe.centred import USUAL, solve_centred
from luthier.train.probe.half_labelled import FEWEST_REACHED, NONE, Crossed, HalfLabelled, weights_of
from luthier.train.probe.neighbours import unit_length
from luthier.train.probe.probe import EXACT, Probe, Regression, solve_probe
from luthier.train.probe.pseudo_labels import (
    FEWEST_ANSWERS,
    PRECISION,
    WAYS,
    Shares,
    Threshold,
    homogeneity,
    seeded_k_means,
)
from luthier.train.probe.worth_taking import Judged, best, judged, one_fold, score, seeds_of


class Accuracy(Probing):
    """Classes, by the share that is answered rightly."""

    outputs = 3

    def to_learn(self, targets: Array) -> Array:
        return targets

    def fit_score(self, values: Array, learnt: Array) -> float:
        return float(accuracy_per_row(learnt, values.argmax(1)).mean())


def solve(features: Array, targets: Ints, weights: Array | None, tolerance: float, outputs: int) -> Probe:
    return solve_probe(features, targets, outputs, 0.1, weights, tolerance)


def half(
    labelled: int, unlabelled: int, noise: float = 0.4, seed: int = 0, outputs: int = 3
) -> tuple[HalfLabelled, Ints]:
    """Rows around a direction for each label, some with labels, and the labels of the others."""
    dice = np.random.default_rng(seed)
    centres = np.linalg.qr(dice.standard_normal((8, outputs)))[0].T
    labels = np.arange(labelled + unlabelled) % outputs
    features = (centres[labels] + noise * dice.standard_normal((len(labels), 8))).astype(np.float32)
    rows = HalfLabelled(
        features[:labelled],
        labels[:labelled],
        features[labelled:],
        outputs,
        partial(solve, outputs=outputs),
        0,
    )
    return rows, labels[labelled:]


def of_counts(*counts: int) -> Ints:
    """So many rows of each label."""
    return np.repeat(np.arange(len(counts)), counts)


# Rows that count differently


def test_weighted_rows_give_scikit_learns_head_of_the_same_weights() -> None:
    rows, labels = half(30, 60)
    features = np.concatenate([rows.features, rows.unlabelled]).astype(np.float64)
    targets = np.concatenate([rows.targets, labels])
    weights = np.random.default_rng(1).uniform(0.1, 1.0, 90)

    weight, bias = Regression(features, targets, 3, weights=weights).solve(2.0, 1e-7)

    theirs = LogisticRegression(C=2.0, tol=1e-10, max_iter=5000).fit(features, targets, sample_weight=weights)
    np.testing.assert_allclose(features @ weight.T, features @ theirs.coef_.T, atol=1e-3)
    np.testing.assert_allclose(bias - bias.mean(), theirs.intercept_ - theirs.intercept_.mean(), atol=1e-3)


def test_a_row_that_counts_two_is_a_row_that_is_there_twice() -> None:
    rows, _ = half(20, 0)
    weights = np.ones(20)
    weights[:5] = 2.0
    twice = (
        np.concatenate([rows.features, rows.features[:5]]),
        np.concatenate([rows.targets, rows.targets[:5]]),
    )

    ours = Regression(rows.features, rows.targets, 3, weights=weights).solve(1.0, EXACT)

    np.testing.assert_allclose(ours[0], Regression(*twice, 3).solve(1.0, EXACT)[0], atol=1e-4)


@pytest.mark.parametrize("kind", ["numbers", "marks"])
def test_numbers_and_marks_are_weighted_too(kind: str) -> None:
    rows, _ = half(20, 0)
    numbers = rows.features[:, 0] if kind == "numbers" else np.eye(3)[rows.targets]
    outputs = 1 if kind == "numbers" else 3
    one = Regression(rows.features, numbers, outputs, weights=np.full(20, 3.0))

    assert one.solve(1.0, EXACT)[0] == pytest.approx(
        Regression(rows.features, numbers, outputs).solve(3.0, EXACT)[0], abs=1e-4
    ), "three times the weight is three times the strength"


def test_labels_that_are_given_count_as_much_as_labelled_rows_and_in_their_shares() -> None:
    targets = of_counts(8, 4, 4)
    labels = np.concatenate([of_counts(100, 20, 80), [NONE, NONE]])

    weights = weights_of(labels, targets, 3)

    assert weights is not None
    by_label = [weights[labels == label].sum() for label in range(3)]
    np.testing.assert_allclose(by_label, [8, 4, 4])
    assert weights[labels == NONE].tolist() == [0, 0]
    assert weights.max() < 1


def test_few_rows_that_are_given_labels_count_no_more_than_labelled_ones() -> None:
    weights = weights_of(of_counts(2, 2), of_counts(50, 50), 2)

    assert weights is not None
    assert weights.tolist() == [1, 1, 1, 1]


def test_labels_that_are_missing_are_refused_and_not_made_up_for() -> None:
    assert weights_of(of_counts(100, 0), of_counts(5, 5), 2) is None
    assert weights_of(np.full(10, NONE), of_counts(5, 5), 2) is None
    within = weights_of(of_counts(100, 100, 0), of_counts(4, 4, 2), 3)
    assert within is not None
    assert within.sum() == pytest.approx(8)
    assert FEWEST_REACHED < 0.8


# The head without rows that were given labels


def test_without_rows_that_have_no_labels_the_head_is_the_probe() -> None:
    rows, _ = half(30, 0)
    plain = solve_probe(rows.features, rows.targets, 3, 0.1)

    for way in WAYS.values():
        found = rows.probe(way.label(rows).labels)
        np.testing.assert_array_equal(found.weight, plain.weight)
        np.testing.assert_array_equal(found.bias, plain.bias)


def test_labels_that_rows_truly_have_are_learnt_as_if_a_person_had_given_them() -> None:
    rows, labels = half(30, 30)
    everything = solve_probe(
        np.concatenate([rows.features, rows.unlabelled]), np.concatenate([rows.targets, labels]), 3, 0.1
    )

    found = rows.probe(labels)

    np.testing.assert_allclose(found.weight, everything.weight, atol=1e-4)


def test_a_head_that_is_pulled_to_words_takes_weights_too() -> None:
    rows, _ = half(30, 0)
    words = np.eye(3, 8)
    again = np.concatenate([rows.features] * 2), np.concatenate([rows.targets] * 2)

    ours = solve_centred(*again, words, 3, USUAL, np.full(60, 0.5))

    plain = solve_centred(rows.features, rows.targets, words, 3, USUAL)
    np.testing.assert_allclose(ours.weight, plain.weight, atol=1e-3)


# Clusters


def test_two_clusters_are_found_from_one_label_in_each_where_a_head_of_the_two_rows_finds_none() -> None:
    dice = np.random.default_rng(0)
    labels = of_counts(200, 200)
    # Wide clusters: the plane between the two labelled rows, which stand in opposite corners, runs across both.
    wide = dice.uniform(-3, 3, (400, 4))
    features = np.concatenate(
        [np.where(labels == 0, -4.0, 4.0)[:, None], wide, np.full((400, 1), 8.0)], axis=1
    )
    features = (features + 0.1 * dice.standard_normal(features.shape)).astype(np.float32)
    ends = np.array([[-4.0, 3, 3, 3, 3, 8], [4.0, -3, -3, -3, -3, 8]], np.float32)

    def free(known: Array, targets: Ints, weights: Array | None, tolerance: float) -> Probe:
        return solve_probe(known, targets, 2, 100.0, weights, tolerance)

    rows = HalfLabelled(ends, np.array([0, 1]), features, 2, free, 0)

    found = seeded_k_means(rows)

    assert (found == labels).all()
    plain, both = rows.probe(), rows.probe(found)
    right = [(head.logits(features).argmax(1) == labels).mean() for head in (plain, both)]
    assert right[0] < 0.95
    assert right[1] > 0.99


def test_clusters_are_those_of_k_means_where_nothing_is_labelled_but_the_seeds() -> None:
    rows, labels = half(3, 300, noise=0.2)
    found = seeded_k_means(rows)
    asked = unit_length(rows.unlabelled)

    theirs = KMeans(3, init=unit_length(rows.features), n_init=1).fit_predict(asked)

    assert (found == theirs).mean() > 0.98
    assert (found == labels).mean() > 0.98


def test_each_row_ends_in_the_cluster_whose_mean_is_nearest() -> None:
    rows, _ = half(12, 200, noise=0.6)
    found = seeded_k_means(rows)
    known, asked = unit_length(rows.features), unit_length(rows.unlabelled)
    means = [
        known[rows.targets == label].sum(0) + 12 / 200 * asked[found == label].sum(0) for label in range(3)
    ]

    assert (found == (asked @ unit_length(np.stack(means)).T).argmax(1)).all()


def test_a_label_of_which_nothing_is_known_is_given_to_nobody() -> None:
    rows, _ = half(30, 60)
    others = rows.only(np.flatnonzero(rows.targets != 2))

    assert set(seeded_k_means(others).tolist()) == {0, 1}


def test_words_say_where_a_cluster_is() -> None:
    rows, labels = half(30, 300, noise=0.1)
    alone = rows.only(np.flatnonzero(rows.targets != 2))
    words = np.stack([rows.features[rows.targets == label].mean(0) for label in range(3)])
    told = HalfLabelled(alone.features, alone.targets, rows.unlabelled, 3, rows.solve, 0, words)

    assert (seeded_k_means(told) == labels).mean() > 0.99


# Sure answers


def crossed_of(confidence: Array, right: Array) -> tuple[Crossed, Ints]:
    """Answers to labelled rows of two labels, all 0, with such confidences; and the labels."""
    logits = np.stack([np.log(confidence / (1 - confidence)), np.zeros(len(confidence))], axis=1)
    return Crossed(logits.astype(np.float32), np.zeros((0, 2))), np.where(right, 0, 1)


@pytest.mark.parametrize("seed", range(20))
def test_the_threshold_is_the_lowest_above_which_answers_are_right_often_enough(seed: int) -> None:
    dice = np.random.default_rng(seed)
    confidence = np.round(dice.uniform(0.5, 0.99, 80), 2)  # with ties, which are taken all or none
    crossed, targets = crossed_of(confidence, dice.uniform(size=80) < confidence)
    shown = 1 / (1 + np.exp(-crossed.logits[:, 0].astype(np.float64)))

    found = Threshold.of(crossed, targets)

    def above(least: float) -> tuple[int, int]:
        taken = shown > least
        return int(taken.sum()), int((targets[taken] == 0).sum())

    fine = [
        least
        for least in (-1.0, *shown)
        if above(least)[0] >= FEWEST_ANSWERS and above(least)[1] >= PRECISION * above(least)[0]
    ]
    if not fine:
        assert found == Threshold(None)
        return
    assert found.above is not None
    assert (found.answers, found.right) == above(min(fine))
    assert (shown > found.above).sum() == above(min(fine))[0]


def test_rows_that_are_never_held_out_say_nothing_of_the_threshold() -> None:
    crossed, targets = crossed_of(np.linspace(0.6, 0.95, 30), np.ones(30, bool))
    crossed.logits[:5] = np.nan

    assert Threshold.of(crossed, targets).answers == 25


def test_every_answer_is_taken_where_all_are_right_and_the_threshold_is_a_number_that_json_has() -> None:
    crossed, targets = crossed_of(np.linspace(0.6, 0.95, 30), np.ones(30, bool))

    assert Threshold.of(crossed, targets) == Threshold(0.0, answers=30, right=30)


def test_no_answer_is_taken_where_too_few_are_right() -> None:
    crossed, targets = crossed_of(np.linspace(0.6, 0.95, 30), np.arange(30) % 2 == 0)

    assert Threshold.of(crossed, targets) == Threshold(None)


def answered(rows: HalfLabelled) -> Ints:
    """What is answered to each row without a label, sure or not."""
    assert rows.crossed is not None
    found: Ints = rows.crossed.chances.argmax(axis=1)
    return found


def test_sure_answers_are_taken_and_the_others_left() -> None:
    rows, labels = half(90, 300, noise=0.5)

    found = WAYS["pseudo-labels"].label(rows)

    taken = found.labels != NONE
    assert found.taken == taken.sum()
    assert 0 < taken.sum() < 300
    assert (found.labels[taken] == labels[taken]).mean() > (answered(rows) == labels).mean()
    assert found.threshold is not None
    assert found.threshold.right >= PRECISION * found.threshold.answers


def test_one_row_a_label_leaves_no_answer_to_trust() -> None:
    rows, _ = half(3, 30)

    assert rows.crossed is None
    assert WAYS["pseudo-labels"].label(rows).taken == 0


def test_rows_without_labels_are_answered_by_heads_that_each_learnt_without_a_fold() -> None:
    rows, _ = half(30, 12)
    folds = rows.folds(0)
    assert folds is not None
    assert rows.crossed is not None
    heads = [rows.only(np.flatnonzero(folds != fold)).probe() for fold in range(3)]
    chances = np.mean(
        [np.exp(head.logits(rows.unlabelled)) / np.exp(head.logits(rows.unlabelled)).sum(1, keepdims=True) for head in heads],
        axis=0,
    )  # fmt: skip

    np.testing.assert_allclose(rows.crossed.chances, chances, atol=0.01)


# Shares of labels


def test_the_chance_of_two_draws_is_that_of_the_chi_squared_test() -> None:
    first, second = np.array([30, 50, 20]), np.array([260, 520, 220])

    ours = homogeneity(first, second, seed=0)

    assert ours == pytest.approx(chi2_contingency([first, second]).pvalue, abs=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_shares_that_have_shifted_are_seen_and_the_same_ones_are_not(seed: int) -> None:
    dice = np.random.default_rng(seed)
    same, shifted = [0.5, 0.3, 0.2], [0.1, 0.3, 0.6]
    first = np.bincount(dice.choice(3, 60, p=same), minlength=3)

    assert homogeneity(first, np.bincount(dice.choice(3, 500, p=same), minlength=3), seed) > 0.01
    assert homogeneity(first, np.bincount(dice.choice(3, 500, p=shifted), minlength=3), seed) < 0.001


def test_draws_of_one_urn_are_rarely_called_apart() -> None:
    dice = np.random.default_rng(0)
    p = [
        homogeneity(
            np.bincount(dice.choice(4, 30), minlength=4), np.bincount(dice.choice(4, 300), minlength=4), at
        )
        for at in range(200)
    ]

    assert np.mean(np.array(p) < 0.05) < 0.1
    assert np.mean(p) == pytest.approx(0.5, abs=0.1)


def test_what_heads_mistake_on_both_sides_is_no_shift() -> None:
    """Half of label 1 is answered 0, among rows with labels as among those without."""
    answers = np.eye(2, dtype=np.float32)[np.tile([0, 0, 1, 1, 0, 1, 0, 0], 10)]
    crossed = Crossed(answers, np.tile(answers, (5, 1)).astype(np.float64))

    assert Shares.of(crossed, np.tile([0, 0, 1, 1, 1, 1, 0, 1], 10), seed=0).p > 0.5


def test_a_label_whose_only_row_is_always_learnt_is_left_out_on_both_sides() -> None:
    """Heads answer it among rows without labels, and are asked for none of it among those with: that is no shift of labels."""
    answers = np.eye(4, dtype=np.float32)[np.tile([0, 1], 20)]
    logits = np.concatenate([answers, np.full((2, 4), np.nan, np.float32)])
    free = np.eye(4)[np.tile([0, 1, 2, 3], 50)]
    targets = np.concatenate([np.tile([0, 1], 20), [2, 3]])

    found = Shares.of(Crossed(logits, free), targets, seed=0)

    assert found.p > 0.5
    assert found.unlabelled.tolist() == [0.5, 0.5, 0, 0]


# Whether it helps


def test_ways_are_judged_on_rows_that_neither_head_nor_labels_have_seen() -> None:
    rows, _ = half(24, 90, noise=0.7)
    found = one_fold(rows, list(WAYS.values()), seed=5)
    assert found is not None
    held = found.folds == 1
    learnt = rows.only(np.flatnonzero(~held))

    for name, way in WAYS.items():
        head = learnt.probe(way.label(learnt).labels)
        np.testing.assert_allclose(found.logits[name][held], head.logits(rows.features[held]), atol=0.05)


def test_rows_that_tell_the_labels_apart_are_worth_taking() -> None:
    gains = []
    for seed in range(5):
        rows, _ = half(12, 600, noise=0.45, seed=seed)
        folds = [one_fold(rows, list(WAYS.values()), one) for one in seeds_of(rows)]
        found = judged(rows, [one for one in folds if one is not None], Accuracy())
        gains.append(found["seeded-k-means"].gain.difference)

    assert np.mean(gains) > 0.03


def test_rows_that_mislead_are_not_taken() -> None:
    """The labels lie across the clusters."""
    dice = np.random.default_rng(0)
    clusters = dice.integers(2, size=660)
    labels = dice.integers(2, size=660)
    features = np.stack([10.0 * clusters - 5, 2.0 * labels - 1, np.full(660, 3.0)], axis=1)
    features = (features + 0.3 * dice.standard_normal(features.shape)).astype(np.float32)
    rows = HalfLabelled(features[:60], labels[:60], features[60:], 2, partial(solve, outputs=2), 0)

    way = WAYS["seeded-k-means"]
    folds = [one_fold(rows, [way], one) for one in seeds_of(rows)]
    found = judged(rows, [one for one in folds if one is not None], Accuracy())

    assert found[way.name].gain.difference < 0
    assert best(found) is None


def test_the_score_is_the_mean_over_folds_of_the_rows_that_are_held_out() -> None:
    rows, _ = half(30, 30, noise=1.0)
    found = one_fold(rows, [WAYS["seeded-k-means"]], seed=0)
    assert found is not None
    answers = found.logits["seeded-k-means"].argmax(1) == rows.targets

    by_hand = np.mean([answers[found.folds == fold].mean() for fold in range(3)])

    assert score(rows, found, "seeded-k-means", np.arange(30), Accuracy()) == pytest.approx(by_hand)


def test_the_best_of_those_beyond_noise_is_kept() -> None:
    nothing = np.zeros((0, 2))

    def of(**gains: tuple[float, float]) -> dict[str, Judged]:
        return {name: Judged(Gain(0.5, 0.5 + gain, error), nothing) for name, (gain, error) in gains.items()}

    assert best(of(one=(0.05, 0.01), other=(0.06, 0.05))) == "one"
    assert best(of(one=(0.05, 0.01), other=(0.06, 0.01))) == "other"
    assert best(of(one=(0.016, 0.01))) is None
    assert best({}) is None


def test_one_row_a_label_cannot_judge() -> None:
    rows, _ = half(3, 30)

    assert one_fold(rows, list(WAYS.values()), seed=0) is None
    assert judged(rows, [], Accuracy()) == {}
