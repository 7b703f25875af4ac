"""Weights between those of a base and those that were tuned from it, rung by rung."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from luthier.models.ladder.ladder import Ladder


@dataclass(frozen=True)
class Point:
    """Where a model stands between the base and what was tuned from it.

    `wise-ft`: all weights go `alpha` of the way (Wortsman et al. 2021, arXiv:2109.01903, eq. 1).  `lines`: the lowest block goes
    `alpha` of the way, the uppermost all of it, those between in equal steps: LiNeS (Wang et al. 2024, arXiv:2410.17146), which
    scales the update of block l of L by alpha + beta (l - 1) / (L - 1). Ours are beta = 1 - alpha, so that the uppermost block
    stays as it was tuned and one number is left to sweep, and what becomes of tensors in no block: published implementations
    scale them by alpha, and here those above the blocks go with the uppermost one and the head goes whole: they are the task's.
    """

    way: str
    alpha: float

    def scales(self, ladder: Ladder) -> tuple[float, ...]:
        """Which share of its update each rung keeps, the embeddings first and the head last.

        What lies below the blocks goes as far as the lowest of them, what lies above as far as the uppermost.

        >>> from luthier.models.ladder.ladder import Rung
        >>> blocks = Ladder(tuple(Rung(name, name if "block" in name else None, ()) for name in
        ...     ("embeddings", "block 0", "block 1", "block 2", "head")))
        >>> Point("lines", 0.5).scales(blocks)
        (0.5, 0.5, 0.75, 1.0, 1.0)
        """
        if self.way == "wise-ft":
            return (self.alpha,) * len(ladder.rungs)
        last = max(1, len(ladder.blocks) - 1)
        found = [self.alpha + (1 - self.alpha) * max(0, at - 1) / last for at in range(len(ladder.rungs) - 1)]
        return (*found, 1.0)

    @property
    def words(self) -> str:
        """The point as a sentence calls it."""
        if self == TUNED_WHOLE:
            return "the weights as they were tuned"
        if self.way == "wise-ft":
            return f"{100 * self.alpha:.0f} % of every update (WiSE-FT)"
        return (
            f"{100 * self.alpha:.0f} % of the lowest block's update rising to all of the uppermost's (LiNeS)"
        )


TUNED_WHOLE = Point("wise-ft", 1.0)
SWEPT = (
    *(Point("wise-ft", tenths / 10) for tenths in range(1, 10)),
    *(Point("lines", quarters / 4) for quarters in range(4)),
)
"""The points that are tried beside the weights as they were tuned. The base itself is no tuned model: it is the probe's."""


def scale_of_each(names: list[str], ladder: Ladder, scales: tuple[float, ...]) -> dict[str, float]:
    """The share of its update that each tensor keeps. A buffer goes with its module's rung; what is on no rung never moved, or
    moved with the whole model, as the statistics of a norm around all blocks: it goes with the uppermost rung."""
    of_parameter = {name: at for at, rung in enumerate(ladder.rungs) for name in rung.parameters}
    of_module = {path: at for at, rung in enumerate(ladder.rungs) for path in rung.modules}
    top = len(ladder.rungs) - 1
    return {
        name: scales[of_parameter.get(name, of_module.get(name.rpartition(".")[0], top))] for name in names
    }


def interpolated(
    base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], scales: Mapping[str, float]
) -> dict[str, Tensor]:
    """base + scale (tuned - base), tensor by tensor; at 0 and at 1 they are the base's and the tuned ones, bit for bit.

    Whole numbers, such as a norm's count of batches, stay the tuned ones.
    """
    found = {}
    for name, end in tuned.items():
        start, scale = base[name], scales[name]
        mixed = end.is_floating_point() and 0 < scale < 1
        found[name] = torch.lerp(start.to(end.device), end, scale) if mixed else end if scale else start
    return found
