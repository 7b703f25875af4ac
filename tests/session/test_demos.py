"""The demos: what is run, within which time, and what is told in the end."""

import re
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from command import luthier as command
from luthier.errors import PlanError
from luthier.folder.scorecard import Scorecard
from luthier.plan.plan import Plan
from luthier.session import demos
from tiny_llamas import byte_level, llama

ROWS = 30


@pytest.mark.slow
def test_the_demo_of_conversations_ends_with_scores_answers_and_the_time_of_each_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(demos.HERE / "orders.jsonl", encoding="utf-8") as file:
        (tmp_path / "orders.jsonl").write_text("".join(islice(file, ROWS)), encoding="utf-8")
    sizes: dict[str, Any] = {
        "max_position_embeddings": 1024,
        "num_hidden_layers": 13,
        "initializer_range": 0.05,
    }
    model = llama(tmp_path / "tiny", byte_level(), **sizes)
    monkeypatch.setattr(demos, "HERE", tmp_path)
    monkeypatch.setattr(demos, "MODEL", str(model))

    ended = command("demo", "chat", "--out", tmp_path / "run")

    assert ended.code == 0, ended.err
    card = Scorecard.read(tmp_path / "run").card
    assert (card.metric, card.method) == ("json_match", "top:12")
    for name in ("untouched", "tuned"):
        assert re.search(rf"  {name} +json_match 0\.\d+ on validation, 0\.\d+ on test", ended.out)
    assert [line for line in ended.out.splitlines() if line.strip() in demos.ORDERS] == [
        f"  {words}" for words in demos.ORDERS
    ]
    (time,) = re.findall(r"\nTime: (.*)\n", ended.out)
    parts = [re.sub(r"( <)? [\d.]+ .*", "", part) for part in time.split(", ")]
    assert (parts[0], parts[-1]) == ("opening tiny", "in all")
    assert {"read", "load", "train", "score"} <= {*parts}
    assert ended.out.endswith(f"\nluthier chat {tmp_path / 'run'}   asks it more\n")


def test_the_demo_of_conversations_has_what_the_opening_of_its_model_leaves_of_fifteen_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Plan] = []

    def run_plan(plan: Plan, quiet: bool = False, foretold_from: float = 60.0) -> None:
        asked.append(plan)
        raise KeyboardInterrupt

    clock = iter([0.0, 45.0, 0.0, 1_000.0])
    monkeypatch.setattr(demos, "run_plan", run_plan)
    monkeypatch.setattr(demos, "find_model", lambda name: Path(name))
    monkeypatch.setattr(demos, "what_opening_takes", lambda name: f"{name} is opened.")
    monkeypatch.setattr("luthier.session.demos.time.monotonic", lambda: next(clock))

    first, second = command("demo", "chat"), command("demo", "chat")

    assert (first.code, second.code) == (130, 130)
    assert first.err == "SmolLM2-135M-Instruct is opened.\nInterrupted.\n"
    assert [plan.run.budget for plan in asked] == ["855s", "60s"]
    assert asked[0].model.name == "SmolLM2-135M-Instruct"


def test_messages_that_are_answered_in_the_end_stand_in_no_row() -> None:
    rows = (demos.HERE / "orders.jsonl").read_text(encoding="utf-8")

    assert [one for one in demos.ORDERS if one[:40] in rows] == []


def test_a_demo_that_is_none_is_answered_with_those_there_are() -> None:
    ended = command("demo", "chatt")

    assert (ended.code, ended.err) == (
        PlanError.exit_code,
        "demo chatt: there is no such demo. Did you mean 'chat'? There is 'text', 'chat'.\n",
    )
