"""Blocks that compute their activations again on the way back: the same gradient to the bit, in less memory."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen3Config

from command import luthier
from luthier.batches.examples import Batch
from luthier.batches.sequences import Sequences
from luthier.errors import PlanError
from luthier.events import Noted
from luthier.forecast.forecast import forecast
from luthier.hashes import hash_file
from luthier.models.heads.language_model import LanguageModel, pack
from luthier.models.kernels.dropout import DICE
from luthier.models.ladder.ladder import find_ladder
from luthier.models.ladder.recompute import can_recompute, recompute
from luthier.plan.plan import Plan
from luthier.prepare.prepare import prepare
from luthier.steps import tune
from tiny import TINY_IMAGES, images_folder, messages, messages_csv, opened

SIZES: dict[str, Any] = {
    "vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": 64,
}  # fmt: skip
CONFIGS: dict[str, Callable[..., Any]] = {
    "llama": lambda **more: LlamaConfig(**SIZES, **more),
    "mistral with a window": lambda **more: MistralConfig(**SIZES, sliding_window=5, **more),
    "qwen3": lambda **more: Qwen3Config(**SIZES, **more),
}
START = (7, 8, 9, 7, 8, 9, 10, 11)
TEXTS = ((*START, 12, 13, 14), (*START, 12, 13, 15, 16, 17), (21, 22, 23, 24, 25), (*START, 20))


def sequences_of(texts: Sequence[Sequence[int]]) -> Sequences:
    """Texts of which all tokens are learnt but the first."""
    ids = np.array([number for text in texts for number in text], np.int32)
    ends = np.cumsum([0, *map(len, texts)])
    trained = np.ones(len(ids), bool)
    trained[ends[:-1]] = False
    count = len(texts)
    return Sequences(ids, trained, ends, np.arange(count + 1), np.ones(count, np.int64), np.zeros(count))


def gradient(model: Any, batch: Batch) -> list[Tensor]:
    """The gradient of a batch's summed outputs, with the dropout of a training step."""
    model.train()
    DICE.throw(0, 3, batch)
    torch.manual_seed(5)
    (model(batch) ** 2).sum().backward()
    found = [weight.grad for weight in model.parameters() if weight.grad is not None]
    for weight in model.parameters():
        weight.grad = None
    DICE.keys = None
    return found


