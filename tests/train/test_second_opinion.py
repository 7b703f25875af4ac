"""What rows say of each other's labels, where one of the two judges is naive Bayes over words."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB

from luthier.train.probe.second_opinion import SMOOTHING, naive_bayes, second_opinion
from tiny import messages


@pytest.mark.parametrize("labels", [2, 4])
def test_naive_bayes_is_that_of_scikit_learn(labels: int) -> None:
    rows = messages(90, labels=labels)
    words = TfidfVectorizer(sublinear_tf=True).fit_transform([text for text, _ in rows]).tocsr()
    _, own = np.unique([label for _, label in rows], return_inverse=True)

    ours = naive_bayes(words[:60], own[:60], words[60:])

    theirs = MultinomialNB(alpha=SMOOTHING).fit(words[:60], own[:60]).predict_log_proba(words[60:])
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_words_that_nobody_has_say_how_frequent_labels_are() -> None:
    known, asked = sparse.csr_matrix(np.eye(4)[:3]), sparse.csr_matrix((1, 4))

    found = naive_bayes(known, np.array([0, 0, 1]), asked)

    assert np.exp(found) == pytest.approx(np.array([[2 / 3, 1 / 3]]))


def test_a_wrong_label_is_given_little_by_the_rows_that_did_not_see_it() -> None:
    rows = messages(120, labels=2)
    names = sorted({label for _, label in rows})
    targets = np.array([names.index(label) for _, label in rows])
    wrong = targets.copy()
    wrong[7] = 1 - wrong[7]
    nothing = np.random.default_rng(0).normal(size=(120, 4))

    found = second_opinion(nothing, [text for text, _ in rows], wrong, np.arange(120), 2, None, seed=0)

    assert found.sum(axis=1) == pytest.approx(np.ones(120))
    assert found[7, wrong[7]] < 0.1


def test_copies_of_one_row_say_nothing_of_each_other() -> None:
    features = np.ones((3, 4), np.float32)

    found = second_opinion(features, ["a parcel"] * 3, np.array([0, 1, 0]), np.zeros(3, np.int64), 2, None, 0)

    assert found.tolist() == [[0.5, 0.5]] * 3
