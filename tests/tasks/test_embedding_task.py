"""What is special to embedding: what rows may be, its losses against references, ranks, layers above the pooling."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from torch import nn
from torch.nn import functional

from known import Known
from luthier.errors import DataError, ModelError
from luthier.events import result_of
from luthier.folder.model_folder import ModelFolder
from luthier.models.heads.head import Wanted
from luthier.models.hub.inspect import inspect_folder
from luthier.models.load import load_model
from luthier.models.quiet import quiet
from luthier.plan.plan import Plan
from luthier.prepare.rows import understand
from luthier.steps import tune
from luthier.tasks.embedding.task import SHARPNESS, Embedding, alike, belonging, ranks_by_label
from luthier.tasks.outputs import Logits
from tiny import messages, messages_csv, queries_jsonl, write_json, write_jsonl


def plan_for(data: Path, model: Path | str = "none", **settings: Any) -> Plan:
    return Plan.build(
        {"data.path": str(data), "model.name": str(model), "task.name": "embedding", **settings}
    )


def run(data: Path, model: Path, out: Path, **settings: Any) -> ModelFolder:
    quick = {"lr": 3e-3, "epochs": 4, "batch_rows": 16, "precision": "fp32", "threads": 1}
    return result_of(
        tune.tune(plan_for(data, model, **{"run.out": str(out), **quick, **settings}), lambda: False)
    )


def unit(random: np.random.Generator, *shape: int) -> torch.Tensor:
    return functional.normalize(torch.from_numpy(random.normal(size=shape)), dim=-1)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


# What rows may be

ROWS: dict[str, tuple[dict[str, Any], str | None]] = {
    "scores": ({"sentence1": "One text.", "sentence2": "Another.", "score": 2.5}, "score"),
    "pairs": ({"query": "One text.", "positive": "Another."}, None),
    "pairs and one that does not belong": (
        {"anchor": "One text.", "positive": "Another.", "negative": "A third."},
        None,
    ),
    "labels": ({"text": "One text.", "label": "a"}, "label"),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_goal_is_seen_in_the_columns(name: str, tmp_path: Path) -> None:
    row, label = ROWS[name]
    rows = []
    for at in range(40):
        changed = {key: f"{value} {at}" if isinstance(value, str) else value for key, value in row.items()}
        if label is not None:
            changed[label] = at / 10 if name == "scores" else "ab"[at % 2]
        rows.append(changed)

    found = understand(plan_for(write_jsonl(tmp_path / "rows.jsonl", rows)))

    assert isinstance(found.task, Embedding)
    assert found.task.goal == name.split()[0]
    assert len(found.inputs(found.split.train)[0]) == len([key for key in row if key != label])


def test_a_score_that_is_no_number_is_refused(tmp_path: Path) -> None:
    rows = [{"sentence1": f"One {at}.", "sentence2": "Two.", "score": "near"} for at in range(40)]

    with pytest.raises(DataError, match="column 'score' holds 'near'"):
        understand(plan_for(write_jsonl(tmp_path / "rows.jsonl", rows)))


# Losses


@pytest.mark.parametrize("texts", [2, 3])
def test_belonging_is_the_loss_of_sentence_transformers(texts: int, random: np.random.Generator) -> None:
    """MultipleNegativesRankingLoss, with its own scale and cosine."""
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    vectors = unit(random, 7, texts, 16)

    class Given(nn.Module):
        def forward(self, features: Any) -> Any:
            return features

    theirs = MultipleNegativesRankingLoss(cast(SentenceTransformer, Given()), scale=SHARPNESS)
    expected = theirs([{"sentence_embedding": vectors[:, at]} for at in range(texts)], None)

    assert float(belonging(vectors, torch.arange(7))) / 7 == pytest.approx(float(expected), rel=1e-6)


def test_the_same_second_text_in_another_row_is_no_wrong_answer(random: np.random.Generator) -> None:
    vectors = unit(random, 4, 2, 8)
    vectors[2, 1] = vectors[0, 1]
    numbers = torch.tensor([5, 6, 5, 7])

    found = belonging(vectors, numbers)

    expected = 0.0
    for row, others in ((0, [0, 1, 3]), (1, [0, 1, 2, 3]), (2, [1, 2, 3]), (3, [0, 1, 2, 3])):
        logits = SHARPNESS * vectors[others, 1] @ vectors[row, 0]
        expected -= float(logits.log_softmax(0)[others.index(row)])
    assert float(found) == pytest.approx(expected)


def test_alike_is_the_supervised_contrastive_loss_written_out(random: np.random.Generator) -> None:
    """Equation 2 of Khosla et al. 2020: over likes, minus the log of the share among all others."""
    vectors, labels = unit(random, 8, 6), torch.tensor([0, 0, 1, 1, 1, 2, 3, 0])

    found, anchors = alike(vectors, labels)

    expected, counted = 0.0, 0
    for one in range(8):
        others = [other for other in range(8) if other != one]
        likes = [other for other in others if labels[other] == labels[one]]
        whole = sum(np.exp(SHARPNESS * float(vectors[one] @ vectors[other])) for other in others)
        shares = [np.log(np.exp(SHARPNESS * float(vectors[one] @ vectors[like])) / whole) for like in likes]
        if likes:
            expected, counted = expected - float(np.mean(shares)), counted + 1
    assert float(found) == pytest.approx(expected)
    assert anchors == counted


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.0, 5.0), (-10.0, 10.0)])
def test_scores_are_learnt_as_cosines_from_zero_to_one(
    low: float, high: float, random: np.random.Generator
) -> None:
    vectors = unit(random, 6, 2, 8).float()
    cosines = (vectors[:, 0] * vectors[:, 1]).sum(1).numpy()
    task = Embedding("scores", low=low, high=high)

    rows = Known(low + cosines * (high - low))

    assert task.mean_loss(Logits(vectors.flatten(0, 1).numpy()), rows) == pytest.approx(0.0, abs=1e-12)


# Ranks


def test_the_rank_by_label_counts_what_is_nearer_than_the_nearest_like(random: np.random.Generator) -> None:
    vectors, labels = random.normal(size=(60, 5)).astype(np.float32), random.integers(0, 9, 60)

    found = ranks_by_label(vectors, labels, at_once=7)

    scaled = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for row in range(60):
        near = scaled @ scaled[row]
        others = [at for at in range(60) if at != row]
        best = max((near[at] for at in others if labels[at] == labels[row]), default=-2)
        nearer = sum(near[at] >= best and labels[at] != labels[row] for at in others)
        assert found[row] == (1 + nearer if best > -2 else 60)


# Whole runs


def test_texts_of_a_label_come_nearer_to_each_other(sentence_bert: Path, tmp_path: Path) -> None:
    rows = [{"text": text, "label": label} for text, label in messages(80)]

    folder = run(write_jsonl(tmp_path / "rows.jsonl", rows), sentence_bert, tmp_path / "run", epochs=8)

    candidates = json.loads((folder.path / "scorecard.json").read_text())["candidates"]
    assert [one["name"] for one in candidates] == ["zero-shot", "tuned"]
    assert candidates[1]["test"] > candidates[0]["test"]
    assert folder.scorecard.chosen == "tuned"


def test_a_model_that_tuning_makes_no_better_is_kept_as_it_is(sentence_bert: Path, tmp_path: Path) -> None:
    data = queries_jsonl(tmp_path / "rows.jsonl", 60)

    folder = run(data, sentence_bert, tmp_path / "run", lr=1e-9, epochs=1)

    assert folder.scorecard.chosen == "zero-shot"
    before, after = (load_file(path / "model.safetensors") for path in (sentence_bert, folder.model_path))
    shared = before.keys() & after.keys()
    assert shared
    assert all(torch.equal(before[name], after[name]) for name in shared)


# Layers above the pooling


def encoded(folder: Path, texts: list[str]) -> np.ndarray:
    with quiet():
        found: np.ndarray = SentenceTransformer(str(folder), device="cpu").encode(texts)
    return found


def vectors_of(folder: ModelFolder, texts: list[str]) -> np.ndarray:
    return np.array([row["vector"] for row in folder.predict(texts)])


@pytest.mark.parametrize("lr", [1e-9, 3e-3], ids=["as it is", "tuned"])
def test_dense_layers_are_part_of_the_model_and_are_tuned_with_it(
    lr: float, with_dense: Path, tmp_path: Path
) -> None:
    texts = [text for text, _ in messages(9, seed=5)]
    data = queries_jsonl(tmp_path / "rows.jsonl", 80)

    folder = run(data, with_dense, tmp_path / "run", lr=lr, epochs=12)

    ours = vectors_of(folder, texts)
    assert ours.shape == (9, 12)
    assert np.abs(ours - encoded(folder.model_path, texts)).max() < 1e-5
    moved = np.abs(ours - encoded(with_dense, texts)).max()
    assert (folder.scorecard.chosen, moved > 1e-2) == (("tuned", True) if lr > 1e-6 else ("zero-shot", False))
    for at in (2, 3):
        before, after = (
            load_file(path / f"{at}_Dense" / "model.safetensors") for path in (with_dense, folder.model_path)
        )
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before) == (lr < 1e-6)


def test_the_head_of_another_task_is_no_layer_of_the_vectors(sentence_bert: Path, tmp_path: Path) -> None:
    rows = messages_csv(tmp_path / "messages.csv", 80)
    classifier = run(
        rows, sentence_bert, tmp_path / "classifier", **{"task.name": "auto", "model.pooling": "max"}
    )
    kinds = [
        one["type"].rsplit(".")[-1]
        for one in json.loads((classifier.model_path / "modules.json").read_text())
    ]
    assert kinds[2] == "Dense"

    folder = run(queries_jsonl(tmp_path / "rows.jsonl", 80), classifier.path, tmp_path / "run")

    assert vectors_of(folder, ["One text."]).shape == (1, 32)


def change_config(folder: Path, **settings: Any) -> None:
    file = folder / "2_Dense" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))


def as_a_pickle(folder: Path) -> None:
    (folder / "2_Dense" / "model.safetensors").rename(folder / "2_Dense" / "pytorch_model.bin")


def with_a_residual(folder: Path) -> None:
    file = folder / "2_Dense" / "model.safetensors"
    weights = load_file(file)
    file.unlink()
    save_file({**weights, "residual.weight": torch.zeros(24, 32)}, file)


def before_the_pooling(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    write_json(folder / "modules.json", [modules[at] for at in (0, 2, 1, 3, 4)])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: change_config(folder, activation_function="os.system"),
            "asks for the activation 'os.system', which luthier does not know and will not import",
        ),
        (as_a_pickle, "holds only 'pytorch_model.bin', which can run code as it is opened"),
        (with_a_residual, "Expected linear.weight and linear.bias"),
        (before_the_pooling, "its modules come in the order 'Transformer', 'Dense', 'Pooling'"),
        (
            lambda folder: (folder / "2_Dense" / "config.json").unlink(),
            "is missing, so it is not known what follows",
        ),
        (lambda folder: change_config(folder, use_residual=True), "asks for a residual"),
        (lambda folder: (folder / "2_Dense" / "model.safetensors").unlink(), "holds no weights"),
    ],
)
def test_a_dense_layer_that_is_not_understood_is_refused(
    damage: Callable[[Path], None], message: str, with_dense: Path
) -> None:
    damage(with_dense)

    with pytest.raises(ModelError) as error:
        load_model(inspect_folder("with dense", with_dense), Wanted(0, head="vector"))

    assert message in str(error.value)
