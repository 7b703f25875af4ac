"""`luthier plan`: what tune would do and take, told without doing it."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from command import luthier
from luthier.batches.order import steps_per_epoch
from luthier.candidates.tuned.prefixes import Shelf, shelf_for
from luthier.errors import PlanError
from luthier.events import CandidateReady, Noted, Stepped, Validated
from luthier.forecast.costs import SAVING, Costs, scratch_seconds
from luthier.forecast.forecast import forecast
from luthier.forecast.forecast import opened as opened_to_train
from luthier.forecast.looks import Cost, Looks
from luthier.forecast.outline import Sizes, sizes_of
from luthier.forecast.timing import Bench, Steps, Timed, Tries
from luthier.machine import Load, available_bytes, resident_bytes
from luthier.plan.plan import Plan
from luthier.prepare.prepare import prepare
from luthier.report.forecast_words import time_in_words
from luthier.session.runs import plan_record
from steps.test_tune import plan_for, run, weights
from tiny import messages, opened


def rungs(record: dict[str, Any]) -> list[tuple[str, float | None, int | None]]:
    return [(rung["name"], rung["lr"], rung["from_epoch"]) for rung in record["rungs"]]


@pytest.fixture
def plan(messages_file: Path, bert: Path, tmp_path: Path) -> Callable[..., Plan]:
    return lambda **settings: plan_for(
        messages_file, bert, tmp_path / "run", cache=str(tmp_path / "cache"), pooling="mean", **settings
    )


@pytest.mark.slow
def test_it_prints_the_plan_the_rungs_the_steps_and_the_forecast_and_writes_nothing(
    messages_file: Path, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = luthier(
        *("plan", messages_file, "--model", bert, "--pooling", "mean", "--method", "top:1"),
        *("--cache", tmp_path / "cache", "--lr", 0.003, "--epochs", 2, "--batch-rows", 8),
    )

    assert (ended.code, ended.err) == (0, "")
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    at = lines.index("rung parameters trains learning rate")
    assert lines[at + 1 : at + 6] == [
        "head 132 132 0.003",
        "block 1 8,544 8,544 0.003",
        "block 0 8,544 - frozen",
        "embeddings 7,680 - frozen",
        "all 25,956 8,676",
    ]
    assert "80 rows, parted drawn at random: 56 train, 8 valid, 0 calibration, 16 test" in lines
    assert any(line.startswith("14 steps in 2 epochs, 4 validations, ") for line in lines)
    assert any(
        line.startswith("data.text = text (column 'text', by its name; --text corrects it)") for line in lines
    )
    assert lines[-2].startswith("time: at most ")
    assert lines[-1].startswith("memory: about ")
    assert list(tmp_path.iterdir()) == []


def test_layer_decay_gives_each_rung_its_rate(plan: Callable[..., Plan]) -> None:
    record = plan_record(plan(method="full", layer_decay=0.5, lr=0.008))
    assert rungs(record) == [
        ("head", 0.008, 1), ("block 1", 0.004, 1), ("block 0", 0.002, 1), ("embeddings", 0.001, 1),
    ]  # fmt: skip


def test_thaw_tells_from_which_epoch_a_rung_trains(plan: Callable[..., Plan]) -> None:
    record = plan_record(plan(method="thaw", lr=0.008, epochs=3))
    assert rungs(record) == [
        ("head", 0.008, 1), ("block 1", 0.008, 2), ("block 0", 0.008, 3), ("embeddings", 0.0, None),
    ]  # fmt: skip


def test_shared_blocks_are_told(
    messages_file: Path, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    record = plan_record(plan_for(messages_file, tiny_model("albert"), tmp_path / "run"))
    assert record["note"] == "its 2 blocks share one set of weights: they train all together or not at all."


def test_json_is_one_object_with_all_of_it(messages_file: Path, bert: Path, tmp_path: Path) -> None:
    words = ("--model", bert, "--pooling", "mean", "--method", "probe", "--out", tmp_path / "run", "--json")

    record = json.loads(luthier("plan", messages_file, *words).out)

    assert set(record) == {
        "plan", "guesses", "notes", "rows", "understood", "out", "rungs", "parameters", "note", "steps", "epochs",
        "validations", "tokens_per_epoch", "forecast", "candidates",
    }  # fmt: skip
    assert set(record["forecast"]) == {
        "seconds", "seconds_if_busy", "others", "peak_bytes", "seconds_of", "bytes_of",
    }  # fmt: skip
    assert record["plan"]["train.method"] == "probe"
    assert (record["rungs"], record["steps"]) == ([], 0)
    assert record["forecast"]["peak_bytes"] > 1e8


@pytest.mark.slow
def test_the_steps_and_validations_are_counted_exactly(plan: Callable[..., Plan]) -> None:
    asked = plan(method="full", epochs=2.5, patience=100)
    record = plan_record(asked)

    _, events = run(asked)

    steps = [event for event in events if isinstance(event, Stepped)]
    assert record["steps"] == len(steps)
    assert record["validations"] == sum(isinstance(event, Validated) for event in events)
    per_epoch = steps_per_epoch(record["rows"]["train"], 8)
    assert record["tokens_per_epoch"] == sum(event.tokens for event in steps[:per_epoch])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "top:1", "thaw", "lora:2"])
def test_a_run_after_a_forecast_ends_with_the_same_bytes(
    method: str, messages_file: Path, bert: Path, tmp_path: Path
) -> None:
    asked = {"method": method, "cache_gb": 0, "epochs": 2}
    plain, _ = run(plan_for(messages_file, bert, tmp_path / "plain", **asked))

    plan_record(plan_for(messages_file, bert, tmp_path / "told", **asked))
    told, _ = run(plan_for(messages_file, bert, tmp_path / "told", **asked))

    assert weights(told.path) == weights(plain.path)


def test_tune_tells_the_forecast_of_a_long_run_and_ends_with_the_same_bytes(
    messages_file: Path, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet, events = run(plan_for(messages_file, bert, tmp_path / "quiet", method="full", epochs=1))
    assert not any("This takes" in event.text for event in events if isinstance(event, Noted))

    told, events = run(
        plan_for(messages_file, bert, tmp_path / "told", method="full", epochs=1), foretold_from=0.0
    )

    notes = [event.text for event in events if isinstance(event, Noted) and "This takes" in event.text]
    assert len(notes) == 1
    assert notes[0].startswith("This takes at most ")
    assert notes[0].endswith(" GB of memory. `luthier plan` tells of what.")
    assert weights(told.path) == weights(quiet.path)


@pytest.mark.parametrize(("method", "dearer"), [("full", 1.0), ("top:1", 2.0)])
def test_the_model_from_scratch_is_foretold_as_so_many_steps_in_which_all_layers_move(
    plan: Callable[..., Plan], method: str, dearer: float
) -> None:
    """With steps of a second each: of two blocks both move, in place of one."""
    ready = prepare(plan(method=method, lr=0.003, epochs=3, batch_rows=8, scratch="on"))
    memory, stages = opened_to_train(ready, copies=True)
    a_second, nothing = Cost(np.array([1.0, 0.0, 0.0])), Cost(np.zeros(3))
    timed = Timed({stage.depth: Steps(a_second, end=0.0, compiling=0.0) for stage in stages})
    costs = Costs(ready, dict.fromkeys(("fast", "exact"), Looks(nothing, nothing)), {})

    found = scratch_seconds(memory.bench, memory.plan, timed, costs)

    assert found == pytest.approx(SAVING * memory.plan.steps * dearer, rel=0.05)


def test_states_that_an_earlier_run_left_are_not_counted_again(plan: Callable[..., Plan]) -> None:
    asked = plan(method="top:1", epochs=1)

    def shelf() -> Shelf:
        bench = Bench.of(prepare(asked))
        return shelf_for(bench.ready, bench.unfreezing, 1, bench.prefix)

    assert not shelf().full

    run(asked)

    assert (shelf().depths, shelf().full) == ((2,), True)


def test_too_little_memory_is_refused_with_what_would_fit(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = prepare(plan(method="full", micro_tokens=2**14))
    need = 10**9
    monkeypatch.setattr(
        "luthier.forecast.memory.Memory.parts", lambda self: {"before": need, "activations": need}
    )
    monkeypatch.setattr(
        "luthier.forecast.memory.Memory.of_top", lambda self, blocks: need * (blocks + 1) // 2
    )
    monkeypatch.setattr("luthier.forecast.memory.resident_bytes", lambda: 0)
    monkeypatch.setattr("luthier.forecast.forecast.peak_bytes", lambda: 0)
    monkeypatch.setattr("luthier.forecast.memory.available_bytes", lambda: need)

    with pytest.raises(PlanError) as error:
        forecast(ready, 0.0)

    assert str(error.value) == (
        "This run needs about 2,000 MB of memory, and this machine has 1,000 MB for it. "
        "It would fit with --method top:1 or --method probe."
    )


def test_smaller_micro_batches_are_offered_where_they_suffice(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = prepare(plan(method="lora", batch_rows=50, micro_tokens=2**14))
    monkeypatch.setattr("luthier.forecast.memory.STEP_OF_TOKENS", 16)
    monkeypatch.setattr(
        "luthier.forecast.memory.Memory.parts", lambda self: {"before": 10**9, "activations": 10**9}
    )
    monkeypatch.setattr("luthier.forecast.memory.frozen_bytes", lambda ready: 10**12)
    monkeypatch.setattr("luthier.forecast.memory.resident_bytes", lambda: 0)
    monkeypatch.setattr("luthier.forecast.memory.available_bytes", lambda: 15 * 10**8)
    sizes = sizes_of(ready.examples["train"], [np.arange(50)])
    half = int(sizes.tokens[0]) // 2 // 16 * 16

    with pytest.raises(PlanError) as error:
        forecast(ready, 0.0)

    assert str(error.value).endswith(f" 1,500 MB for it. It would fit with --micro-tokens {half}.")


def test_the_cost_of_batches_is_found_from_their_sizes() -> None:
    sizes = Sizes(np.array([100, 400, 1000, 900]), np.array([10, 20, 10, 90]))
    seconds = [
        float(0.01 + 1e-4 * t + 1e-6 * t * n) for t, n in zip(sizes.tokens, sizes.longest, strict=True)
    ]
    assert Cost.fit(sizes, seconds).of(sizes) == pytest.approx(sum(seconds), rel=1e-6)


def test_sizes_are_those_of_padded_batches(bert: Path) -> None:
    long = [("a " * 100, "refund"), ("b", "praise"), *messages(4)]
    examples = opened(bert, long, way="windows").examples
    batches = [np.array([0, 1]), np.array([2, 3, 4, 5])]

    found = sizes_of(examples, batches)

    assert found.tokens.tolist() == [examples.batch(rows).inputs["input_ids"].numel() for rows in batches]


def test_memory_is_that_of_the_process() -> None:
    assert 5e7 < resident_bytes() < available_bytes() * 10


def test_times_are_told_in_words() -> None:
    assert time_in_words(59.7) == "1 min 0 s"


def test_where_training_may_be_spared_it_is_foretold_when_the_probe_is_there(
    messages_file: Path, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.steps.tune.why_spared", lambda run: "")

    _, events = run(
        plan_for(messages_file, bert, tmp_path / "run", method="auto", epochs=1), foretold_from=1e-9
    )

    at = next(
        at for at, event in enumerate(events) if isinstance(event, Noted) and "What is left" in event.text
    )
    told = events[at]
    assert isinstance(told, Noted)
    assert told.text.startswith("What is left takes at most ")
    assert any(isinstance(event, CandidateReady) and event.name == "probe" for event in events[:at])
    assert not any(isinstance(event, Stepped) for event in events[:at])


def test_what_does_not_fit_is_refused_before_anything_is_written_even_where_it_is_foretold_later(
    messages_file: Path, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.forecast.forecast.FAST", 1.0)  # so that it seems a long one
    monkeypatch.setattr(
        "luthier.forecast.memory.Memory.parts", lambda self: {"before": 10**15, "activations": 1}
    )
    monkeypatch.setattr("luthier.forecast.memory.Memory.of_top", lambda self, blocks: 10**15)

    with pytest.raises(PlanError, match="This run needs about 1,000,000,000 MB of memory"):
        run(plan_for(messages_file, bert, tmp_path / "run", method="auto", epochs=1))

    assert not (tmp_path / "run").exists()


# On a machine that is not ours alone


def test_of_several_tries_the_best_counts_and_the_spread_is_told() -> None:
    tries = Tries((9.0, 0.3), [(2.0, 0.1), (1.0, 0.2), (4.0, 0.4)])

    assert (tries.micro, tries.end, tries.slowest) == (1.0, 0.1, 4.0)
    assert Tries((9.0, 0.3)).micro == 9.0, "of one that was too long to be tried again"


def test_a_busy_moment_while_steps_are_timed_changes_no_forecast_by_much(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, dice = plan(method="full", epochs=20, patience=1000), np.random.default_rng(0)
    honest = Bench.step

    def step(self: Bench, examples: Any, rows: Any, epoch: int, clock: Any) -> tuple[float, float]:
        honest(self, examples, rows, epoch)
        return (20.0, 2.0) if dice.random() < 1 / 3 else (0.2, 0.02)

    monkeypatch.setattr(Bench, "step", step)

    found = forecast(prepare(asked), 0.0)

    assert found is not None
    assert found.outline is not None
    assert found.seconds["train"] == pytest.approx(0.22 * found.outline.steps, rel=0.3)
    assert found.slowest > 10 * found.total
    assert "as busy as this machine is now" in found.words()


def test_where_threads_wait_for_others_one_thread_tells_what_a_step_takes_at_most(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = plan(method="full", epochs=20, patience=1000).with_settings({"run.threads": 2})
    honest = Bench.step

    def step(self: Bench, examples: Any, rows: Any, epoch: int, clock: Any) -> tuple[float, float]:
        honest(self, examples, rows, epoch)
        return (0.3, 0.03) if clock is time.process_time and torch.get_num_threads() == 1 else (3.0, 0.3)

    monkeypatch.setattr(Bench, "step", step)
    monkeypatch.setattr(Load, "others_since", lambda self: 0.5)

    found = forecast(prepare(asked), 0.0)

    assert found is not None
    assert found.outline is not None
    assert found.seconds["train"] == pytest.approx(0.33 * found.outline.steps, rel=0.3)
    assert found.to_json()["others"] == 0.5
    assert found.slowest > 5 * found.seconds["train"]
