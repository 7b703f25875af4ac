"""Features of a step's rows, a few of like length at a time: the same numbers with the same dropout, and less padding."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from luthier.batches.examples import Batch
from luthier.models.by_length import features_by_length, of_like_length, part_of
from luthier.models.headed import HeadedModel
from luthier.models.kernels.dropout import DICE
from tiny import TINY, Opened, messages, opened

SHORT = [(text.split()[0], label) for text, label in messages(9, seed=3)]
LONG = [(" ".join(text for text, _ in messages(40, seed=4)), "praise")]


@pytest.fixture(params=["cut", "windows"])
def rows(request: pytest.FixtureRequest, tiny_model: Callable[[str], Path]) -> Opened:
    return opened(tiny_model("bert"), [*SHORT, *LONG, *messages(8)], request.param, body_dropout=0.1)


def whole(rows: Opened) -> Batch:
    return rows.examples.batch(np.random.default_rng(0).permutation(len(rows.examples)))


def gradient(
    model: HeadedModel, batch: Batch, features: Callable[[HeadedModel, Batch], Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """The features under a training step's dropout, and the gradient of how alike they are."""
    model.train()
    model.zero_grad()
    DICE.throw(0, 3, batch)
    found = features(model, batch)
    (found @ found.T).square().sum().backward()
    return found.detach(), [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]


def test_they_are_the_features_of_the_whole_batch_with_the_same_dropout_and_gradient(rows: Opened) -> None:
    batch = whole(rows)

    found, slopes = gradient(rows.model, batch, features_by_length)
    expected, theirs = gradient(rows.model, batch, lambda model, own: model.features(own))

    assert torch.allclose(found, expected, atol=1e-5)
    largest = max(float(slope.abs().max()) for slope in theirs)
    for ours, other in zip(slopes, theirs, strict=True):
        assert torch.allclose(ours, other, atol=1e-5 * largest)
    assert not torch.allclose(expected, gradient(rows.model.eval(), batch, without_dropout)[0], atol=1e-3)


def without_dropout(model: HeadedModel, batch: Batch) -> Tensor:
    model.eval()
    return model.features(batch)


def test_no_row_is_padded_to_more_than_twice_its_length_and_a_little(rows: Opened) -> None:
    batch = whole(rows)
    lengths = torch.tensor(
        [batch.inputs["attention_mask"][batch.part_of == at].sum(1).max() for at in range(len(batch.rows))]
    )

    seen = []
    for some in of_like_length(lengths):
        piece, _ = part_of(batch, some)
        seen += piece.rows.tolist()
        assert piece.inputs["input_ids"].shape[1] <= 2 * int(lengths[some].min()) + 4
        assert piece.targets.tolist() == batch.targets[some].tolist()

    assert sorted(seen) == sorted(batch.rows.tolist())


@pytest.mark.parametrize("name", ["roberta", "modernbert", "sentence_bert"])
def test_other_families_are_read_alike(name: str, tiny_model: Callable[[str], Path]) -> None:
    assert name in TINY
    found = opened(tiny_model(name), [*SHORT, *messages(8)])
    batch = whole(found)
    found.model.eval()
    DICE.keys = None

    with torch.inference_mode():
        assert torch.allclose(features_by_length(found.model, batch), found.model.features(batch), atol=1e-5)