def kept_and_again(model: Any, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
    """The gradient with all activations kept, and with those of the blocks computed again."""
    kept = gradient(model, batch)
    ladder = find_ladder(model, lambda: model(batch))
    assert can_recompute(model, ladder)
    recompute(model, ladder)
    return kept, gradient(model, batch)


def packed(name: str, dtype: torch.dtype, **more: Any) -> tuple[LanguageModel, Sequences]:
    """A tiny language model, and sequences that go through it side by side."""
    torch.manual_seed(0)
    body = AutoModelForCausalLM.from_config(CONFIGS[name](**more)).eval()
    model = LanguageModel(body, pack(body))
    assert model.packs
    return model.to(dtype), sequences_of(TEXTS)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_packed_batch_has_the_same_gradient_to_the_bit(name: str, dtype: torch.dtype) -> None:
    model, examples = packed(name, dtype)

    kept, again = kept_and_again(model, examples.batch(np.arange(len(TEXTS))))

    assert len(kept) == len(again) > 10
    assert all(torch.equal(one, other) for one, other in zip(kept, again, strict=True))


def test_dropout_of_torch_itself_falls_alike() -> None:
    model, examples = packed("llama", torch.float32, attention_dropout=0.3)
    batch = examples.batch(np.arange(len(TEXTS)))
    plain, _ = packed("llama", torch.float32)

    kept, again = kept_and_again(model, batch)

    assert all(torch.equal(one, other) for one, other in zip(kept, again, strict=True))
    assert not torch.equal(kept[1], gradient(plain, batch)[1]), "something was dropped"


@pytest.mark.parametrize("name", ["bert", "roberta", "deberta_v2", "modernbert"])
def test_an_encoder_with_hashed_dropout_has_the_same_gradient_to_the_bit(
    name: str, tiny_model: Callable[[str], Path]
) -> None:
    found = opened(tiny_model(name), messages(6), body_dropout=0.2)

    kept, again = kept_and_again(found.model, found.examples.batch(np.arange(6)))

    assert all(torch.equal(one, other) for one, other in zip(kept, again, strict=True))


def kept_bytes(model: Any, batch: Batch) -> int:
    """Bytes that a forward pass keeps for the way back."""
    seen: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    weights: int = sum(weight.nbytes for weight in model.parameters())
    held = []
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held.append(model(batch))
    return sum(seen.values()) - weights


def test_less_is_kept_for_the_way_back() -> None:
    model, _ = packed("llama", torch.float32)
    long = sequences_of([tuple(range(1, 50)), tuple(range(49, 0, -1))] * 4)
    batch = long.batch(np.arange(8))
    model.train()
    kept = kept_bytes(model, batch)
    recompute(model, find_ladder(model, lambda: model(batch)))
    assert kept_bytes(model, batch) < kept / 2


# In a run


def run_of(folder: Path, name: str, model: Path, *options: str) -> Path:
    data, out = folder / "rows.csv", folder / name
    if not data.exists():
        messages_csv(data, 60)
    ended = luthier(
        "tune", data, "--model", model, "--method", "full", "--epochs", "1", "--set", "run.precision=fp32", "--quiet",
        "--out", out, *options,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    return out


@pytest.mark.slow
def test_a_run_that_recomputes_ends_with_the_same_bytes(bert: Path, tmp_path: Path) -> None:
    kept, again = run_of(tmp_path, "kept", bert), run_of(tmp_path, "again", bert, "--recompute", "on")
    one, other = (hash_file(out / "model" / "model.safetensors") for out in (kept, again))
    assert one == other


def plan_of(folder: Path, model: Path, **settings: Any) -> Plan:
    data = messages_csv(folder / "rows.csv", 60)
    asked = {
        "data.path": data,
        "model.name": model,
        "method": "full",
        "epochs": 1,
        "precision": "fp32",
        "out": folder / "run",
    }
    return Plan.build(asked | settings)


def too_little(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """Let a training of tiny models need so much that only recomputed activations fit into `room` bytes."""
    where = "luthier.forecast.memory"
    monkeypatch.setattr(f"{where}.Memory.known", {"moments": 0, "best": 0, "states": 0})
    monkeypatch.setattr(f"{where}.Memory.of_recomputing", lambda self, kept: 10**8)
    monkeypatch.setattr(f"{where}.resident_bytes", lambda: 0)
    monkeypatch.setattr("luthier.forecast.timing.resident_bytes", lambda: 10**9)
    monkeypatch.setattr("luthier.forecast.timing.peak_bytes", lambda: 10**9)
    monkeypatch.setattr("luthier.forecast.forecast.resident_bytes", lambda: 0)
    monkeypatch.setattr("luthier.forecast.forecast.peak_bytes", lambda: 0)
    monkeypatch.setattr("luthier.forecast.forecast.frozen_bytes", lambda ready: 0)
    monkeypatch.setattr(f"{where}.available_bytes", lambda: room)


def test_where_training_would_not_fit_it_recomputes_and_says_so(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_little(monkeypatch, 5 * 10**8)

    events = list(tune.tune(plan_of(tmp_path, bert), foretold_from=0.0))

    told = [event.text for event in events if isinstance(event, Noted) and "again" in event.text]
    assert told == [
        "What blocks have computed is computed again on the way back, as it would not all fit into memory: the same result, in "
        "about a third more time. --recompute off keeps it."
    ]
    assert 'recompute = "on"' in (tmp_path / "run" / "plan.toml").read_text()
    assert prepare(plan_of(tmp_path, bert)).plan.run.recompute == "on", (
        "whoever goes on with the run does so too"
    )


def test_where_it_is_not_to_recompute_it_is_told_that_it_might(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_little(monkeypatch, 5 * 10**8)
    ready = prepare(plan_of(tmp_path, bert, recompute="off"))

    with pytest.raises(PlanError, match=r"It would fit with .*--recompute on"):
        forecast(ready, 0.0)


def test_where_all_fits_nothing_is_computed_again(bert: Path, tmp_path: Path) -> None:
    found = forecast(prepare(plan_of(tmp_path, bert)), 0.0)
    assert found is not None
    assert not found.recomputes


def test_blocks_that_cannot_recompute_are_named(tmp_path: Path) -> None:
    images_folder(tmp_path / "photos", 40)
    model = TINY_IMAGES["resnet"](tmp_path / "resnet")
    plan = Plan.build(
        {"data.path": tmp_path / "photos", "model.name": model, "recompute": "on", "method": "full"}
    )

    with pytest.raises(PlanError) as error:
        prepare(plan)

    assert str(error.value) == (
        f"run.recompute: the blocks of {model} cannot compute again on the way back. Leave it out, or make micro-batches "
        "smaller: --micro-tokens 4096."
    )


def test_a_model_without_blocks_cannot_recompute() -> None:
    model = nn.Linear(2, 2)
    ladder = find_ladder(model, lambda: model(torch.ones(1, 2)))
    assert not can_recompute(model, replace(ladder, rungs=ladder.rungs[-1:]))
