"""Images varied for training: pure functions of (seed, epoch, row) or (seed, step), so a run can go on anywhere."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from luthier import seeds

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
"""An RGB image of shape (height, width, 3), one byte a channel."""
Numbers = np.ndarray[Any, np.dtype[np.float64]]

TRIES = 10
"""The most crops that are drawn to find one that lies within the image."""
RATIO = (3 / 4, 4 / 3)
"""Width over height of a crop (Szegedy et al. 2015, arXiv:1409.4842, section 6)."""
ERASED_AREA = (0.02, 1 / 3)
ERASED_RATIO = (0.3, 1 / 0.3)
"""Ranges of an erased rectangle: its share of the image, and its height over its width (Zhong et al. 2017, arXiv:1708.04896,
section 4.1; the largest share is that of timm)."""
REDUCING_GAP = 3.0
"""Large images are first shrunk in whole steps: at 3 the result is as good as without (Pillow's documentation of `resize`)."""
MIXUP_ALPHA = 0.2
GREY = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in an image's brightness (ITU-R BT.601)."""


@dataclass(frozen=True)
class Augment:
    """How much images are varied in training. A setting of zero, or a `min_area` of 1, turns its variation off."""

    min_area: float = 0.08
    """Least share of the image that a crop holds, in (0, 1]; with 1 the whole image is scaled."""
    flip: float = 0.5
    """Chance that left and right change places. Zero where that changes the label: digits, letters, hands."""
    jitter: float = 0.4
    """Brightness, contrast and saturation are multiplied by 1 - jitter to 1 + jitter."""
    erase: float = 0.0
    """Chance that a rectangle is filled with noise."""


def augment(
    image: Image.Image | Pixels, size: int, seed: int, epoch: int, row: int, settings: Augment
) -> Pixels:
    """(size, size, 3) what a row looks like in an epoch: the same bytes whatever batch it is in.

    image: RGB; as an array (height, width, 3).
    """
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    rng = seeds.generator(seed, "augment", epoch, row)
    # All is drawn, used or not, so that the crop stays the same when something else is switched on.
    crops, flips, factors = rng.random((TRIES, 4)), rng.random(), 1 - 2 * rng.random(3)
    erased, chances = rng.random(), rng.random(4)

    box = crop_box(image.width, image.height, settings.min_area, crops)
    found = image.resize((size, size), Image.Resampling.BICUBIC, box, REDUCING_GAP)
    if flips < settings.flip:
        found = found.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if settings.jitter:
        found = jittered(found, *(1 + settings.jitter * factors))
    pixels: Pixels = np.array(found)
    if erased < settings.erase:
        top, left, high, wide = rectangle(size, chances)
        pixels[top : top + high, left : left + wide] = rng.integers(0, 256, (high, wide, 3), np.uint8)
    return pixels


def crop_box(width: int, height: int, min_area: float, drawn: Numbers) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a random crop, in pixels.

    Its share of the image is uniform in [min_area, 1] and the logarithm of its ratio in that of `RATIO`, as torchvision draws
    them. When no try lies within the image, the largest one in its middle. drawn: (tries, 4), uniform in [0, 1).
    """
    if min_area >= 1:
        return 0.0, 0.0, float(width), float(height)
    areas = width * height * (min_area + (1 - min_area) * drawn[:, 0])
    ratios = between(RATIO, drawn[:, 1])
    wide, high = np.sqrt(areas * ratios), np.sqrt(areas / ratios)
    fits = np.flatnonzero((wide <= width) & (high <= height))
    if not len(fits):
        ratio = min(max(width / height, RATIO[0]), RATIO[1])
        across, down = min(width, height * ratio), min(height, width / ratio)
        return (width - across) / 2, (height - down) / 2, (width + across) / 2, (height + down) / 2
    first = fits[0]
    left, top = drawn[first, 2:] * (width - wide[first], height - high[first])
    return float(left), float(top), float(left + wide[first]), float(top + high[first])


def between(limits: tuple[float, float], drawn: Numbers) -> Numbers:
    """Numbers whose logarithms are uniform between those of the limits."""
    low, high = map(math.log, limits)
    found: Numbers = np.exp(low + (high - low) * drawn)
    return found


def jittered(image: Image.Image, brightness: float, contrast: float, saturation: float) -> Image.Image:
    """Brightness, contrast and saturation changed in turn, as one linear map of the colours that is clipped once, at the end.

    Contrast moves colours from the image's mean grey, saturation from the grey of the pixel, as torchvision defines them.
    """
    grey = np.tile(GREY, (3, 1))
    mean = float(GREY @ np.asarray(image).mean((0, 1)))
    matrix = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * grey)
    offset = brightness * (1 - contrast) * mean
    return image.convert("RGB", tuple(np.column_stack([matrix, np.full(3, offset)]).ravel().tolist()))


def rectangle(size: int, drawn: Numbers) -> tuple[int, int, int, int]:
    """Top, left, height and width of what is erased. drawn: (4,), uniform in [0, 1)."""
    low, high = ERASED_AREA
    area = size * size * (low + (high - low) * drawn[0])
    ratio = between(ERASED_RATIO, drawn[1])
    down, across = (
        min(size, max(1, round(float(side)))) for side in (np.sqrt(area * ratio), np.sqrt(area / ratio))
    )
    return int(drawn[2] * (size - down + 1)), int(drawn[3] * (size - across + 1)), down, across


@dataclass(frozen=True)
class Blend:
    """How a row is blended with another one."""

    other: int
    """The row that it is blended with."""
    share: float
    """Share of the row's own image that is left, in [0, 1]."""
    box: tuple[int, int, int, int] | None
    """Top, bottom, left and right of the box that is taken from the other image, in pixels; None: both are blended wholly."""

    def of(self, image: Pixels, other: Pixels) -> Pixels:
        """The blend of two images of one size."""
        if self.box is None:
            blended = self.share * image.astype(np.float32) + (1 - self.share) * other.astype(np.float32)
            return np.rint(blended).astype(np.uint8)
        top, bottom, left, right = self.box
        found = image.copy()
        found[top:bottom, left:right] = other[top:bottom, left:right]
        return found


def blend_of(how: str, size: int, seed: int, epoch: int, row: int, rows: int) -> Blend:
    """What a row of `rows` is blended with in an epoch.

    how: `mixup`, both wholly, by a share of beta(0.2, 0.2) (Zhang et al. 2017, arXiv:1710.09412, section 3.1); `cutmix`, a
    square whose middle lies anywhere, by a share that is uniform, and what reaches beyond the edge is cut off (Yun et al.
    2019, arXiv:1905.04899, section 3.1 and the authors' code). The papers draw one share for a batch; here each row has its
    own, so that a step split in four is the step whole.
    """
    rng = seeds.generator(seed, "blend", epoch, row)
    other = int(rng.integers(rows))
    if how == "mixup":
        return Blend(other, float(rng.beta(MIXUP_ALPHA, MIXUP_ALPHA)), None)
    side = round(size * math.sqrt(rng.random()))
    (top, bottom), (left, right) = (interval(size, side, int(rng.integers(size))) for _ in range(2))
    return Blend(other, 1 - (bottom - top) * (right - left) / size**2, (top, bottom, left, right))


def interval(length: int, wanted: int, middle: int) -> tuple[int, int]:
    """Begin and end of a stretch around a point, cut where it reaches beyond 0 or `length`.

    >>> interval(10, 4, 5), interval(10, 4, 0)
    ((3, 7), (0, 2))
    """
    begin = middle - wanted // 2
    return max(0, begin), min(length, begin + wanted)
