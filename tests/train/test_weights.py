"""The weights that train: what a flat buffer and a table of rows do is what torch's own optimizers do."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from luthier.models.kernels.dropout import DICE, Dropout, use_hashed_dropout
from luthier.models.master_weights import MasterWeights
from luthier.train import sparse_embedding
from luthier.train.flat_parameters import Part
from luthier.train.sparse_embedding import ROWS_OF_A_TABLE
from luthier.train.state import State
from luthier.train.weights import Weights

LR = 1e-2


class Words(nn.Module):
    """An embedding with a head: the smallest model with a table."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(30, 8)
        self.body = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        hidden = torch.tanh(self.body(self.table(ids).to(self.body.weight.dtype))).mean(1)
        found: Tensor = self.head(hidden.to(self.head.weight.dtype))
        return found


@pytest.fixture(autouse=True)
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_embedding, "ROWS_OF_A_TABLE", 20)


def parts_of(model: nn.Module) -> list[Part]:
    return [
        Part(name, 0, weight.ndim > 1, pulled="head" not in name) for name, weight in model.named_parameters()
    ]


def batches(steps: int, low: int = 0, high: int = 30) -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(1)
    return [(torch.randint(low, high, (4, 5)), torch.randint(0, 3, (4,))) for _ in range(steps)]


def take(
    model: Words, weights: Weights, ids: Tensor, labels: Tensor, lr: float = LR, scale: float = 1.0
) -> None:
    weights.begin()
    functional.cross_entropy(model(ids), labels, reduction="sum").backward()
    weights.step(lr, {0: scale}, len(ids), weights.norm(len(ids)), 1e9)


def test_dense_and_sparse_steps_are_torchs_adamw_and_sparse_adam() -> None:
    """SparseAdam knows no decay; without it, the rows of a table move as it moves them."""
    ours, theirs = Words(), Words()
    weights = Weights(ours, parts_of(ours), weight_decay=0.0)
    theirs.table.sparse = True
    rest = [weight for name, weight in theirs.named_parameters() if "table" not in name]
    dense = torch.optim.AdamW(rest, lr=LR, weight_decay=0.0)
    sparse = torch.optim.SparseAdam(list(theirs.table.parameters()), lr=LR)

    for ids, labels in batches(12):
        take(ours, weights, ids, labels)
        functional.cross_entropy(theirs(ids), labels).backward()
        for optimizer in (dense, sparse):
            optimizer.step()
            optimizer.zero_grad()

    for (name, found), expected in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(found, expected, atol=2e-5), (
            name
        )  # torch adds epsilon before the bias correction


def test_a_part_may_have_a_rate_of_its_own_within_its_rung() -> None:
    model, like = Words(), Words()
    parts = [
        Part(part.name, 0, part.decayed, rate=4.0 if "head" in part.name else 1.0) for part in parts_of(model)
    ]
    weights = Weights(model, [part for part in parts if "table" not in part.name])
    theirs = torch.optim.AdamW(
        [{"params": like.body.parameters(), "lr": LR}, {"params": like.head.parameters(), "lr": 4 * LR}],
        weight_decay=0.0,
    )  # fmt: skip

    for ids, labels in batches(5):
        take(model, weights, ids, labels)
        functional.cross_entropy(like(ids), labels).backward()
        theirs.step()
        theirs.zero_grad()

    torch.testing.assert_close(model.head.weight, like.head.weight)
    torch.testing.assert_close(model.body.weight, like.body.weight)


def test_words_that_no_row_holds_keep_their_pre_trained_weights() -> None:
    model = Words()
    before = model.table.weight.detach().clone()
    weights = Weights(model, parts_of(model), weight_decay=0.1)

    for ids, labels in batches(5, high=10):
        take(model, weights, ids, labels)

    assert torch.equal(model.table.weight[10:], before[10:])
    assert not torch.equal(model.table.weight[:10], before[:10])


