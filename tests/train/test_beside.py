"""What is learnt beside the task: gradients against a plain reference, through the one loop, and resumed to the same bytes."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kills import at_step, kill_in, outcome, run
from luthier.candidates.keeping.panel import knowledge_of, panel_of
from luthier.candidates.keeping.training import replay_of
from luthier.errors import PlanError
from luthier.models.kernels.dropout import Dropout
from luthier.plan.plan import Plan
from luthier.prepare.prepare import prepare
from luthier.train.distillation import TEMPERATURE, Distillation, features_apart, labels_apart
from luthier.train.loop import Lesson, train
from luthier.train.replay import Replay
from tiny import cpu, make_settings, messages, messages_csv, new_state, opened, whole
from tiny_chats import chatting, plan_of_chat, talks, write_rows


def still(model: nn.Module) -> Any:
    """A model in double precision, without dropout."""
    for module in model.modules():
        if isinstance(module, nn.Dropout | Dropout):
            module.p = 0.0
    return model.double()


def gradient_of_a_step(model: Any, lesson: Lesson, **settings: Any) -> dict[str, Tensor]:
    """The gradient that the loop's first step would follow."""
    kept: dict[str, Tensor] = {}
    state = new_state(model)

    def keep(lr: float, scales: Any, weight: float, norm: float, max_norm: float) -> None:
        for flat in state.weights.flat:
            for part, gradient in zip(flat.parts, flat.gradient_views, strict=True):
                kept[part.name] = gradient.clone() / weight

    state.weights.step = keep  # type: ignore[method-assign]
    whole_step = make_settings(max_norm=math.inf, **settings)
    list(train(state, lesson, whole_step, whole(model), cpu(), lambda: 0.0))
    state.weights.release()
    return kept


def plain_gradient(model: Any, loss: Callable[[], Tensor]) -> dict[str, Tensor]:
    for weight in model.parameters():
        weight.requires_grad_(True)
    named = dict(model.named_parameters())
    found = torch.autograd.grad(loss(), list(named.values()), allow_unused=True)
    return {name: gradient for name, gradient in zip(named, found, strict=True) if gradient is not None}


def compare(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() >= expected.keys()
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, rtol=1e-6, atol=1e-9), name


# Distillation


@pytest.mark.parametrize("micro_tokens", [10_000, 30], ids=["whole", "in micro-batches"])
@pytest.mark.parametrize("old", [None, nn.Linear(32, 5).double()], ids=["features", "old labels"])
def test_distillation_adds_the_gradient_of_its_formula(old: Any, micro_tokens: int, bert: Path) -> None:
    found = opened(bert, messages(12))
    model, examples = still(found.model), found.examples
    base = np.random.default_rng(0).standard_normal((12, 32))
    distillation = Distillation(base, 0.7, old)
    batch = examples.batch(np.arange(12))

    def loss() -> Tensor:
        features = model.features(batch)
        task = nn.functional.cross_entropy(model(batch), batch.targets)
        before = torch.from_numpy(base)
        if old is None:
            apart = ((features - before) ** 2).sum(1) / (base**2).sum(1).mean()
        else:
            logs = (old(features) / 2).log_softmax(1)
            apart = 4 * nn.functional.kl_div(logs, (old(before) / 2).softmax(1), reduction="none").sum(1)
        total: Tensor = task + 0.7 * apart.mean()
        return total

    model.eval()
    expected = plain_gradient(model, loss)
    with distillation.listening(model):
        lesson = Lesson(found.task, examples, lambda: (0.0, 0.0), beside=distillation.loss)
        gradient = gradient_of_a_step(model, lesson, batch_rows=12, micro_tokens=micro_tokens)

    compare(gradient, expected)
    assert TEMPERATURE == 2


def test_what_has_not_moved_is_not_pulled() -> None:
    base = torch.randn(4, 6)

    assert features_apart(base, base.clone(), 2.0).tolist() == [0.0] * 4
    assert labels_apart(base, base.clone(), nn.Linear(6, 3)).abs().max() < 1e-6


@pytest.mark.slow
def test_a_run_that_is_distilled_stays_nearer_to_its_base(tmp_path: Path, sentence_bert: Path) -> None:
    data = messages_csv(tmp_path / "messages.csv", 120)
    far = {}
    for strength in (0.0, 20.0):
        out = tmp_path / str(strength)
        plan = Plan.build(
            {"data.path": str(data), "model.name": str(sentence_bert), "run.out": str(out), "train.method": "full",
             "train.lr": 3e-3, "train.epochs": 6, "train.batch_rows": 8, "run.precision": "fp32", "train.distill": strength}
        )  # fmt: skip
        run(plan)
        far[strength] = json.loads((out / "scorecard.json").read_text())["forgetting"]["kl_to_base"]

    assert far[20.0] < far[0.0] / 2


