"""What a row is made of: every form reads its rows from a table, a caller and JSON, and a new one needs a file alone."""

import base64
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from luthier.batches.conversations import Conversation
from luthier.batches.passages import Passage
from luthier.batches.word_rows import Words
from luthier.data.columns import ColumnGuess
from luthier.data.read import read
from luthier.data.table import Table
from luthier.errors import DataError, PlanError
from luthier.folder.model_folder import load
from luthier.forms import FORMS
from luthier.forms.form import Columns
from luthier.models.hub.inspect import inspect_folder
from luthier.plan.plan import Plan, fields
from luthier.prepare.idle_settings import SETTINGS
from luthier.prepare.prepare import prepare
from luthier.session.runs import tune
from luthier.steps.answer import answer_file
from luthier.tasks import TASKS
from luthier.tasks.classification.labelled import labelled_rows
from luthier.tasks.kind import Kind, KindParts, Roles, Understood, Wishes
from luthier.tasks.texts import has_content
from tiny import TINY, messages, write_jsonl
from toy import Verse

ROWS = {
    "text": ({"text": "A crack."}, "A crack."),
    "pair": ({"text": "A crack.", "text2": "It fell."}, ("A crack.", "It fell.")),
    "apart": ({"text": "A crack.", "text2": "It fell."}, ("A crack.", "It fell.")),
    "texts": ({"text": "A crack."}, ("A crack.",)),
    "words": ({"text": ["New", "York"]}, Words.of_tokens(["New", "York"])),
    "question": ({"question": "Where?", "text": "In Rome."}, Passage("Where?", "In Rome.")),
    "document": ({"text": "A crack."}, "A crack."),
    "conversation": (
        {"messages": [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "In Rome."}]},
        Conversation(({"role": "user", "content": "Where?"},)),
    ),
    "preference": ({"prompt": "Where?"}, Conversation(({"role": "user", "content": "Where?"},))),
}
"""By form, a JSON object and the row that it is, an answer left out; images are tried by themselves."""


def verses(path: Path, rows: int) -> Path:
    """Messages of two lines each, in a column that no task knows by its name."""
    made = [{"lines": text.replace(" ", " / ", 1), "label": label} for text, label in messages(rows, seed=4)]
    return write_jsonl(path, made)


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    named = asked["verse"]
    if named is None:
        raise DataError("Name the column of verses with --column verse=NAME.")
    return ColumnGuess({"verse": named, "label": "label"}, {"verse": "as named", "label": "by its name"})


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    filled = {"verse": (columns["verse"], has_content(table, columns["verse"]))}
    keys = np.arange(len(table))
    return labelled_rows(table, wishes.task, "verse", filled, columns["label"], keys, roles, wishes)


@pytest.fixture
def of_verses(monkeypatch: pytest.MonkeyPatch) -> Kind:
    """Text classification, for this test, of verses."""
    name = "text-classification"
    kind = replace(TASKS[name], forms=("verse",), find=find, understand=understand, parts=KindParts())
    monkeypatch.setitem(FORMS, "verse", Verse())
    monkeypatch.setitem(TASKS, name, kind)
    return kind


@pytest.mark.parametrize("name", FORMS)
def test_a_form_stands_under_its_own_name_and_names_its_columns(name: str) -> None:
    form = FORMS[name]

    assert form.name == name
    assert form.roles


def test_each_effect_that_a_form_names_is_one_that_is_asked_for() -> None:
    asked = {setting.effect or setting.key for setting in SETTINGS}

    assert {effect for form in FORMS.values() for effect in form.effects} <= asked
    assert {setting.key for setting in SETTINGS} <= fields().keys()


@pytest.mark.parametrize("name", ROWS)
def test_a_json_object_is_the_row_that_it_says(name: str) -> None:
    record, row = ROWS[name]

    given = FORMS[name].given([record])[0]

    assert repr(given) == repr(row)
    assert not FORMS[name].blank(given)


@pytest.mark.parametrize("name", ROWS)
def test_an_object_without_what_it_needs_is_refused_with_its_place(name: str) -> None:
    with pytest.raises(DataError, match=r"^row 1: .*colour"):
        FORMS[name].given([ROWS[name][0], {"colour": "red"}])


def test_what_an_object_lacks_is_told() -> None:
    with pytest.raises(DataError) as error:
        FORMS["pair"].from_json({"text": "A crack.", "text2": 4})

    assert str(error.value) == (
        "the row: {'text': 'A crack.', 'text2': 4} holds no text under `text2`. Expected an object with `text` and `text2`."
    )


