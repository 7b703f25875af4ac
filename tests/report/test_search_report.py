"""The page of a search: every picture with its numbers beside it, and nothing left out without a word."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from luthier.errors import RunError
from luthier.folder.scorecard_records import ScorecardRecord
from luthier.report import search_pictures
from luthier.report.markup import Html
from luthier.report.search_page import search_page, write_search_page
from luthier.report.search_records import SearchRecord

RECORD: dict[str, Any] = {
    "metric": "accuracy",
    "method": "bayes",
    "prune": "halving",
    "space": ["train.lr=1e-05..0.001 log"],
    "seconds": 90.0,
    "recipe": 0.8,
    "importance": {"train.lr": [0.7, 0.5, 0.9]},
    "best": {"number": 2, "values": {"train.lr": 2e-4}, "score": 0.9, "why": "trial 2 is best"},
    "trials": [
        {"number": 0, "values": {"train.lr": 1e-4}, "score": 0.8, "state": "complete", "seconds": 30.0, "ended": 30.0,
         "validations": {"1": 0.7, "2": 0.8}},
        {"number": 1, "values": {"train.lr": 1e-5}, "score": 0.4, "state": "pruned", "seconds": 6.0, "ended": 36.0,
         "validations": {"1": 0.4}},
        {"number": 2, "values": {"train.lr": 2e-4}, "score": 0.9, "state": "complete", "seconds": 30.0, "ended": 66.0,
         "validations": {"2": 0.9, "1": 0.75, "10": 0.88}},
    ],
}  # fmt: skip
CARD: dict[str, Any] = {
    "task": "text-classification",
    "model": "tiny",
    "metric": "accuracy",
    "test": {"accuracy": {"value": 0.88, "low": 0.85, "high": 0.91}},
    "chosen": "tuned",
    "verdict": {"ship": True, "words": "Ship it."},
}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here only what stands beside is looked at."""
    monkeypatch.setattr(search_pictures, "drawing", lambda *_: Html("<svg/>"))


def sections(record: dict[str, Any], card: dict[str, Any] = CARD) -> dict[str, str]:
    """The text of each section of the page, by its title."""
    found = re.split(
        r"<h2[^>]*>(.*?)</h2>",
        search_page(SearchRecord.model_validate(record), ScorecardRecord.model_validate(card)),
    )
    return dict(zip(found[1::2], found[2::2], strict=True))


def rows(section: str) -> list[list[str]]:
    """The cells of its table's body."""
    body = re.findall(r"<tbody>(.*?)</tbody>", section, re.DOTALL)[0]
    return [
        [re.sub(r"<[^>]*>", "", cell).replace("\xa0", " ") for cell in re.findall(r"<t[hd].*?</t[hd]>", line)]
        for line in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    ]


def test_every_picture_has_its_numbers_beside_it() -> None:
    found = sections(RECORD)

    drawn = [title for title, text in found.items() if "<svg/>" in text]
    assert drawn == ["Trials", "History", "Importance", "Learning curves"]
    assert all("<tbody>" in found[title] for title in drawn)


def test_history_tells_when_each_trial_ended_and_the_best_so_far() -> None:
    assert rows(sections(RECORD)["History"]) == [
        ["0.5", "0", "80.0 %", "80.0 %"],
        ["0.6", "1", "40.0 %", "80.0 %"],
        ["1.1", "2", "90.0 %", "90.0 %"],
    ]


def test_learning_curves_stand_there_as_numbers_in_their_order() -> None:
    assert rows(sections(RECORD)["Learning curves"]) == [
        ["0", "70.0 %, 80.0 %"],
        ["1", "40.0 %"],
        ["2", "75.0 %, 90.0 %, 88.0 %"],
    ]


def test_the_best_so_far_of_scores_below_zero_is_the_greatest() -> None:
    record = copy.deepcopy(RECORD)
    for one, score in zip(record["trials"], (0.0, 0.1, -0.2), strict=True):
        one["score"] = score

    assert [row[3] for row in rows(sections(record)["History"])] == ["0.0 %", "0.0 %", "0.0 %"]


def test_where_lower_is_better_the_lowest_score_is_the_best() -> None:
    record = copy.deepcopy(RECORD) | {
        "metric": "loss",
        "recipe": 0.9,
        "best": RECORD["best"] | {"score": 0.8},
    }
    for trial, score in zip(record["trials"], (0.9, 1.4, 0.8), strict=True):
        trial["score"] = score
    card = CARD | {"metric": "loss", "test": {"loss": {"value": 0.85, "low": 0.8, "high": 0.9}}}

    found = sections(record, card)

    assert [row[0] for row in rows(found["Trials"])] == ["2", "0 (recipe)", "1"]
    assert [row[-1] for row in rows(found["History"])] == ["0.900", "0.900", "0.800"]
    assert "On validation that is 0.100 better against the recipe, trial 0." in found["Outcome"]


@pytest.mark.parametrize("best", [None, {"number": 2, "score": 0.9}])
def test_a_search_that_is_not_finished_has_no_report(best: dict[str, Any] | None, tmp_path: Path) -> None:
    (tmp_path / "search.json").write_text(json.dumps({**RECORD, "best": best}))

    with pytest.raises(RunError) as error:
        write_search_page(tmp_path)

    assert str(error.value) == (
        f"{tmp_path}: this search is not finished. `luthier resume {tmp_path}` goes on with it."
    )


def test_trials_that_have_no_line_in_the_picture_are_counted() -> None:
    record = copy.deepcopy(RECORD)
    record["trials"].append({"number": 3, "values": {}, "score": 0.7, "state": "complete", "seconds": 1.0})

    text = sections(record)["Trials"]

    assert "1 trial has not all of these settings, and no line." in text
    assert "no line" not in sections(RECORD)["Trials"]
    assert len(rows(text)) == 4
