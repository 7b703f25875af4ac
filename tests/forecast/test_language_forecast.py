"""What a run of a language model would take: its steps, and what is written in it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from luthier.candidates.tuned.settings import micro_tokens_of
from luthier.errors import PlanError
from luthier.events import Noted, Stepped, Validated
from luthier.forecast.costs import Costs
from luthier.forecast.forecast import forecast
from luthier.forecast.looks import Cost, Looks
from luthier.forecast.memory import saving_bytes
from luthier.forecast.timing import Bench
from luthier.forecast.writing import WritingCost, amounts_of, timed, written_bytes
from luthier.models.generation import SLOTTED, Decoding, way_of, write
from luthier.models.heads.language_model import LanguageModel
from luthier.plan.plan import Plan
from luthier.prepare.prepare import Prepared, prepare
from luthier.session.runs import plan_record
from steps.test_tune import run, weights
from tiny import TINY_IMAGES, conversations_jsonl, documents_jsonl, images_folder, messages_csv
from tiny_llamas import byte_level, llama


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return llama(tmp_path_factory.mktemp("model"), byte_level(), max_position_embeddings=1024)


def plan_for(tmp_path: Path, model: Path, out: str = "run", task: str = "chat", **settings: Any) -> Plan:
    make = conversations_jsonl if task == "chat" else documents_jsonl
    quick = {
        "train.method": "full",
        "train.lr": 1e-3,
        "train.epochs": 1.0,
        "train.batch_rows": 8,
        "train.patience": 100,
    }
    places = {
        "data.path": str(make(tmp_path / "rows.jsonl", 60)),
        "model.name": str(model),
        "run.out": str(tmp_path / out),
    }
    fixed = {"task.name": task, "run.precision": "fp32", "run.device": "cpu", "run.threads": 1}
    return Plan.build(
        {**quick, **places, **fixed, **{key.replace("__", "."): one for key, one in settings.items()}}
    )


@pytest.fixture
def ready(tmp_path: Path, model: Path) -> Prepared:
    return prepare(plan_for(tmp_path, model))


class Calls:
    """How often a model's body is asked for tokens, and for how many, each row by itself."""

    def __init__(self, body: nn.Module) -> None:
        self.tokens: list[tuple[int, int]] = []
        inner: Any = body
        inner.base_model.register_forward_pre_hook(self.seen, with_kwargs=True)

    def seen(self, _: nn.Module, arguments: Any, named: dict[str, Any]) -> None:
        rows, tokens = named["input_ids"].shape
        self.tokens.append((rows, tokens))


@pytest.mark.slow
@pytest.mark.parametrize("task", ["chat", "adaptation"])
@pytest.mark.parametrize("method", ["full", "top:1", "lora"])
def test_the_steps_and_validations_of_a_language_model_are_counted_exactly(
    task: str, method: str, tmp_path: Path, model: Path
) -> None:
    asked = plan_for(tmp_path, model, task=task, train__method=method, train__epochs=1.5, run__cache_gb=0)
    told = plan_record(asked)

    _, events = run(asked)

    assert told["steps"] == sum(isinstance(event, Stepped) for event in events)
    assert told["validations"] == sum(isinstance(event, Validated) for event in events)
    assert told["forecast"]["seconds"] > 0


@pytest.mark.parametrize("name", ["bert", "sentence_bert", "mobilenet_v2"])
def test_adaptation_is_foretold_in_whatever_way_a_model_is_adapted(
    name: str, tmp_path: Path, tiny_model: Callable[[str], Path]
) -> None:
    images = name in TINY_IMAGES
    model = TINY_IMAGES[name](tmp_path / "model") if images else tiny_model(name)
    data = images_folder(tmp_path / "rows", 20) if images else messages_csv(tmp_path / "rows.csv", 60)

    told = plan_record(plan_for(tmp_path, model, task="adaptation", data__path=str(data)))

    assert told["forecast"]["seconds"] > 0