def test_null_is_a_text_with_nothing_in_it() -> None:
    form = FORMS["text"]

    assert form.blank(form.from_json({"text": None}))


def test_an_image_in_json_is_its_bytes_and_never_a_path(tmp_path: Path) -> None:
    form, file = FORMS["image"], io.BytesIO()
    Image.new("RGB", (4, 3), (250, 0, 0)).save(file, "PNG")
    code = base64.b64encode(file.getvalue()).decode()

    plain, address = form.given([{"image": code}, {"image": f"data:image/png;base64,{code}"}])

    assert plain.open().size == address.open().size == (4, 3)
    with pytest.raises(DataError) as error:
        form.given([{"image": "photos/robin.jpg"}])
    assert str(error.value) == (
        "row 0: 'photos/robin.jpg' is no image. Expected an object with `image`, an image file's bytes in base64."
    )


def test_a_form_of_its_own_reads_rows(of_verses: Kind, tmp_path: Path) -> None:
    table = read(verses(tmp_path / "rows.jsonl", 8))
    folder = inspect_folder("bert", TINY["bert"](tmp_path / "bert"), FORMS["verse"].files)
    form, columns = FORMS["verse"], {"verse": "lines"}
    targets = np.zeros(2, np.int64)

    reader = form.open(folder)
    examples, _ = form.read(reader, form.inputs(table, columns, np.array([3, 5])), targets, "cut")
    given, _ = form.read(reader, form.given([{"verse": table.texts("lines")[3]}]), targets[:1], "cut")

    assert len(examples) == 2
    assert (
        examples.batch(np.array([0])).inputs["input_ids"].tolist()
        == given.batch(np.array([0])).inputs["input_ids"].tolist()
    )


def test_a_form_of_its_own_is_learnt_from_saved_and_predicted(of_verses: Kind, tmp_path: Path) -> None:
    data, model = verses(tmp_path / "rows.jsonl", 60), TINY["bert"](tmp_path / "bert")
    settings: dict[str, Any] = {"task": "text-classification", "columns": {"verse": "lines"}, "epochs": 1, "device": "cpu",
                "precision": "fp32", "allow": ["near-copies"]}  # fmt: skip

    run = tune(str(data), quiet=True, model=str(model), out=str(tmp_path / "run"), **settings)

    folder, texts = load(run.path), read(data).texts("lines")[:5]
    answers = folder.predict(texts)
    assert folder.task.reads == "verse"
    assert folder.model_record.columns["verse"] == "lines"
    assert folder.predict([{"verse": text} for text in texts]).labels == answers.labels
    assert answer_file(folder, data, {}).labels[:5] == answers.labels
    assert "lines" in (run.path / "plan.toml").read_text("utf-8")


def test_settings_that_a_form_does_not_name_are_refused_for_it(of_verses: Kind, tmp_path: Path) -> None:
    settings = {"data.path": verses(tmp_path / "rows.jsonl", 60), "model.name": TINY["bert"](tmp_path / "bert"),
                "task.name": "text-classification", "data.columns": {"verse": "lines"}, "run.device": "cpu",
                "data.allow": ["near-copies"]}  # fmt: skip

    with pytest.raises(PlanError) as error:
        prepare(Plan.build({**settings, "train.flip": 0.0}))

    assert (
        str(error.value)
        == "train.flip: no effect with text-classification, which reads no images. Leave it out."
    )


def test_a_column_of_a_role_that_the_task_lacks_is_refused(of_verses: Kind, tmp_path: Path) -> None:
    data = verses(tmp_path / "rows.jsonl", 60)
    asked = {"data.path": data, "task.name": "pair-classification", "data.columns": {"verse": "lines"}}

    with pytest.raises(DataError) as error:
        prepare(Plan.build(asked))

    assert str(error.value) == (
        "--column verse=lines: pair-classification has no such column; its columns are --text, --text2, --label. "
        "Leave it out, or name the task with --task."
    )


def test_a_column_of_a_role_that_no_task_has_is_refused(tmp_path: Path) -> None:
    data = verses(tmp_path / "rows.jsonl", 60)

    with pytest.raises(PlanError) as error:
        prepare(Plan.build({"data.path": data, "data.columns": {"lable": "label"}}))

    assert str(error.value) == (
        "--column lable=label: no task has a column of that role. Did you mean 'label'? Expected 'text', 'label', 'text2', "
        "'question', 'negative', 'image', 'messages', 'prompt', 'context', 'system', 'history', 'tools', 'completion', "
        "'chosen', 'rejected'."
    )
