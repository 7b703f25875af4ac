"""The weights of the best validation may lie on disk: the same weights come back, and no copy of them stands in memory."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from luthier.models.master_weights import MasterWeights
from luthier.train import checkpoints
from luthier.train.checkpoints import BEST, Checkpoints
from luthier.train.flat_parameters import Part
from luthier.train.state import State
from luthier.train.weights import Weights


def state_of(dtype: torch.dtype = torch.float32) -> State:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    masters = MasterWeights(model, dtype)
    parts = [Part(name, 0, weight.ndim > 1) for name, weight in model.named_parameters()]
    return State(model, Weights(model, parts, masters))


def shelved(folder: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype = torch.float32) -> State:
    monkeypatch.setattr(checkpoints, "LARGE", 1)
    state = state_of(dtype)
    Checkpoints(folder, lambda: 0.0).shelve(state)
    return state


def move(state: State) -> None:
    for flat in state.weights.flat:
        flat.master.data += 1
        flat.refresh()


def weights(state: State) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in state.model.parameters()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_best_weights_come_back_from_disk(
    dtype: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = shelved(tmp_path, monkeypatch, dtype)
    state.remember(0.5, 1.0)
    move(state)
    state.remember(0.6, 1.0)
    expected = [weight.to(dtype).float() for weight in weights(state)]
    move(state)
    state.remember(0.4, 1.0)

    state.restore_best()

    assert all(torch.equal(one, other) for one, other in zip(weights(state), expected, strict=True))
    assert {tensor.dtype for tensor in load_file(tmp_path / BEST).values()} == {dtype}, (
        "no larger than they are"
    )


def test_a_saved_state_has_the_best_weights_without_writing_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "LARGE", 1)
    state, kept = state_of(), Checkpoints(tmp_path, lambda: 0.0)
    kept.shelve(state)
    state.step = 3
    state.remember(0.5, 1.0)
    best = weights(state)
    move(state)

    kept.save(state)

    assert (tmp_path / BEST).samefile(tmp_path / "3" / BEST)
    again = state_of()
    assert Checkpoints(tmp_path, lambda: 0.0).load(again) == 3
    again.restore_best()
    assert all(torch.equal(one, other) for one, other in zip(weights(again), best, strict=True))


def test_after_going_back_the_older_best_weights_are_saved_and_not_those_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "LARGE", 1)
    state, kept = state_of(), Checkpoints(tmp_path, lambda: 0.0)
    kept.shelve(state)
    state.step = 1
    state.remember(0.5, 1.0)
    best = weights(state)
    kept.save(state)
    move(state)
    state.step = 2
    state.remember(0.6, 1.0)  # what came of this is thrown away

    kept.load(state, at_most=1)
    state.step = 4
    kept.save(state)

    assert all(torch.equal(one, other) for one, other in zip(load_file(tmp_path / "4" / BEST).values(),
                                                             load_file(tmp_path / "1" / BEST).values(), strict=True))  # fmt: skip
    state.restore_best()
    assert all(torch.equal(one, other) for one, other in zip(weights(state), best, strict=True))


def test_small_ones_stay_in_memory(tmp_path: Path) -> None:
    state = state_of()
    Checkpoints(tmp_path, lambda: 0.0).shelve(state)
    state.remember(0.5, 1.0)
    assert state.shelf is None
    assert not (tmp_path / BEST).exists()
    assert state.best
