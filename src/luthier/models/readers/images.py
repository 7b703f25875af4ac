"""Images as a model wants them: its own processor's size and normalisation, done fast, and compared with it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from luthier.arrays import Array
from luthier.batches.augment import Pixels
from luthier.batches.image_examples import ImageExamples
from luthier.errors import LuthierError, ModelError, first_line
from luthier.models.hub.inspect import IMAGE_PROCESSOR, Folder
from luthier.models.hub.json_file import read_object
from luthier.models.hub.pretrained import folder_config
from luthier.models.hub.settings import wrong
from luthier.models.quiet import quiet
from luthier.models.readers.texts import Long

MOST_PIXELS = 4_096
"""The most pixels of a side of the image that a model may ask for; known ones ask for 1,536 at the most."""
CLOSE = 1e-3
"""Largest difference of a pixel, in the model's units, at which our way counts as the processor's."""
SMALL_CONVNEXT = 384
"""ConvNeXt's processor crops images only below this size (Liu et al. 2022, arXiv:2201.03545, as transformers has it)."""


@dataclass(frozen=True)
class Preparation:
    """From an image to (size, size, 3) bytes, and from these to what the model reads."""

    size: int
    short_side: int | None
    """Pixels of the shorter side before the middle is cut out; None: the image is squeezed into the square."""
    resample: int
    """The method of interpolation, as Pillow numbers it."""
    scale: float
    mean: tuple[float, ...]
    spread: tuple[float, ...]

    def shaped(self, image: Image.Image) -> Pixels:
        """The image cut and scaled, (size, size, 3)."""
        resample = Image.Resampling(self.resample)
        if self.short_side is None:
            return np.asarray(image.resize((self.size, self.size), resample))
        wide, high = image.size
        if wide <= high:
            target = self.short_side, int(self.short_side * high / wide)
        else:
            target = int(self.short_side * wide / high), self.short_side
        found = np.asarray(image.resize(target, resample))
        return middle(found, self.size)

    def numbers(self, pixels: Pixels) -> Array:
        """The pixels as the model reads them, (3, size, size)."""
        found: Array = ((pixels * self.scale - np.array(self.mean)) / np.array(self.spread)).transpose(
            2, 0, 1
        )
        return found


