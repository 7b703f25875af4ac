"""Distillation: a student learns a run's calibrated answers, and is told beside its teacher."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import luthier as package
from command import luthier
from kills import at_step, kill_in
from luthier.batches.examples import Batch, Examples
from luthier.candidates.tuned import taught
from luthier.errors import PlanError, RunError
from luthier.folder.model_folder import ModelFolder
from luthier.plan.plan import Plan
from luthier.prepare.prepare import prepare
from luthier.steps.tune import tune
from luthier.tasks.classification.task import Classification, Labels
from tiny import TINY, messages, messages_csv

QUICK: dict[str, Any] = {"precision": "fp32", "threads": 1, "quiet": True}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows, an encoder, and a probe on it that teaches."""
    home = tmp_path_factory.mktemp("distilled")
    messages_csv(home / "rows.csv", 240)
    TINY["sentence_bert"](home / "encoder")
    package.tune(
        str(home / "rows.csv"),
        model=str(home / "encoder"),
        method="probe",
        out=str(home / "teacher"),
        **QUICK,
    )
    with open(home / "free.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text, _ in messages(40, seed=9))])
    return home


@pytest.fixture(scope="module")
def student(home: Path) -> ModelFolder:
    found = package.tune(
        str(home / "rows.csv"), teacher=str(home / "teacher"), unlabelled=str(home / "free.csv"), method="full", epochs=20,
        out=str(home / "student"), **QUICK,
    )  # fmt: skip
    assert isinstance(found, ModelFolder)
    return found


def plan_of(home: Path, **more: Any) -> Plan:
    settings = {"data.path": home / "rows.csv", "train.teacher": home / "teacher", "run.threads": 1}
    return Plan.build({**settings, "run.precision": "fp32", "train.method": "full", **more})


def test_without_a_model_the_student_is_a_table_made_of_its_teacher_which_is_said(home: Path) -> None:
    ready = prepare(plan_of(home))

    assert [str(one) for one in ready.resolved.guesses if one.key == "model.name"] == [
        f"model.name = static:{home / 'teacher'}  (a table of word vectors, made of the teacher; --model corrects it)"
    ]
    assert ready.base.folder.is_table


def test_static_alone_is_made_of_the_teacher_and_wants_one(home: Path) -> None:
    named = prepare(plan_of(home, **{"model.name": "static"}))

    assert named.plan.model.name == f"static:{home / 'teacher'}"
    with pytest.raises(PlanError) as error:
        prepare(Plan.build({"data.path": home / "rows.csv", "model.name": "static"}))
    assert str(error.value) == (
        "model.name: 'static' is a table of word vectors made of a teacher, and no teacher is named. Name one with --teacher "
        "RUN, or the encoder that it is to be made of: --model static:all-MiniLM-L6-v2"
    )


def test_a_student_is_told_beside_its_teacher(student: ModelFolder) -> None:
    told = student.scorecard.record["distillation"]
    teacher = ModelFolder(student.path.parent / "teacher").scorecard

    assert told["teacher"]["score"] == pytest.approx(teacher.test["accuracy"].value)
    assert told["student"]["score"] == student.scorecard.test["accuracy"].value
    assert told["difference"] == pytest.approx(told["student"]["score"] - told["teacher"]["score"])
    assert told["low"] <= told["difference"] <= told["high"]
    assert told["rows"] == {"labelled": student.scorecard.record["rows"]["train"], "unlabelled": 40}
    assert told["seen"] == 0
    assert told["words"].startswith("The student has ")
    report = (student.path / "report.html").read_text()
    assert "Teacher and student on the same test rows" in report


def test_what_was_saved_answers_in_sentence_transformers_as_here(student: ModelFolder) -> None:
    from sentence_transformers import SentenceTransformer

    texts = [text for text, _ in messages(20, seed=3)]

    theirs = SentenceTransformer(str(student.path / "model"), device="cpu").encode(texts)

    assert theirs == pytest.approx(student.logits(texts), abs=1e-5)
    assert SentenceTransformer(str(student.path / "model"))[0].__class__.__name__ == "StaticEmbedding"


def test_a_student_goes_on_being_tuned_and_is_judged_as_any_model(
    student: ModelFolder, tmp_path: Path
) -> None:
    verdict = luthier("verdict", str(student.path))
    onward = prepare(
        Plan.build({"data.path": student.path.parent / "rows.csv", "model.name": str(student.path)})
    )

    assert verdict.code in (0, 3)
    assert onward.base.folder.is_table
    assert onward.model.pooling == "mean"


def test_labels_and_answers_are_learnt_half_and_half_and_of_rows_without_a_label_the_answer_alone(
    home: Path,
) -> None:
    ready = prepare(plan_of(home, **{"data.unlabelled": home / "free.csv"}))
    teacher, own = ready.teacher, ready.examples["train"]
    assert teacher is not None
    assert ready.unlabelled is not None
    inputs = [*ready.rows.inputs(ready.rows.split.train), *ready.unlabelled.inputs]
    lines = teacher.model.predict(inputs)
    assert isinstance(ready.rows.task, Classification)
    labels = ready.rows.task.labels
    sure = np.array([[line["probabilities"][label] for label in labels] for line in lines])
    answers = Labels(sure, sure.argmax(1))

    targets = taught.taught(ready, teacher, inputs, answers).examples["train"].targets

    roots = np.sqrt(sure) / np.sqrt(sure).sum(1, keepdims=True)  # divided logits: powers of a half
    known = np.eye(len(labels))[own.targets]
    assert targets[: len(own)] == pytest.approx((roots[: len(own)] + known) / 2, abs=1e-6)
    assert targets[len(own) :] == pytest.approx(roots[len(own) :], abs=1e-6)


def test_labels_are_matched_by_name_whatever_their_order() -> None:
    ours = Classification(("a", "b", "c"))
    theirs = Classification(("c", "a", "b"))
    answers = Labels(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]), np.array([0, 2]))

    found = ours.teaching.as_ours(answers, theirs)

    assert found.probabilities.tolist() == [[0.2, 0.1, 0.7], [0.1, 0.8, 0.1]]
    assert found.chosen.tolist() == [2, 1]


