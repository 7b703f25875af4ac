"""What classification keeps to; and how labels are read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax
from sklearn import metrics
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from known import Known
from luthier.batches.examples import Batch
from luthier.events import Stepped
from luthier.tasks import TASKS
from luthier.tasks.calibration import Calibration
from luthier.tasks.classification.label_column import read_labels
from luthier.tasks.classification.labels import balanced_weights, in_order, name_of, names_of
from luthier.tasks.classification.task import Classification, Labels
from luthier.tasks.outputs import Logits
from luthier.tasks.task import Task
from luthier.train.loop import Lesson, train
from tiny import cpu, make_settings, new_state, opened, whole


@dataclass(frozen=True)
class Case:
    """A task that knows its labels, and its own example rows."""

    task: Any
    texts: list[str]
    values: list[Any]


def cases() -> dict[str, Case]:
    """Classification in all its forms; tests/test_contract.py holds what every task keeps to."""
    example = TASKS["text-classification"].example
    texts, labels = [row["text"] for row in example], [row["label"] for row in example]
    several = [labels[: at + 1] for at in range(len(labels))]
    names = in_order(set(labels))
    return {
        "one label": Case(Classification(names), texts, labels),
        "macro F1": Case(Classification(names, metric="macro_f1"), texts, labels),
        "many labels": Case(Classification(names, many=True), texts, several),
    }


CASES = cases()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


class Fixed:
    """A model that always gives these logits."""

    def __init__(self, logits: np.ndarray) -> None:
        self.logits = torch.from_numpy(logits)

    def __call__(self, batch: Batch) -> torch.Tensor:
        return self.logits


def noisy_logits(task: Task, rows: int, sure: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits and targets of a model that is right more often than not; `sure` makes it too sure of itself."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(rows, task.outputs))
    truth = logits + 0.7 * random.normal(size=logits.shape)
    targets = (truth > 0.3).astype(np.float32) if getattr(task, "many", False) else truth.argmax(axis=1)
    return (sure * logits).astype(np.float32), targets


def sure_logits(targets: np.ndarray, outputs: int) -> np.ndarray:
    """Logits that leave no doubt."""
    marks = targets if targets.ndim == 2 else np.eye(outputs)[targets]
    return (40 * marks - 20).astype(np.float32)


def answered(task: Any, logits: np.ndarray, calibration: Calibration) -> Labels:
    answers: Labels = task.answer(Logits(logits), calibration)
    return answers


def test_a_task_learns_its_own_examples(case: Case, bert: Path) -> None:
    found = opened(bert, list(zip(case.texts * 4, case.values * 4, strict=True)))
    state = new_state(found.model)
    train_settings = make_settings(lr=1e-2, batch_rows=6, epochs=150)

    losses = []
    lesson = Lesson(case.task, found.examples, lambda: (0.0, 0.0))
    for event in train(state, lesson, train_settings, whole(found.model), cpu(), lambda: 0.0):
        if isinstance(event, Stepped):
            losses.append(event.loss)
        if losses[-1] < losses[0] / 10:
            break

    assert losses[-1] < losses[0] / 10


def test_sure_logits_answer_what_the_column_said(case: Case) -> None:
    targets = case.task.targets(case.values)

    found = answered(case.task, sure_logits(targets, case.task.outputs), Calibration())
    lines = case.task.lines(found)

    assert np.array_equal(found.chosen, targets)
    for answer, value in zip(lines, case.values, strict=True):
        given, expected = (set(one) if case.task.many else {one} for one in (answer["label"], value))
        assert given == expected
        assert list(answer["probabilities"]) == list(case.task.labels)
    assert json.loads(json.dumps(lines)) == lines


def test_the_mean_of_the_rows_that_are_right_is_the_accuracy(case: Case) -> None:
    logits, targets = noisy_logits(case.task, 200)
    answers = answered(case.task, logits, Calibration())

    rows = case.task.evidence(answers, targets).right

    assert rows.shape == (200,)
    assert 0 < rows.mean() == pytest.approx(metrics.accuracy_score(targets, answers.chosen))
    if case.task.metric == "accuracy":
        assert case.task.score(answers, targets) == pytest.approx(rows.mean())
    else:
        expected = metrics.f1_score(targets, answers.chosen, average="macro")
        assert case.task.score(answers, targets) == pytest.approx(expected)


def test_calibration_on_few_rows_changes_nothing(case: Case) -> None:
    logits, targets = noisy_logits(case.task, case.task.calibrating.fewest - 1, sure=9.0)

    assert case.task.calibrating.fit(Logits(logits), Known(targets)) == Calibration()
    assert case.task.calibrating.fit(Logits(logits[:0]), Known(targets[:0])) == Calibration()


def test_uncalibrated_probabilities_are_the_softmax_or_the_sigmoids(case: Case) -> None:
    logits, _ = noisy_logits(case.task, 50)

    found = case.task.probabilities(Logits(logits), Calibration())

    expected = expit(logits.astype(float)) if case.task.many else softmax(logits.astype(float), axis=1)
    assert np.abs(found - expected).max() < 1e-12


def test_calibration_takes_back_what_a_model_is_too_sure_of(case: Case) -> None:
    logits, targets = noisy_logits(case.task, 400, sure=9.0)

    calibration = case.task.calibrating.fit(Logits(logits), Known(targets))

    plain, mended = (case.task.probabilities(Logits(logits), how) for how in (Calibration(), calibration))
    before, after = (case.task.calibrating.error(found, targets) for found in (plain, mended))
    assert after < before / 2
    assert np.array_equal(plain.argsort(axis=0), mended.argsort(axis=0)) or not case.task.many
    assert case.task.many or np.array_equal(plain.argmax(axis=1), mended.argmax(axis=1))


def test_thresholds_are_for_several_labels_only_and_never_lower_f1(case: Case) -> None:
    logits, targets = noisy_logits(case.task, 300)
    calibration = case.task.calibrating.fit(Logits(logits), Known(targets))

    found = case.task.calibrating.decide(calibration, Logits(logits), Known(targets))

    if not case.task.many:
        assert found == calibration
        return
    f1 = [
        metrics.f1_score(targets, answered(case.task, logits, how).chosen, average="macro")
        for how in (calibration, found)
    ]
    assert len(found.thresholds) == case.task.outputs
    assert f1[1] >= f1[0]
    assert (found.scale, found.bias) == (calibration.scale, calibration.bias)


def test_the_loss_is_the_log_loss_summed_over_rows(case: Case) -> None:
    logits, targets = noisy_logits(case.task, 30)
    batch = Batch({}, torch.arange(30), torch.from_numpy(targets), np.arange(30), 30)

    loss = case.task.loss(Fixed(logits), batch)

    if case.task.many:
        chance = expit(logits.astype(float))
        expected = [metrics.log_loss(targets[:, at], chance[:, at]) for at in range(case.task.outputs)]
        mean = float(np.mean(expected))
    else:
        mean = -float(log_softmax(logits.astype(float), axis=1)[np.arange(30), targets].mean())
    assert loss.weight == 30
    assert float(loss.total) == pytest.approx(30 * mean, rel=1e-5)
    assert case.task.mean_loss(Logits(logits), Known(targets)) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [(), (0.5, 1.0, 3.0)])
def test_smoothing_and_weights_are_those_of_torch_though_a_step_comes_in_parts(
    case: Case, smoothing: float, weights: tuple[float, ...]
) -> None:
    task = replace(case.task, label_smoothing=smoothing, label_weights=weights)
    logits, targets = noisy_logits(task, 30)
    scored, truth = torch.from_numpy(logits), torch.from_numpy(targets)

    parts = [
        task.loss(Fixed(logits[rows]), Batch({}, torch.arange(len(rows)), truth[rows], rows, len(rows)))
        for rows in (np.arange(7), np.arange(7, 30))
    ]

    given = torch.tensor(weights) if weights else None
    if task.many:
        soft = truth + smoothing * (0.5 - truth)
        expected = functional.binary_cross_entropy_with_logits(scored, soft, pos_weight=given)
    else:
        expected = functional.cross_entropy(scored, truth, given, label_smoothing=smoothing)
    found = sum(float(part.total) for part in parts) / sum(part.weight for part in parts)
    assert found == pytest.approx(float(expected), rel=1e-5)
    assert task.mean_loss(Logits(logits), Known(targets)) == case.task.mean_loss(
        Logits(logits), Known(targets)
    )


def test_a_row_counts_by_the_weight_of_its_label() -> None:
    """Two rows with chances 1/2 and 1/4 of their labels, which weigh 1 and 3."""
    task = Classification(("a", "b"), label_weights=(1.0, 3.0))
    logits = np.log([[0.5, 0.5], [0.75, 0.25]]).astype(np.float32)
    batch = Batch({}, torch.arange(2), torch.tensor([0, 1]), np.arange(2), 2)

    loss = task.loss(Fixed(logits), batch)

    assert loss.weight == 4
    assert float(loss.total) == pytest.approx(np.log(2) + 3 * np.log(4))


def test_a_saved_task_knows_nothing_of_how_it_was_trained(case: Case) -> None:
    trained = replace(case.task, label_smoothing=0.1, label_weights=(1.0, 2.0, 3.0))

    assert trained.to_json() == case.task.to_json()
    assert not {"label_smoothing", "label_weights"} & trained.to_json().keys()


def test_balanced_weights_are_those_of_scikit_learn_and_their_mean_over_rows_is_1() -> None:
    targets = np.random.default_rng(0).choice(4, 500, p=[0.7, 0.2, 0.08, 0.02])

    weights = balanced_weights(targets, 4)

    expected = compute_class_weight("balanced", classes=np.arange(4), y=targets)
    assert weights == pytest.approx(expected)
    assert np.array(weights)[targets].mean() == pytest.approx(1)


def test_a_label_without_rows_has_nothing_to_be_balanced_against() -> None:
    """A weight of its inverse frequency would be the largest of all, and smoothing would teach that label."""
    weights = balanced_weights(np.array([0, 0, 0, 2]), 3)

    assert weights == pytest.approx((2 / 3, 1, 2))
    assert np.array(weights)[[0, 0, 0, 2]].mean() == pytest.approx(1)


def test_with_several_labels_a_mark_weighs_as_much_as_its_absences() -> None:
    marks = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]], np.float32)

    assert balanced_weights(marks, 3) == (3.0, 1.0, 1.0)  # absent 3 : present 1; in every row; in none


def test_a_task_comes_back_from_json_as_it_was(case: Case) -> None:
    record = json.loads(json.dumps(case.task.to_json()))

    assert TASKS[record["name"]].restore(record) == case.task


def test_every_score_of_the_scorecard_has_its_interval(case: Case) -> None:
    logits, targets = noisy_logits(case.task, 200)
    answers = answered(case.task, logits, Calibration())

    scores = case.task.scores(answers, targets, seed=0)

    assert {"accuracy", "macro_f1", "log_loss", "brier"} <= set(scores)
    assert all(0 <= score.low < score.value < score.high for score in scores.values())
    assert scores[case.task.metric].value == pytest.approx(case.task.score(answers, targets))
    assert case.task.scores(answers, targets, seed=0) == scores


def test_a_model_is_no_better_than_itself_and_better_than_guessing(case: Case) -> None:
    logits, targets = noisy_logits(case.task, 300)
    ours = answered(case.task, logits, Calibration())
    guessed = answered(case.task, logits[::-1].copy(), Calibration())

    same = case.task.difference(ours, ours, targets, seed=0)
    better = case.task.difference(ours, guessed, targets, seed=0)

    assert (same.value, same.low <= 0 <= same.high) == (0, True)
    assert better.value == pytest.approx(case.task.score(ours, targets) - case.task.score(guessed, targets))
    assert better.low > 0


def test_details_and_reliability_are_json_of_plain_numbers(case: Case) -> None:
    logits, targets = noisy_logits(case.task, 100)
    answers = answered(case.task, logits, Calibration())

    details = case.task.details(answers, targets)
    bins = case.task.calibrating.reliability(answers.probabilities, targets)

    assert json.loads(json.dumps([details, bins])) == [details, bins]
    assert [row["label"] for row in details["per_class"]] == list(case.task.labels)
    assert sum(one["count"] for one in bins) == 100 * (case.task.outputs if case.task.many else 1)
    assert bins[0]["low"] == 0
    assert bins[-1]["high"] == 1
    if not case.task.many:
        assert details["confusion"] == metrics.confusion_matrix(targets, answers.chosen).tolist()


def test_every_task_is_known_by_its_own_name_and_has_examples() -> None:
    assert all(kind.name == name for name, kind in TASKS.items())
    assert all(2 <= len(kind.example) <= 3 for kind in TASKS.values())


def test_answers_are_given_with_six_digits() -> None:
    task = Classification(("no", "yes"))

    answer = task.lines(Labels(np.array([[1 / 3, 2 / 3]]), np.array([1])))

    assert answer == [{"label": "yes", "probabilities": {"no": 0.333333, "yes": 0.666667}}]


def test_a_row_may_have_no_label_of_several() -> None:
    task = Classification(("a", "b"), many=True)

    assert task.targets([[], ["a", "b"], ["b", "a"], "b", None]).tolist() == [
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 1],
        [0, 0],
    ]
    assert task.names(np.array([0.0, 0.0])) == []


@pytest.mark.parametrize(
    ("value", "name"), [("spam ", "spam "), (3, "3"), (3.0, "3"), (3.5, "3.5"), (True, "true"), (-1.0, "-1")]
)
def test_a_label_is_named_as_the_user_wrote_it(value: bool | float | str, name: str) -> None:
    assert name_of(value) == name
    assert names_of(value) == [name]


def test_a_missing_label_is_no_label() -> None:
    assert [names_of(value) for value in (None, "", "  ")] == [[], [], []]
    assert names_of("a|b") == ["a|b"]
    assert names_of(["x", 2.0, ""]) == ["x", "2"]
    assert names_of(float("nan")) == []


def labels(values: Sequence[Any], labels_per_row: str = "auto") -> list[tuple[str, ...] | None]:
    """The labels of each row; None where it has none."""
    found = read_labels(values, labels_per_row)
    return [found.sets[at] if there else None for at, there in zip(found.set_of, found.there, strict=True)]


@pytest.mark.parametrize(
    "values",
    [
        [["a"], ["a", "b"], ["c", "b"], None],
        ["['a']", "['a', 'b']", "['c', 'b']", ""],
        ['["a"]', '["a", "b"]', '["c", "b"]', None],
        ["{'a'}", "{'b', 'a'}", "('c', 'b')", " "],
        ["['a']", "['a' 'b']", "['c' 'b']", None],
        ["[a]", "[a, b]", "[c,b]", None],
    ],
)
def test_lists_of_labels_are_read_however_a_program_writes_them(values: list[object]) -> None:
    assert labels(values) == [("a",), ("a", "b"), ("b", "c"), None]


@pytest.mark.parametrize("sign", ["|", ";", ",", ", "])
def test_signs_between_labels_are_seen_where_the_parts_recur(sign: str) -> None:
    values = ["a", "b", "c", sign.join("ab"), sign.join("bc"), sign.join("abc")]

    assert labels(values)[3:] == [("a", "b"), ("b", "c"), ("a", "b", "c")]
    assert labels(values, "one")[3] == (sign.join("ab"),)


def test_whole_numbers_with_commas_between_them_are_labels_where_they_stand_alone_too() -> None:
    assert labels(["27", "4,27", "1,3,27"])[1:] == [("27", "4"), ("1", "27", "3")]
    assert labels(["27", "4;27", "4", "3;4", "3"])[1:4:2] == [("27", "4"), ("3", "4")]


@pytest.mark.parametrize(
    "values",
    [
        ["and|or", "xor"],
        ["a", "b", None, 3],
        ["Toys, Games", "Home, Garden", "Books"],
        ["Food, hot", "Food, cold", "Drinks, hot", "Drinks, cold"],
        ["1,5", "2,5", "1,2", "5"],
    ],
)
def test_a_sign_in_the_name_of_a_label_parts_nothing(values: list[int | str | None]) -> None:
    assert not read_labels(values, "auto").many


@pytest.mark.parametrize(
    "values",
    [
        [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], None],
        [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], None],
        ["[1, 0, 0, 1]", "[0, 1, 0, 0]", "[0, 0, 0, 0]", ""],
        ["[1. 0. 0. 1.]", "[0. 1. 0. 0.]", "[0. 0. 0. 0.]", None],
        ["1001", "0100", "0000", None],
        ["1 0 0 1", "0 1 0 0", "0 0 0 0", " "],
    ],
)
def test_a_vector_of_noughts_and_ones_names_its_labels_by_their_places(values: list[object]) -> None:
    assert labels(values) == [("0", "3"), ("1",), (), None]


def test_lists_of_two_numbers_of_labels_are_no_vectors() -> None:
    assert labels([[0, 1], [1, 0], [2, 0]]) == [("0", "1"), ("0", "1"), ("0", "2")]


def test_lists_that_never_hold_two_labels_are_one_label_a_row() -> None:
    assert not read_labels([["a"], ["b"], []], "auto").many
    assert labels([["a"], ["b"], []]) == [("a",), ("b",), None]


def test_whole_numbers_are_one_label_however_they_are_written() -> None:
    assert labels(["1.0", "1", "2", None]) == [("1",), ("1",), ("2",), None]
    assert labels(["1.0", "1.1", "2.0"]) == [("1.0",), ("1.1",), ("2.0",)]


def test_labels_are_in_the_order_of_their_numbers() -> None:
    assert in_order({"10", "9", "-1", "2.5", "b", "B", "a10"}) == ("-1", "2.5", "9", "10", "B", "a10", "b")
