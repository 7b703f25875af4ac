"""`luthier adapt`: a model of any family goes on from its pre-training, in the way that suits it, and stays what it was."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import luthier
from command import luthier as command
from luthier import devices
from luthier.batches.examples import Variation
from luthier.batches.image_examples import ImageExamples
from luthier.errors import ModelError
from luthier.folder.model_folder import ModelFolder
from luthier.forms import FORMS
from luthier.models.headed import HeadedModel
from luthier.models.heads.head import Wanted
from luthier.models.hub.inspect import PROCESSOR, TOKENIZER, inspect_folder
from luthier.models.kernels.dropout import DICE
from luthier.models.load import load_model
from luthier.models.readers.reading import Reader, preparation_of
from luthier.tasks import TASKS
from luthier.tasks.adaptation.kind import suited, way_for
from luthier.tasks.adaptation.recognising import surprises
from luthier.tasks.adaptation.task import Adaptation
from luthier.tasks.calibration import Calibration
from luthier.tasks.task import Task
from tiny import TINY_IMAGES, documents_jsonl, images_folder, messages, messages_csv

TEXTS = [text for text, _ in messages(24)]
MASKED = ["bert", "roberta", "deberta_v2", "modernbert", "distilbert", "albert"]
DEVICE = devices.choose(precision="fp32", threads=1)


def opened(path: Path, reads: str = "text") -> tuple[Task[Any, Any], HeadedModel, Reader]:
    """The way in which a folder's model is adapted, with the model and its reader."""
    form = FORMS[reads]
    folder = inspect_folder(path.name, path, PROCESSOR if form.of_pixels else TOKENIZER)
    task = way_for(form, folder)
    assert task is not None
    reader = form.open(folder)
    wanted = Wanted(outputs=task.outputs, head=task.head)
    return task, load_model(folder, wanted, preparation_of(reader)), reader


@pytest.fixture
def tiny_images(tmp_path: Path) -> list[Any]:
    table, columns = FORMS["image"].rows_of_folder(images_folder(tmp_path / "images", 12)) or (None, {})
    assert table is not None
    return FORMS["image"].inputs(table, columns)


@pytest.fixture
def no_dice() -> Iterator[None]:
    yield
    DICE.keys = None


# Which way


@pytest.mark.parametrize(
    ("name", "reads"), [("bert", "masked"), ("modernbert", "masked"), ("sentence_bert", "views")]
)
def test_a_model_is_adapted_by_what_it_is(name: str, reads: str, tiny_model: Callable[[str], Path]) -> None:
    path = tiny_model(name)

    assert suited(Adaptation(), inspect_folder(name, path)).reads == reads


@pytest.mark.parametrize("reads", ["document", "masked", "views", "image"])
def test_a_way_is_known_again_from_the_record_of_a_run(reads: str) -> None:
    record = {"name": "adaptation", "reads": reads, "metric": "loss"}

    assert TASKS["adaptation"].restore(record).to_json() == record


def test_two_texts_that_are_read_as_one_are_no_sentence(tiny_model: Callable[[str], Path]) -> None:
    folder = inspect_folder("it", tiny_model("sentence_bert"))

    assert way_for(FORMS["pair"], folder) is None
    assert way_for(FORMS["text"], folder) is not None


# Hidden words


@pytest.mark.parametrize("name", MASKED)
def test_the_loss_of_hidden_words_is_that_of_transformers(
    name: str, tiny_model: Callable[[str], Path]
) -> None:
    from transformers import AutoModelForMaskedLM

    task, model, reader = opened(tiny_model(name))
    examples, _ = FORMS["masked"].read(reader, TEXTS, np.zeros(len(TEXTS)), "cut")
    batch = examples.batch(np.arange(8), Variation(0, 0))

    with torch.no_grad():
        loss = task.loss(model, batch)
        theirs = AutoModelForMaskedLM.from_pretrained(tiny_model(name)).eval()
        assert batch.marks is not None
        labels = batch.marks.masked_fill(batch.marks < 0, -100)
        expected = theirs(**batch.inputs, labels=labels).loss

    assert float(loss.total / loss.weight) == pytest.approx(float(expected), rel=1e-4)