def test_a_teacher_of_other_labels_is_refused_with_both_lists(home: Path, tmp_path: Path) -> None:
    messages_csv(tmp_path / "fewer.csv", 120, labels=2)

    with pytest.raises(PlanError) as error:
        prepare(plan_of(home, **{"data.path": tmp_path / "fewer.csv"}))

    assert str(error.value) == (
        f"train.teacher: {home / 'teacher'} answers 4 labels that are not those of the rows. The teacher alone has 'broken', "
        "'praise'. The teacher: 'broken', 'delivery', 'praise', 'refund'. The rows: 'delivery', 'refund'. Name a run of the same "
        "task and the same labels with --teacher, or leave it out."
    )


def test_a_teacher_that_has_seen_the_test_rows_is_refused_with_the_flag_that_parts_them_alike(
    home: Path,
) -> None:
    with pytest.raises(PlanError) as error:
        prepare(plan_of(home, **{"run.seed": 5}))

    assert "of the 48 test rows, or was chosen or calibrated by them" in str(error.value)
    assert "Part the rows as its run did: --split-seed 0. --allow leaks goes on in spite of it." in str(
        error.value
    )
    parted = prepare(plan_of(home, **{"run.seed": 5, "data.split_seed": 0})).teacher
    allowed = prepare(plan_of(home, **{"run.seed": 5, "data.allow": "leaks"})).teacher
    assert parted is not None
    assert allowed is not None
    assert parted.seen is not None
    assert parted.seen.rows == 0
    assert allowed.seen is not None
    assert allowed.seen.rows is not None
    assert allowed.seen.rows > 0


def test_a_teacher_whose_rows_are_gone_is_told_of(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "teacher", tmp_path / "teacher")
    plan = tmp_path / "teacher" / "plan.toml"
    plan.write_text(plan.read_text().replace(str(home / "rows.csv"), str(tmp_path / "gone.csv")))

    ready = prepare(plan_of(home, **{"train.teacher": tmp_path / "teacher"}))

    assert ready.teacher is not None
    assert ready.teacher.seen is not None
    assert ready.teacher.seen.words == (
        f"Whether {tmp_path / 'teacher'} learnt from the test rows cannot be told, as the rows that it learnt from are not here "
        "any more, or not as they were."
    )


def test_what_is_no_run_teaches_nothing(home: Path) -> None:
    with pytest.raises(RunError) as error:
        prepare(plan_of(home, **{"train.teacher": home / "encoder"}))

    assert str(error.value).startswith(f"train.teacher: {home / 'encoder'}: holds no model/luthier.json")


def test_a_teacher_of_other_labels_is_refused_before_a_table_is_made_of_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(tmp_path / "rows.csv", "w", newline="", encoding="utf-8") as file:
        rows = [(text, f"other {label}") for text, label in messages(40)]
        csv.writer(file).writerows([("text", "label"), *rows])
    monkeypatch.setattr("luthier.prepare.prepare.base_of", None)

    with pytest.raises(PlanError, match="Name a run of the same task and the same labels with --teacher"):
        prepare(plan_of(home, **{"data.path": tmp_path / "rows.csv"}))


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("train.balance", "loss", "a teacher's answers are no labels"),
        ("train.distill", 1.0, "a teacher is learnt from already"),
        ("compare.scratch", "on", "a model from random weights learns from labels alone"),
    ],
)
def test_what_means_nothing_beside_a_teacher_is_refused(
    home: Path, setting: str, value: object, words: str
) -> None:
    with pytest.raises(PlanError, match=words):
        prepare(plan_of(home, **{setting: value}))


