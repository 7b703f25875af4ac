"""Attention against its formula, whole and in pieces."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from luthier.models.kernels import attention as module
from luthier.models.kernels.attention import Attention
from luthier.models.kernels.dropout import DICE, Drawn


@pytest.fixture(autouse=True)
def no_dice_left() -> Iterator[None]:
    yield
    DICE.keys = None


def given(
    parts: int = 5, heads: int = 2, tokens: int = 7, width: int = 4, dtype: torch.dtype = torch.float64
) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(parts, heads, tokens, width, dtype=dtype, requires_grad=True) for _ in range(3)]


def drawn(query: Tensor, p: float = 0.3) -> Drawn:
    """The mask of a training step."""
    DICE.keys, DICE.call = torch.arange(len(query), dtype=torch.int32) * 7919, 0
    found = DICE.draw((*query.shape[:3], query.shape[2]), p)
    assert found is not None
    return found


def written_out(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float, mask: Tensor | None
) -> Tensor:
    """Vaswani et al. 2017, eq. 1, for autograd."""
    scores = query @ key.transpose(2, 3) * scale
    shares = (scores if bias is None else scores + bias).softmax(-1)
    return ((shares if mask is None else shares * mask) @ value).transpose(1, 2)


def gradients(output: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    torch.manual_seed(1)
    return list(torch.autograd.grad(output, inputs, torch.randn(output.shape, dtype=output.dtype)))


def padding(parts: int, tokens: int) -> Tensor:
    """(parts, 1, 1, tokens) as transformers gives it: the last tokens of some parts are not there."""
    found = torch.zeros(parts, 1, 1, tokens, dtype=torch.float64)
    found[1::2, ..., -3:] = -1e9
    return found


@pytest.mark.parametrize("cache", [1, 4 * 2 * 7 * 7 * 2, 2**30], ids=["one part", "two parts", "all parts"])
@pytest.mark.parametrize("dropout", ["none", "ours", "torch's"])
@pytest.mark.parametrize("bias", ["none", "one for all", "one a part"])
def test_attention_and_its_gradient_are_autograds_in_pieces_of_any_size(
    cache: int, dropout: str, bias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CACHE", cache)
    inputs = given()
    mask = drawn(inputs[0]) if dropout == "ours" else None
    plain = mask.of(slice(None), inputs[0]) if mask is not None else None
    if dropout == "torch's":
        plain = torch.nn.functional.dropout(torch.ones(5, 2, 7, 7, dtype=torch.float64), 0.3)
    added = {"none": None, "one for all": padding(2, 7)[1:], "one a part": padding(5, 7)}[bias]

    query, key, value = inputs
    ours = Attention.apply(query, key, value, added, 0.5, mask if mask is not None else plain)  # type: ignore[no-untyped-call]
    theirs = written_out(query, key, value, added, 0.5, plain)

    assert torch.allclose(ours, theirs, atol=1e-12)
    for own, expected in zip(gradients(ours, inputs), gradients(theirs, inputs), strict=True):
        assert torch.allclose(own, expected, atol=1e-12)


@pytest.mark.precision
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pieces_give_the_same_bytes_as_the_whole(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = given(dtype=dtype)
    found = []
    for cache in (1, 2**30):
        monkeypatch.setattr(module, "CACHE", cache)
        output = Attention.apply(*inputs, None, 0.5, drawn(inputs[0]))  # type: ignore[no-untyped-call]
        found.append([output, *gradients(output, inputs)])

    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("tokens", [6, 7])
def test_parts_of_a_mask_are_those_of_the_whole(tokens: int) -> None:
    mask = drawn(torch.zeros(5, 2, tokens, 4))

    whole = mask.of(slice(None), torch.zeros(1))

    assert torch.equal(torch.cat([mask.of(slice(at, at + 2), torch.zeros(1)) for at in (0, 2, 4)]), whole)
    assert whole.unique().tolist() == [0.0, pytest.approx(1 / 0.7)]


@pytest.mark.parametrize("mask", [None, padding(5, 7)])
def test_one_token_of_heads_that_share_a_key_attends_as_with_a_key_of_its_own_each(
    mask: Tensor | None,
) -> None:
    _, key, value = given()
    query = torch.randn(5, 6, 1, 4, dtype=torch.float64)
    module_in_use = torch.nn.Identity().eval()

    found, _ = module.attention(module_in_use, query, key, value, mask, 0.5)

    each = (key.repeat_interleave(3, 1), value.repeat_interleave(3, 1))
    assert torch.allclose(found, written_out(query, *each, mask, 0.5, None), atol=1e-12)
