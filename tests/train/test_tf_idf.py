"""Texts as weighted n-grams: the numbers of scikit-learn, and of a closed form; and the linear model on them."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

from luthier.candidates.by_hand import in_units
from luthier.train.probe import probe, tf_idf
from luthier.train.probe.probe import FEATURES_A_ROW, Regression, solve_sparse
from luthier.train.probe.tf_idf import WORD, Terms, TfIdf

TEXTS = [
    "The neck is cracked.",
    "The strings stay in tune!",
    "the  neck\tis fine, the strings are not",
    "Él toca la guitarra, ¿no?",
    "",
    "!",
    "The neck, the neck, the NECK",
]


def dense(features: Any) -> np.ndarray:
    found: np.ndarray = features.toarray()
    return found


def by_scikit_learn(texts: list[str], spelled: bool) -> np.ndarray:
    """The columns in the order of their names."""
    kind = (
        {"analyzer": "char_wb", "ngram_range": (2, 5)}
        if spelled
        else {"token_pattern": WORD, "ngram_range": (1, 2)}
    )
    return dense(TfidfVectorizer(sublinear_tf=True, min_df=2, **kind).fit_transform(texts))


@pytest.mark.parametrize("spelled", [False, True])
def test_the_features_are_those_of_scikit_learn(spelled: bool) -> None:
    terms = Terms.of(TEXTS, spelled, most=10_000)

    found = dense(terms.features(TEXTS))

    names = sorted(terms.places)
    assert found[:, [terms.places[name] for name in names]] == pytest.approx(by_scikit_learn(TEXTS, spelled))


def test_a_word_weighs_what_the_formula_says() -> None:
    """Three texts, `a` in two of them: ln(4 / 3) + 1. `b` stands in two as well, twice in the last: 1 + ln 2 times that."""
    terms = Terms.of(["a b", "a", "b b"], spelled=False, most=10)

    features = dense(terms.features(["a b b"]))[0]

    rare = np.log(4 / 3) + 1
    plain = np.array([rare, (1 + np.log(2)) * rare])
    assert features[[terms.places["a"], terms.places["b"]]] == pytest.approx(plain / np.linalg.norm(plain))


def test_of_too_many_terms_those_that_most_texts_have_count() -> None:
    terms = Terms.of(["a b c", "a b", "a b c", "a"], spelled=False, most=3)

    assert set(terms.places) == {"a", "b", "a b"}


def test_where_no_word_occurs_twice_all_of_them_count() -> None:
    assert set(Terms.of(["a", "b"], spelled=False, most=10).places) == {"a", "b"}


def test_texts_without_a_single_word_have_no_features() -> None:
    bags = TfIdf.of([("",), ("  ",)], most=10, features=100)

    assert bags.features([("",), ("never seen",)]).shape == (2, 0)


def test_much_text_is_known_by_its_words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf_idf, "MOST_SPELLED", 50)

    assert [one.spelled for one in TfIdf.of([(text,) for text in TEXTS], most=100, features=1_000).terms] == [
        False
    ]
    assert [one.spelled for one in TfIdf.of([("a b",), ("a",)], most=100, features=1_000).terms] == [
        False,
        True,
    ]


@pytest.mark.parametrize("sides", [1, 2])
def test_all_features_together_are_no_more_than_asked_for(sides: int) -> None:
    rows = [(text,) * sides for text in TEXTS]

    found = TfIdf.of(rows, most=100, features=16)

    cosines = 2 * (sides - 1)
    assert [len(one.places) for one in found.terms] == [8 // (1 if sides == 1 else 4)] * 2
    assert found.features(rows).shape == (len(TEXTS), 16 + cosines)


def test_rows_in_pieces_are_the_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(text,) for text in TEXTS]
    bags = TfIdf.of(rows, most=100, features=1_000)
    whole = dense(bags.features(rows))

    monkeypatch.setattr(tf_idf, "AT_ONCE", 2)

    assert dense(bags.features(rows)) == pytest.approx(whole)


def test_two_texts_are_known_by_what_they_share_and_by_their_cosines() -> None:
    pairs = [("the neck", "the neck"), ("the neck", "a case"), ("a case", "the neck")]
    bags = TfIdf.of(pairs, most=100, features=1_000)

    features = dense(bags.features(pairs))

    width = sum(len(one.places) for one in bags.terms)
    assert features.shape == (3, 4 * width + 2)
    assert features[:, -2:] == pytest.approx(np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]), abs=0.2)
    assert features[0, 3 * width : 4 * width] == pytest.approx(np.zeros(width)), "they differ in nothing"
    assert features[1, :width] == pytest.approx(features[2, width : 2 * width]), (
        "the one is the other turned round"
    )


# The linear model


def rows_of(classes: int) -> tuple[Any, np.ndarray]:
    dice = np.random.default_rng(0)
    words = [f"word{at}" for at in range(30)]
    labels = dice.integers(0, classes, 120)
    texts = [" ".join([words[label], *dice.choice(words, 5)]) for label in labels]
    return TfIdf.of([(text,) for text in texts], most=1_000, features=10_000).features(
        [(text,) for text in texts]
    ), labels


@pytest.mark.parametrize("classes", [2, 5])
def test_the_logits_of_sparse_rows_are_those_of_scikit_learn(classes: int) -> None:
    features, labels = rows_of(classes)

    weight, bias = Regression(features, labels, classes).solve(10.0, 1e-7)

    theirs = LogisticRegression(C=10.0, tol=1e-8, max_iter=5_000).fit(features, labels)
    chances = np.exp(features @ weight.T + bias)
    assert chances / chances.sum(1, keepdims=True) == pytest.approx(theirs.predict_proba(features), abs=1e-4)


def test_numbers_on_sparse_rows_are_those_of_scikit_learn() -> None:
    features, labels = rows_of(5)
    numbers = labels.astype(np.float32)

    weight, bias = Regression(features, numbers, 1).solve(2.0, 1e-8)

    theirs = Ridge(alpha=1 / 2.0).fit(dense(features), numbers)
    assert (features @ weight.T + bias)[:, 0] == pytest.approx(theirs.predict(dense(features)), abs=1e-4)


def test_sparse_rows_teach_what_the_same_rows_teach_in_full() -> None:
    features, labels = rows_of(5)
    marks = np.eye(5, dtype=np.float32)[labels]

    sparse, full = (Regression(rows, marks, 5).solve(1.0, 1e-7) for rows in (features, dense(features)))

    assert sparse[0] == pytest.approx(full[0], abs=1e-4)
    assert sparse[1] == pytest.approx(full[1], abs=1e-4)


@pytest.mark.parametrize("kind", ["classes", "marks", "numbers"])
def test_few_rows_are_told_by_each_other_and_teach_the_same(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, labels = rows_of(5)
    rows = [0, 0, *range(2, 40)]  # one stands there twice
    features, labels = features[rows], labels[rows]
    targets = {"classes": labels, "marks": np.eye(5, dtype=np.float32)[labels], "numbers": labels / 2.0}[kind]
    outputs = 1 if kind == "numbers" else 5
    assert features.shape[1] > FEATURES_A_ROW * 40, "more features than are worth a number each"

    few = Regression(features, targets, outputs)
    ours = [few.solve(strength, 1e-7) for strength in (0.1, 10.0)]
    monkeypatch.setattr(probe, "MOST_SPANNED", 0)
    each = Regression(features, targets, outputs)
    theirs = [each.solve(strength, 1e-7) for strength in (0.1, 10.0)]

    assert len(few.at) == outputs * 40, "39 rows that differ, and a bias"
    for mine, other in zip(ours, theirs, strict=True):
        assert mine[0] == pytest.approx(other[0], abs=1e-4)
        assert mine[1] == pytest.approx(other[1], abs=1e-4)


@pytest.mark.parametrize(("scale", "shift"), [(1e-4, 0.0), (1e5, 3e5)])
def test_numbers_are_learnt_alike_in_whatever_units(scale: float, shift: float) -> None:
    features = csr_matrix(np.random.default_rng(0).random((40, 6)))
    numbers = np.asarray(features.sum(axis=1)).ravel().astype(np.float32)
    solve = partial(solve_sparse, outputs=1, strength=10.0)

    plain, other = (in_units(solve, features, one) for one in (numbers, scale * numbers + np.float32(shift)))

    expected = plain.logits(features.toarray()) * scale + shift
    np.testing.assert_allclose(other.logits(features.toarray()), expected, rtol=1e-3, atol=1e-3 * scale)
