"""A model that was tuned elsewhere is judged on every row, to the numbers that its own library counts."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.metrics import accuracy_score, log_loss

import luthier as face
from command import luthier
from judgements import judged, lines, refused
from luthier.errors import PlanError
from luthier.plan.plan import Plan
from luthier.prepare.judged import Request, learning_from, open_judged
from luthier.scores.classification import Reliability
from luthier.steps.judge import folds_of
from luthier.steps.judged_trust import calibration_error, pooled
from luthier.tasks.classification.task import bins_of
from tiny import ABOUT, conversations_jsonl, messages, messages_csv, write_json, write_jsonl
from tuned_elsewhere import headed, logits_of, rows_model

LABELS = ("praise", "refund", "broken", "delivery")
"""In an order that is not that of the alphabet, as a model may have it."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rows_model(tmp_path_factory.mktemp("judged") / "model", LABELS)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return messages_csv(tmp_path_factory.mktemp("judged") / "rows.csv", 41)


@pytest.fixture(scope="module")
def card(model: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    out = tmp_path_factory.mktemp("judged") / "verdict"
    return judged(model, data, out, by_hand=True), out


def test_every_row_is_a_test_row_and_its_probabilities_are_those_of_transformers(
    card: tuple[dict[str, Any], Path], model: Path
) -> None:
    found, out = card
    texts, labels = zip(*messages(41), strict=True)
    expected = logits_of(model, texts).softmax(-1).numpy()
    right = [LABELS.index(label) for label in labels]

    given = [[line["probabilities"][label] for label in LABELS] for line in lines(out)]

    assert found["rows"] == {"train": 0, "valid": 0, "calibration": 0, "test": 41}
    np.testing.assert_allclose(given, expected, atol=2e-6)
    assert found["test"]["accuracy"]["value"] == accuracy_score(right, expected.argmax(1))
    assert found["test"]["log_loss"]["value"] == pytest.approx(
        log_loss(right, expected, labels=range(4)), abs=1e-5
    )


def test_the_scorecard_says_what_was_judged_and_against_what(
    card: tuple[dict[str, Any], Path], data: Path
) -> None:
    found, _ = card

    assert (found["task"], found["method"], found["chosen"]) == ("text-classification", "judge", "tuned")
    assert [one["name"] for one in found["candidates"]] == ["majority", "tf-idf", "tuned"]
    assert all(one["valid"] == one["test"] for one in found["candidates"])
    assert (found["valid_from"], found["judged"]["folds"]) == ("test", 5)
    assert found["verdict"]["against"] == "tf-idf"
    assert found["calibration"]["part"] == "test"
    assert found["calibration"]["ece_before"] > 0


def test_the_scorecard_says_how_fast_and_how_large_the_model_and_what_it_is_compared_with_are(
    card: tuple[dict[str, Any], Path], model: Path
) -> None:
    found = {one["name"]: one for one in card[0]["candidates"]}
    weights = load_file(model / "model.safetensors")

    assert all(one["rows_per_second"] > 0 for one in found.values())
    assert found["tuned"]["bytes"] == sum(tensor.nbytes for tensor in weights.values())
    assert found["majority"]["bytes"] < found["tf-idf"]["bytes"]
    assert "Rows/s" in (card[1] / "report.html").read_text()


def test_the_majority_is_that_of_the_rows_themselves_and_not_the_label_that_a_fold_has_least_of(
    card: tuple[dict[str, Any], Path],
) -> None:
    majority = next(one for one in card[0]["candidates"] if one["name"] == "majority")

    assert majority["test"] == pytest.approx(11 / 41)


def test_a_folder_of_a_verdict_has_a_report_and_no_model_and_verdict_tells_of_it(
    card: tuple[dict[str, Any], Path],
) -> None:
    found, out = card

    assert {"scorecard.json", "predictions", "report.html"} <= {path.name for path in out.iterdir()}
    assert not (out / "model").exists()
    assert not (out / "plan.toml").exists()
    page = (out / "report.html").read_text()
    assert "How to use it" not in page
    assert "Validation" not in page
    assert luthier("verdict", out).code == (0 if found["verdict"]["ship"] else 3)
    assert luthier("report", out).code == 0


def test_the_same_command_again_gives_the_same_scores(
    card: tuple[dict[str, Any], Path], model: Path, data: Path
) -> None:
    found, out = card

    again = judged(model, data, out, by_hand=True)

    assert {**again, "cost": 0, "candidates": 0, "sha256": 0} == {
        **found,
        "cost": 0,
        "candidates": 0,
        "sha256": 0,
    }


def test_python_gives_the_same_verdict_as_an_object_that_can_be_compared(
    card: tuple[dict[str, Any], Path], model: Path, data: Path, tmp_path: Path
) -> None:
    found, out = card

    again = face.judge(model, data, out=str(tmp_path / "verdict"), quiet=True)

    assert again.path == tmp_path / "verdict"
    assert again.scorecard.test["accuracy"].to_json() == found["test"]["accuracy"]
    assert (again.ship, again.words) == (found["verdict"]["ship"], found["verdict"]["words"])
    assert repr(again) == f"Judgement({str(again.path)!r}, accuracy {again.scorecard.test['accuracy']})"
    assert face.compare(again, out).outcome == "no difference that this test can see"


def test_a_setting_that_has_no_effect_on_a_model_that_is_asked_is_refused(model: Path, data: Path) -> None:
    with pytest.raises(PlanError) as refusal:
        face.judge(model, data, lr=1e-4, label="label")

    assert str(refusal.value) == "'train.lr': no effect on a model that is only asked. Leave it out."


# Rows and labels


def test_a_label_that_occurs_once_and_an_empty_text_count_and_only_rows_without_a_label_are_left_out(
    model: Path, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [{"text": text, "label": label} for text, label in messages(12, labels=2)]
    rows += [{"text": "", "label": "praise"}, {"text": "about my order", "label": None}]
    texts = [row["text"] for row in rows[:-1]]
    right = [LABELS.index(row["label"]) for row in rows[:-1]]

    found = judged(model, write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "out")

    expected = logits_of(model, texts).argmax(-1).tolist()
    assert (found["rows"]["test"], found["left_out"]) == (13, {"empty": 1})
    assert found["test"]["accuracy"]["value"] == accuracy_score(right, expected)
    assert "1 rows are left out: no label." in found["judged"]["understood"]


@pytest.mark.parametrize(
    ("spelt", "told"),
    [
        (str.upper, "name, but for case and separators"),
        (lambda name: str(LABELS.index(name)), "number, in the model's order"),
    ],
)
def test_labels_that_are_written_otherwise_are_matched_and_that_is_told(
    spelt: Callable[[str], str],
    told: str,
    model: Path,
    data: Path,
    card: tuple[dict[str, Any], Path],
    tmp_path: Path,
) -> None:
    rows = [{"text": text, "label": spelt(label)} for text, label in messages(41)]

    found = judged(model, write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "out")

    assert found["test"] == card[0]["test"]
    assert any(told in line and "--label-names corrects it" in line for line in found["judged"]["understood"])


def test_outputs_without_names_are_named_by_the_user_in_the_models_order(
    card: tuple[dict[str, Any], Path], data: Path, tmp_path: Path
) -> None:
    nameless = rows_model(tmp_path / "nameless", [f"LABEL_{at}" for at in range(4)])

    found = judged(nameless, data, tmp_path / "out", "--label-names", ",".join(LABELS))

    assert found["test"] == card[0]["test"]
    assert refused(nameless, data, "--label-names", "a,b").startswith(f"{nameless}: has 4 outputs, 'LABEL_0'")


def test_a_label_that_the_model_does_not_give_is_refused_with_what_mends_it(
    model: Path, tmp_path: Path
) -> None:
    rows = [{"text": text, "label": label.replace("praise", "prais")} for text, label in messages(12)]
    data, out = write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "out"

    assert refused(model, data, "--out", out) == (
        f"{data}: the label 'prais' of the rows is none that the model gives; it gives 'praise', 'refund', 'broken', "
        "'delivery'. Did you mean 'praise'? Name the model's labels as the rows have them, in the model's order, with "
        "--label-names a,b,c; or leave these rows out."
    )
    assert not out.exists()


def test_a_column_that_parts_the_rows_parts_nothing(model: Path, tmp_path: Path) -> None:
    rows = [
        {"text": text, "label": label, "split": ("train", "test")[at % 2]}
        for at, (text, label) in enumerate(messages(20))
    ]

    found = judged(model, write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "out")

    assert found["rows"]["test"] == 20


def test_long_texts_are_cut_as_the_tokenizer_cuts_them_and_counted(model: Path, tmp_path: Path) -> None:
    rows = [
        {"text": f"{text} " * (30 if at == 3 else 1), "label": label}
        for at, (text, label) in enumerate(messages(20))
    ]

    found = judged(model, write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "out")

    expected = logits_of(model, [row["text"] for row in rows]).softmax(-1).numpy()
    given = [[line["probabilities"][label] for label in LABELS] for line in lines(tmp_path / "out")]
    np.testing.assert_allclose(given, expected, atol=2e-6)
    assert (found["long"]["rows"], found["long"]["way"]) == (1, "cut")


def test_words_that_stand_for_nothing_are_texts_like_any_other_as_another_library_reads_them(
    model: Path, tmp_path: Path
) -> None:
    rows = [{"text": text, "label": label} for text, label in messages(12)] + [
        {"text": "N/A", "label": "praise"}
    ]

    found = judged(model, write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "out")

    expected = logits_of(model, ["N/A"]).softmax(-1).numpy()[0]
    np.testing.assert_allclose(
        list(lines(tmp_path / "out")[-1]["probabilities"].values()), expected, atol=2e-6
    )
    assert found["rows"]["test"] == 13


def test_a_metric_that_the_task_does_not_have_is_refused(model: Path, data: Path) -> None:
    assert refused(model, data, "--metric", "mrr").startswith(
        "task.metric: 'mrr' is no metric of text-classification."
    )


# What learns from rows


def test_with_rows_to_learn_from_nothing_is_cross_fitted(model: Path, data: Path, tmp_path: Path) -> None:
    train = messages_csv(tmp_path / "train.csv", 30, seed=5)

    found = judged(model, data, tmp_path / "out", "--train", train)

    assert found["rows"] == {"train": 30, "valid": 0, "calibration": 0, "test": 41}
    assert found["judged"]["folds"] == 0
    assert found["calibration"]["part"] == "train"
    majority = next(one for one in found["candidates"] if one["name"] == "majority")
    assert majority["test"] == pytest.approx(
        10 / 41
    )  # refund: two labels are the most frequent of 30 rows in turn
    assert "Baselines and temperature learn from the 30 rows of --train." in found["judged"]["understood"]
    assert [line["row"] for line in lines(tmp_path / "out")] == list(range(41))
    assert {line["file"] for line in lines(tmp_path / "out")} == {"rows.csv"}


def test_rows_that_stand_among_those_to_learn_from_are_told(model: Path, data: Path, tmp_path: Path) -> None:
    judged(model, data, tmp_path / "out", "--train", data)

    findings = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert [(one["check"], one["count"]) for one in findings] == [("leaks", 41)]


def test_without_json_the_candidates_and_the_verdict_are_told(
    model: Path, data: Path, tmp_path: Path
) -> None:
    ended = luthier("judge", model, data, "--out", tmp_path / "out")

    assert ended.code == 0
    assert "tuned      accuracy" in ended.out
    assert "<- judged" in ended.out
    assert "Ship it" in ended.out or "Do not ship it" in ended.out
    assert "The model is BertForSequenceClassification with 4 labels." in ended.err
    assert "task.name = text-classification" in ended.err


def test_what_learns_is_never_asked_a_row_that_it_has_learnt_from(model: Path, data: Path) -> None:
    ready = open_judged(Plan.build({"data.path": str(data), "model.name": str(model)}), Request()).ready

    folds = folds_of(ready)

    texts, labels = zip(*messages(41), strict=True)
    for fold in folds:
        assert {Counter(labels[at] for at in fold.asked)[name] for name in LABELS} <= {2, 3}
    assert sorted(np.concatenate([fold.asked for fold in folds]).tolist()) == list(range(41))
    for fold in folds:
        assert not {texts[at] for at in fold.learnt} & {texts[at] for at in fold.asked}
        part = learning_from(ready, fold.learnt, fold.asked)
        assert part.rows.inputs(part.rows.split.train) == [texts[at] for at in fold.learnt]
        assert (part.examples["test"].targets == ready.examples["test"].targets[fold.asked]).all()


def test_diagrams_of_folds_add_up_to_that_of_all_rows() -> None:
    random = np.random.default_rng(0)
    sure, right = random.random(200), random.random(200) < 0.6
    whole = Reliability.of(sure, right, 15)
    parts = [bins_of(Reliability.of(sure[at::4], right[at::4], 15)) for at in range(4)]

    found = pooled(parts)

    for one, other in zip(found, bins_of(whole), strict=True):
        assert one == pytest.approx(other)
    assert calibration_error(found) == pytest.approx(whole.expected_calibration_error)


# What a base adds


def test_the_model_that_it_was_made_of_is_compared_with_where_it_is_named(
    model: Path, data: Path, sentence_bert: Path, tmp_path: Path
) -> None:
    found = judged(model, data, tmp_path / "out", "--base", sentence_bert)

    assert [one["name"] for one in found["candidates"]][-2:] == ["zero-shot", "tuned"]
    assert found["verdict"]["against"] in ("majority", "tf-idf", "zero-shot")
    assert not (tmp_path / "out" / "state" / "features.json").exists()


# Refusals


def test_a_model_that_was_never_tuned_is_refused(bert: Path, data: Path, tmp_path: Path) -> None:
    assert refused(bert, data, "--out", tmp_path / "out").startswith(
        f"{bert}: config.json says BertForMaskedLM, and none that answers: its model has no head that was tuned."
    )
    assert not (tmp_path / "out").exists()


def test_a_head_that_is_not_in_the_weights_is_missed(bert: Path, data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bert, tmp_path / "headless"))
    config = json.loads((folder / "config.json").read_text())
    write_json(
        folder / "config.json", config | {"architectures": ["BertForSequenceClassification"], "num_labels": 4}
    )

    assert "the model's head is missing. Save the whole model again" in refused(
        folder, data, "--label-names", ",".join(ABOUT)
    )


def test_rows_of_another_task_are_refused_by_what_they_are(model: Path, tmp_path: Path) -> None:
    chats = conversations_jsonl(tmp_path / "chats.jsonl", 8)

    told = refused(model, chats, "--out", tmp_path / "out")

    assert "which is chat, and" in told
    assert (
        "is BertForSequenceClassification with 4 labels, which does 'text-classification', 'pair-classification'."
        in told
    )


def test_a_task_that_the_model_does_not_do_is_refused(model: Path, data: Path) -> None:
    assert refused(model, data, "--task", "regression") == (
        f"--task regression: {model} is BertForSequenceClassification with 4 labels, which does 'text-classification', "
        "'pair-classification'. Leave --task out, or name another model."
    )


def test_data_without_labels_are_refused(model: Path, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", [{"text": text} for text, _ in messages(9)])

    told = refused(model, rows, "--out", tmp_path / "out")

    assert told.startswith(
        f"{rows}: no column looks like the label, as 'text' is the only one. Add a column for it"
    )
    assert not (tmp_path / "out").exists()


def test_too_few_rows_are_refused(model: Path, tmp_path: Path) -> None:
    few = messages_csv(tmp_path / "few.csv", 3)

    assert refused(model, few) == (
        f"{few}: 3 rows have a label, which are too few to judge by. Expected 5 at the least; a useful verdict starts near 100."
    )


def test_a_folder_that_holds_something_else_is_left_alone(model: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")

    assert "Choose another folder with --out" in refused(model, data, "--out", tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_folder_of_another_verdict_is_left_alone(
    card: tuple[dict[str, Any], Path], data: Path, tmp_path: Path
) -> None:
    other = headed(tmp_path / "other", "SequenceClassification", LABELS, hidden_dropout_prob=0.2)

    assert "holds a run of another plan, other data or another model" in refused(
        other, data, "--out", card[1]
    )
