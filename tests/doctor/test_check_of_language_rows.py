"""`luthier check` and `plan` of rows for language models, with the model that tune would take."""

import json
from pathlib import Path
from typing import Any

import pytest

from command import luthier
from luthier.doctor import check as doctor
from luthier.doctor.reader import Reader
from luthier.errors import InputError
from luthier.events import Work
from luthier.plan.plan import Plan
from luthier.prepare.rows import understand
from luthier.prepare.student import with_model
from tiny import conversations_jsonl, documents_jsonl, messages, write_jsonl
from tiny_llamas import byte_level, llama

UNDERSTOOD = {
    "task", "columns", "labels", "labels_per_row", "rows", "left_out", "left_out_by", "encoding", "split", "parts", "unread",
}  # fmt: skip
PAIRS = [{"prompt": text, "chosen": f"Of course: {label}", "rejected": "No."} for text, label in messages(60)]
ROWS: dict[str, Any] = {
    "chat": lambda path: conversations_jsonl(path, 60),
    "preference": lambda path: write_jsonl(path, PAIRS),
    "adaptation": lambda path: documents_jsonl(path, 60),
}
COLUMNS = {
    "chat": {"messages": "messages"},
    "preference": {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"},
    "adaptation": {"text": "text"},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return llama(tmp_path_factory.mktemp("model"), byte_level())


@pytest.mark.parametrize("task", ROWS)
def test_check_and_plan_tell_of_such_rows_what_they_tell_of_any(
    task: str, model: Path, tmp_path: Path
) -> None:
    words = (
        ROWS[task](tmp_path / "rows.jsonl"),
        "--task",
        task,
        "--model",
        model,
        "--device",
        "cpu",
        "--json",
    )

    checked, planned = (
        luthier("check", *words, "--quiet"),
        luthier("plan", *words, "--cache", tmp_path / "cache"),
    )

    assert (checked.code, planned.code) == (0, 0), checked.err + planned.err
    told = [json.loads(ended.out.splitlines()[-1])["understood"] for ended in (checked, planned)]
    assert told[0] == told[1]
    assert told[0].keys() == UNDERSTOOD
    assert (told[0]["task"], told[0]["columns"], told[0]["rows"]) == (task, COLUMNS[task], 60)
    assert told[0]["labels"] == []


@pytest.mark.parametrize("task", ROWS)
def test_without_a_named_model_the_one_that_suits_the_rows_is_asked_for(task: str, tmp_path: Path) -> None:
    plan = Plan.build({"data.path": str(ROWS[task](tmp_path / "rows.jsonl")), "task.name": task})

    found = with_model(plan, understand(plan.of_rows()))

    assert found.model.name == "SmolLM2-135M-Instruct"


def test_check_reads_with_the_model_that_suits_the_rows(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def of(plan: Plan, rows: Any = None) -> Reader:
        asked.append(plan.model.name)
        raise InputError("enough")

    monkeypatch.setattr(Reader, "of", of)
    plan = Plan.build({"data.path": str(conversations_jsonl(tmp_path / "rows.jsonl", 60))})

    with pytest.raises(InputError, match="enough"):
        list(Work(doctor.check(plan)))

    assert asked == ["SmolLM2-135M-Instruct"]


def test_a_checkup_s_plan_leaves_the_model_open_where_nobody_named_one(tmp_path: Path) -> None:
    words = ("check", conversations_jsonl(tmp_path / "rows.jsonl", 60), "--model", "none", "--quiet")

    assert luthier(*words, "--write-plan", tmp_path / "plan.toml").code == 0

    assert "SmolLM2" not in (tmp_path / "plan.toml").read_text()
    assert "MiniLM" not in (tmp_path / "plan.toml").read_text()