def test_a_table_decays_the_rows_it_moves() -> None:
    plain, decayed = Words(), Words()
    weights = Weights(plain, parts_of(plain)), Weights(decayed, parts_of(decayed), weight_decay=0.5)
    ids, labels = batches(1)[0]
    before = plain.table.weight.detach().clone()

    take(plain, weights[0], ids, labels)
    take(decayed, weights[1], ids, labels)

    moved = ids.unique()
    gap = plain.table.weight[moved] - decayed.table.weight[moved]
    assert torch.allclose(gap, LR * 0.5 * before[moved], atol=1e-7)


@pytest.mark.precision
@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_saved_and_loaded_weights_go_on_to_the_same_bytes(dtype: torch.dtype, ema: float) -> None:
    def begun() -> tuple[Words, Weights, MasterWeights]:
        model = Words()
        masters = MasterWeights(nn.ModuleList([model.table, model.body]), dtype)
        return model, Weights(model, parts_of(model), masters, 0.01, ema=ema), masters

    (whole, weights, masters), (other, again, other_twin) = begun(), begun()
    steps = batches(9)
    with masters.training():
        for ids, labels in steps[:4]:
            take(whole, weights, ids, labels)
        saved = {name: tensor.clone() for name, tensor in weights.save().items()}
        counted = dict(weights.steps)
        for ids, labels in steps[4:]:
            take(whole, weights, ids, labels)
    with other_twin.training():
        for ids, labels in steps[6:]:  # whatever came before is forgotten
            take(other, again, ids, labels)
        again.load(saved, counted)
        for ids, labels in steps[4:]:
            take(other, again, ids, labels)

    with weights.averaged(), again.averaged():
        for (name, found), expected in zip(other.named_parameters(), whole.parameters(), strict=True):
            assert torch.equal(found, expected), name


def test_the_average_is_that_of_every_step_also_for_words_that_rarely_move() -> None:
    model = Words()
    weights = Weights(model, parts_of(model), ema=0.8)
    expected = {name: weight.detach().clone() for name, weight in model.named_parameters()}

    for step, (ids, labels) in enumerate(batches(30)):
        take(model, weights, ids[:1, :2], labels[:1])
        decay = min(0.8, (1 + step) / (10 + step))
        for name, weight in model.named_parameters():
            expected[name].lerp_(weight.detach(), 1 - decay)

    last = copy.deepcopy(model.state_dict())
    with weights.averaged():
        for name, weight in model.named_parameters():
            assert torch.allclose(weight, expected[name], atol=1e-6), name
    assert all(torch.equal(last[name], tensor) for name, tensor in model.state_dict().items())


def test_pull_draws_the_pre_trained_weights_back_and_leaves_the_head() -> None:
    free, pulled = Words(), Words()
    start = {name: weight.detach().clone() for name, weight in free.named_parameters()}
    weights = Weights(free, parts_of(free)), Weights(pulled, parts_of(pulled), pull=20.0)
    ids, labels = batches(1)[0]

    take(free, weights[0], ids, labels)
    take(pulled, weights[1], ids, labels)

    for name, weight in pulled.named_parameters():
        way = dict(free.named_parameters())[name] - start[name]
        share = 1.0 if "head" in name else 1 - LR * 20
        assert torch.allclose(weight - start[name], way * share, atol=1e-6), name


def test_what_has_no_scale_neither_moves_nor_counts_steps() -> None:
    model = Words()
    before = copy.deepcopy(model.state_dict())
    weights = Weights(model, parts_of(model))
    ids, labels = batches(1)[0]

    take(model, weights, ids, labels, scale=0.0)

    assert weights.steps == {0: 0}
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.precision
def test_in_bf16_small_steps_are_not_lost() -> None:
    """A step of 1e-5 is far below the spacing of bf16 numbers near 1: only fp32 masters add such steps up."""
    model = nn.Linear(4, 4, bias=False)
    nn.init.ones_(model.weight)
    masters = MasterWeights(model, torch.bfloat16)
    weights = Weights(model, [Part("weight", 0, False)], masters)

    with masters.training():
        for _ in range(1_000):
            weights.begin()
            model(torch.ones(1, 4, dtype=torch.bfloat16)).sum().backward()
            weights.step(1e-5, {0: 1.0}, 1.0, 1.0, 1e9)
        assert model.weight.dtype == torch.bfloat16
        assert float(model.weight.detach().float().mean()) == pytest.approx(0.99, abs=0.004)

    assert model.weight.dtype == torch.float32
    assert torch.allclose(model.weight, torch.full((4, 4), 0.99), atol=1e-4)


