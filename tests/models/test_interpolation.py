"""Weights between a base's and the tuned ones: both ends bit for bit, and each rung as far as its paper says."""

import pytest
import torch
from torch import Tensor

from luthier.models.ladder.interpolation import TUNED_WHOLE, Point, interpolated, scale_of_each
from luthier.models.ladder.ladder import Ladder, Rung

RUNGS = ("embeddings", "block 0", "block 1", "block 2", "head")
LADDER = Ladder(
    tuple(
        Rung(
            name,
            name.replace(" ", "") if "block" in name else None,
            (f"{name.replace(' ', '')}.weight",),
            (name.replace(" ", ""),),
        )
        for name in RUNGS
    )
)
NAMES = [name for rung in LADDER.rungs for name in rung.parameters]


def weights(seed: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {name: torch.randn(3, 2) for name in NAMES}


def between(point: Point, base: dict[str, Tensor], tuned: dict[str, Tensor]) -> dict[str, Tensor]:
    return interpolated(base, tuned, scale_of_each(NAMES, LADDER, point.scales(LADDER)))


@pytest.mark.parametrize(("alpha", "which"), [(0.0, 0), (1.0, 1)])
def test_wise_ft_is_the_base_at_0_and_what_was_tuned_at_1_bit_for_bit(alpha: float, which: int) -> None:
    ends = weights(0), weights(1)

    found = between(Point("wise-ft", alpha), *ends)

    assert all(torch.equal(found[name], ends[which][name]) for name in NAMES)


def test_wise_ft_goes_the_same_share_of_the_way_everywhere() -> None:
    base, tuned = weights(0), weights(1)

    found = between(Point("wise-ft", 0.3), base, tuned)

    for name in NAMES:
        assert torch.allclose(found[name], 0.7 * base[name] + 0.3 * tuned[name])


@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.75])
def test_lines_scales_the_update_of_each_of_three_blocks_as_the_papers_equation_does(alpha: float) -> None:
    base, tuned = weights(0), weights(1)
    beta = 1 - alpha

    found = between(Point("lines", alpha), base, tuned)

    for block, layer in enumerate((1, 2, 3)):
        name = f"block{block}.weight"
        scale = alpha + beta * (layer - 1) / (3 - 1)
        assert torch.allclose(found[name], base[name] + scale * (tuned[name] - base[name]))
    assert torch.equal(found["block2.weight"], tuned["block2.weight"])
    assert torch.equal(found["head.weight"], tuned["head.weight"])
    lowest = base["embeddings.weight"]
    assert torch.allclose(found["embeddings.weight"], lowest + alpha * (tuned["embeddings.weight"] - lowest))


def test_one_block_is_the_lowest_and_keeps_as_little() -> None:
    ladder = Ladder((LADDER.rungs[0], LADDER.rungs[1], LADDER.rungs[-1]))

    assert Point("lines", 0.25).scales(ladder) == (0.25, 0.25, 1.0)


def test_a_buffer_goes_with_its_modules_rung_and_what_is_on_none_with_the_uppermost() -> None:
    found = scale_of_each(["block0.mean", "elsewhere.count"], LADDER, (0.1, 0.2, 0.3, 0.4, 1.0))

    assert found == {"block0.mean": 0.2, "elsewhere.count": 1.0}


def test_whole_numbers_are_never_mixed() -> None:
    found = interpolated({"n": torch.tensor(1)}, {"n": torch.tensor(8)}, {"n": 0.5})

    assert found == {"n": torch.tensor(8)}


def test_the_tuned_weights_are_the_end_of_wise_ft() -> None:
    assert TUNED_WHOLE.scales(LADDER) == (1.0,) * 5
    assert TUNED_WHOLE.words == "the weights as they were tuned"