@pytest.mark.slow
def test_a_run_after_a_forecast_ends_with_the_same_bytes(tmp_path: Path, model: Path) -> None:
    quiet, _ = run(plan_for(tmp_path, model, "quiet"))

    told, events = run(plan_for(tmp_path, model, "told"), foretold_from=0.0)

    assert any("This takes at most" in event.text for event in events if isinstance(event, Noted))
    assert weights(told.path) == weights(quiet.path)


def test_without_room_for_a_copy_a_plan_is_foretold_on_the_model_itself_and_a_run_says_that_it_is_not(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = plan_for(tmp_path, model)
    with_copy = plan_record(asked)
    monkeypatch.setattr("luthier.forecast.timing.available_bytes", lambda: 0)
    monkeypatch.setattr("luthier.forecast.timing.copy", None)

    told, (_, events) = plan_record(asked), run(asked, foretold_from=0.0)

    assert told["forecast"]["seconds"] > 0
    assert (told["rungs"], told["steps"]) == (with_copy["rungs"], with_copy["steps"])
    notes = [event.text for event in events if isinstance(event, Noted) and "foretold" in event.text]
    assert notes == [
        "How long this takes is not foretold: steps are tried on a copy of the model, for which there is no room in memory. "
        "`luthier plan` foretells it without one."
    ]


def test_what_a_plan_holds_is_told_part_by_part_with_the_keys_and_values_of_what_is_written(
    ready: Prepared,
) -> None:
    """Two layers and one more, a key and a value of two heads of 16 numbers in four bytes for each token; and logits."""
    task: Any = ready.rows.task
    sizes: Any = ready.model.body.config
    rows = [row for part in ("valid", "test") for row in task.writing(ready.examples[part]).prompts]
    longest = max(map(len, rows)) + task.most

    assert written_bytes(ready) == len(rows) * (2 * 3 * 2 * 16 * 4 * (longest + 1) + 4 * sizes.vocab_size)
    found = forecast(ready, 0.0)
    assert found is not None
    assert found.parts_bytes["writing"] + found.parts_bytes["activations"] >= written_bytes(ready)
    assert found.parts_bytes["features"] == 0


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_large_model_is_held_once_more_when_it_is_written(
    method: str, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = prepare(plan_for(tmp_path, model, train__method=method))
    weights = sum(weight.numel() for weight in ready.model.parameters())

    small = saving_bytes(ready)
    monkeypatch.setattr("luthier.forecast.memory.LARGE_MODEL", 0)

    assert (small, saving_bytes(ready)) == (0, 4 * weights)


def test_too_little_memory_is_refused_with_adapters_and_never_with_a_probe(
    ready: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"before": 10**9, "activations": 10**8, "moments": 10**9, "best": 10**9}
    monkeypatch.setattr("luthier.forecast.memory.Memory.parts", lambda self: sizes)
    monkeypatch.setattr("luthier.forecast.memory.Memory.of_top", lambda self, blocks: 10**10)
    monkeypatch.setattr("luthier.forecast.memory.resident_bytes", lambda: 0)
    monkeypatch.setattr("luthier.forecast.forecast.peak_bytes", lambda: 0)
    monkeypatch.setattr("luthier.forecast.memory.available_bytes", lambda: 2 * 10**9)

    with pytest.raises(PlanError) as error:
        forecast(ready, 0.0)

    assert str(error.value) == (
        "This run needs about 3,100 MB of memory, and this machine has 2,000 MB for it. It would fit with --method lora."
    )


def test_micro_batches_are_timed_as_training_cuts_them(ready: Prepared) -> None:
    assert Bench.of(ready).settings.micro_tokens == micro_tokens_of(ready.plan.run, ready.rows.task) == 1_024


def test_what_is_written_is_counted_as_it_is_written(ready: Prepared) -> None:
    """Prompts of two lengths that begin alike: what they share is read once, and each step reads all rows that have not ended."""
    model: Any = ready.model
    prompts = [(5, 6, 7, 8), (5, 6, 7, 8, 9, 10)]
    with model.writing() as body:
        assert way_of(body) == SLOTTED
        calls = Calls(body)

        found = amounts_of(body, True, prompts, [4, 4])
        write(body, prompts, Decoding(frozenset(), 4), torch.device("cpu"))

    steps = calls.tokens[-4:]
    assert found.terms().tolist() == [[1, 3 + 5, 4, 8]]
    assert steps == [(2, 1)] * 4


def test_answers_of_unlike_length_take_the_steps_of_the_longest(ready: Prepared) -> None:
    model: Any = ready.model

    found = amounts_of(model.body, True, [(5, 6), (7, 8)], [2, 9])

    assert (found.steps.tolist(), found.tokens.tolist()) == ([9], [11])


def costs(ready: Prepared) -> Costs:
    """A second for each token that is read, one for each that follows another in writing, nothing for all else."""
    model: Any = ready.model
    reading, writing = Cost(np.array([0.0, 1.0, 0.0])), Cost(np.array([0.0, 0.0, 1.0, 0.0]))
    one = WritingCost(model.body, True, writing, untouched=np.array([2, 40]))
    looks = Looks(reading, reading)
    return Costs(ready, {"fast": looks, "exact": looks}, {"fast": one, "exact": one})


def test_right_answers_say_how_long_a_tuned_model_writes_and_what_was_heard_how_long_an_untouched_one(
    ready: Prepared,
) -> None:
    valid = ready.examples["valid"]
    task: Any = ready.rows.task
    told = task.writing(valid)
    assert told is not None

    tuned, untouched = costs(ready).answers(valid), costs(ready).first_answers(valid)

    assert len(told.prompts) == len(valid)
    assert tuned - costs(ready).reading(valid) == told.usual.max()
    assert untouched - costs(ready).reading(valid) == min(40, task.most)


def test_an_untouched_model_is_heard_until_it_ends_and_else_counts_as_writing_all_that_it_may(
    ready: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, model = ready.rows.task, ready.model
    writing = task.writing(ready.examples["valid"])
    assert isinstance(model, LanguageModel)
    assert writing is not None
    with model.writing() as body:
        long = write(body, writing.prompts[:1], Decoding(frozenset(), writing.most), torch.device("cpu"))
    ends = replace(writing, prompts=writing.prompts[:1], end=frozenset({long[0].ids[1]}))
    first = long[0].ids.index(long[0].ids[1]) + 1

    ended = timed(ready, ready.masters.reporting, ends)
    monkeypatch.setattr("luthier.forecast.writing.HEARD", 2)
    endless = timed(ready, ready.masters.reporting, replace(ends, end=frozenset({-1})))

    assert ended.untouched.tolist() == [first]
    assert endless.untouched.tolist() == [writing.most]


def test_nothing_is_written_where_no_score_asks_for_it(tmp_path: Path, model: Path) -> None:
    ready = prepare(plan_for(tmp_path, model, task__metric="loss"))
    valid, test = ready.examples["valid"], ready.examples["test"]

    assert costs(ready).answers(valid) == costs(ready).reading(valid)
    assert costs(ready).answers(test) > costs(ready).reading(test), "some are written for a person to look at"


def test_answers_that_a_model_learns_from_itself_are_counted_in_all_rounds(
    tmp_path: Path, model: Path
) -> None:
    asked: dict[str, Any] = {"task__verify": "contains", "train__rounds": 3, "train__samples": 2}
    ready = prepare(plan_for(tmp_path, model, **asked))
    how = ready.rows.task.checkable
    assert how is not None

    told = how.writing(ready.examples["train"])

    assert len(told.prompts) == len(ready.examples["train"])
    assert costs(ready).own_answers() == 3 * 2 * told.usual.max()
