"""Labels of one row, and labels of which there are names alone: what a run makes of them, and what it says that it cannot."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import luthier as package
from command import luthier
from luthier.folder.model_folder import ModelFolder
from tiny import images_folder, messages, sentence_bert

NAMES = "delivery,refund,praise"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sentence_bert(tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with rows to test on, rows without labels, and one row of each of three labels."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write("test.csv", messages(12, seed=1, labels=3))
    write("one.csv", messages(3, seed=2, labels=3))
    write("free.csv", [(text,) for text, _ in messages(8, seed=3)], ("text",))
    write(
        "words.csv",
        [("delivery", "a parcel"), ("refund", "money"), ("praise", "lovely")],
        ("label", "description"),
    )
    return tmp_path


def write(name: str, rows: Sequence[Sequence[str]], columns: Sequence[str] = ("text", "label")) -> None:
    with open(name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def done(*words: object) -> dict[str, Any]:
    """The JSON that a command ends with."""
    ended = luthier(*words, "--json", "--quiet")
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out.splitlines()[-1])
    return found


def refusal(*words: object) -> str:
    ended = luthier(*words)
    assert ended.code == 2
    assert not Path("run").exists()
    return ended.err.splitlines()[-1]


# Names alone


def test_a_model_of_names_answers_by_the_cosine_of_a_text_and_each_name(place: Path, encoder: Path) -> None:
    card = done(
        "tune",
        "--label-names",
        NAMES,
        "--unlabelled",
        "free.csv",
        "--test",
        "test.csv",
        "--model",
        encoder,
        "--out",
        "run",
    )

    told = [
        json.loads(line) for line in (place / "run" / "predictions" / "test.jsonl").read_text().splitlines()
    ]
    texts = [text for text, _ in messages(12, seed=1, labels=3)]
    rows, names = vectors(encoder, texts), vectors(encoder, NAMES.split(","))
    cosines = rows @ names.T / np.outer(np.linalg.norm(rows, axis=1), np.linalg.norm(names, axis=1))
    assert [line["prediction"] for line in told] == [NAMES.split(",")[at] for at in cosines.argmax(1)]
    right = [line["prediction"] == line["label"] for line in told]
    assert card["test"]["accuracy"]["value"] == np.mean(right)
    assert [one["name"] for one in card["candidates"]] == ["majority", "zero-shot"]
    assert (card["chosen"], card["rows"]) == (
        "zero-shot",
        {"train": 0, "valid": 0, "calibration": 0, "test": 12},
    )
    free = np.linalg.norm(vectors(encoder, [text for text, _ in messages(8, seed=3)]), axis=1).mean()
    scores = 20 * cosines * np.linalg.norm(rows, axis=1, keepdims=True) / free
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    found = [[line["probabilities"][name] for name in NAMES.split(",")] for line in told]
    assert np.abs(np.array(found) - expected).max() < 1e-4


def vectors(folder: Path, texts: Sequence[str]) -> np.ndarray[Any, Any]:
    """(rows, width) means over tokens, by transformers alone."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    found = []
    for text in texts:
        with torch.no_grad():
            found.append(model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy())
    return np.array(found)


def test_without_test_rows_nothing_is_measured_and_all_says_so(place: Path, encoder: Path) -> None:
    words = (
        "tune",
        "free.csv",
        "--label-names",
        NAMES,
        "--describe",
        "words.csv",
        "--model",
        encoder,
        "--out",
        "run",
    )
    card = done(*words)

    verdict = (
        "Do not ship it yet. There are no test rows, so nothing was measured, and nobody can say how good the zero-shot model "
        "is. Give rows with labels to test on: --test FILE."
    )
    assert (card["test"], card["verdict"]) == ({}, {"ship": False, "words": verdict})
    assert [(one["name"], one["valid"], one["test"]) for one in card["candidates"]] == [
        ("zero-shot", None, None)
    ]
    assert "## Results\n\nNothing was measured: there were no test rows." in Path("run/README.md").read_text()
    assert "nothing was measured" in Path("run/report.html").read_text()
    assert repr(ModelFolder(Path("run"))) == "ModelFolder('run', nothing measured)"
    assert luthier("verdict", "run").code == 3
    assert "this run did not measure it" in luthier("verdict", "run", "--require", "accuracy=0.5").err
    record = json.loads(Path("run/model/luthier.json").read_text())
    assert record["task"]["words"] == ["a parcel", "money", "lovely"]
    answers = package.load("run").predict(["My money, please."])
    assert list(answers[0]["probabilities"]) == ["delivery", "refund", "praise"]
    assert "nothing is left to do" in luthier(*words).err, "the same command finds it finished"