def test_the_surprise_of_a_text_is_summed_over_its_hidden_words(bert: Path) -> None:
    task, model, reader = opened(bert)
    examples, _ = FORMS["masked"].read(reader, TEXTS, np.zeros(len(TEXTS)), "cut")

    said = task.infer(model, examples, DEVICE)

    alone = task.infer(model, examples.select(np.array([5])), DEVICE)
    assert said.counts[5] == alone.counts[0] > 0
    assert said.losses[5] == pytest.approx(alone.losses[0], rel=1e-4)
    assert task.mean_loss(said, examples) == pytest.approx(said.losses.sum() / said.counts.sum())


def test_a_model_that_no_longer_finds_hidden_words_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    from tiny import TINY

    path = TINY["bert"](tmp_path / "bert")
    AutoModelForSequenceClassification.from_pretrained(path).save_pretrained(path)

    with pytest.raises(ModelError) as error:
        opened(path)

    assert str(error.value) == (
        f"{path}: its weights have no cls.predictions.transform.dense.weight, which finds hidden words: it was tuned for "
        "something else since it was pre-trained. Name the model that it was made of, or one that declares its pooling, with "
        "--model."
    )


# Texts that are known again


def test_what_is_known_again_is_told_from_the_others_by_its_cosine() -> None:
    changed, whole = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), torch.eye(5, 8)

    found = surprises(changed, whole, None)

    cosines = (changed[:, :5] / changed.norm(dim=1, keepdim=True)).double().numpy()
    raised = np.exp(20 * cosines)
    assert found.numpy() == pytest.approx(-np.log(np.diag(raised) / raised.sum(1)), rel=1e-4)


def test_a_copy_is_no_wrong_answer() -> None:
    same = torch.ones(2, 4)

    assert surprises(same, same, torch.tensor([1, 1])).tolist() == [0.0, 0.0]
    assert surprises(same, same, torch.tensor([1, 2])).tolist() == pytest.approx([np.log(2)] * 2)


def test_the_two_views_of_a_text_have_dropout_of_their_own(sentence_bert: Path, no_dice: None) -> None:
    task, model, reader = opened(sentence_bert)
    examples, _ = FORMS["views"].read(reader, ["the"] * 2, np.arange(2), "cut")
    batch = examples.batch(np.arange(2), Variation(0, 0))
    assert batch.inputs["input_ids"][0].tolist() == batch.inputs["input_ids"][1].tolist(), (
        "its only word stays"
    )

    model.train()
    DICE.throw(0, 0, batch)
    vectors = model(batch)

    assert not torch.allclose(vectors[0], vectors[1])
    assert task.learning.compares_rows


def test_losing_words_is_learnt_to_matter_less(sentence_bert: Path) -> None:
    task, model, reader = opened(sentence_bert)
    examples, _ = FORMS["views"].read(reader, TEXTS, np.arange(len(TEXTS)), "cut")
    before = task.mean_loss(task.infer(model, examples, DEVICE), examples)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    model.train()
    for step in range(8):
        loss = task.loss(model, examples.batch(np.arange(len(TEXTS)), Variation(0, step)))
        (loss.total / loss.weight).backward()
        optimizer.step()
        optimizer.zero_grad()

    said = task.infer(model, examples, DEVICE)
    assert task.mean_loss(said, examples) < before
    answers = task.answer(said, Calibration(), examples)
    assert task.score(answers, examples.targets) == pytest.approx(task.mean_loss(said, examples))


# Images


