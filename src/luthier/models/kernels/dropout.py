"""Dropout as a pure function of (seed, step, row, place): the same for a row whatever batch it travels in.

torch draws its masks one after the other from one stream, which on a CPU costs more than any other small operation of a
training step, and gives a row another mask when its step is cut into other micro-batches. Here an element's fate is a
hash of where it is: nothing to carry along when a run is resumed, and a step split in four drops what the step whole drops.
"""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from luthier import seeds
from luthier.batches.examples import Batch


def signed(number: int) -> int:
    """A number modulo 2**32 as torch's int32 holds it.

    >>> signed(0xFFFFFFFF)
    -1
    """
    number &= 0xFFFFFFFF
    return number - 2**32 if number >= 2**31 else number


STRIDES = tuple(map(signed, (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1)))
"""Odd numbers that spread coordinates over 32 bits: an element's number depends on its place, not on the tensor's shape."""
MIX = tuple(map(signed, (0x7FEB352D, 0x846CA68B)))
"""Multipliers of a 32-bit mixing function with low bias (https://nullprogram.com/blog/2018/07/31/, "lowbias32")."""


@dataclass(frozen=True)
class Drawn:
    """A mask that is decided: any of its parts may be written out at any time, as often as they are wanted."""

    seeds: Tensor
    """(parts, 1) int32, the seed of each part's mask."""
    places: Tensor
    """(1, elements of a part / 2) int32, numbers of the pairs of neighbouring elements."""
    shape: tuple[int, ...]
    """Shape of one part's mask."""
    p: float

    def of(self, parts: slice, like: Tensor) -> Tensor:
        """The masks of all parts written out, (parts, *shape), in the precision of `like`."""
        bits = mix(self.seeds[parts] ^ self.places)
        # Two elements share a hash: its halves are as independent as two hashes, at half the cost.
        halves = bits.view(torch.int16) >> 1
        # -1, all bits set, where it is kept: the sign of a difference is cheaper on a CPU than a comparison and a cast.
        kept = halves.sub_(round((1 - self.p) * 32_768) - 16_384).bitwise_right_shift_(15)
        kept = kept.view(len(bits), *self.shape[:-1], -1)[..., : self.shape[-1]]
        if like.dtype == torch.bfloat16:
            return (kept & bits_of(1 / (1 - self.p))).view(torch.bfloat16)
        return kept.to(like.dtype).mul_(-1 / (1 - self.p))


@dataclass
class Dice:
    """What decides every dropout mask of the batch that is going through a model."""

    keys: Tensor | None = None
    """(parts,) int32: a hash of seed, step and row for each part of the batch; None outside of training."""
    call: int = 0
    """Number of masks drawn for this batch, so that no two layers share one."""
    places: dict[tuple[int, ...], Tensor] = field(default_factory=dict)
    """Numbers of the elements of a part by its shape, as they are asked for at every step."""

    def throw(self, seed: int, step: int, batch: Batch) -> None:
        """Set the masks for a batch of a training step."""
        base = signed(seeds.derive(seed, "dropout", step))
        part_of = batch.part_of.numpy() if batch.part_of.device.type == "cpu" else batch.part_of.cpu().numpy()
        first = np.searchsorted(part_of, part_of)  # of the parts of its row
        numbers = batch.rows[part_of] * 1_000_003 + np.arange(len(part_of)) - first
        keys = torch.from_numpy(numbers.astype(np.int32)) * STRIDES[3] + base
        self.keys, self.call = mix(keys).to(batch.part_of.device), 0

    def mask(self, like: Tensor, shape: tuple[int, ...], p: float) -> Tensor | None:
        """`shape` numbers that are 0 with probability `p` (to 1/32,768) and 1 / (1 - p) else; None when they cannot be ours."""
        drawn = self.draw(shape, p)
        return None if drawn is None else drawn.of(slice(None), like)

    def draw(self, shape: tuple[int, ...], p: float) -> "Drawn | None":
        """The same mask before it is written out; None when it cannot be ours.

        shape: (parts, ...), or (parts x n, ...) where a model cuts its input into n pieces.
        """
        if self.keys is None or shape[0] % len(self.keys):
            return None
        keys = self.keys
        if shape[0] != len(keys):
            pieces = shape[0] // len(keys)
            inner = torch.arange(pieces, dtype=torch.int32, device=keys.device) * STRIDES[4]
            keys = (keys[:, None] + inner).reshape(-1)
        self.call += 1
        seeded = (keys + signed(self.call * STRIDES[1])).unsqueeze(1)
        return Drawn(seeded, self.places_of(shape[1:], keys.device), shape[1:], p)

    def places_of(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """(1, elements / 2) int32, numbers of pairs of neighbours in a tensor of this shape."""
        if shape not in self.places:
            if len(self.places) > 1_000:
                self.places.clear()  # texts of a thousand lengths went by
            pairs = (*shape[:-1], (shape[-1] + 1) // 2)
            numbers = torch.zeros(pairs, dtype=torch.int32, device=device)
            for level, count in enumerate(pairs):
                along = torch.arange(count, dtype=torch.int32, device=device) * STRIDES[level % len(STRIDES)]
                numbers = numbers + along.view([-1] + [1] * (len(pairs) - level - 1))
            self.places[shape] = numbers.reshape(1, -1)
        return self.places[shape]


@cache
def bits_of(number: float) -> int:
    """A number's bf16 bits as int16 holds them.

    >>> hex(bits_of(1.0))
    '0x3f80'
    """
    return int(torch.tensor(number, dtype=torch.bfloat16).view(torch.int16))


def mix(bits: Tensor) -> Tensor:
    """Each int32 hashed, in place. torch shifts signs along with the bits; the masks take them out."""
    bits ^= (bits >> 16).bitwise_and_(0xFFFF)
    bits *= MIX[0]
    bits ^= (bits >> 15).bitwise_and_(0x1FFFF)
    bits *= MIX[1]
    bits ^= (bits >> 16).bitwise_and_(0xFFFF)
    return bits


DICE = Dice()
"""The dice of this process, which has one as torch has one generator."""


class Dropout(nn.Module):
    """nn.Dropout with masks from `DICE` in training; where those cannot serve, torch's own."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return values
        mask = DICE.mask(values, tuple(values.shape), self.p)
        return nn.functional.dropout(values, self.p) if mask is None else values * mask

    def extra_repr(self) -> str:
        return f"p={self.p}"


def use_hashed_dropout(model: nn.Module) -> None:
    """Put `Dropout` in the place of every nn.Dropout of a model."""
    for name, module in list(model.named_modules()):
        if type(module) is nn.Dropout:
            model.set_submodule(name, Dropout(module.p).train(module.training))