def test_a_probe_learns_from_no_teacher(home: Path) -> None:
    with pytest.raises(PlanError, match=r"train\.teacher: no effect with train\.method 'probe'"):
        plan_of(home, **{"train.method": "probe"})


def test_the_gradient_at_a_temperature_is_as_large_as_without_one() -> None:
    """Hinton et al. 2015, section 2, eq. 2, times T^2: T (softmax(z / T) - target)."""
    task = Classification(("a", "b", "c")).teaching.learner()
    logits = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[0.2, 0.5, 0.3]], dtype=torch.float64)
    batch = Batch({}, torch.zeros(1), target, np.zeros(1, np.int64), tokens=1)

    task.loss(lambda _: logits, batch).total.backward()

    wanted = 2.0 * (torch.softmax(logits.detach() / 2.0, 1) - target)
    assert logits.grad is not None
    assert torch.allclose(logits.grad, wanted)


def test_the_answers_of_a_teacher_are_asked_for_once_and_a_killed_run_ends_in_the_same_bytes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(out: str) -> Plan:
        return plan_of(home, **{"run.out": tmp_path / out, "train.epochs": 4, "run.save_every": "1s"})

    list(tune(plan("whole")))
    kill_in(plan("killed"), look=at_step(5))
    asked: list[int] = []
    real = taught.outputs_of

    def counted(run: Any, teacher: Any, examples: Examples) -> Any:
        asked.append(len(examples))
        return real(run, teacher, examples)

    monkeypatch.setattr(taught, "outputs_of", counted)
    list(tune(plan("killed")))

    assert asked == []
    weights = [
        (tmp_path / out / "model" / "0_StaticEmbedding" / "model.safetensors").read_bytes()
        for out in ("whole", "killed")
    ]
    assert weights[0] == weights[1]
    state = json.loads(next((tmp_path / "killed" / "state").glob("teacher-*.json")).read_text())
    assert {"sha256", "arrays_sha256", "seconds"} <= set(state)


def test_a_teacher_that_is_nowhere_is_told_of_before_a_student_is_made_of_it(home: Path) -> None:
    asked = {"data.path": home / "rows.csv", "train.teacher": home / "nowhere"}

    for model in ({}, {"model.name": "static"}, {"model.name": home / "encoder"}):
        with pytest.raises(RunError) as error:
            list(tune(Plan.build({**asked, **model})))
        assert str(error.value) == (
            f"train.teacher: {home / 'nowhere'}: there is no such folder, so it is not a model that luthier saved. `luthier "
            "tune` makes one."
        )


def test_a_teacher_of_names_alone_has_seen_no_test_row(home: Path, tmp_path: Path) -> None:
    teacher, names = tmp_path / "names", sorted({label for _, label in messages(240)})
    free, encoder = str(home / "free.csv"), str(home / "encoder")
    package.tune(free, label_names=names, model=encoder, out=str(teacher), **QUICK)

    ready = prepare(plan_of(home, **{"train.teacher": teacher}))

    assert ready.teacher is not None
    assert ready.teacher.seen is not None
    assert ready.teacher.seen.rows == 0
    assert ready.teacher.seen.words == (
        f"{teacher} was made of labels' names and has seen none of the {len(ready.rows.split.test)} test rows."
    )


@pytest.mark.parametrize("rows", [3, 12])
def test_a_table_of_word_vectors_learns_from_few_rows_by_its_probe(
    home: Path, tmp_path: Path, rows: int
) -> None:
    """It has no layers but its embeddings, which few-shot leaves as they are."""
    few = messages_csv(tmp_path / "few.csv", rows, labels=3)
    test = str(messages_csv(tmp_path / "test.csv", 12, seed=1, labels=3))
    asked: dict[str, Any] = {
        "test": test,
        "model": f"static:{home / 'encoder'}",
        "allow": ("leaks",),
        **QUICK,
    }

    run = package.tune(str(few), out=str(tmp_path / "run"), **asked)
    with pytest.raises(PlanError) as error:
        package.tune(str(few), out=str(tmp_path / "run"), method="few-shot", **asked)

    assert [one["name"] for one in run.scorecard.record["candidates"]][-1] == run.scorecard.chosen == "probe"
    assert str(error.value) == (
        f"train.method: 'few-shot' moves all layers but the embeddings, and static:{home / 'encoder'} has no others. Choose "
        "--method probe or full, or another --model."
    )
