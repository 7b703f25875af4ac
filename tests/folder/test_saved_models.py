"""A tuned model needs no luthier: the library its weights came from opens the folder and gives the same logits."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from luthier.errors import ModelError, RunError
from luthier.folder.model_folder import ModelFolder
from luthier.folder.model_record import ModelRecord
from luthier.folder.write import write_model
from luthier.models.quiet import quiet
from luthier.models.static.making import model_path
from luthier.tasks.calibration import Calibration
from tiny import ABOUT, TINY, Opened, messages, opened, write_json

ROWS = messages(24)
LONG_TEXT = " ".join(["Lovely guitar, and the BROKEN parcel with noise today."] * 12)
TEXTS = [*(text for text, _ in messages(12, seed=1)), LONG_TEXT, "Ünknown 日本 signs?"]
MANY = [(text, [label] if len(text) % 2 else [label, "long"]) for text, label in ROWS]


def save(found: Opened, path: Path, **changed: Any) -> Path:
    """Write a model folder as a run does."""
    hidden = tuple(
        layer.out_features for layer in list(found.model.head)[:-1] if isinstance(layer, torch.nn.Linear)
    )
    beside: dict[str, Any] = {
        "task": found.task.to_json(),
        "calibration": Calibration(),
        "pooling": found.model.pooling,
        "hidden": hidden,
        "long": "cut",
        "columns": {"text": "text", "label": "label"},
        "base": "tiny",
        "base_fingerprint": "",
        "method": "tuned",
        "luthier": "0",
    } | changed
    write_model(path, found.model, found.model.head, found.texts, ModelRecord(**beside), card="# A model\n")
    return path


def trained(folder: Path, rows: Any = ROWS, **settings: Any) -> Opened:
    found = opened(folder, rows, **settings)
    found.train()
    return found


def plain_logits(path: Path, texts: list[str]) -> np.ndarray:
    """The logits of a folder in its own library, by nothing but that library."""
    with quiet():
        if (path / "modules.json").is_file():
            return SentenceTransformer(str(path), device="cpu").encode(texts, batch_size=5)
        model = AutoModelForSequenceClassification.from_pretrained(path).eval()
        tokenizer = AutoTokenizer.from_pretrained(path)
    with torch.no_grad():
        found = model(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt"))
    return np.asarray(found.logits)


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.precision
@pytest.mark.parametrize("name", TINY)
def test_a_saved_model_gives_the_same_logits_in_its_own_library(
    name: str, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    found = trained(tiny_model(name))
    path = save(found, tmp_path / "model")

    ours = ModelFolder(path).logits(TEXTS)

    assert np.abs(ours - plain_logits(path, TEXTS)).max() < 1e-5
    assert ours.std(axis=0).min() > 1e-4


@pytest.mark.precision
@pytest.mark.parametrize("name", TINY)
def test_a_reopened_model_is_the_one_that_was_trained(
    name: str, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    found = trained(tiny_model(name))
    path = save(found, tmp_path / "model")

    assert np.abs(ModelFolder(path).logits([text for text, _ in ROWS]) - found.logits()).max() < 1e-6


@pytest.mark.parametrize(
    "settings", [{"hidden": (16,)}, {"pooling": "max"}, {"pooling": "cls", "hidden": (16, 8)}]
)
@pytest.mark.parametrize("name", ["bert", "roberta", "deberta_v2", "modernbert", "sentence_bert"])
def test_pooling_and_hidden_layers_become_modules_of_sentence_transformers(
    name: str, settings: dict[str, str | tuple[int, ...]], tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    found = trained(tiny_model(name), **settings)
    path = save(found, tmp_path / "model")

    kinds = [module["type"].rsplit(".")[-1] for module in json.loads((path / "modules.json").read_text())]
    ours = ModelFolder(path).logits(TEXTS)

    assert kinds == ["Transformer", "Pooling", *["Dense"] * (1 + len(settings.get("hidden", ())))]
    assert np.abs(ours - plain_logits(path, TEXTS)).max() < 1e-5
    assert np.abs(ModelFolder(path).logits([text for text, _ in ROWS]) - found.logits()).max() < 1e-6


@pytest.mark.parametrize("settings", [{}, {"hidden": (16,)}])
def test_a_model_that_is_pooled_by_modules_is_refused_by_transformers_rather_than_given_a_random_head(
    settings: dict[str, tuple[int, ...]], sentence_bert: Path, tmp_path: Path
) -> None:
    from sentence_transformers import CrossEncoder
    from transformers import AutoModel, pipeline

    path = save(trained(sentence_bert, **settings), tmp_path / "model")
    openers: tuple[Callable[[], Any], ...] = (
        lambda: pipeline("text-classification", str(path)),
        lambda: AutoModelForSequenceClassification.from_pretrained(path),
        lambda: CrossEncoder(str(path)),
    )
    for opener in openers:
        with quiet(), pytest.raises(ValueError, match="model type `sentence-transformers`"):
            opener()
    with quiet():
        body = AutoModel.from_pretrained(path / "0_Transformer")
        sentences = SentenceTransformer(str(path), device="cpu")

    assert json.loads((path / "config.json").read_text())["id2label"] == {
        str(at): label for at, label in enumerate(sorted(ABOUT))
    }
    assert sentences.encode(["parcel"]).shape == (1, len(ABOUT))
    inner: Any = sentences[0]
    assert torch.equal(
        body.embeddings.word_embeddings.weight, inner.auto_model.embeddings.word_embeddings.weight
    )


def test_a_model_that_an_earlier_luthier_saved_with_its_body_beside_the_modules_still_opens(
    sentence_bert: Path, tmp_path: Path
) -> None:
    path = save(trained(sentence_bert), tmp_path / "model")
    before = ModelFolder(path).logits(TEXTS)
    (path / "config.json").unlink()
    for file in (path / "0_Transformer").iterdir():
        shutil.move(file, path / file.name)
    modules = json.loads((path / "modules.json").read_text())
    write_json(path / "modules.json", [modules[0] | {"path": ""}, *modules[1:]])

    assert np.array_equal(ModelFolder(path).logits(TEXTS), before)


def test_a_table_of_word_vectors_lies_where_sentence_transformers_puts_one_and_where_an_earlier_luthier_did(
    sentence_bert: Path, tmp_path: Path
) -> None:
    path = save(trained(model_path(f"static:{sentence_bert}")), tmp_path / "model")
    before = ModelFolder(path).logits(TEXTS)
    modules = json.loads((path / "modules.json").read_text())

    assert [module["path"] for module in modules] == ["0_StaticEmbedding", "2_Dense"]
    assert np.abs(before - plain_logits(path, TEXTS)).max() < 1e-5

    shutil.move(path / "0_StaticEmbedding", path / "0_Transformer")
    write_json(path / "modules.json", [modules[0] | {"path": "0_Transformer"}, *modules[1:]])

    assert np.array_equal(ModelFolder(path).logits(TEXTS), before)
    assert np.abs(before - plain_logits(path, TEXTS)).max() < 1e-5


def test_a_saved_model_knows_its_labels_by_name(bert: Path, tmp_path: Path) -> None:
    path = save(trained(bert), tmp_path / "model")

    config = AutoModelForSequenceClassification.from_pretrained(path).config

    assert config.id2label == dict(enumerate(sorted(ABOUT)))
    assert config.label2id == {label: at for at, label in enumerate(sorted(ABOUT))}
    assert config.problem_type == "single_label_classification"


def test_a_model_for_several_labels_a_row_says_so(bert: Path, tmp_path: Path) -> None:
    path = save(trained(bert, MANY), tmp_path / "model")

    config = AutoModelForSequenceClassification.from_pretrained(path).config
    predictions = ModelFolder(path).predict(TEXTS)
    sigmoid = 1 / (1 + np.exp(-plain_logits(path, TEXTS).astype(np.float64)))

    assert config.problem_type == "multi_label_classification"
    assert config.id2label == dict(enumerate(sorted([*ABOUT, "long"])))
    for row, expected in zip(predictions, sigmoid, strict=True):
        assert list(row["probabilities"].values()) == pytest.approx(expected, abs=2e-6)
        assert row["label"] == [name for name, share in row["probabilities"].items() if share >= 0.5]


def test_predictions_are_the_calibrated_softmax_of_those_logits(bert: Path, tmp_path: Path) -> None:
    path = save(trained(bert), tmp_path / "model", calibration=Calibration(temperature=2.5))
    scaled = np.exp(plain_logits(path, TEXTS).astype(np.float64) / 2.5)

    predictions = ModelFolder(path).predict(TEXTS)

    expected = scaled / scaled.sum(axis=1, keepdims=True)
    found = [list(row["probabilities"].values()) for row in predictions]
    assert np.abs(np.array(found) - expected).max() < 2e-6
    assert predictions.labels == [sorted(ABOUT)[at] for at in expected.argmax(axis=1)]


def test_one_text_alone_is_predicted_as_among_others(bert: Path, tmp_path: Path) -> None:
    folder = ModelFolder(save(trained(bert), tmp_path / "model"))

    assert folder.predict(TEXTS[3]).labels == [folder.predict(TEXTS).labels[3]]
    assert len(folder.predict([])) == 0


def test_windows_are_remembered_by_the_folder(bert: Path, tmp_path: Path) -> None:
    found = trained(bert, [(LONG_TEXT, "a"), ("great thanks", "b")], way="windows")

    folder = ModelFolder(save(found, tmp_path / "model", long="windows"))

    assert np.abs(folder.logits([LONG_TEXT, "great thanks"]) - found.logits()).max() < 1e-6


@pytest.mark.parametrize("settings", [{}, {"hidden": (16,)}])
def test_saving_twice_gives_the_same_bytes(
    settings: dict[str, tuple[int, ...]], bert: Path, tmp_path: Path
) -> None:
    found = trained(bert, **settings)

    first = content(save(found, tmp_path / "first"))
    found.logits()
    found.texts.examples([LONG_TEXT], np.zeros(1, np.int64), "windows")
    second = content(save(found, tmp_path / "second"))

    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []


@pytest.mark.parametrize("name", ["bert", "roberta", "sentence_bert"])
def test_saving_leaves_the_model_in_memory_as_it_was(
    name: str, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    found = trained(tiny_model(name))
    names = [name for name, _ in found.model.named_modules()]
    weights = {name: weight.clone() for name, weight in found.model.state_dict().items()}
    config: Any = found.model.body.config
    labels, limit = dict(config.id2label), found.texts.tokenizer.model_max_length

    save(found, tmp_path / "model")

    assert [name for name, _ in found.model.named_modules()] == names
    assert list(found.model.state_dict()) == list(weights)
    assert all(torch.equal(weight, weights[name]) for name, weight in found.model.state_dict().items())
    after: Any = found.model.body.config
    assert after.id2label == labels
    assert found.texts.tokenizer.model_max_length == limit


def test_saving_over_a_model_replaces_it(bert: Path, sentence_bert: Path, tmp_path: Path) -> None:
    save(trained(sentence_bert), tmp_path / "model")
    path = save(trained(bert), tmp_path / "model")

    assert not (path / "modules.json").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_the_saved_tokenizer_cuts_where_luthier_does(roberta: Path, tmp_path: Path) -> None:
    """Where a folder declares no limit, transformers would read beyond the positions there are, and fail."""
    base = shutil.copytree(roberta, tmp_path / "base")
    settings = json.loads((base / "tokenizer_config.json").read_text())
    write_json(base / "tokenizer_config.json", settings | {"model_max_length": int(1e30)})
    path = save(trained(base, [*ROWS, (LONG_TEXT, "praise")]), tmp_path / "model")

    tokenizer = AutoTokenizer.from_pretrained(path)

    assert tokenizer.model_max_length == 62
    assert json.loads((path / "tokenizer.json").read_text())["truncation"] is None
    assert np.abs(ModelFolder(path).logits([LONG_TEXT]) - plain_logits(path, [LONG_TEXT])).max() < 1e-5


def test_a_folder_that_asks_for_lower_case_still_does_when_saved(sentence_bert: Path, tmp_path: Path) -> None:
    base = shutil.copytree(sentence_bert, tmp_path / "lower")
    write_json(base / "sentence_bert_config.json", {"max_seq_length": 48, "do_lower_case": True})
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    write_json(base / "tokenizer.json", tokenizer)
    rows = [(text.upper(), label) for text, label in ROWS]
    found = trained(base, rows)

    path = save(found, tmp_path / "model")

    upper = [text for text, _ in rows]
    assert np.abs(ModelFolder(path).logits(upper) - found.logits()).max() < 1e-6
    assert np.abs(plain_logits(path, upper) - found.logits()).max() < 1e-5


@pytest.mark.parametrize("name", ["bert", "sentence_bert"])
def test_a_saved_model_can_be_tuned_onward(
    name: str, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    first = trained(tiny_model(name))
    path = save(first, tmp_path / "model")

    onward = opened(path, messages(24, labels=2)).model

    learnt, taken_over = first.model.body.state_dict(), onward.body.state_dict()
    assert onward.outputs == 2
    assert onward.pooling == first.model.pooling
    assert all(torch.equal(learnt[name], taken_over[name]) for name in learnt)


def test_the_inner_folder_opens_as_the_run_does(bert: Path, tmp_path: Path) -> None:
    save(trained(bert), tmp_path / "run" / "model")

    of_run, of_model = ModelFolder(tmp_path / "run"), ModelFolder(str(tmp_path / "run" / "model"))

    assert np.array_equal(of_run.logits(TEXTS), of_model.logits(TEXTS))
    assert repr(of_run) == f"ModelFolder({str(tmp_path / 'run')!r})"


def test_what_is_beside_a_model_comes_back_as_it_was(bert: Path, tmp_path: Path) -> None:
    calibration = Calibration(1.5, scale=(1.0, 2.0), bias=(0.5, -0.5), thresholds=(0.4, 0.6))
    path = save(trained(bert), tmp_path / "model", calibration=calibration, method="probe", long="windows")

    record = json.loads((path / "luthier.json").read_text())
    beside = ModelFolder(path).model_record

    assert beside.calibration == calibration
    assert (beside.method, beside.long, beside.hidden) == ("probe", "windows", ())
    assert record["form"] == "transformers"
    told = {key: value for key, value in record.items() if key not in ("version", "files", "sha256")}
    assert json.loads(json.dumps(beside.to_json())) == told


def test_what_is_no_saved_model_is_refused(bert: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("text,label\n")
    for path, what in (
        (tmp_path / "nowhere", "there is no such folder"),
        (bert, "holds no model/luthier.json"),
        (file, "is a file"),
    ):
        with pytest.raises(RunError) as caught:
            ModelFolder(path)

        assert str(caught.value) == (
            f"{path}: {what}, so it is not a model that luthier saved. `luthier tune` makes one."
        )


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ("[]", "expected a JSON object, found a list"),
        ("{}", "lacks 'task'"),
        ('{"task": {"name": "levitation"}}', "lacks 'calibration'"),
    ],
)
def test_a_damaged_luthier_json_is_told(damage: str, told: str, bert: Path, tmp_path: Path) -> None:
    path = save(trained(bert), tmp_path / "model")
    (path / "luthier.json").write_text(damage)

    with pytest.raises(RunError) as caught:
        ModelFolder(path)

    assert str(caught.value).startswith(f"{path / 'luthier.json'}: {told}")


def test_a_task_that_this_version_does_not_know_is_told(bert: Path, tmp_path: Path) -> None:
    path = save(trained(bert), tmp_path / "model")
    record = json.loads((path / "luthier.json").read_text())
    write_json(path / "luthier.json", record | {"task": record["task"] | {"name": "levitation"}})

    with pytest.raises(RunError, match="levitation"):
        ModelFolder(path)


def test_a_saved_model_that_lost_its_head_is_refused_rather_than_given_a_random_one(
    bert: Path, tmp_path: Path
) -> None:
    path = save(trained(bert), tmp_path / "model")
    tensors = load_file(path / "model.safetensors")
    del tensors["classifier.weight"]
    save_file(tensors, path / "model.safetensors", {"format": "pt"})

    with pytest.raises(ModelError) as caught:
        ModelFolder(path).predict(TEXTS)

    assert str(caught.value) == (
        f"{path}: classifier.weight is not there with the 4 x 32 weights that luthier.json asks for. "
        "The folder was changed after luthier wrote it: copy it again from the run."
    )


def test_a_dense_module_that_is_gone_or_of_another_shape_is_refused(
    sentence_bert: Path, tmp_path: Path
) -> None:
    path = save(trained(sentence_bert, hidden=(16,)), tmp_path / "model")
    shutil.copy(path / "2_Dense" / "model.safetensors", path / "3_Dense" / "model.safetensors")
    with pytest.raises(ModelError) as other_shape:
        ModelFolder(path).predict(TEXTS)
    (path / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(ModelError) as gone:
        ModelFolder(path).predict(TEXTS)

    ending = "The folder was changed after luthier wrote it: copy it again from the run."
    for caught, file, shape in ((other_shape, "3_Dense", "4 x 16"), (gone, "2_Dense", "16 x 32")):
        assert str(caught.value) == (
            f"{path}: {file}/model.safetensors is not there with the {shape} weights that luthier.json asks for. {ending}"
        )