@pytest.mark.precision
def test_the_best_weights_are_those_that_were_computed_with() -> None:
    """Steps below the spacing of bf16 move the masters alone: no validation has seen them."""
    model = nn.Sequential(nn.Embedding(ROWS_OF_A_TABLE, 4), nn.Linear(4, 4))
    masters = MasterWeights(model, torch.bfloat16)
    before = {name: tensor.bfloat16().float() for name, tensor in model.state_dict().items()}
    weights = Weights(
        model, [Part("0.weight", 0, False), Part("1.weight", 1, True), Part("1.bias", 1, False)], masters
    )
    state = State(model, weights)

    with masters.training():
        weights.begin()
        model(torch.arange(64)).sum().backward()
        weights.step(1e-9, {0: 1.0, 1: 1.0}, 1.0, 1.0, 1e9)
        state.remember(1.0, 0.0)
        computed = {name: tensor.float() for name, tensor in model.state_dict().items()}
    trained = model.state_dict()["1.weight"]
    assert not torch.equal(trained, trained.bfloat16().float())
    state.restore_best()

    after = model.state_dict()
    assert all(torch.equal(after[name], computed[name]) for name in ("1.weight", "1.bias"))
    assert torch.equal(after["0.weight"][:64], before["0.weight"][:64])
    assert not torch.equal(after["0.weight"][64:], before["0.weight"][64:]), (
        "words that were not read are the pre-trained ones"
    )


# Dropout


def batch_of(rows: list[int], width: int = 6) -> Any:
    from luthier.batches.examples import Batch

    ids = torch.ones(len(rows), width, dtype=torch.int64)
    return Batch({"input_ids": ids}, torch.arange(len(rows)), ids[:, 0], np.array(rows), ids.numel())


def masks(rows: list[int], shape: tuple[int, ...], p: float = 0.3, step: int = 5, calls: int = 1) -> Tensor:
    DICE.throw(0, step, batch_of(rows))
    for _ in range(calls):
        found = DICE.mask(torch.ones(()), (len(rows), *shape), p)
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def no_dice_left() -> Iterator[None]:
    yield
    DICE.keys = None


def test_a_row_drops_the_same_whatever_batch_it_travels_in() -> None:
    together, alone = masks([7, 3, 9], (5, 8)), masks([3], (5, 8))
    padded = masks([3], (11, 8))

    assert torch.equal(together[1:2], alone)
    assert torch.equal(padded[:, :5], alone)


def test_rows_steps_and_layers_drop_differently() -> None:
    first = masks([1], (40, 16))

    for other in (masks([2], (40, 16)), masks([1], (40, 16), step=6), masks([1], (40, 16), calls=2)):
        same = float((first == other).float().mean())
        assert same == pytest.approx(0.3**2 + 0.7**2, abs=0.05)


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5, 0.9])
def test_the_share_that_is_dropped_is_p_and_the_mean_stays(p: float) -> None:
    found = masks(list(range(16)), (64, 65), p=p)

    assert float((found == 0).float().mean()) == pytest.approx(
        p, abs=5 * (p * (1 - p) / found.numel()) ** 0.5
    )
    assert float(found.max()) == pytest.approx(1 / (1 - p))


def test_neighbours_are_dropped_independently() -> None:
    found = (masks(list(range(32)), (64, 64), p=0.5) > 0).double()

    for shifted in (found.roll(1, 2), found.roll(2, 2), found.roll(1, 1), found.roll(1, 0)):
        correlation = float(((found - 0.5) * (shifted - 0.5)).mean() * 4)
        assert abs(correlation) < 5 / found.numel() ** 0.5


def test_dropout_is_off_in_evaluation_and_replaces_torchs_everywhere() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).eval()

    use_hashed_dropout(model)

    assert isinstance(model[1], Dropout)
    assert not model[1].training
    values = torch.ones(3, 4)
    assert torch.equal(model[1](values), values)
