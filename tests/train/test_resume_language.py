"""Language models that are killed by SIGKILL end in the same bytes; what is replayed of frozen blocks changes nothing."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from kills import at_call, at_step, kill_in, outcome, run
from luthier.candidates.tuned import tuned
from luthier.models.ladder.prefix import Prefix
from luthier.plan.plan import Plan
from luthier.steps import tune
from luthier.tasks.chat.task import Chat
from tiny_chats import chatting, plan_of_chat, talks, write_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="a child is forked to be killed"),
]

METHODS: dict[str, dict[str, Any]] = {
    "chat full": {"train.method": "full", "run.micro_tokens": 200},
    "chat full in bf16": {"train.method": "full", "run.precision": "bf16"},
    "chat lora": {"train.method": "lora:2"},
    "chat top": {"train.method": "top:1", "run.micro_tokens": 200},
    "adaptation full": {"task.name": "adaptation", "train.method": "full"},
    "adaptation lora": {"task.name": "adaptation", "train.method": "lora:2"},
    "adaptation top": {"task.name": "adaptation", "train.method": "top:1"},
}
MOMENTS: dict[str, tuple[Callable[[], None], int | None]] = {
    "at the first step": (lambda: None, 1),
    "at a later step": (lambda: None, 9),
    "in a validation": (at_call(tuned, "validated", 3), None),
    "once training is over": (at_call(tuned, "scored", 1), None),
    "before the choice": (at_call(tune, "decide", 1), None),
}


def texts(count: int) -> list[dict[str, str]]:
    return [
        {"text": f"{row['messages'][0]['content']} {row['messages'][1]['content']}"} for row in talks(count)
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    write_rows(folder / "chat.jsonl", talks(60))
    write_rows(folder / "adaptation.jsonl", texts(60))
    chatting(folder / "llama", num_hidden_layers=3)
    return folder


def plan_for(name: str, home: Path, out: Path, **settings: Any) -> Plan:
    own = {"train.epochs": 3, "run.save_every": "0.001s", "run.cache": str(out.parent / "cache")}
    data = home / f"{name.split()[0]}.jsonl"
    return plan_of_chat(data, home / "llama", out, **own | METHODS[name] | settings)


@pytest.fixture(scope="module")
def undisturbed(home: Path) -> Callable[[str], dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}

    def outcome_of(name: str) -> dict[str, Any]:
        if name not in found:
            out = home / "undisturbed" / name
            run(plan_for(name, home, out))
            found[name] = outcome(out)
        return found[name]

    return outcome_of


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", METHODS)
def test_a_killed_run_ends_with_the_same_bytes(
    name: str, moment: str, home: Path, undisturbed: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    arm, step = MOMENTS[moment]
    plan = plan_for(name, home, tmp_path / "run")

    kill_in(plan, arm, at_step(step) if step else lambda event: None)
    run(plan)

    assert outcome(tmp_path / "run") == undisturbed(name)


# The cache of frozen blocks


@pytest.mark.parametrize("name", ["chat top", "adaptation top"])
def test_weights_are_the_same_with_and_without_the_states_of_frozen_blocks(
    name: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed = watch_replays(monkeypatch)
    shared = {"task.system": "Say nothing but the two words that you are asked for."}
    settings = shared if name.startswith("chat") else {}

    for out, room in (("with", 1.0), ("without", 0.0)):
        run(plan_for(name, home, tmp_path / out, **{"run.cache_gb": room}, **settings))
        assert bool(replayed) is (out == "with")
        replayed.clear()

    one, other = (load_file(tmp_path / out / "model" / "model.safetensors") for out in ("with", "without"))
    start = load_file(home / "llama" / "model.safetensors")
    for key, weight in one.items():
        torch.testing.assert_close(weight, other[key], rtol=0, atol=2e-5 * float(weight.abs().max()))
    moved = {key for key, weight in one.items() if not torch.equal(weight, start[key])}
    assert moved
    assert all(".2." in key or "norm" in key for key in moved), moved
    for part in ("valid", "test"):
        files = [
            (tmp_path / out / "predictions" / f"{part}.jsonl").read_text() for out in ("with", "without")
        ]
        assert files[0] == files[1]


def watch_replays(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The depths that are replayed."""
    seen: list[int] = []
    replaying = Prefix.replaying

    def watched(self: Prefix, depth: int, states: Any) -> Any:
        seen.append(depth)
        return replaying(self, depth, states)

    monkeypatch.setattr(Prefix, "replaying", watched)
    return seen


def test_what_is_written_while_blocks_are_replayed_is_what_transformers_alone_writes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs: list[tuple[list[str], list[str]]] = []
    infer = Chat.infer

    def watched(self: Chat, model: Any, examples: Any, device: Any) -> Any:
        found = infer(self, model, examples, device)
        replayed = "forward" in model.body.model.layers[0].__dict__
        if replayed:
            prompts = [examples.prompt(row) for row in found.written.rows.tolist()]
            plain = written_plainly(home / "llama", model.body.state_dict(), prompts, examples.writer)
            pairs.append((list(found.written.texts), plain))
        return found

    monkeypatch.setattr(Chat, "infer", watched)
    run(plan_for("chat top", home, tmp_path / "run", **{"train.lr": 1e-2}))

    assert len(pairs) == 6
    assert all(ours == theirs for ours, theirs in pairs)
    assert len({tuple(ours) for ours, _ in pairs}) > 1


def written_plainly(folder: Path, weights: Any, prompts: list[Any], writer: Any) -> list[str]:
    """The likeliest tokens after each prompt, by transformers alone."""
    body = AutoModelForCausalLM.from_pretrained(folder)
    body.load_state_dict(weights)
    found = []
    for prompt in prompts:
        ids = torch.from_numpy(prompt)[None]
        out = body.eval().generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=writer.most,
            eos_token_id=list(writer.end),
        )
        found.append(writer.spell(out[0, len(prompt) :].tolist()))
    return found
