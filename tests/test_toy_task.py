"""A task that no luthier has is one file and a row of each table: registered here alone, it keeps the whole contract."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import test_contract as contract
from luthier.forms import FORMS
from luthier.models.heads import HEADS
from luthier.prepare.prepare import Prepared, prepare
from luthier.scores.metrics import METRICS
from luthier.tasks import TASKS
from test_contract import Case, Finished, Home, run
from tiny import bert, messages, write_jsonl
from toy import AGREEMENT, NAME, VERSE_JUDGING, BothHead, Verse

PRAISE = "praise"
"""The label of `tiny.messages` that is answered with yes."""


def verses(path: Path, rows: int) -> Path:
    """Messages as verses of two lines; one of two labels is praised."""
    made = [
        {"lines": text.replace(" ", " / ", 1), "praised": "yes" if row % 2 else "no"}
        for row, (text, _) in enumerate(messages(rows, seed=4, labels=2))
    ]
    return write_jsonl(path, made)


def plain_logits(path: Path, rows: list[str]) -> contract.Logits:
    """The logits by transformers' bare model, and the layer beside it."""
    model, tokenizer = contract.opened_plainly(path, "AutoModel")
    read = [" ".join(reversed([line.strip() for line in row.split("/")])) for row in rows]
    encoded = tokenizer(read, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**encoded).last_hidden_state
    mask, layer = encoded["attention_mask"].unsqueeze(-1), load_file(path / "both.safetensors")
    features = torch.cat([states[:, 0], (states * mask).sum(1) / mask.sum(1)], dim=1)
    found: contract.Logits = (features @ layer["weight"].T + layer["bias"]).numpy().astype(np.float32)
    return found


CASE = Case(
    lambda path: verses(path / "rows.jsonl", 80),
    lambda data: [row["lines"] for row in contract.rows_of(data)],
    plain_logits,
    {"agreement"},
    model=bert,
)


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    """The toy task in the tables, as long as these tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FORMS, "verse", Verse())
        patch.setitem(HEADS, "both", BothHead())
        patch.setitem(METRICS, "agreement", AGREEMENT)
        patch.setitem(TASKS, NAME, VERSE_JUDGING)
        yield


@pytest.fixture(scope="module")
def home(registered: None, tmp_path_factory: pytest.TempPathFactory) -> Home:
    path = tmp_path_factory.mktemp("toy")
    return Home(NAME, CASE, path, CASE.data(path), CASE.model(path / "model"))


@pytest.fixture(scope="module")
def finished(home: Home) -> Finished:
    return run(home.plan(home.path / "run"))


@pytest.fixture(scope="module")
def ready(home: Home, finished: Finished) -> Prepared:
    return prepare(home.plan(home.path / "run"))


OF_EVERY_TASK = {
    "test_every_task_has_a_case": "is about the list of cases",
    "test_the_example_rows_of_a_task_are_guessed_to_be_its_own": "is given all tasks when it is collected; asked below",
    "test_what_a_sentence_encoder_asks_of_its_texts_holds_for_whatever_class_it_is_saved_as": "is given three tasks",
    "test_a_pipeline_of_transformers_gives_luthiers_answers_or_refuses_the_folder": "transformers has none for this head",
    "test_the_folder_says_how_each_library_opens_it": "of a head of somebody's own the card knows nothing",
}
"""Tests of the contract that are not asked of a single task, or not of this one, and why."""

globals().update(
    {
        name: test
        for name, test in vars(contract).items()
        if name.startswith("test_") and name not in OF_EVERY_TASK
    }
)


def test_its_example_rows_are_guessed_to_be_its_own(tmp_path: Path) -> None:
    contract.test_the_example_rows_of_a_task_are_guessed_to_be_its_own(NAME, tmp_path)


def test_it_is_a_task_like_any_other_to_whoever_names_it(home: Home, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"task.name": NAME, "data.columns": {"verse": "lines"}, "train.epochs": 1}

    folder = run(home.plan(tmp_path / "run", **asked)).folder

    assert folder.task.name == NAME
    assert folder.predict([{"verse": "The neck / is cracked"}]).labels in ([True], [False])
