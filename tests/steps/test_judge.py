"""A model that was tuned elsewhere is judged on every row, to the numbers that its own library counts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from command import luthier
from tiny import messages, messages_csv
from tuned_elsewhere import logits_of, rows_model

LABELS = ("praise", "refund", "broken", "delivery")
"""In an order that is not that of the alphabet, as a model may have it."""


def judged(model: Path, data: Path, out: Path, *more: object) -> dict[str, Any]:
    """The scorecard of a model."""
    ended = luthier("judge", model, data, "--out", out, "--json", "--quiet", *more)
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out.splitlines()[-1])
    return found


def refused(*words: object) -> str:
    """The message of a judgement that cannot be made."""
    ended = luthier("judge", *words, "--quiet")
    assert ended.code == 2, ended.err + ended.out
    return ended.err.strip()


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "predictions" / "test.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rows_model(tmp_path_factory.mktemp("judged") / "model", LABELS)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return messages_csv(tmp_path_factory.mktemp("judged") / "rows.csv", 41)


@pytest.fixture(scope="module")
def card(model: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    out = tmp_path_factory.mktemp("judged") / "verdict"
    return judged(model, data, out), out


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
    assert [one["name"] for one in found["candidates"]][-1] == "tuned"
    assert {one["name"] for one in found["candidates"]} >= {"majority", "tuned"}
    assert all(one["valid"] == one["test"] for one in found["candidates"])
    assert (found["valid_from"], found["judged"]["folds"]) == ("test", 5)
    assert found["verdict"]["against"] == "majority"
    assert found["calibration"]["part"] == "test"
    assert found["calibration"]["ece_before"] > 0


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

    again = judged(model, data, out)

    assert {**again, "cost": 0, "candidates": 0, "sha256": 0} == {
        **found,
        "cost": 0,
        "candidates": 0,
        "sha256": 0,
    }
