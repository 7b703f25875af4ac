"""What a run of few rows says of its validation: no rows are held out, and nothing that it tells sounds as if some were."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command import Ended, luthier
from luthier.data.split import Split
from tiny import messages, messages_csv, sentence_bert

CROSSED, LEARNT = "crossed", "learnt"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Ended]]:
    """A finished run of the few-shot model and what it told, by name: of 12 rows in cross-validation, or of a row a label."""
    home, made = tmp_path_factory.mktemp("few"), dict[str, tuple[Path, Ended]]()
    model = sentence_bert(home / "model")
    test = messages_csv(home / "test.csv", 20, seed=1, labels=3)

    def run(name: str) -> tuple[Path, Ended]:
        if name not in made:
            rows = messages_csv(home / f"{name}.csv", {CROSSED: 12, LEARNT: 3}[name], seed=2, labels=3)
            words = (
                "tune",
                rows,
                "--test",
                test,
                "--model",
                model,
                "--precision",
                "fp32",
                "--out",
                home / name,
            )
            made[name] = home / name, luthier(*words, "--allow", "leaks", "--method", "few-shot")
            assert made[name][1].code == 0, made[name][1].err
        return made[name]

    return run


def card_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "scorecard.json").read_text(encoding="utf-8"))
    return found


def text_of(page: Path) -> str:
    """What a person reads of a page."""
    without = re.sub(r"<(style|script|svg)\b.*?</\1>", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", without).split())


@pytest.mark.parametrize(
    ("name", "valid_from", "progress"),
    [
        (CROSSED, "cross-validation", "in cross-validation"),
        (LEARNT, "train", "on rows that it learnt from"),
    ],
)
def test_a_score_is_told_with_the_rows_that_it_is_of(
    told: Callable[[str], tuple[Path, Ended]], name: str, valid_from: str, progress: str
) -> None:
    run, ended = told(name)

    assert card_of(run)["valid_from"] == valid_from
    assert re.search(rf"  probe +accuracy \d\.\d{{4}} {progress}  \(", ended.err)
    assert "on validation" not in ended.err + ended.out


def test_scores_of_rows_that_were_learnt_from_stand_beside_no_others(
    told: Callable[[str], tuple[Path, Ended]],
) -> None:
    run, ended = told(LEARNT)

    assert re.search(r"  few-shot +accuracy \d\.\d{3} on test  <- kept", ended.out)
    assert "Validation" not in text_of(run / "report.html").split("From cheap to dear")[1].split("Time")[0]
    overfitting = card_of(run)["overfitting"]
    assert overfitting is None or overfitting["claim"] is None


@pytest.mark.parametrize(("name", "rows"), [(CROSSED, 12), (LEARNT, 3)])
def test_a_row_is_counted_once_where_parts_are_told(
    told: Callable[[str], tuple[Path, Ended]], name: str, rows: int
) -> None:
    run, _ = told(name)

    card, report = (run / "README.md").read_text(encoding="utf-8"), text_of(run / "report.html")
    parts = card.split("## How it was made")[1].split("## ")[0]
    table = dict(re.findall(r"^\| (\w+) \| .* \| (\d+) \|$", parts, re.MULTILINE))
    assert table == {"train": str(rows), "calibration": "0", "test": "20"}
    assert "validation row" not in card.split("## How to use it")[0].replace("rows to validate on", "")
    assert f"{rows / (rows + 20):.1%}".replace("%", " %") in report


def test_what_was_forgotten_is_told_of_training_rows(told: Callable[[str], tuple[Path, Ended]]) -> None:
    run, _ = told(CROSSED)

    words = card_of(run)["forgetting"]["words"]
    assert words.startswith("On 12 training rows the tuned model is ")
    assert "KL to the base, on 12 training rows" in text_of(run / "report.html")


def test_of_rows_too_few_to_compare_models_by_nothing_is_told_as_forgotten(
    told: Callable[[str], tuple[Path, Ended]],
) -> None:
    """Each of two rows has the other one for its neighbour, and their CKA is 1, whatever was learnt."""
    run, _ = told(LEARNT)

    found = card_of(run)["forgetting"]
    assert "kl_to_base" not in found
    assert "drift" not in found
    assert -1 <= found["feature_cosine"] < 1
    assert found["words"].startswith(
        "3 training rows are too few to tell how far the tuned model is from the base"
    )
    assert "the body is the pre-trained model" not in text_of(run / "report.html")


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        (([0, 1], [2], False), None),
        (([0, 1], [0, 1], True), "cross-validation"),
        (([0, 1], [0, 1], False), "train"),
        (([], [], False), None),
    ],
)
def test_a_split_says_what_validation_scores_are_of(
    split: tuple[list[int], list[int], bool], expected: str | None
) -> None:
    train, valid, crossed = split
    none = np.zeros(0, np.int64)
    found = Split(np.array(train, np.int64), np.array(valid, np.int64), none, none, "", crossed=crossed)
    assert found.valid_from == expected


def test_a_text_that_is_answered_in_cross_validation_is_read_and_counted_once(
    tmp_path: Path, sentence_bert: Path
) -> None:
    long = [(" ".join([text] * 20), label) for text, label in messages(12, labels=3)]
    (tmp_path / "rows.csv").write_text(
        "text,label\n" + "".join(f"{text},{label}\n" for text, label in long), encoding="utf-8"
    )

    ended = luthier(
        "plan", tmp_path / "rows.csv", "--model", sentence_bert, "--long", "refuse", "--allow", "near-copies"
    )

    assert (ended.code, ended.err.splitlines()[-1].split(" are longer")[0]) == (2, "12 of 12 texts")


def test_a_plan_says_that_few_shot_trains_layers(tmp_path: Path, sentence_bert: Path) -> None:
    rows = messages_csv(tmp_path / "rows.csv", 40, labels=3)

    ended = luthier("plan", rows, "--model", sentence_bert, "--allow", "near-copies,copies")

    assert "few-shot trains all layers but the embeddings" in ended.out
    assert "No layer trains" not in ended.out


@pytest.mark.parametrize("way", ["probe", "few-shot"])
def test_a_search_is_told_that_its_method_leaves_nothing_usual_to_vary(
    tmp_path: Path, sentence_bert: Path, way: str
) -> None:
    rows = messages_csv(tmp_path / "rows.csv", 60, labels=3)
    words = (
        "search",
        rows,
        "--model",
        sentence_bert,
        "--out",
        tmp_path / "run",
        "--allow",
        "near-copies,copies",
    )

    ended = luthier(*words, "--method", way)
    crossed = luthier(*words, "--validation", "crossed")

    why = {"probe": "the probe is solved for exactly", "few-shot": "few-shot learns a fixed number of steps"}[
        way
    ]
    assert ended.err.splitlines()[-1] == (
        f"--vary: {why}, so there is nothing usual to search. Name what to vary, as in --vary model.name=a,b, or choose "
        "--method full."
    )
    assert crossed.err.splitlines()[-1].endswith(
        "with data.validation 'crossed' no layers are tuned that need rows to stop by, so there is nothing usual to search. Name "
        "what to vary, as in --vary model.name=a,b, or leave --validation out."
    )
    assert (ended.code, crossed.code) == (2, 2)


def test_trials_are_not_compared_by_rows_that_they_learnt(tmp_path: Path, sentence_bert: Path) -> None:
    rows = messages_csv(tmp_path / "rows.csv", 3, labels=3)
    test = messages_csv(tmp_path / "test.csv", 12, seed=1, labels=3)

    ended = luthier("search", rows, "--test", test, "--model", sentence_bert, "--out", tmp_path / "run")

    assert ended.code == 2
    assert ended.err.splitlines()[-1] == (
        "Labels have so few rows that none could be held out to compare trials by. Name rows to validate on with --valid FILE, "
        "or leave the settings to `luthier tune`."
    )


@pytest.mark.parametrize(
    ("rows", "learns"), [(3, False), (4, True)], ids=["a row a label", "two rows of one label"]
)
def test_a_body_learns_from_rows_without_labels_where_it_can_be_told_whether_that_helps(
    tmp_path: Path, sentence_bert: Path, rows: int, learns: bool
) -> None:
    few = messages_csv(tmp_path / "rows.csv", rows, labels=3)
    test = messages_csv(tmp_path / "test.csv", 12, seed=1, labels=3)
    more = messages_csv(tmp_path / "more.csv", 90, seed=5)

    ended = luthier(
        "plan",
        few,
        "--test",
        test,
        "--unlabelled",
        more,
        "--model",
        sentence_bert,
        "--allow",
        "one-shot,leaks",
    )

    assert ended.code == 0, ended.err
    words = (
        "The body does not learn from the rows without labels: those with labels are too few to tell whether that helps, which "
        "takes two of one label at the least."
    )
    assert (words in " ".join(ended.out.split())) is not learns
    assert ("First the body learns from" in ended.out) is learns
