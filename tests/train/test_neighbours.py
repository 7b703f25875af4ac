"""The nearest stored rows, and what they say: as scikit-learn has it, and in cases that can be counted."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from luthier.candidates.neighbours import chosen
from luthier.tasks.classification.task import Classification, ProbedLabels
from luthier.train.probe.neighbours import Neighbours, nearest, unit_length


def test_the_nearest_rows_answer_as_in_scikit_learn() -> None:
    dice = np.random.default_rng(0)
    stored, asked = (unit_length(dice.standard_normal((rows, 8))) for rows in (200, 50))
    labels = (stored[:, 0] > 0).astype(np.int64)

    found = Neighbours(stored, labels, 2, count=5).values(asked).argmax(1)

    theirs = KNeighborsClassifier(5, metric="cosine", algorithm="brute").fit(stored, labels).predict(asked)
    assert (found == theirs).all()


def test_a_row_is_not_its_own_neighbour() -> None:
    stored = unit_length(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]))

    assert nearest(stored, stored, 2, own=np.arange(3)).tolist() == [[1, 2], [0, 2], [1, 0]]


def test_one_more_neighbour_votes_as_labels_are_frequent() -> None:
    """Three neighbours, two of the first label; of the stored rows three are of it, one of the other."""
    stored = np.eye(4, dtype=np.float32)
    model = Neighbours(stored, np.array([0, 0, 1, 0]), 2, count=3)

    chances = np.exp(model.of_nearest(np.array([[0, 1, 2]])))

    assert chances == pytest.approx(np.array([[(2 + 3.5 / 5) / 4, (1 + 1.5 / 5) / 4]]))


def test_of_numbers_the_mean_of_the_nearest_is_said() -> None:
    model = Neighbours(np.eye(3, dtype=np.float32), np.array([1.0, 2.0, 9.0], np.float32), 1, count=2)

    assert model.of_nearest(np.array([[0, 2], [0, 1]])) == pytest.approx(np.array([[5.0], [1.5]]))


def test_of_several_labels_each_is_voted_on_by_itself() -> None:
    marks = np.array([[1, 0], [1, 1], [0, 0]], np.float32)
    model = Neighbours(np.eye(3, dtype=np.float32), marks, 2, count=2)

    logits = model.of_nearest(np.array([[0, 1]]))

    usual = (marks.sum(0) + 0.5) / 4
    chances = (np.array([2, 1]) + usual) / 3
    assert logits == pytest.approx(np.log(chances / (1 - chances))[None])


def test_more_neighbours_than_rows_are_all_of_them() -> None:
    model = Neighbours(np.eye(3, dtype=np.float32), np.array([0, 1, 1]), 2, count=50)

    assert model.values(np.eye(3)[:1]).shape == (1, 2)


@pytest.mark.parametrize(("rows", "most"), [(1, 1), (2, 1), (4, 3), (12, 10)])
def test_no_more_neighbours_are_asked_than_a_label_has_rows(rows: int, most: int) -> None:
    """Each row without itself then finds none of its label but among few, and more could not but vote for other labels: with
    one row a label every number of neighbours is wrong of every row, and tells nothing."""
    labels = np.repeat(np.arange(20), rows)
    stored = unit_length(
        np.eye(20)[labels] + 0.01 * np.random.default_rng(0).standard_normal((20 * rows, 20))
    )

    task = Classification(tuple(map(str, range(20))), many=False, metric="accuracy")
    found = chosen(stored, labels, ProbedLabels(task))

    assert found.count <= most
    assert (found.values(stored).argmax(1) == labels).all()
