"""What `luthier verdict --require` asks of a run: conditions, their outcomes, and the file for a build server."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from command import luthier
from luthier.records import sealed
from luthier.report.requirements import Outcome, junit

CARD: dict[str, Any] = {
    "metric": "accuracy",
    "test": {
        "accuracy": {"value": 0.9, "low": 0.8, "high": 1.0},
        "log_loss": {"value": 0.31, "low": 0.2, "high": 0.4},
    },
    "chosen": "tuned",
    "verdict": {"ship": True, "words": "Ship it."},
    "calibration": {"temperature": 1.2, "ece_before": 0.06, "ece_after": 0.04},
    "forgetting": {"kl_to_base": 0.03},
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("run")
    folder.mkdir()
    (folder / "scorecard.json").write_text(json.dumps(sealed(CARD)))
    return folder


def test_conditions_that_hold_are_told_and_end_with_0(run: Path) -> None:
    ended = luthier("verdict", run, "--require", "accuracy=0.9,log_loss=0.35,ece=0.05,forgetting=0.03")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "Ship it.",
        "Accuracy is 0.900: at least 0.9 was asked for.",
        "Log loss is 0.310: at most 0.35 was asked for.",
        "The calibration error is 0.040: at most 0.05 was asked for.",
        "The divergence from the pre-trained model is 0.030: at most 0.03 was asked for.",
    ]


def test_a_condition_that_fails_ends_with_3(run: Path) -> None:
    ended = luthier("verdict", run, "--require", "accuracy=0.95,forgetting=0.02")

    assert ended.code == 3
    assert ended.out.splitlines()[1:] == [
        "Accuracy is 0.900: at least 0.95 was asked for, so it fails.",
        "The divergence from the pre-trained model is 0.030: at most 0.02 was asked for, so it fails.",
    ]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            "accuracy",
            "--require 'accuracy': expected NAME=NUMBER, several with commas, as in --require accuracy=0.9,ece=0.05.",
        ),
        (
            "accuracy=much",
            "--require 'accuracy=much': expected NAME=NUMBER, several with commas, as in --require accuracy=0.9,ece=0.05.",
        ),
        ("ece=1,ece=2", "--require ece=1,ece=2: ece stands there twice. Name it once."),
        (
            "acuracy=1",
            "--require acuracy: this run did not measure it. Did you mean 'accuracy'? It measured 'accuracy', 'log_loss', 'ece', "
            "'forgetting'.",
        ),
    ],
)
def test_conditions_that_cannot_be_read_are_refused(asked: str, told: str, run: Path) -> None:
    ended = luthier("verdict", run, "--require", asked)

    assert (ended.code, ended.out, ended.err) == (2, "", told + "\n")


def test_a_build_server_gets_a_test_case_for_each(run: Path, tmp_path: Path) -> None:
    luthier("verdict", run, "--require", "accuracy=0.95,ece=0.05", "--junit", tmp_path / "verdict.xml")

    suite = ElementTree.parse(tmp_path / "verdict.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert [case.get("name") for case in suite] == ["ship", "accuracy", "ece"]
    failure = suite[1].find("failure")
    assert failure is not None
    assert failure.get("message") == "Accuracy is 0.900: at least 0.95 was asked for, so it fails."


def test_the_name_of_a_folder_that_xml_cannot_hold_is_written_as_python_writes_it() -> None:
    told = junit("runs/a\x1bb\udcff", [Outcome("ship", True, "Ship it.")])

    case = ElementTree.fromstring(told.encode())[0][0]

    assert case.get("classname") == r"runs/a\x1bb\udcff"
