"""Settings of language models: which have no effect, and which cannot be meant, told before anything is computed."""

from pathlib import Path
from typing import Any

import pytest

from luthier.errors import PlanError
from luthier.plan.plan import Plan
from luthier.prepare.idle_settings import refuse_what_has_no_effect
from luthier.prepare.prepare import prepare
from luthier.prepare.rows import understand
from luthier.tasks.adaptation.task import Adaptation
from luthier.tasks.chat.task import Chat
from luthier.tasks.classification.task import Classification
from luthier.tasks.preference.task import Preference
from luthier.tasks.task import Task
from tiny import conversations_jsonl, write_jsonl
from tiny_llamas import byte_level, llama

CHAT, READING, CHOICE = Chat("loss"), Adaptation(), Preference()
TEXT = Classification(("a", "b"), name="text-classification", reads="text")
NEW = "whose model has no new layers: its output layer came with it. Leave it out."
REFUSED = [
    (TEXT, {"task.turns": "last", "task.system": "Be brief.", "task.max_tokens": 9, "task.pattern": "a",
            "task.verify": "contains"},
     "task.turns, task.system, task.max_tokens, task.pattern, task.verify: no effect with text-classification, of which no "
     "conversations are learnt. Leave it out."),
    (READING, {"task.system": "Be brief."},
     "task.system: no effect with adaptation, of which no conversations are learnt. Leave it out."),
    (CHOICE, {"task.turns": "all"},
     "task.turns: no effect with preference, of which no conversations are learnt. Leave it out."),
    (CHAT, {"task.objective": "kto", "task.beta": 0.2},
     "task.objective, task.beta: no effect with chat, which learns no preferences. Leave it out."),
    (CHOICE, {"task.objective": "reward", "task.beta": 0.2},
     "task.beta: no effect with --objective reward, whose loss weighs nothing. Leave it out."),
    (CHAT, {"train.rounds": 3},
     "train.rounds: no effect without --verify, whose rounds they are of. Leave it out."),
    (CHAT, {"train.samples": 8},
     "train.samples: no effect without --verify, which checks them. Leave it out."),
    (CHAT, {"train.method": "probe"},
     "train.method: chat has no probe, as no linear head on frozen features does it. Leave it out."),
    (CHAT, {"train.head": "fresh", "train.head_rate": 5.0},
     f"train.head, train.head_rate: no effect with chat, {NEW}"),
    (READING, {"train.head_rate": 5.0}, f"train.head_rate: no effect with adaptation, {NEW}"),
    (CHAT, {"train.reinit": 1},
     "train.reinit: with chat the blocks would have to learn to write anew, which takes far more text than any run reads. "
     "Leave it out."),
    (CHAT, {"train.label_smoothing": 0.1, "train.balance": "loss"},
     "train.label_smoothing, train.balance: no effect with chat, which learns no labels. Leave it out."),
    (CHAT, {"data.calibration_share": 0.1},
     "data.calibration_share: no effect with chat, which has nothing to calibrate. Leave it out."),
    (CHAT, {"model.dropout": 0.3}, "model.dropout: no effect with chat as it is asked for. Leave it out."),
    (CHAT, {"model.hidden": "16"},
     "model.hidden: more layers would not fit into the class of transformers that chat is saved for. Leave it out."),
    (READING, {"model.pooling": "mean"},
     "model.pooling: 'mean' makes one vector of a single text, and adaptation reads otherwise. Leave it out."),
    (CHAT, {"data.long": "windows"},
     "data.long: 'windows' would part what is learnt from what it answers to, in rows of chat. Use --long cut."),
]  # fmt: skip


def plan_of(data: Path | str = "rows.jsonl", **settings: Any) -> Plan:
    return Plan.build({"data.path": str(data), **settings})