def middle(pixels: Pixels, size: int) -> Pixels:
    """The square in the middle; what is too small gets a black margin."""
    high, wide = pixels.shape[:2]
    if high < size or wide < size:
        tall, broad = max(high, size), max(wide, size)
        top, left = -(-(tall - high) // 2), -(-(broad - wide) // 2)
        larger = np.zeros((tall, broad, 3), np.uint8)
        larger[top : top + high, left : left + wide] = pixels
        pixels, (high, wide) = larger, (tall, broad)
    top, left = (high - size) // 2, (wide - size) // 2
    found: Pixels = pixels[top : top + size, left : left + size]
    return np.ascontiguousarray(found)


class ImageReader:
    """A model's image processor. `examples` is all the rest of luthier needs of it."""

    def __init__(self, folder: Folder) -> None:
        """Raises ModelError for a processor that prepares images in a way that is not known here."""
        from transformers import AutoImageProcessor

        file = folder.path / IMAGE_PROCESSOR
        check_processor(file)
        config = folder_config(folder, None)
        try:
            with quiet():
                self.processor: Any = AutoImageProcessor.from_pretrained(
                    folder.path, config=config, trust_remote_code=False, local_files_only=True, backend="pil"
                )
            check_numbers(file, self.processor.to_dict())
            self.preparation = preparation_of(folder, self.processor)
        except LuthierError:
            raise
        except Exception as error:  # of many kinds; each means that the processor is of no use
            raise ModelError(
                f"{file}: transformers cannot use it ({type(error).__name__}: {first_line(error)[:200]}). "
                "Copy it again from where the model came from."
            ) from error

    @property
    def texts(self) -> None:
        """What reads texts: nobody here."""
        return

    def general(self, texts: Sequence[str]) -> None:
        """Texts that belong to no task: they are read by nobody here."""
        return

    def reads_as(self, other: object) -> bool:
        """Whether another reader prepares images alike."""
        return isinstance(other, ImageReader) and other.preparation == self.preparation

    def examples(self, images: Sequence[Any], targets: Array) -> tuple[ImageExamples, Long]:
        """Images that can be opened, as examples."""
        held = np.empty(len(images), object)
        held[:] = list(images)
        numbers = np.arange(len(images))
        none = np.zeros(len(images), np.int64)
        return ImageExamples(held, numbers, targets, self.preparation), Long(0, 0, 0, "cut", none, none)


def check_processor(file: Path) -> None:
    """Raise ModelError for sizes and numbers with which no image can be prepared, in the file of an image processor itself and in
    the one that a processor of several kinds would have beside it."""
    check_numbers(file, read_object(file))
    beside = file.parent / "processor_config.json"
    for part in ("image_processor", "feature_extractor"):
        inner = read_object(beside).get(part)
        if inner is not None and not isinstance(inner, dict):
            raise ModelError(
                f"{beside}: {part} is {str(repr(inner))[:60]}. Expected its settings. Fetch or copy it again."
            )
        check_numbers(beside, inner or {})


def check_numbers(file: Path, settings: dict[str, Any]) -> None:
    """Raise ModelError for settings of an image processor that no image can be prepared with."""
    for key in ("size", "crop_size"):
        sizes = settings.get(key)
        several = sizes if isinstance(sizes, list) else [sizes]
        numbers = list(sizes.values()) if isinstance(sizes, dict) else several
        for number in numbers:
            if number is not None and (type(number) is not int or not 1 <= number <= MOST_PIXELS):
                raise wrong(file, key, sizes, f"whole numbers of pixels, 1 to {MOST_PIXELS:,}")
    for key in ("image_mean", "image_std"):
        colours = settings.get(key)
        fits = isinstance(colours, list | tuple) and len(colours) == 3 and all(map(is_finite, colours))
        if colours is not None and not (fits and (key == "image_mean" or all(one > 0 for one in colours))):
            above = " above 0" if key == "image_std" else ""
            raise wrong(file, key, colours, f"three numbers{above}, one for each colour")
    for key, most in (("rescale_factor", 1e6), ("crop_pct", 1.0)):
        number = settings.get(key)
        if number is not None and not (is_finite(number) and 0 < number <= most):
            raise wrong(file, key, number, f"a number above 0, {most:,.0f} at the most")
    resample = settings.get("resample")
    if resample is not None and (not isinstance(resample, int) or resample not in list(Image.Resampling)):
        raise wrong(file, "resample", resample, "a number from 0 to 5, as Pillow counts its ways to resize")


def is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def preparation_of(folder: Folder, processor: Any) -> Preparation:
    """The preparation that a processor does, found in its settings and compared with its result for two images."""
    settings = processor.to_dict()
    size, crop = settings.get("size") or {}, settings.get("crop_size") or {}
    short: int | None = None
    side = size.get("height")
    if "shortest_edge" in size:
        short = int(size["shortest_edge"])
        side = crop.get("height") if settings.get("do_center_crop") and crop else short
        if "crop_pct" in settings and short < SMALL_CONVNEXT:
            short = int(short / settings["crop_pct"])
        elif "crop_pct" in settings:
            short = None
    elif settings.get("do_center_crop") and crop:
        side = None  # squeezed first and cut then: no model that we know does so
    found = Preparation(
        size=int(side or 0),
        short_side=short,
        resample=int(settings.get("resample", 2)),
        scale=float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0,
        mean=tuple(settings["image_mean"]) if settings.get("do_normalize") else (0.0,) * 3,
        spread=tuple(settings["image_std"]) if settings.get("do_normalize") else (1.0,) * 3,
    )
    if not found.size or not agrees(found, processor):
        raise ModelError(
            f"{folder.path / 'preprocessor_config.json'}: {type(processor).__name__} prepares images in a way that luthier "
            "does not know: it knows resizing to a square, and to a shorter side with the middle cut out."
        )
    return found


def agrees(found: Preparation, processor: Any) -> bool:
    """Whether our way and the processor's give the same for a wide and a tall image."""
    random = np.random.default_rng(0)
    for shape in ((31, 47, 3), (90, 60, 3)):
        coarse = Image.fromarray(random.integers(0, 256, shape, np.uint8))
        image = coarse.resize((shape[1] * 6, shape[0] * 6), Image.Resampling.BICUBIC)
        theirs = np.asarray(processor(image, return_tensors="np")["pixel_values"][0])
        ours = found.numbers(found.shaped(image))
        if theirs.shape != ours.shape or np.abs(theirs - ours).max() > CLOSE:
            return False
    return True