def test_plan_and_check_understand_names_alone(place: Path, encoder: Path) -> None:
    words = ("--label-names", 'delivery,"late, or lost"', "--unlabelled", "free.csv", "--model", encoder)

    found = done("plan", *words), done("check", *words)

    for record in found:
        assert record["understood"]["labels"] == ["delivery", "late, or lost"]
        assert record["understood"]["rows"] == 0
    assert [one["name"] for one in found[0]["candidates"] if not one["why_not"]] == ["zero-shot"]
    assert not (place / "runs").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--label-names", "delivery", "--unlabelled", "free.csv"),
            "data.label_names: 'delivery' is a single name, and leaves nothing to tell apart. Name two labels or more.",
        ),
        (
            ("--label-names", "a,b,a", "--unlabelled", "free.csv"),
            "data.label_names: 'a' stands there twice. Name each label once.",
        ),
        (
            ("--label-names", "late_card,Late card", "--unlabelled", "free.csv"),
            "--label-names: 'late_card' and 'Late card' are described by the same words, 'late card', which tell neither from "
            "the other. Describe what is different (--describe FILE).",
        ),
        (
            ("one.csv", "--label-names", NAMES),
            "one.csv: has labels, in column 'label', and --label-names says that no row has one. Leave --label-names out to "
            "learn from them; or give the file to test on, as --test one.csv; or, if they are no labels, as --unlabelled "
            "one.csv.",
        ),
        (
            ("one.csv", "--label-names", NAMES, "--unlabelled", "free.csv"),
            "data.label_names with data.path 'one.csv' and data.unlabelled: where labels are named nothing is learnt from DATA. "
            "Leave DATA out, or leave out data.label_names to learn from its labels.",
        ),
        (
            ("--label-names", NAMES, "--unlabelled", "free.csv", "--epochs", 3),
            "train.epochs: no effect with data.label_names, of which nothing is learnt. Leave it out.",
        ),
        (
            ("--label-names", NAMES, "--unlabelled", "free.csv", "--task", "regression"),
            "data.label_names: no effect with regression, as names alone say nothing of its answers. Leave it out, or choose "
            "--task text-classification.",
        ),
        (
            ("--label-names", NAMES),
            "data.label_names: no rows were named. Give those without labels, as in --unlabelled more.csv, or those to test on, "
            "as in --test test.csv.",
        ),
        (
            ("--label-names", NAMES, "--unlabelled", "free.csv", "--validation", "held-out", "--valid-share", 0.3),
            "data.validation, data.valid_share: no effect with data.label_names, as no rows are parted where none is learnt "
            "from. Leave it out.",
        ),
        (
            ("one.csv", "--label-names", " , ", "--test", "test.csv"),
            "data.label_names: '' does not fit. Expected a text that is not empty.",
        ),
        (
            ("--label-names", "delivery,refund", "--test", "test.csv"),
            "test.csv: the label 'praise' of the rows is not among the names, which are 'delivery', 'refund'. Name all labels of "
            "the rows to test on with --label-names, or leave these rows out.",
        ),
        (
            ("--label-names", "delivery,,refund", "--test", "test.csv"),
            "data.label_names: '' does not fit. Expected a text that is not empty.",
        ),
        (
            ("--label-names", "", "--test", "test.csv"),
            "data.label_names: no name stands there. Name the labels, as in --label-names delivery,refund,praise",
        ),
        (
            ("--label-names", 'delivery,"late, or lost', "--test", "test.csv"),
            "data.label_names: 'delivery,\"late, or lost' has a double quote that does not stand around a whole name. Write "
            "names with commas between them, and a name that has a comma itself between double quotes.",
        ),
    ],
)  # fmt: skip
def test_names_that_contradict_the_rest_are_refused(
    words: tuple[object, ...], told: str, place: Path, encoder: Path
) -> None:
    assert refusal("tune", *words, "--model", encoder, "--out", "run") == told


def test_names_are_compared_with_no_images(place: Path, encoder: Path) -> None:
    images_folder(place / "photos", 6)

    assert refusal("tune", "photos", "--label-names", NAMES, "--model", encoder, "--out", "run") == (
        "data.label_names: photos holds images, and names are compared with texts. Leave it out: images in a folder for each "
        "label are learnt from."
    )


def test_a_column_for_labels_that_nobody_has_filled_in_holds_none(place: Path, encoder: Path) -> None:
    write("list.csv", [(text, "") for text, _ in messages(8, seed=3)])

    found = done("plan", "list.csv", "--label-names", NAMES, "--model", encoder)

    assert found["understood"]["unlabelled"] == 8


# One row a label


