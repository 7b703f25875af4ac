"""Two finished runs on the same test rows: which is better, and what is refused."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn import metrics

import luthier
from command import luthier as command
from luthier.comparing.runs import compare_runs
from luthier.errors import RunError
from luthier.files import write_json
from luthier.folder.model_record import ModelRecord, SavedModelRecord
from luthier.folder.scorecard_records import ScorecardRecord
from luthier.records import sealed, stamped
from luthier.scores.intervals import paired_proportions
from luthier.tasks import TASKS
from luthier.tasks.adaptation.task import Adaptation
from luthier.tasks.calibration import Calibration
from luthier.tasks.chat.replies import Replies, Spoken, Written
from luthier.tasks.chat.task import Chat
from luthier.tasks.classification.task import Classification, Labels
from luthier.tasks.embedding.task import Embedding, Vectors
from luthier.tasks.preference.rewards import Rewards
from luthier.tasks.preference.task import Preference
from luthier.tasks.question_answering.task import QuestionAnswering
from luthier.tasks.regression import Regression
from luthier.tasks.token_classification.task import TokenClassification

TASK = Classification(labels=("no", "yes"))
MODEL = ModelRecord(
    task={}, calibration=Calibration(), pooling="mean", hidden=(), long="cut", columns={"text": "text"},
    base="tiny", base_fingerprint="0", method="probe", luthier="0",
)  # fmt: skip


def a_run(
    path: Path,
    lines: Sequence[Mapping[str, Any]],
    task: Any = TASK,
    file: str = "reviews.csv",
    **more: Any,
) -> Path:
    """The folder of a finished run with such predictions; each line of its own in the file."""
    card = {
        "task": task.name, "metric": task.metric, "test": {task.metric: {"value": 0.5}}, "chosen": "probe",
        "verdict": {"ship": True}, **more,
    }  # fmt: skip
    for folder in ("model", "predictions"):
        (path / folder).mkdir(parents=True)
    write_json(path / "scorecard.json", sealed(stamped(card, ScorecardRecord)))
    record = replace(MODEL, task=task.to_json()).to_json()
    write_json(path / "model" / "luthier.json", stamped(record, SavedModelRecord))
    rows = [
        {"row": at, "file": file, "line": at + 2, "text": f"text {at}", **line}
        for at, line in enumerate(lines)
    ]
    (path / "predictions" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def answers(labels: Sequence[str], said: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"label": label, "prediction": one, "probabilities": {one: 1.0}}
        for label, one in zip(labels, said, strict=True)
    ]


def of_right(right: np.ndarray) -> list[dict[str, Any]]:
    """Lines that are right where it is told."""
    return answers(["yes"] * len(right), np.where(right, "yes", "no").tolist())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_is_better_than_one_that_errs_more_often(here: Path) -> None:
    many, few = np.arange(100) < 90, np.arange(100) < 70
    a_run(here / "a", of_right(many))
    a_run(here / "b", of_right(few))

    found = luthier.compare("a", "b")

    expected = paired_proportions(many.astype(float), few.astype(float), seed=0)
    assert found.gap == expected
    assert (found.outcome, found.rows, found.differing) == ("better", 100, 20)
    assert found.words == (
        "a is better than b, beyond noise: 90.0 % against 70.0 % accuracy on the same 100 test rows, 20 of them answered "
        f"differently, +20.0 points (95 % interval {100 * expected.low:+.1f} to {100 * expected.high:+.1f})."
    )
    assert compare_runs(Path("b"), Path("a")).outcome == "worse"


def test_too_few_rows_show_no_difference_and_it_is_told_what_would_have_been_seen(here: Path) -> None:
    a_run(here / "a", of_right(np.arange(100) < 82))
    a_run(here / "b", of_right(np.arange(100) < 79))

    found = luthier.compare("a", "b").to_json()

    assert found["outcome"] == "no difference"
    assert found["detectable"] == pytest.approx(1.43 * (found["high"] - found["low"]) / 2, rel=0.01)
    assert found["words"].startswith("Between a and b there is no difference that this test can see: 82.0 %")
    assert found["words"].endswith(
        f"A test like this one finds a true difference of {100 * found['detectable']:.1f} points 8 times in 10."
    )


def test_a_run_is_no_different_from_itself(here: Path) -> None:
    a_run(here / "a", of_right(np.arange(50) < 40))

    found = luthier.compare("a", "a")

    assert found.gap.to_json() == {"difference": 0.0, "low": 0.0, "high": 0.0}
    assert found.words == (
        "Between a and a there is no difference that this test can see: 80.0 % against 80.0 % accuracy on the same 50 test rows, "
        "0 of them answered differently, +0.0 points."
    )
    assert found.to_json()["detectable"] is None


def test_a_calibration_error_is_compared_with_the_difference_that_the_test_would_have_seen(
    here: Path,
) -> None:
    dice = np.random.default_rng(0)
    sure, right = dice.uniform(0.5, 1.0, 200), dice.random(200) < 0.8

    def lines(shares: np.ndarray) -> list[dict[str, Any]]:
        said = np.where(right, "yes", "no").tolist()
        return [
            {
                "label": "yes",
                "prediction": one,
                "probabilities": {one: p, {"yes": "no", "no": "yes"}[one]: 1 - p},
            }
            for one, p in zip(said, shares.tolist(), strict=True)
        ]

    a_run(here / "a", lines(sure), metric="ece", test={"ece": {"value": 0.1}})
    a_run(here / "b", lines(np.sqrt(sure)), metric="ece", test={"ece": {"value": 0.1}})

    found, alike = luthier.compare("a", "b").to_json(), luthier.compare("a", "a").to_json()

    assert found["metric"] == "ece"
    assert found["detectable"] == pytest.approx(1.43 * (found["high"] - found["low"]) / 2, rel=0.01)
    assert (alike["difference"], alike["detectable"]) == (0.0, None)


def test_rows_that_either_run_clustered_are_compared_cluster_by_cluster(here: Path) -> None:
    by = {"by": ["rows of one 'author'"], "test": 10, "valid": 5}
    many, few = np.arange(100) < 90, np.arange(100) < 50
    clustered = [{**line, "cluster": at // 10} for at, line in enumerate(of_right(many))]
    a_run(here / "a", clustered, clusters=by)
    a_run(here / "b", of_right(few))

    found = luthier.compare("a", "b")

    assert (found.clusters, found.by) == (10, ("rows of one 'author'",))
    assert found.outcome == "no difference that this test can see"  # four clusters differ
    assert "The rows fall into 10 clusters (rows of one 'author'), which were drawn whole." in found.words


def test_labels_may_be_called_in_another_order_or_be_more(here: Path) -> None:
    random = np.random.default_rng(0)
    truth, ours, theirs = random.choice(["a", "b", "c"], (3, 60)).tolist()
    task = Classification(labels=("a", "b", "c"), metric="macro_f1")
    a_run(here / "a", answers(truth, ours), task)
    a_run(here / "b", answers(truth, theirs), replace(task, labels=("d", "c", "b", "a")))
    a_run(here / "c", answers(truth, ours), replace(task, labels=("c", "b", "a")))

    found, same = luthier.compare("a", "b"), luthier.compare("a", "c")

    expected = [metrics.f1_score(truth, said, average="macro") for said in (ours, theirs)]
    assert [one.value for one in found.scores] == pytest.approx(expected)
    assert same.gap.to_json() == {"difference": 0.0, "low": 0.0, "high": 0.0}
    assert same.differing == 0


def test_the_metric_is_that_of_the_first_run_and_it_is_told_where_the_other_chose_by_another(
    here: Path,
) -> None:
    lines = of_right(np.arange(50) < 40)
    a_run(here / "a", lines)
    a_run(here / "b", lines, replace(TASK, metric="macro_f1"))

    found = luthier.compare("a", "b")

    assert found.metric == "accuracy"
    assert found.words.endswith("They are compared by accuracy, by which a chose; b chose by macro F1.")


def test_runs_on_other_rows_are_refused_with_what_would_help(here: Path) -> None:
    lines = of_right(np.ones(30, bool))
    a_run(here / "a", lines)
    a_run(here / "b", lines[:20])
    a_run(here / "c", lines, file="others.csv")

    with pytest.raises(RunError) as fewer:
        luthier.compare("a", "b")
    with pytest.raises(
        RunError, match=r"30 rows of reviews\.csv, and c on 30 rows of others\.csv; 0 of them"
    ):
        luthier.compare("a", "c")
    assert str(fewer.value) == (
        "a was tested on 30 rows of reviews.csv, and b on 20 rows of reviews.csv; 20 of them are the same. Runs are compared on "
        "the same test rows: tune both on the same data with the same --seed, by which it is split, or give both the same --test "
        "FILE."
    )


def test_a_row_whose_label_has_changed_is_named(here: Path) -> None:
    a_run(here / "a", answers(["yes", "no"], ["yes", "no"]))
    a_run(here / "b", answers(["yes", "yes"], ["yes", "no"]))

    with pytest.raises(
        RunError, match=r'reviews\.csv, line 3: the label is "no" in a and "yes" in b, so the'
    ):
        luthier.compare("a", "b")


def test_a_row_whose_name_and_label_are_the_same_and_whose_contents_are_not_is_refused(here: Path) -> None:
    for name in "ab":
        a_run(here / name, of_right(np.ones(3, bool)), looks={"contents": name, "rows": 3})

    with pytest.raises(RunError, match="have the same names and labels, but what is read of them differs"):
        luthier.compare("a", "b")


def test_runs_of_two_tasks_and_what_is_no_run_are_refused(here: Path) -> None:
    a_run(here / "a", of_right(np.ones(3, bool)))
    a_run(here / "b", [{"label": 1.0, "prediction": 2.0}] * 3, Regression())

    with pytest.raises(RunError, match="a is a run of text-classification, and b one of regression"):
        luthier.compare("a", "b")
    with pytest.raises(RunError, match="nowhere: is not the folder of a run"):
        luthier.compare("a", "nowhere")


GOLD = [{"start": 0, "end": 4, "label": "PER", "text": "Anna"}]
OF_TASKS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "text-classification": (
        TASK,
        {"label": "yes", "prediction": "yes", "probabilities": {"yes": 1.0}},
        {"label": "yes", "prediction": "no", "probabilities": {"no": 1.0}},
    ),
    "regression": (
        Regression(metric="r2"),
        {"label": 1.0, "prediction": 1.1},
        {"label": 1.0, "prediction": 4.0},
    ),
    "token-classification": (
        TokenClassification(("PER",)),
        {"label": GOLD, "prediction": [{**GOLD[0], "probability": 0.9}]},
        {"label": GOLD, "prediction": []},
    ),
    "question-answering": (
        QuestionAnswering(),
        {"label": ["in May"], "prediction": "May"},
        {"label": ["in May"], "prediction": "on Monday"},
    ),
    "embedding": (Embedding("pairs", "mrr"), {"label": 3, "rank": 1}, {"label": 3, "rank": 4}),
    "chat": (
        Chat("exact_match"),
        {"label": "Yes.", "prediction": "Yes.", "loss": 0.1, "tokens": 3},
        {"label": "Yes.", "prediction": "No.", "loss": 0.1, "tokens": 3},
    ),
    "preference": (
        Preference(),
        {"label": "chosen", "prediction": "chosen", "rewards": {"chosen": 0.2, "rejected": 0.1}},
        {"label": "chosen", "prediction": "rejected", "rewards": {"chosen": 0.1, "rejected": 0.3}},
    ),
    "adaptation": (
        Adaptation(),
        {"label": 0, "loss": 1.5, "tokens": 20},
        {"label": 0, "loss": 2.5, "tokens": 20},
    ),
}


@pytest.mark.parametrize("name", OF_TASKS)
def test_runs_of_every_task_are_compared_by_its_own_metric(name: str, here: Path) -> None:
    task, good, poor = OF_TASKS[name]
    spread = [
        {**one, "label": one["label"] + at, "prediction": one["prediction"] + at * (-1) ** (one is poor)}
        if name == "regression"
        else one
        for at in range(40)
        for one in (good,)
    ]
    good_lines = [{"prediction": None, **line} for line in spread]
    poor_lines = [{**line, **{k: v for k, v in poor.items() if k != "label"}} for line in good_lines]
    a_run(here / "a", good_lines, task)
    a_run(here / "b", poor_lines[:30] + good_lines[30:], task)

    found = luthier.compare("a", "b")

    assert (found.metric, found.outcome, found.differing) == (task.metric, "better", 30)
    assert luthier.compare("b", "a").outcome == "worse"
    assert found.scores[0].value == pytest.approx(task_score(name), abs=0.01)


def test_entities_are_answered_alike_however_sure_a_model_is_of_them(here: Path) -> None:
    for name, sure in (("a", 0.9), ("b", 0.6)):
        lines = [{"label": GOLD, "prediction": [{**GOLD[0], "probability": sure}]}] * 8
        a_run(here / name, lines, TokenClassification(("PER",)))

    assert luthier.compare("a", "b").differing == 0


def task_score(name: str) -> float:
    """What a run whose lines are all good comes to."""
    return {"question-answering": 2 / 3, "adaptation": 1.5}.get(name, 1.0)


def test_every_task_there_is_can_be_compared() -> None:
    named = {"pair-classification", "image-classification"}  # as text-classification is

    assert OF_TASKS.keys() | named == TASKS.keys()


def test_losses_over_different_tokens_are_not_compared(here: Path) -> None:
    lines = [{"label": 0, "prediction": 1.5, "loss": 1.5, "tokens": 20}] * 8
    a_run(here / "a", lines, Adaptation())
    a_run(here / "b", [{**line, "tokens": 21} for line in lines], Adaptation())

    with pytest.raises(
        RunError, match=r"a and b cannot be compared by loss\. Their models cut the texts into"
    ):
        luthier.compare("a", "b")


def test_texts_that_one_of_two_did_not_write_are_not_compared(here: Path) -> None:
    lines = [{"label": "Yes.", "prediction": "Yes.", "loss": 1.5, "tokens": 2}] * 8
    a_run(here / "a", lines, Chat("exact_match"))
    a_run(here / "b", [*lines[:5], *[{**one, "prediction": None} for one in lines[5:]]], Chat("loss"))

    with pytest.raises(RunError, match="wrote answers to 8 and 5 of the test rows, and not to the same ones"):
        luthier.compare("a", "b")


def test_lines_of_an_older_luthier_that_lack_what_is_measured_are_told(here: Path) -> None:
    for name in "ab":
        a_run(here / name, [{"label": "Yes.", "prediction": "Yes."}] * 8, Chat())

    with pytest.raises(RunError, match="lacks 'tokens', which an older luthier did not write"):
        luthier.compare("a", "b")


def test_what_a_line_holds_more_gives_the_metrics_again() -> None:
    random = np.random.default_rng(0)
    vectors = Vectors(random.normal(size=(12, 2, 4)))
    numbers, task = np.arange(12), Embedding("pairs", "mrr")
    nothing = Written(np.zeros(0, np.int64), (), np.zeros(0, np.int64))
    spoken = Replies(Spoken(random.random(9), random.integers(1, 5, 9), nothing))

    cases: list[tuple[Any, Any, Any]] = [(task, vectors, numbers), (Adaptation(), spoken, np.zeros(9))]
    for judged, said, targets in cases:
        more = judged.recorded.more(said, targets)
        again = judged.measures([judged.metric], judged.recorded.evidence(more))[judged.metric]
        assert again.value == pytest.approx(judged.score(said, targets))


def test_what_a_line_of_predict_holds_gives_the_metrics_again() -> None:
    labels, rewards = np.array([0, 1, 1]), Rewards(np.array([[0.2, 0.1], [0.1, 0.4], [0.3, 0.3]]))
    sure = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    cases: list[tuple[Any, Any, Any]] = [
        (TASK, Labels(sure, sure.argmax(1)), labels),
        (Preference(), rewards, np.zeros((3, 2))),
    ]
    for task, said, targets in cases:
        lines: list[dict[str, Any]] = [
            {**line, "label": right, "prediction": line[task.answer_key]}
            for line, right in zip(task.lines(said), task.known(targets), strict=True)
        ]
        found = task.recorded.evidence(lines)
        for name in task.reported(targets):
            again = task.measures([name], found)[name].value
            assert again == pytest.approx(task.scores(said, targets, 0)[name].value)


# A baseline


def test_a_run_that_is_not_worse_than_its_baseline_ends_with_0_and_one_that_is_with_3(here: Path) -> None:
    a_run(here / "new", of_right(np.arange(100) < 70))
    a_run(here / "old", of_right(np.arange(100) < 90))
    a_run(here / "near", of_right(np.arange(100) < 72))

    worse = command("verdict", "new", "--baseline", "old", "--junit", "verdict.xml")
    same, better = (
        command("verdict", "new", "--baseline", "near"),
        command("verdict", "old", "--baseline", "new"),
    )

    assert (worse.code, same.code, better.code) == (3, 0, 0)
    assert (
        worse.out.splitlines()[1]
        == f"{luthier.compare('new', 'old').words} Not worse was asked for, so it fails."
    )
    assert same.out.splitlines()[1] == luthier.compare("new", "near").words
    suite = ElementTree.parse("verdict.xml").getroot()[0]
    assert [case.get("name") for case in suite] == ["ship", "baseline"]
    assert (suite.get("failures"), suite[1][0].tag) == ("1", "failure")


def test_a_baseline_of_other_rows_another_task_other_labels_or_another_metric_is_refused(here: Path) -> None:
    right = of_right(np.ones(20, bool))
    a_run(here / "new", right)
    a_run(here / "fewer", right[:10])
    a_run(here / "number", [{"label": 1.0, "prediction": 2.0}] * 20, Regression())
    a_run(here / "maybe", right, replace(TASK, labels=("maybe", "no", "yes")))
    a_run(here / "macro", right, replace(TASK, metric="macro_f1"))

    ended = {
        name: command("verdict", "new", "--baseline", name) for name in ("fewer", "number", "maybe", "macro")
    }

    assert {one.code for one in ended.values()} == {2}
    assert {one.out for one in ended.values()} == {""}
    assert ended["fewer"].err.startswith("new was tested on 20 rows of reviews.csv, and fewer on 10 rows of")
    assert ended["number"].err.startswith("new is a run of text-classification, and number one of regression")
    assert ended["maybe"].err == (
        "new and maybe do not know the same labels: 'maybe' only in maybe. Tune both on the same labels; `luthier compare` "
        "compares them as they are.\n"
    )
    assert ended["macro"].err == (
        "new chose by accuracy, and macro by macro_f1: a run is held against one of the same metric. Give the command of either "
        "run again with the other's --metric; `luthier compare` compares them by accuracy.\n"
    )


def test_models_that_were_judged_are_compared_too(here: Path) -> None:
    judged = {"what": "a model", "task": TASK.to_json()}
    a_run(here / "old", of_right(np.arange(100) < 70))
    for name in ("judged", "unknown"):
        told = judged if name == "judged" else {"what": "a model"}
        a_run(here / name, of_right(np.arange(100) < 90), judged=told)
        shutil.rmtree(here / name / "model")

    assert luthier.compare("judged", "old").outcome == "better"
    assert command("verdict", "old", "--baseline", "judged").code == 3
    with pytest.raises(
        RunError, match=r"unknown/scorecard\.json: does not tell the task, which an older luthier did not"
    ):
        luthier.compare("unknown", "old")


def test_a_run_without_test_rows_is_compared_with_none_and_what_helps_is_told(here: Path) -> None:
    measured = a_run(here / "measured", answers(["yes", "no"], ["yes", "yes"]))
    other = a_run(here / "other", [], test={}, rows={"train": 2, "test": 0})

    for pair in ((measured, other), (other, measured)):
        with pytest.raises(RunError) as error:
            compare_runs(*pair)
        assert str(error.value) == (
            f"{other}: was not measured, as it had no test rows, so nothing tells how right its answers are. Give its command "
            "again with rows to test on (--test FILE), into a new folder."
        )
