"""What tasks promise of single answers, from outputs that are written down."""

from typing import Any

import numpy as np
import pytest

from luthier.scores.calibration import sigmoid, softmax
from luthier.tasks.calibration import Calibration
from luthier.tasks.classification.task import Classification
from luthier.tasks.outputs import Logits
from luthier.tasks.regression import Regression
from luthier.tasks.trusting import Trusting

ONE = Classification(labels=("a", "b", "c"))
MANY = Classification(labels=("a", "b"), many=True)
LOGITS = Logits(np.array([[4, 0, 0], [0, 1, 0], [0, 0, 3]], np.float32))


def trusting(task: Any) -> Trusting[Any, Any]:
    assert task.trusting is not None
    return task.trusting  # type: ignore[no-any-return]


def known_of(task: Any, logits: Logits, targets: Any, unlike: Any = None) -> dict[str, Any]:
    answers = task.answer(logits, Calibration())
    none = np.zeros(len(logits), bool)
    return trusting(task).known(logits, answers, np.asarray(targets), none if unlike is None else unlike)


def test_what_is_known_is_how_sure_each_answer_was_whether_it_was_right_and_how_likely_the_truth() -> None:
    known = known_of(ONE, LOGITS, [0, 1, 0])

    probabilities = softmax(LOGITS.values)
    assert known["confidence"] == pytest.approx(probabilities.max(axis=1))
    assert known["right"].tolist() == [1, 1, 0]
    assert known["of_truth"] == pytest.approx(probabilities[[0, 1, 2], [0, 1, 0]])


def test_a_temperature_has_no_part_in_it() -> None:
    answers = ONE.answer(LOGITS, Calibration(temperature=5.0))
    known = trusting(ONE).known(LOGITS, answers, np.array([0, 1, 0]), np.zeros(3, bool))

    assert known["confidence"].tolist() == known_of(ONE, LOGITS, [0, 1, 0])["confidence"].tolist()


def test_a_calibration_row_that_is_unlike_counts_as_never_answered() -> None:
    known = known_of(ONE, LOGITS, [0, 1, 0], np.array([False, True, False]))

    assert known["confidence"][1] == -np.inf


def test_of_several_labels_the_whole_answer_counts_and_there_are_no_sets() -> None:
    logits = Logits(np.array([[2, -1], [3, 0.5]], np.float32))
    known = known_of(MANY, logits, np.array([[1, 0], [1, 0]], np.float32))

    chances = sigmoid(logits.values)
    assert known["right"].tolist() == [1, 0]
    assert known["confidence"] == pytest.approx(
        [chances[0, 0] * (1 - chances[0, 1]), chances[1, 0] * chances[1, 1]]
    )
    promise = trusting(MANY).promise(known, logits, MANY.answer(logits, Calibration()), 0.1)
    assert promise.lines == [{}, {}]
    assert not promise.sure.any()


def test_rows_that_are_sure_enough_are_answered_and_the_set_names_labels() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(300, 3)).astype(np.float32)
    values[:150] *= 8  # half of the rows are told apart well
    targets = np.where(np.arange(300) < 150, values.argmax(axis=1), random.integers(3, size=300))
    known = known_of(ONE, Logits(values), targets)

    promise = trusting(ONE).promise(known, LOGITS, ONE.answer(LOGITS, Calibration()), 0.1)

    assert promise.sure.tolist()[:2] == [True, False]
    assert all(line["set"][0] in "abc" for line in promise.lines)
    assert promise.told == ()


def test_intervals_of_numbers_are_as_wide_as_the_distances_say() -> None:
    task = Regression(mean=0.0, spread=1.0)
    distances = np.arange(1.0, 20.0)
    logits = Logits(np.zeros((19, 1), np.float32))
    known = known_of(task, logits, distances)

    one = Logits(np.array([[5.0]], np.float32))
    answers = task.answer(one, Calibration())

    assert trusting(task).promise(known, one, answers, 0.1).lines == [{"low": -13.0, "high": 23.0}]
    few = trusting(task).promise(known, one, answers, 0.01)
    assert few.lines == [{"low": None, "high": None}]
    assert few.told == (
        "--error 0.01: there are no intervals: it takes 99 calibration rows at the least, and this model has 19. Allow more "
        "errors, or tune again with more calibration rows (--calibration-share).",
    )
