"""Report and model card of language models: what was written side by side, and code that runs as it is printed."""

import html
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from language_runs import SYSTEM
from luthier.folder.model_folder import load
from luthier.folder.scorecard_records import Sample, SampleAnswer, ScorecardRecord
from luthier.report import sentences, usage
from luthier.report.card import model_card
from luthier.report.page import page
from luthier.report.records import Records, read_records
from luthier.report.written import LONGEST_ASKED, asked, side_by_side
from tiny_llamas import byte_level

Runs = Callable[[str], Path]
TASKS = ("chat", "preference", "adaptation")


def records_of(task: str, **changes: Any) -> Records:
    """Records of a run that left a scorecard alone."""
    told: dict[str, Any] = {
        "task": task, "metric": "loss", "test": {"loss": {"value": 1.5, "low": 1.0, "high": 2.0}}, "chosen": "tuned",
        "candidates": [{"name": "untouched", "valid": 2.0, "test": 2.0}, {"name": "tuned", "valid": 1.5, "test": 1.5}],
        "model": "m", "model_format": "transformers", "speaks": True, **changes,
    }  # fmt: skip
    nothing = {"table": None, "split": None, "findings": None, "plan": None, "wrong": None, "augmented": None}
    card = ScorecardRecord.model_validate(told)
    return Records(scorecard=card, tuning={}, steps=(), validations=(), mistakes=(), **nothing)


def code_of(card: str) -> str:
    """The first piece of code of a card."""
    found = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert found is not None
    return found[1]


def output_of(code: str) -> str:
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.removesuffix("\n")


def test_samples_stand_beside_what_is_right_and_what_others_wrote(language_run: Runs) -> None:
    run = language_run("chat")
    card = load(run).scorecard.card
    lines = [json.loads(line) for line in (run / "predictions" / "test.jsonl").read_text().splitlines()]

    assert card.samples is not None
    assert len(card.samples) == len(lines)
    for sample, line in zip(card.samples, lines, strict=True):
        assert (sample.line, sample.right, sample.text) == (line["line"], line["label"], line["text"])
        assert sample.answers["tuned"].text == line["prediction"]
        assert list(sample.answers) == ["tuned", "untouched", "few-examples"]


def test_the_report_counts_what_was_cut_and_names_the_examples_in_the_prompt(language_run: Runs) -> None:
    run = language_run("chat")
    records = read_records(run)
    told, tuning = records.scorecard.written, records.scorecard.tuning
    assert told is not None
    assert tuning is not None
    assert tuning.few_examples is not None

    text = html.unescape(re.sub(r"<[^>]+>", " ", page(records)))

    assert sentences.written_words(told) in text
    assert f"It is told first, where a conversation has no such turn: {SYSTEM}" in text
    assert all(re.fullmatch(r"chat\.jsonl, line \d+", row) for row in tuning.few_examples.rows)
    assert f"The examples in the untouched model's prompt: {'; '.join(tuning.few_examples.rows)}." in text
    assert "luthier chat path/to/run" in text


@pytest.mark.parametrize(
    ("cut", "told"),
    [
        (0, "40 answers to test rows were written; each was ended by the model itself."),
        (1, "40 answers to test rows were written, of which 1 was cut off at the length of 64 tokens."),
        (3, "40 answers to test rows were written, of which 3 were cut off at the length of 64 tokens."),
    ],
)
def test_answers_that_were_cut_off_are_counted(cut: int, told: str) -> None:
    written = {"rows": 40, "cut_at_length": cut, "most_tokens": 64}
    records = records_of("chat", written=written)

    assert sentences.written_words(records.scorecard.written) == told
    assert f"- {told}" in model_card(records)


def test_what_was_written_is_no_markup_and_one_that_was_cut_says_so() -> None:
    evil = "<script>\n</td>"
    said = {
        "tuned": SampleAnswer(text=evil, finish="length"),
        "untouched": SampleAnswer(text="", finish="stop"),
    }

    shown = side_by_side(
        "Rows", [Sample(text=evil, file="<i>", line=1, right=evil, answers=said), Sample(right="b")]
    )

    assert "<script>" not in shown
    assert "<i>" not in shown
    assert shown.count("&lt;script&gt;\n&lt;/td&gt;") == 3  # lines stay
    assert shown.count("cut off at its length") == 1


def test_of_what_is_asked_the_end_is_shown_without_the_right_answer() -> None:
    text = f"system: {'rule ' * 200}\nuser: Where is it?\nassistant: On its way."

    shown = asked(Sample(text=text, right="On its way."))

    assert shown.startswith("\u2026")
    assert shown.endswith("rule \nuser: Where is it?")
    assert len(shown) <= LONGEST_ASKED + 1


@pytest.mark.slow
@pytest.mark.parametrize("task", ["chat", "preference"])
def test_the_cards_code_for_conversations_gives_predicts_text(task: str, language_run: Runs) -> None:
    run = language_run(task)
    card = (run / "README.md").read_text(encoding="utf-8")
    code = code_of(card).replace("path/to/this/folder", str(run / "model"))

    (line,) = load(run).predict([[{"role": "user", "content": "a question?"}]])

    assert (f'{{"role": "system", "content": "{SYSTEM}"}}' in code) is (task == "chat")
    assert output_of(code) == line["text"]


@pytest.mark.slow
def test_the_cards_code_for_texts_goes_on_with_one(language_run: Runs) -> None:
    run = language_run("adaptation")
    code = code_of((run / "README.md").read_text(encoding="utf-8")).replace(
        "path/to/this/folder", str(run / "model")
    )

    assert output_of(code).startswith("The beginning of a text")


@pytest.mark.slow
def test_the_code_for_a_reward_runs(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForSequenceClassification

    tokenizer = byte_level()
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(
        vocab_size=len(tokenizer), num_labels=1, pad_token_id=tokenizer.pad_token_id, **sizes
    )
    LlamaForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)

    code = usage.without_luthier(records_of("preference", speaks=False).scorecard, str(tmp_path))

    assert code is not None
    float(output_of(code))


@pytest.mark.parametrize("task", TASKS)
def test_the_hub_is_told_that_the_model_writes(task: str, language_run: Runs) -> None:
    from huggingface_hub import ModelCard

    told = ModelCard.load(language_run(task) / "README.md").data.to_dict()

    assert told["pipeline_tag"] == "text-generation"
    assert told["model-index"][0]["results"][0]["task"] == {"type": "text-generation"}
    assert told["library_name"] == "transformers"


def test_a_model_of_rewards_is_not_said_to_write() -> None:
    records = records_of("preference", speaks=False)

    assert 'pipeline_tag: "preference"' in model_card(records)
    assert "luthier chat" not in page(records)


@pytest.mark.parametrize("task", ["chat", "preference", "adaptation"])
def test_a_page_without_labels_says_nothing_of_labels(task: str) -> None:
    told = page(records_of(task))

    assert "None" not in told
    assert re.findall(r'<section id="([a-z-]+)"', told) == [
        "verdict",
        "scores",
        "how-it-was-made",
        "how-to-use-it",
    ]


def test_code_with_luthier_takes_a_conversation(language_run: Runs) -> None:
    run = language_run("chat")
    code = usage.with_luthier(str(run), load(run).scorecard.card)

    assert code.endswith('model.predict([[{"role": "user", "content": "a question?"}]])\n')
    exec(code, {})