@pytest.mark.parametrize(("task", "settings", "message"), REFUSED)
def test_a_setting_without_effect_is_refused(task: Task, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError) as error:
        refuse_what_has_no_effect(plan_of(**settings), task)

    assert str(error.value) == message


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        (
            CHAT,
            {"task.turns": "last", "task.system": "Be brief.", "task.max_tokens": 9, "data.long": "refuse"},
        ),
        (CHAT, {"task.verify": "contains", "train.rounds": 3, "train.samples": 8}),
        (CHAT, {"train.method": "full", "train.embeddings": "frozen", "model.body_dropout": 0.1}),
        (CHOICE, {"task.system": "Be brief.", "task.objective": "orpo", "task.beta": 0.2}),
        (READING, {"data.long": "windows"}),
    ],
)
def test_a_setting_with_effect_is_not(task: Task, settings: dict[str, Any]) -> None:
    refuse_what_has_no_effect(plan_of(**settings), task)


def refusal_of(answers: list[str], tmp_path: Path, **settings: Any) -> str:
    """What is said of rows with these answers in turn."""
    rows = [{"prompt": f"Question {row}?", "completion": answers[row % len(answers)]} for row in range(30)]
    data = write_jsonl(tmp_path / "rows.jsonl", rows)
    with pytest.raises(PlanError) as error:
        understand(plan_of(data, **settings).of_rows())
    return str(error.value)


def test_a_pattern_that_is_no_regular_expression_is_refused() -> None:
    with pytest.raises(PlanError) as error:
        plan_of(**{"task.pattern": "(a"})

    assert str(error.value) == (
        "task.pattern: '(a' does not fit. Expected a regular expression as Python's re takes them (missing ) at position 2)."
    )


def test_a_pattern_that_no_metric_takes_is_refused(tmp_path: Path) -> None:
    assert refusal_of(["yes", "no"], tmp_path, **{"task.pattern": "a"}) == (
        "task.pattern: no effect with the metric exact_match, which takes no pattern. Leave it out, or choose --metric "
        "regex_match."
    )


def test_right_answers_that_are_no_patterns_are_asked_about(tmp_path: Path) -> None:
    assert refusal_of(["yes", "no :("], tmp_path, **{"task.metric": "regex_match"}) == (
        "rows.jsonl, line 2: --metric regex_match takes each right answer as a regular expression, and 'no :(' is none, nor are "
        "those of 14 other rows. Name one for all rows with --pattern, or choose another of exact_match, contains, number_match, "
        "json_match."
    )


def test_one_pattern_for_all_rows_asks_nothing_of_the_answers(tmp_path: Path) -> None:
    rows = [{"prompt": f"Question {row}?", "completion": "no :("} for row in range(30)]
    data = write_jsonl(tmp_path / "rows.jsonl", rows)

    task = understand(plan_of(data, **{"task.metric": "regex_match", "task.pattern": "^no"})).task

    assert (task.metric, task.to_json()["pattern"]) == ("regex_match", "^no")


def test_answers_as_long_as_the_model_reads_are_refused(tmp_path: Path) -> None:
    data, model = conversations_jsonl(tmp_path / "rows.jsonl", 40), llama(tmp_path / "model", byte_level())
    settings = {"model.name": str(model), "run.device": "cpu", "run.precision": "fp32"}

    with pytest.raises(PlanError) as error:
        prepare(plan_of(data, **settings, **{"task.max_tokens": 256}))

    assert str(error.value) == (
        f"task.max_tokens: 256 leave no room for what is asked, as {model} reads and writes 256 tokens together. Choose fewer."
    )


@pytest.mark.parametrize(("method", "rate"), [("full", 1e-4), ("top:1", 2e-4), ("lora", 1e-3)])
def test_each_method_of_a_small_language_model_has_the_rate_that_was_measured(
    method: str, rate: float, tmp_path: Path
) -> None:
    data, model = conversations_jsonl(tmp_path / "rows.jsonl", 40), llama(tmp_path / "model", byte_level())
    settings = {
        "model.name": str(model),
        "run.device": "cpu",
        "run.precision": "fp32",
        "train.method": method,
    }

    assert prepare(plan_of(data, **settings)).plan.train.lr == pytest.approx(rate)
