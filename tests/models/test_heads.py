"""Each head builds, saves and opens again its own models; a new one is a file and a row of HEADS."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chats import talk
from command import luthier
from luthier.data.table import Table
from luthier.errors import ModelError
from luthier.folder.model_folder import ModelFolder
from luthier.folder.write import weigh_the_same
from luthier.forms import FORMS
from luthier.forms.form import Columns
from luthier.models.heads import HEADS
from luthier.models.heads.head import Saved, Wanted
from luthier.models.hub.inspect import inspect_folder
from luthier.models.load import load_model, reload_model
from luthier.models.quiet import quiet
from luthier.models.readers.reading import preparation_of
from luthier.models.static.making import model_path
from luthier.tasks import TASKS
from luthier.tasks.classification.task import Classification
from luthier.tasks.classification.text import TEXT_CLASSIFICATION
from luthier.tasks.config_labels import labelled, number, unnamed
from luthier.tasks.kind import Roles, Understood, Wishes
from luthier.tasks.question_answering.task import QuestionAnswering
from luthier.tasks.regression import Regression
from luthier.tasks.token_classification.task import TokenClassification
from tiny import TINY, TINY_IMAGES, images_folder, messages, messages_csv, with_dense
from tiny_llamas import byte_level, llama
from toy import Both, BothHead


def restore(record: dict[str, Any]) -> Classification:
    return replace(Classification.from_json(record), head="both")


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    found = TEXT_CLASSIFICATION.understand(table, columns, roles, wishes)
    assert isinstance(found.task, Classification)
    return replace(found, task=replace(found.task, head="both"))


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy head in its row, and texts that are classified with it."""
    monkeypatch.setitem(HEADS, "both", BothHead())
    toy = replace(TEXT_CLASSIFICATION, understand=understand, restore=restore)
    monkeypatch.setitem(TASKS, TEXT_CLASSIFICATION.name, toy)


# What every head keeps to


@dataclass(frozen=True)
class Case:
    """A tiny model, and what rows for it are made of."""

    model: Any
    reads: str
    outputs: int = 3
    pooling: str = "auto"
    hidden: tuple[int, ...] = ()
    labels: tuple[str, ...] = ("a", "b", "c")
    """Those of its outputs; none where they stay as they came."""


CASES = {
    "row": Case(TINY["bert"], "text"),
    "row, pooled": Case(TINY["sentence_bert"], "text", hidden=(16,)),
    "row, of word vectors": Case(
        lambda path: model_path(f"static:{TINY['sentence_bert'](path)}"), "text", hidden=(16,)
    ),
    "image": Case(TINY_IMAGES["resnet"], "image"),
    "tags": Case(TINY["bert"], "text"),
    "spans": Case(TINY["bert"], "text", outputs=2),
    "vector": Case(with_dense, "texts", outputs=0),
    "cosine": Case(with_dense, "apart", outputs=1),
    "language": Case(lambda path: llama(path, byte_level()), "conversation", outputs=1),
    "score": Case(lambda path: llama(path, byte_level()), "conversation", outputs=1),
    "masked": Case(TINY["bert"], "masked", outputs=1),
    "pixels": Case(TINY_IMAGES["resnet"], "image", outputs=0, labels=()),
    "both": Case(TINY["bert"], "text"),
}


def rows_for(reads: str, folder: Path) -> list[Any]:
    """A few rows of a form."""
    texts = [text for text, _ in messages(8)]
    if reads == "image":
        return FORMS["image"].given(sorted(images_folder(folder, 8).rglob("*.png")))
    if reads == "conversation":
        return [talk(text, reply) for text, reply in zip(texts, texts[::-1], strict=True)]
    return texts if reads in ("text", "masked") else list(zip(texts, texts[::-1], strict=True))


@pytest.mark.usefixtures("both")
def test_every_head_has_a_case() -> None:
    assert {name.split(",")[0] for name in CASES} == set(HEADS)


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("name", CASES)
def test_a_model_that_is_saved_and_opened_again_gives_the_same_logits(name: str, tmp_path: Path) -> None:
    case, key = CASES[name], name.split(",")[0]
    folder = inspect_folder("tiny", case.model(tmp_path / "tiny"), FORMS[case.reads].files)
    reader = FORMS[case.reads].open(folder)
    wanted = Wanted(case.outputs, key, pooling=case.pooling, hidden=case.hidden, seed=1)
    model = load_model(folder, wanted, preparation_of(reader))
    rows = rows_for(case.reads, tmp_path / "images")
    examples, _ = FORMS[case.reads].read(reader, rows, np.zeros(len(rows), np.int64), "cut")
    (tmp_path / "saved").mkdir()

    with quiet():
        settings = labelled(case.labels) if case.labels else {}
        HEADS[key].save(tmp_path / "saved", model, model.head, reader, settings)
    found = inspect_folder("saved", tmp_path / "saved", FORMS[case.reads].files)
    own = FORMS[case.reads].open(found)
    again = reload_model(found, Saved(key, case.outputs, model.pooling, case.hidden), preparation_of(own))

    batch = examples.batch(np.arange(len(rows)))
    with torch.no_grad():
        assert torch.equal(again(batch), model(batch))
    weights = HEADS[key].saved_weights
    assert weigh_the_same(weights(again, again.head), weights(model, model.head))


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("method", ["probe", "full"])
def test_a_head_of_ones_own_goes_through_a_whole_run(method: str, bert: Path, tmp_path: Path) -> None:
    data, out = messages_csv(tmp_path / "rows.csv", 60), tmp_path / "run"

    ended = luthier(
        *("tune", data, "--model", bert, "--method", method, "--out", out, "--quiet"),
        *("--set", "run.precision=fp32", *(("--epochs", 2) if method == "full" else ())),
    )

    assert (ended.code, ended.err) == (0, "")
    folder = ModelFolder(out)
    assert type(folder.model) is Both
    assert (folder.model_path / "both.safetensors").is_file()
    texts = [text for text, _ in messages(12, seed=1)]
    assert len(folder.predict(texts)) == 12
    (folder.model_path / "both.safetensors").unlink()
    with pytest.raises(ModelError, match="its head is gone"):
        ModelFolder(out).predict(texts)


# What config.json says of the answers


@pytest.mark.parametrize(
    ("task", "names", "kind"),
    [
        (Classification(("no", "yes")), {0: "no", 1: "yes"}, "single_label_classification"),
        (Classification(("no", "yes"), many=True), {0: "no", 1: "yes"}, "multi_label_classification"),
        (TokenClassification(("city",)), {0: "O", 1: "B-city", 2: "I-city"}, "single_label_classification"),
        (Regression(), {0: "LABEL_0"}, "regression"),
        (QuestionAnswering(), {0: "LABEL_0", 1: "LABEL_1"}, None),
    ],
)
def test_a_task_names_its_outputs_as_transformers_spells_them(task: Any, names: Any, kind: Any) -> None:
    found = task.config_labels

    assert (found["id2label"], found["problem_type"]) == (names, kind)
    assert found["label2id"] == {name: at for at, name in names.items()}


def test_a_number_comes_out_of_sentence_transformers_as_it_is() -> None:
    assert number()["sentence_transformers"] == {"activation_fn": "torch.nn.modules.linear.Identity"}
    assert "sentence_transformers" not in unnamed(1)