# Replay


@pytest.mark.parametrize("micro_tokens", [10_000, 30], ids=["whole", "in micro-batches"])
def test_a_step_with_replay_has_the_gradient_of_all_its_rows_together(micro_tokens: int, bert: Path) -> None:
    found, others = opened(bert, messages(12)), opened(bert, messages(20, seed=5))
    model = still(found.model)
    replay = Replay(others.examples, 4, seed=0)
    drawn = np.concatenate(replay.of_step(0, 10_000))

    def loss() -> Tensor:
        own, general = found.examples.batch(np.arange(12)), others.examples.batch(drawn)
        logits = torch.cat([model(own), model(general)])
        return nn.functional.cross_entropy(logits, torch.cat([own.targets, general.targets]))

    model.eval()
    expected = plain_gradient(model, loss)
    lesson = Lesson(found.task, found.examples, lambda: (0.0, 0.0), replay=replay)
    gradient = gradient_of_a_step(model, lesson, batch_rows=12, micro_tokens=micro_tokens)

    compare(gradient, expected)
    assert len(drawn) == 4


def test_which_rows_are_replayed_follows_from_the_step_alone(bert: Path) -> None:
    replay = Replay(opened(bert, messages(20)).examples, 5, seed=3)

    steps = [np.concatenate(replay.of_step(step, 30)).tolist() for step in (0, 1, 0)]

    assert steps[0] == steps[2] != steps[1]
    assert all(len(set(rows)) == 5 for rows in steps)


def chat_plan(folder: Path, out: Path, **changed: Any) -> Plan:
    settings = {
        "train.method": "full",
        "train.replay": 0.5,
        "data.general": str(folder / "general.csv"),
        **changed,
    }
    return plan_of_chat(folder / "chat.jsonl", folder / "model", out, **settings)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    write_rows(folder / "chat.jsonl", talks(60))
    chatting(folder / "model")
    messages_csv(folder / "general.csv", 80)
    return folder


def test_what_is_replayed_is_not_what_is_measured(home: Path, tmp_path: Path) -> None:
    ready = prepare(chat_plan(home, tmp_path / "run", **{"train.epochs": 50}))

    replay, panel = replay_of(ready), panel_of(ready, knowledge_of(ready))

    assert replay is not None
    assert panel.texts is not None
    assert len(panel.chosen) <= 40
    assert len(replay.examples) == 80 - len(panel.chosen)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a child is forked to be killed")
def test_a_run_with_replay_learns_otherwise_and_killed_it_ends_with_the_same_bytes(
    home: Path, tmp_path: Path
) -> None:
    plan = chat_plan(home, tmp_path / "killed")

    kill_in(plan, look=at_step(3))
    run(plan)
    run(chat_plan(home, tmp_path / "whole"))
    run(chat_plan(home, tmp_path / "without", **{"train.replay": 0.0}))

    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")
    assert outcome(tmp_path / "whole") != outcome(tmp_path / "without")


# Refused


def test_settings_that_would_be_read_by_nothing_are_refused(
    home: Path, tmp_path: Path, sentence_bert: Path
) -> None:
    data = messages_csv(tmp_path / "messages.csv", 60)

    def refusal(**settings: Any) -> str:
        given = {"data.path": str(data), "model.name": str(sentence_bert), "run.out": str(tmp_path / "run")}
        with pytest.raises(PlanError) as error:
            prepare(Plan.build(given | {key.replace("__", "."): value for key, value in settings.items()}))
        return str(error.value)

    assert refusal(train__replay=0.1) == (
        "train.replay: no effect with text-classification, which learns nothing from texts alone. Leave it out."
    )
    chat = {"data__path": str(home / "chat.jsonl"), "model__name": str(home / "model")}
    assert refusal(**chat, train__replay=0.1) == (
        "train.replay: no effect without --general, whose texts are learnt. Leave it out, or name a file."
    )
    assert refusal(**chat, train__distill=1.0) == (
        "train.distill: no effect with chat, of whose rows nothing is known that the base made of them. Leave it out."
    )