@pytest.mark.parametrize("name", ["vit", "mobilenet_v2"])
def test_an_image_is_known_again_by_the_features_of_the_model_as_it_came(
    name: str, tmp_path: Path, tiny_images: list[Any]
) -> None:
    task, model, reader = opened(TINY_IMAGES[name](tmp_path / name), "image")
    plain, _ = FORMS["image"].read(reader, tiny_images, np.arange(len(tiny_images)), "cut")
    reference = task.reference
    assert reference is not None
    told: dict[int, Any] = {}
    for rows, found in reference.told(task, model, plain, DEVICE):
        told |= dict(zip(rows.tolist(), found, strict=True))

    examples = reference.given(task, plain, np.stack([told[row] for row in range(len(plain))]))

    assert isinstance(examples, ImageExamples)
    said = task.infer(model, examples, DEVICE)
    np.testing.assert_allclose(said.vectors, examples.targets, atol=1e-5)
    assert (said.losses > 0).all(), "images are changed before they are asked for"
    batch = examples.batch(np.arange(4))
    loss = task.loss(model, batch)
    loss.total.backward()
    below = surprises(batch.targets, batch.targets, None)
    assert float(loss.total.detach()) == pytest.approx(float(below.sum()), rel=1e-4), (
        "unchanged, the student is the teacher"
    )


def test_the_classifier_of_a_model_of_images_stays_as_it_came(tmp_path: Path) -> None:
    from transformers import AutoModelForImageClassification

    base = TINY_IMAGES["vit"](tmp_path / "vit")
    data = images_folder(tmp_path / "images", 24)

    run = luthier.tune(
        str(data), model=str(base), out=str(tmp_path / "run"), task="adaptation", quiet=True, epochs=1, lr=1e-3,
        keep="off", precision="fp32", threads=1,
    )  # fmt: skip

    ours, theirs = (
        AutoModelForImageClassification.from_pretrained(path).state_dict() for path in (run.model_path, base)
    )
    assert ours.keys() == theirs.keys()
    same = {name for name in ours if torch.equal(ours[name], theirs[name])}
    assert {"classifier.weight", "classifier.bias"} <= same
    assert len(same) < len(ours), "the body has learnt"
    (row,) = run.predict([str(next(data.rglob("*.png")))]).rows
    assert len(row["vector"]) == ours["classifier.weight"].shape[1]


# Whole runs


def test_a_sentence_encoder_is_adapted_and_gone_on_from(tmp_path: Path, sentence_bert: Path) -> None:
    from sentence_transformers import SentenceTransformer

    data, out = documents_jsonl(tmp_path / "texts.jsonl", 60), tmp_path / "run"

    ended = command(
        "adapt", data, "--model", sentence_bert, "--out", out, "--epochs", 1, "--threads", 1, "--quiet"
    )

    assert ended.code == 0, ended.err
    run = ModelFolder(out)
    assert run.task.reads == "views"
    assert run.scorecard.record["keeping"]["words"] in (out / "README.md").read_text("utf-8").replace(
        "\\", ""
    )
    theirs = SentenceTransformer(str(run.model_path), device="cpu").encode(TEXTS[:3])
    ours = np.array([row["vector"] for row in run.predict(TEXTS[:3])])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    rows = messages_csv(tmp_path / "rows.csv", 40)
    onward = luthier.tune(str(rows), model=str(out), out=str(tmp_path / "on"), method="probe", quiet=True)
    assert onward.task.name == "text-classification"


def test_an_encoder_learns_to_find_hidden_words(tmp_path: Path, bert: Path) -> None:
    from transformers import AutoModelForMaskedLM

    data = documents_jsonl(tmp_path / "texts.jsonl", 60)

    run = luthier.tune(
        str(data), model=str(bert), out=str(tmp_path / "run"), task="adaptation", quiet=True, epochs=3, lr=3e-3,
        precision="fp32", threads=1,
    )  # fmt: skip

    before, after = (one["test"] for one in run.scorecard.record["candidates"])
    assert after < before
    AutoModelForMaskedLM.from_pretrained(run.model_path)
    (row,) = run.predict(["my parcel was broken"]).rows
    assert row["tokens"] > 0
