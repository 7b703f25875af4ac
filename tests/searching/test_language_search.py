"""Searches over a tiny language model: by what it writes, and by a loss, of which the lowest is the best."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luthier.errors import PlanError
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan
from luthier.searching.folder import SearchFolder
from searches import finished
from tiny import messages, write_jsonl
from tiny_llamas import byte_level, llama

pytestmark = pytest.mark.slow

Search = Callable[..., SearchFolder]


@pytest.fixture
def search(tmp_path: Path) -> Search:
    """The folder of a search over messages, each with a little JSON that is to be made of it."""
    rows = [
        {"prompt": text, "completion": json.dumps([len(label)])} for text, label in messages(60, labels=2)
    ]
    data = write_jsonl(tmp_path / "rows.jsonl", rows)
    model = llama(tmp_path / "model", byte_level())

    def begin(settings: dict[str, Any], **asked: Any) -> SearchFolder:
        fixed = {
            "data.path": str(data), "model.name": str(model), "run.precision": "fp32", "run.device": "cpu", "run.threads": 1,
            "train.method": "full", "train.lr": 3e-3, "train.epochs": 4, "train.batch_rows": 8, "train.patience": 100,
        }  # fmt: skip
        folder = SearchFolder(tmp_path / "search")
        plan = Plan.build({**fixed, "run.cache": str(tmp_path / "cache"), **settings})
        folder.begin(plan, SearchPlan.build({"sampler": "grid", "prune": "none", **asked}))
        return folder

    return begin


def test_rate_method_and_rows_of_a_step_are_varied_by_what_the_model_writes(search: Search) -> None:
    vary = ("train.method=full,lora:4,top:1", "train.lr=1e-5,3e-3", "train.batch_rows=8,16")

    record = finished(search({"train.epochs": 8}, vary=vary, sampler="random", trials=7))

    assert record["metric"] == "json_match"
    assert {one["state"] for one in record["trials"]} == {"complete"}
    assert {one["values"]["train.method"] for one in record["trials"][1:]} > {"full"}
    by_score = {one["number"]: one["score"] for one in record["trials"]}
    assert record["best"]["score"] == max(by_score.values()) > 0


def test_of_losses_the_lowest_is_named_and_its_run_is_finished(search: Search) -> None:
    folder = search({"task.metric": "loss", "train.epochs": 2}, vary=("train.lr=1e-6,1e-3",))

    record = finished(folder)

    assert record["metric"] == "loss"
    assert record["best"]["score"] == min(one["score"] for one in record["trials"])
    assert record["best"]["values"].get("train.lr", 3e-3) != 1e-6
    told = json.loads((folder.path / "best" / "scorecard.json").read_text())
    assert (told["task"], told["metric"], told["chosen"]) == ("chat", "loss", "tuned")


def test_the_untouched_model_writes_once_for_the_trial_that_is_named_and_not_in_every_trial(
    search: Search,
) -> None:
    folder = search({"train.epochs": 1}, vary=("train.lr=1e-3,3e-3",))

    record = finished(folder)

    in_trials = [candidates_told(folder.path / one["run"]) for one in record["trials"] if one["run"]]
    assert in_trials == [["tuned"]] * len(in_trials)
    assert candidates_told(folder.path / "best") == ["untouched", "tuned"]


def candidates_told(run: Path) -> list[str]:
    """The candidates of a run, in the order in which they were ready."""
    events = map(json.loads, (run / "events.jsonl").read_text().splitlines())
    return [event["name"] for event in events if event["event"] == "candidateready"]


@pytest.mark.parametrize("metric", ["loss", "chrf"])
def test_who_learns_too_slowly_is_pruned_whichever_way_the_metric_points(search: Search, metric: str) -> None:
    """Judged by chrF the model writes at each validation; by loss it does not."""
    slow = "train.lr=1e-6,2e-6,4e-6"

    record = finished(search({"task.metric": metric}, vary=(slow,), prune="halving"))

    states = {one["number"]: one["state"] for one in record["trials"]}
    assert states[0] == "complete"
    assert set(states.values()) == {"complete", "pruned"}
    assert record["best"]["number"] == 0


def test_what_no_language_model_has_is_refused_before_any_trial(search: Search) -> None:
    with pytest.raises(PlanError, match=r"train\.head_rate: no effect with chat"):
        finished(search({}, vary=("train.head_rate=1,5",)))
