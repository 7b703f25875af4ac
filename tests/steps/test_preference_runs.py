"""Runs over preferences: what they leave, how they go on after a kill, and what their models say afterwards."""

import gzip
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import kills
from luthier.errors import DataError, Interrupted
from luthier.events import Advanced, Event, Noted, Started, Stepped, Work
from luthier.folder.model_folder import ModelFolder
from luthier.models.quiet import quiet
from luthier.models.readers.conversations import Conversations
from luthier.plan.plan import Plan
from luthier.prepare.prepare import prepare
from luthier.session.runs import plan_of
from luthier.steps.tune import tune
from luthier.tasks.preference.task import Preference
from tiny import judged_jsonl, preferences_jsonl
from tiny_llamas import byte_level, llama

pytestmark = pytest.mark.slow

SHARED = Path(__file__).parents[3] / "shared"
SETTINGS: dict[str, Any] = {
    "method": "full", "lr": 3e-3, "epochs": 2, "batch_rows": 8, "patience": 100, "precision": "fp32", "threads": 1,
    "save_every": "0.001s",
}  # fmt: skip
BEHAVIOUR = {
    "dpo": {},
    "kto": {"objective": "kto"},
    "orpo": {"objective": "orpo"},
    "reward": {"objective": "reward"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, pairs, and judged answers."""
    path = tmp_path_factory.mktemp("home")
    llama(path / "model", byte_level(), initializer_range=0.1)
    preferences_jsonl(path / "pairs.jsonl", 72)
    judged_jsonl(path / "judged.jsonl", 90)
    return path


def plan_for(home: Path, out: Path, data: str = "pairs", **changed: Any) -> Plan:
    places = {
        "data.path": str(home / f"{data}.jsonl"),
        "model.name": str(home / "model"),
        "run.out": str(out),
    }
    return Plan.build(places | SETTINGS | changed)


def run(plan: Plan) -> ModelFolder:
    work = Work(tune(plan))
    for _ in work:
        pass
    return work.result


def killed(plan: Plan, when: Callable[[Event], bool]) -> None:
    """A run in a process of its own, which is killed at an event."""

    def act() -> None:
        for event in tune(plan):
            if when(event):
                kills.die()

    kills.killed(act)


def outcome(out: Path) -> dict[str, str]:
    files = sorted(
        [*out.glob("model/*.safetensors"), *out.glob("predictions/*"), *out.glob("state/reference.*")]
    )
    return {
        str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.name != "reference.json"  # which says how many seconds it took
    }


def at_step(number: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Stepped) and event.step == number


# Killed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a child is forked to be killed")
@pytest.mark.parametrize("objective", ["dpo", "kto", "reward"])
def test_a_run_that_is_killed_again_and_again_ends_in_the_same_bytes(
    home: Path, tmp_path: Path, objective: str
) -> None:
    whole = run(plan_for(home, tmp_path / "whole", **BEHAVIOUR[objective]))
    out = tmp_path / "run"
    plan = plan_for(home, out, **BEHAVIOUR[objective])

    if objective != "reward":
        killed(plan, lambda event: isinstance(event, Advanced) and event.done > 8)
        assert not (out / "state" / "reference.safetensors").exists()
    killed(plan, at_step(3))
    killed(plan_of(out), at_step(8))
    run(plan_of(out))

    assert outcome(out) == outcome(whole.path)
    assert len(outcome(out)) >= 2


def test_what_the_untouched_model_says_is_computed_once_and_found_again(home: Path, tmp_path: Path) -> None:
    plan = plan_for(home, tmp_path / "run")
    for event in tune(plan):
        if at_step(2)(event):
            break
    told = tmp_path / "run" / "state" / "reference.safetensors"
    before = told.stat().st_mtime_ns

    run(plan_of(tmp_path / "run"))

    assert told.stat().st_mtime_ns == before
    values, ready = load_file(told), prepare(plan_for(home, tmp_path / "other"))
    task, device = ready.rows.task, ready.device
    for part, examples in ready.examples.items():
        if len(examples):
            own = task.infer(ready.model, examples, device).values
            assert values[part] == pytest.approx(own, abs=1e-4)


def test_somebody_who_stops_it_before_it_learns_is_told_how_it_goes_on(home: Path, tmp_path: Path) -> None:
    met: list[Event] = []
    events = tune(
        plan_for(home, tmp_path / "run"), stop=lambda: any(isinstance(one, Advanced) for one in met)
    )

    with pytest.raises(Interrupted, match=r"luthier resume .* goes on from what was saved"):
        met.extend(events)


def test_a_damaged_reference_is_told_and_computed_again(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for event in tune(plan_for(home, out)):
        if at_step(1)(event):
            break
    told = out / "state" / "reference.safetensors"
    good = told.read_bytes()
    told.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))

    events = [event.text for event in tune(plan_of(out)) if isinstance(event, Noted)]

    assert f"{told}: is not what was written: it is computed again." in events
    assert told.read_bytes() == good


# Learnt


@pytest.mark.parametrize("objective", BEHAVIOUR)
@pytest.mark.parametrize("data", ["pairs", "judged"])
def test_a_model_comes_to_prefer_the_better_answers(
    home: Path, tmp_path: Path, objective: str, data: str
) -> None:
    if data == "judged" and objective != "kto":
        pytest.skip("judged answers are no pairs")
    changed = {**BEHAVIOUR[objective], "epochs": 8}

    record = run(plan_for(home, tmp_path / "run", data, **changed)).scorecard.record

    scores = {one["name"]: one["test"] for one in record["candidates"]}
    assert record["metric"] == "reward_accuracy"
    assert scores["tuned"] > max(0.85, scores["length"])
    assert ("untouched" in scores) == (objective != "reward")


def test_the_first_loss_is_that_of_a_model_which_has_not_moved(home: Path, tmp_path: Path) -> None:
    first = next(event for event in tune(plan_for(home, tmp_path / "run")) if isinstance(event, Stepped))

    assert first.loss == pytest.approx(np.log(2), abs=1e-5)


def test_the_objective_follows_from_the_rows_where_nobody_names_one(home: Path, tmp_path: Path) -> None:
    pairs, judged = (prepare(plan_for(home, tmp_path / data, data)).rows.task for data in ("pairs", "judged"))

    assert isinstance(pairs, Preference)
    assert isinstance(judged, Preference)
    assert (pairs.objective, pairs.judged) == ("dpo", False)
    assert (judged.objective, judged.judged, judged.weights) == ("kto", True, (2.0, 1.0))
    with pytest.raises(DataError) as error:
        prepare(plan_for(home, tmp_path / "no", "judged", objective="dpo"))
    assert str(error.value) == (
        f"{home / 'judged.jsonl'}: --objective dpo learns from pairs of answers, and these rows have one answer each, with a "
        "label that judges it. Use --objective kto, or rows with `prompt`, `chosen` and `rejected`."
    )


def test_a_kto_step_is_compared_with_no_answer_of_a_row_that_is_held_out(home: Path, tmp_path: Path) -> None:
    ready = prepare(plan_for(home, tmp_path / "run", objective="kto"))
    train, rows, reader = ready.examples["train"], ready.rows, ready.base.reader
    assert isinstance(reader, Conversations)
    held_out = {
        tuple(reader.renderer.training(one.prompt.with_turns(*one.chosen)).ids[-6:])
        for part in ("valid", "test")
        for one in rows.inputs(getattr(rows.split, part))
    }

    assert train.flat is not None
    ends = {tuple(train.flat.ids[end - 6 : end].tolist()) for end in train.flat.ends[1:].tolist()}
    assert held_out.isdisjoint(ends)


# Asked


def test_a_reward_model_scores_as_transformers_does_with_the_text_alone(home: Path, tmp_path: Path) -> None:
    folder = run(plan_for(home, tmp_path / "run", objective="reward"))
    talk = [{"role": "user", "content": "Where is my order?"}]
    answered = [[*talk, {"role": "assistant", "content": one}] for one in ("gladly, please", "never, no")]

    found = folder.predict([*answered, talk, {"prompt": "Where is my order?", "completion": "never, no"}])

    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(folder.model_path)
        tokenizer = AutoTokenizer.from_pretrained(folder.model_path)
    texts = [tokenizer.apply_chat_template(one, tokenize=False) for one in answered]
    with torch.no_grad():
        theirs = model(
            **tokenizer(texts, padding=True, add_special_tokens=False, return_tensors="pt")
        ).logits[:, 0]
    first, second, nothing, other = found.to_json()
    assert [first["score"], second["score"]] == pytest.approx(theirs.tolist(), abs=1e-5)
    assert first["score"] > second["score"]
    assert nothing == {"row": 2, "text": None, "score": None}
    assert other["score"] == pytest.approx(second["score"], abs=1e-5)


def test_a_model_tuned_on_preferences_answers_prompts(home: Path, tmp_path: Path) -> None:
    folder = run(plan_for(home, tmp_path / "run", epochs=1))

    (line,) = folder.predict(["Where is my order?"]).to_json()

    assert line.keys() == {"row", "text", "finish"}
    assert isinstance(line["text"], str)


def test_predictions_tell_which_of_two_answers_is_preferred(home: Path, tmp_path: Path) -> None:
    out = run(plan_for(home, tmp_path / "run", epochs=1)).path

    lines = [json.loads(line) for line in (out / "predictions" / "test.jsonl").read_text().splitlines()]

    for line in lines:
        assert line["prediction"] in ("chosen", "rejected", None)
        assert line["label"] == "chosen"


# Shared sets


@pytest.mark.skipif(
    not (SHARED / "models" / "tinystories_656k").is_dir(), reason="the shared sets are not here"
)
def test_politeness_is_learnt(tmp_path: Path) -> None:
    for part in ("train", "dev", "test"):
        packed = (SHARED / "data" / "pref_politeness" / f"{part}.jsonl.gz").read_bytes()
        lines = gzip.decompress(packed).splitlines(keepends=True)
        (tmp_path / f"{part}.jsonl").write_bytes(b"".join(lines[:300]))

    record = run(
        Plan.build(
            {
                "data.path": str(tmp_path / "train.jsonl"),
                "data.valid": str(tmp_path / "dev.jsonl"),
                "data.test": str(tmp_path / "test.jsonl"),
                "model.name": str(SHARED / "models" / "tinystories_656k"),
                "epochs": 2,
                "threads": 1,
                "run.out": str(tmp_path / "run"),
            }
        )
    ).scorecard.record

    scores = {one["name"]: one["test"] for one in record["candidates"]}
    assert scores["tuned"] > max(scores["untouched"], scores["length"]) + 0.1


def test_events_tell_that_the_reference_is_computed_before_anything_is_learnt(
    home: Path, tmp_path: Path
) -> None:
    begun = [
        event.step_name
        for event in tune(plan_for(home, tmp_path / "run", epochs=1))
        if isinstance(event, Started)
    ]

    assert begun.index("reference") < begun.index("probe") < begun.index("train")
