"""One plan on several seeds: mean and spread of its score, and the best by validation kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command import luthier
from luthier.errors import InputError, Interrupted, PlanError, RunError
from luthier.events import Event, Noted, Started, Work
from luthier.folder.model_folder import ModelFolder
from luthier.folder.scorecard import Scorecard
from luthier.plan.plan import Plan, read_plan
from luthier.session.runs import resume_seeds, run_seeds
from luthier.steps.seeds import Seeded, best_of, spread, tune_seeds, words_of
from tiny import messages_csv


def plan_for(data: Path, model: Path, out: Path, **settings: Any) -> Plan:
    quick = {"method": "probe", "precision": "fp32", "threads": 1}
    return Plan.build(
        {"data.path": str(data), "model.name": str(model), "run.out": str(out), **quick, **settings}
    )


def run(plan: Plan, count: int, stop: Callable[[], bool] = lambda: False) -> tuple[ModelFolder, list[Event]]:
    work = Work(tune_seeds(plan, count, stop))
    events = list(work)
    return work.result, events


def seeded(seed: int, valid: float, test: float, metric: str = "accuracy") -> Seeded:
    card = {
        "metric": metric, "chosen": "probe", "test": {metric: {"value": test}}, "verdict": {"ship": True},
        "candidates": [{"name": "probe", "valid": valid, "test": test}],
    }  # fmt: skip
    return Seeded(seed, Path(f"run/{seed}"), Scorecard(card))


def test_the_best_on_validation_is_kept_whatever_the_test_rows_say() -> None:
    runs = [seeded(0, 0.80, 0.95), seeded(1, 0.90, 0.85), seeded(2, 0.90, 0.99)]

    assert best_of(runs).seed == 1
    assert best_of([seeded(0, 0.80, 0.9, "log_loss"), seeded(1, 0.90, 0.8, "log_loss")]).seed == 0
    assert words_of(runs[1], runs) == (
        "Over 3 seeds the accuracy on the test rows is 0.9300 on average, standard deviation 0.0721, from 0.8500 to 0.9900; seed "
        "1, the best on validation, is kept."
    )


def test_the_spread_is_that_of_a_sample() -> None:
    assert spread([0.8, 0.9]) == {
        "mean": pytest.approx(0.85),
        "sd": pytest.approx(0.05 * 2**0.5),
        "values": [0.8, 0.9],
    }
    assert spread([0.8])["sd"] is None


def test_every_seed_has_a_run_over_the_same_rows_and_the_folder_is_that_of_the_best(
    tmp_path: Path, sentence_bert: Path
) -> None:
    data = messages_csv(tmp_path / "messages.csv", 120)
    plan = plan_for(data, sentence_bert, tmp_path / "run", seed=3)

    folder, events = run(plan, 3)

    record = folder.scorecard.record
    told, kept = record["seeds"], tmp_path / "run" / "seeds" / str(record["seeds"]["kept"])
    cards = [
        json.loads((tmp_path / "run" / "seeds" / f"{seed}" / "scorecard.json").read_text())
        for seed in (3, 4, 5)
    ]
    assert (told["n"], told["seeds"]) == (3, [3, 4, 5])
    assert told["test"]["values"] == [card["test"]["accuracy"]["value"] for card in cards]
    assert told["test"]["mean"] == pytest.approx(np.mean(told["test"]["values"]))
    assert record["test"] == json.loads((kept / "scorecard.json").read_text())["test"]
    splits = [
        json.loads((kept.parent / f"{seed}" / "split.json").read_text())["hashes"] for seed in (3, 4, 5)
    ]
    assert splits[0] == splits[1] == splits[2]
    assert read_plan(folder.path / "plan.toml")["run.seed"] == told["kept"]
    assert folder.predict(["the guitar is broken"]).rows
    page = (folder.path / "report.html").read_text(encoding="utf-8").replace("\u00a0", " ")
    cards = [(folder.path / place).read_text(encoding="utf-8") for place in ("README.md", "model/README.md")]
    for text in (page, *cards):
        assert "Over 3 seeds the accuracy on the test rows is" in text
    assert "Over 3 seeds" not in (kept / "model" / "README.md").read_text(encoding="utf-8")
    assert (folder.path / "predictions" / "test.jsonl").read_bytes() == (
        kept / "predictions" / "test.jsonl"
    ).read_bytes()
    assert [event.text for event in events if isinstance(event, Noted)][-1].startswith("Over 3 seeds the")

    again, told_again = run(plan, 3)
    assert again.path == folder.path
    assert not any(isinstance(event, Started) for event in told_again)
    with pytest.raises(RunError, match="or of another number of seeds, 3"):
        run(plan, 2)


def test_what_was_interrupted_goes_on_with_the_seeds_that_are_left(
    tmp_path: Path, sentence_bert: Path
) -> None:
    data = messages_csv(tmp_path / "messages.csv", 120)
    whole, _ = run(plan_for(data, sentence_bert, tmp_path / "whole"), 2)
    out = tmp_path / "run"
    plan = plan_for(data, sentence_bert, out)
    with pytest.raises(Interrupted, match=r"on seed 1, 2 of 2. `luthier resume .*run` goes on"):
        run(plan, 2, stop=lambda: (out / "seeds" / "0" / "report.html").is_file())
    assert not (out / "scorecard.json").exists()

    found = resume_seeds(out, quiet=True)

    assert found is not None
    for name in ("predictions/test.jsonl", "model/luthier.json"):
        assert (found.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert found.scorecard.record["seeds"] == whole.scorecard.record["seeds"]


def test_what_cannot_be_run_on_several_seeds_is_refused(tmp_path: Path, sentence_bert: Path) -> None:
    data = messages_csv(tmp_path / "messages.csv", 20)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine")

    assert resume_seeds(tmp_path / "full") is None
    with pytest.raises(RunError, match="is not empty and not the folder of runs on several seeds"):
        run(plan_for(data, sentence_bert, tmp_path / "full"), 2)
    with pytest.raises(PlanError, match="--seeds 0: expected how many seeds to run"):
        run_seeds(plan_for(data, sentence_bert, tmp_path / "run"), 0)


def test_one_seed_is_a_run_like_any_other_on_the_command_line_too(
    tmp_path: Path, sentence_bert: Path
) -> None:
    data = messages_csv(tmp_path / "rows.csv", 80)

    ended = luthier(
        "tune", data, "--model", sentence_bert, "--method", "probe", "--precision", "fp32", "--out", tmp_path / "run",
        "--seeds", 1, "--quiet", "--allow", "near-copies,copies",
    )  # fmt: skip

    assert ended.code == 0, ended.err
    assert not (tmp_path / "run" / "seeds").exists()
    assert (tmp_path / "run" / "predictions" / "test.jsonl").is_file()


def few(path: Path, rows: int, seed: int = 0) -> Path:
    return messages_csv(path, rows, seed=seed, labels=3)


def test_without_test_rows_no_seeds_are_tried_and_nothing_is_written(
    tmp_path: Path, sentence_bert: Path
) -> None:
    one = few(tmp_path / "one.csv", 3)

    with pytest.raises(PlanError) as refused:
        run(plan_for(one, sentence_bert, tmp_path / "run", **{"data.allow": ("one-shot",)}), 2)

    assert str(refused.value) == (
        "--seeds 2: there are no test rows, so nothing would tell how far scores depend on the seed. Name rows to test on with "
        "--test FILE, or leave --seeds out."
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "setting", [{"data.path": "nothing.csv"}, {"model.name": "nothing/here"}, {"data.label": "nothing"}]
)
def test_what_no_seed_could_use_is_refused_before_anything_is_written(
    tmp_path: Path, sentence_bert: Path, setting: dict[str, Any]
) -> None:
    data = few(tmp_path / "rows.csv", 30)

    with pytest.raises(InputError):
        run(plan_for(data, sentence_bert, tmp_path / "run", **setting), 2)

    assert not (tmp_path / "run").exists()


def test_the_first_seed_is_kept_where_all_rows_are_learnt_from(tmp_path: Path, sentence_bert: Path) -> None:
    one, test = few(tmp_path / "one.csv", 3), few(tmp_path / "test.csv", 12, seed=1)

    folder, events = run(plan_for(one, sentence_bert, tmp_path / "run", **{"data.test": str(test)}), 2)

    assert folder.scorecard.record["seeds"]["kept"] == 0
    told = [event.text for event in events if isinstance(event, Noted)][-1]
    assert told.endswith("; seed 0, the first one, as no rows are held out to choose by, is kept.")
    assert "Seed 0, the first one, as no rows are held out to choose by, is kept." in (
        tmp_path / "run" / "report.html"
    ).read_text(encoding="utf-8")
