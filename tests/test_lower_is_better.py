"""A score of which lower values are better chooses, stops, searches and judges as its opposite does.

The toy task is judged by the share of right answers, and then by that of wrong ones: whatever compares must come to the same.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from luthier.forms import FORMS
from luthier.models.heads import HEADS
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan
from luthier.scores.measures import PerRow
from luthier.scores.metrics import METRICS
from luthier.searching.folder import SearchFolder
from luthier.tasks import TASKS
from searches import finished
from test_contract import SETTINGS, run
from test_toy_task import verses
from tiny import bert
from toy import AGREEMENT, NAME, VERSE_JUDGING, BothHead, Verse

DISAGREEMENT = replace(
    AGREEMENT,
    title="Disagreement",
    measures={NAME: lambda right: PerRow(1 - right, share=True)},
    higher=False,
)


@pytest.fixture(autouse=True)
def registered() -> Iterator[pytest.MonkeyPatch]:
    """The toy task in the tables, as long as a test runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FORMS, "verse", Verse())
        patch.setitem(HEADS, "both", BothHead())
        patch.setitem(METRICS, "agreement", AGREEMENT)
        patch.setitem(TASKS, NAME, VERSE_JUDGING)
        yield patch


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """A plan's settings: rows and a tiny model."""
    data, model = verses(tmp_path / "rows.jsonl", 80), bert(tmp_path / "model")
    return {"data.path": str(data), "model.name": str(model), **SETTINGS, "lr": 1e-2, "epochs": 3}


def tuned(out: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """What a run leaves: its scorecard, its validations, the weights of its model, its report."""
    path = run(Plan.build({**settings, "run.out": str(out)})).folder.path
    events = [json.loads(line) for line in (path / "events.jsonl").read_text().splitlines()]
    return {
        "scorecard": json.loads((path / "scorecard.json").read_text()),
        "validated": [one for one in events if one["event"] == "validated"],
        "stopped": [(one["step"], one["why"], one["best_step"]) for one in events if one["event"] == "stopped"],
        "weights": {file.name: file.read_bytes() for file in sorted((path / "model").rglob("*.safetensors"))},
        "page": (path / "report.html").read_text(),
    }  # fmt: skip


@pytest.mark.slow
def test_a_run_judged_by_the_share_of_wrong_answers_ends_as_one_judged_by_that_of_right_ones(
    tmp_path: Path, registered: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    by_right = tuned(tmp_path / "right", settings)
    registered.setitem(METRICS, "agreement", DISAGREEMENT)

    by_wrong = tuned(tmp_path / "wrong", settings)

    assert by_wrong["weights"] == by_right["weights"]
    assert by_wrong["stopped"] == by_right["stopped"]
    assert [one["best"] for one in by_wrong["validated"]] == [one["best"] for one in by_right["validated"]]
    ours, theirs = by_wrong["scorecard"], by_right["scorecard"]
    for one, other in zip(ours["candidates"], theirs["candidates"], strict=True):
        assert one["valid"] == pytest.approx(1 - other["valid"]), "scores are told as they are"
    assert (ours["chosen"], ours["verdict"]["ship"]) == (theirs["chosen"], theirs["verdict"]["ship"])
    assert ours["verdict"]["against"] == theirs["verdict"]["against"]
    for judged in ("verdict", "worth"):
        assert ours[judged]["difference"] == pytest.approx(theirs[judged]["difference"]), (
            "it says how much better"
        )
    assert ours["verdict"]["difference"] > 0
    assert "points better" in ours["verdict"]["words"]
    assert "points better" in by_wrong["page"]


@pytest.mark.slow
def test_a_search_names_the_trial_with_the_fewest_wrong_answers(
    tmp_path: Path, registered: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    vary = ("train.lr=1e-5,1e-2,3e-2",)
    asked = SearchPlan.build({"vary": vary, "sampler": "grid", "prune": "median"})
    found = {}
    for name, metric in (("right", AGREEMENT), ("wrong", DISAGREEMENT)):
        registered.setitem(METRICS, "agreement", metric)
        folder = SearchFolder(tmp_path / name)
        folder.begin(Plan.build({**settings, "run.out": str(folder.path)}), asked)
        found[name] = finished(folder)

    by_right, by_wrong = found["right"], found["wrong"]
    assert by_wrong["best"]["number"] == by_right["best"]["number"]
    assert by_wrong["best"]["score"] == pytest.approx(1 - by_right["best"]["score"])
    assert [one["state"] for one in by_wrong["trials"]] == [one["state"] for one in by_right["trials"]]
    assert by_wrong["best"]["score"] == min(one["score"] for one in by_wrong["trials"])
