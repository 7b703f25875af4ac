"""Log-probabilities of tokens in chunks, against torch's own cross entropy over all logits."""

import pytest
import torch
from torch import Tensor

from luthier.models.kernels import token_loss
from luthier.models.kernels.token_loss import token_log_probabilities


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_loss, "CHUNK", 1)
    monkeypatch.setattr(token_loss, "FEWEST", 3)


def layer(biased: bool) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
    """Ten states, the weight and bias of an output layer over 40 tokens, and the token that is wanted after each state."""
    torch.manual_seed(0)
    states = torch.randn(10, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(40, 8, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(40, dtype=torch.float64, requires_grad=True) if biased else None
    return states, weight, bias, torch.randint(40, (10,))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("biased", [True, False])
def test_log_probabilities_and_gradients_are_those_of_cross_entropy_over_all_logits(biased: bool) -> None:
    states, weight, bias, wanted = layer(biased)
    learnt = [tensor for tensor in (states, weight, bias) if tensor is not None]
    shares = torch.linspace(0.5, 2.0, 10, dtype=torch.float64)

    found = token_log_probabilities(states, weight, bias, wanted)
    ours = torch.autograd.grad((found * shares).sum(), learnt)

    logits = torch.nn.functional.linear(states, weight, bias)
    expected = -torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
    theirs = torch.autograd.grad((expected * shares).sum(), learnt)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("small_chunks")
def test_a_frozen_output_layer_gets_no_gradient_and_passes_one_on() -> None:
    states, weight, _, wanted = layer(biased=False)
    weight.requires_grad_(False)
    token_log_probabilities(states, weight, None, wanted).sum().backward()
    assert weight.grad is None
    assert states.grad is not None


def test_log_probabilities_are_fp32_whatever_the_states_are() -> None:
    states, weight, _, wanted = layer(biased=False)
    found = token_log_probabilities(states.bfloat16(), weight.bfloat16(), None, wanted)
    exact = token_log_probabilities(states, weight, None, wanted)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=0.05, atol=0.1)


def test_no_states_have_no_log_probabilities() -> None:
    states, weight, _, wanted = layer(biased=False)
    assert token_log_probabilities(states[:0], weight, None, wanted[:0]).shape == (0,)