def test_one_row_of_each_of_two_labels_is_enough_where_test_rows_are_given(
    place: Path, encoder: Path
) -> None:
    write("two.csv", messages(2, seed=2, labels=2))
    write("held.csv", messages(6, seed=1, labels=2))

    card = done(
        "tune", "two.csv", "--test", "held.csv", "--model", encoder, "--method", "probe", "--out", "run"
    )

    assert card["rows"]["train"] == 2
    assert card["rows"]["test"] == 6
    assert card["test"]["accuracy"]["value"] is not None
    assert any(told.startswith("There are no rows to validate on") for told in card["warnings"])
    beaten = [one["test"] for one in card["candidates"] if one["name"] not in ("neighbours", "probe")]
    against = next(one for one in card["candidates"] if one["name"] == card["verdict"]["against"])
    assert against["test"] == max(beaten), "scores of rows that were learnt from name nobody to beat"
    found = json.loads(Path("run/findings.json").read_text())
    once = next(one for one in found if one["check"] == "one-shot")
    assert once["message"] == "2 labels have a single training row, which is kept: 'delivery', 'refund'."
    assert "leaks" not in {one["check"] for one in found}, "rows that stand in for validation are no leak"


@pytest.mark.parametrize(
    "way", [("--allow", "one-shot"), ("--unlabelled", "free.csv")], ids=["allowed", "unlabelled"]
)
def test_every_way_that_is_offered_lets_labels_of_one_row_count(
    way: tuple[str, str], place: Path, encoder: Path
) -> None:
    words = ("tune", "one.csv", "--model", encoder, "--method", "probe", "--out", "run")
    assert refusal(*words) == (
        "one.csv: no two rows share a label in column 'label': it looks like an identifier. Name the label column with --label. "
        "If each label has one row, as in one-shot learning, give rows of other files to test or to validate on (--test FILE, "
        "--valid FILE), or rows without labels (--unlabelled FILE), or go on without any: --allow one-shot."
    )

    card = done(*words, *way)

    assert (card["rows"]["train"], card["test"]) == (3, {})
    assert card["verdict"]["words"].startswith("Do not ship it yet. There are no test rows")


def test_rows_to_validate_on_alone_choose_and_measure_nothing(place: Path, encoder: Path) -> None:
    card = done(
        "tune", "one.csv", "--valid", "test.csv", "--model", encoder, "--method", "probe", "--out", "run"
    )

    assert (card["rows"]["valid"], card["rows"]["test"], card["test"]) == (12, 0, {})
    assert all(one["valid"] is not None for one in card["candidates"])


def test_a_label_that_occurs_once_among_others_is_left_out_unless_somebody_allows_it(
    place: Path, encoder: Path
) -> None:
    rows = [*messages(20, labels=2), ("Something lovely and great.", "praise")]
    write("mixed.csv", rows)

    left, kept = (
        done("check", "mixed.csv", "--model", "none", *more)["understood"]
        for more in ((), ("--allow", "one-shot"))
    )

    assert left["left_out_by"] == {"a label that occurs once": 1}
    assert (kept["left_out_by"], kept["labels"]) == ({}, ["delivery", "praise", "refund"])


# Described


@pytest.mark.slow
def test_descriptions_stand_for_names_in_the_zero_shot_candidate_and_in_the_key_of_a_run(
    place: Path, encoder: Path
) -> None:
    words = ("tune", "one.csv", "--test", "test.csv", "--model", encoder, "--method", "probe")
    by_name = done(*words)
    described = done(*words, "--describe", "words.csv")
    write(
        "words.csv",
        [("delivery", "courier"), ("refund", "invoice"), ("praise", "happy")],
        ("label", "description"),
    )
    otherwise = done(*words, "--describe", "words.csv")

    assert len({by_name["run"], described["run"], otherwise["run"]}) == 3
    texts = [text for text, _ in messages(12, seed=1, labels=3)]
    rows, prompts = vectors(encoder, texts), vectors(encoder, ["courier", "invoice", "happy"])
    nearest = (rows @ (prompts / np.linalg.norm(prompts, axis=1, keepdims=True)).T).argmax(1)
    labels = [label for _, label in messages(12, seed=1, labels=3)]
    right = [("delivery", "refund", "praise")[at] == label for at, label in zip(nearest, labels, strict=True)]
    score = next(one["test"] for one in otherwise["candidates"] if one["name"] == "zero-shot")
    assert score == pytest.approx(np.mean(right))


def test_descriptions_are_refused_where_nothing_is_compared_with_them(place: Path, encoder: Path) -> None:
    write(
        "numbers.csv",
        [(text, f"{at * 1.37:.2f}") for at, (text, _) in enumerate(messages(40))],
        ("text", "score"),
    )

    assert refusal("tune", "numbers.csv", "--describe", "words.csv", "--model", encoder, "--out", "run") == (
        "data.describe: no effect with regression, which compares no texts with what describes labels. Leave it out."
    )
