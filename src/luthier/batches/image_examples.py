"""Images as examples: decoded when they are wanted, kept where memory allows, varied in training."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from PIL import Image

from luthier.arrays import Array, Ints
from luthier.batches.augment import Augment, Blend, Pixels, augment, blend_of
from luthier.batches.examples import Batch, Examples, Variation

PATCH = 32
"""Pixels a side of the smallest patch that a network looks at as one: how often a weight is used follows from it."""
AT_ONCE = 8
"""Images in a batch that is only read: on two cores the next layer then finds what the last one wrote in the cache
(docs/engine.md)."""
KEPT_BYTES = 768_000_000
"""The most bytes of images that are kept decoded: all of 4,000 at 224 pixels, a few thousand of 100,000."""
SHOWN = 128
"""Pixels a side of an image in a report."""
THREADS = 2
"""Threads that decode images: more than the cores of a laptop would not help."""


class Shaping(Protocol):
    """How a model wants its images (models/readers/images.py)."""

    @property
    def size(self) -> int:
        """Pixels a side."""
        ...

    def shaped(self, image: Image.Image) -> Pixels:
        """The image as the model's processor cuts and scales it, (size, size, 3)."""
        ...


@dataclass
class DecodedImages:
    """A cache of decoded images, as many as have room in `KEPT_BYTES`."""

    most: int = KEPT_BYTES
    held: int = 0
    images: dict[tuple[int, str], Pixels] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: tuple[int, str]) -> Pixels | None:
        return self.images.get(key)

    def put(self, key: tuple[int, str], pixels: Pixels) -> None:
        with self.lock:
            if key not in self.images and self.held + pixels.nbytes <= self.most:
                self.images[key] = pixels
                self.held += pixels.nbytes


@dataclass(frozen=True)
class ImageExamples(Examples):
    """Examples of one image per row."""

    images: Array
    """(rows,) objects from which an image can be opened."""
    numbers: Ints
    """(rows,) identity of each image, which stays the same in every selection of the rows."""
    targets: Array
    shaping: Shaping
    augment: Augment | None = None
    """How images are varied in training; None where they are not."""
    mix: str | None = None
    """How images are blended with others in training: `mixup` or `cutmix`; None where they are not."""
    classes: int = 0
    """Number of labels, where labels are blended along with the images; else 0."""
    kept: DecodedImages = field(default_factory=DecodedImages)
    ahead: dict[Any, Future[Pixels]] = field(default_factory=dict)
    """The batch that is being prepared, by what was asked for."""

    tokens: ClassVar[None] = None  # type: ignore[misc]
    sources: ClassVar[None] = None  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def length(self) -> int:
        """What an image adds to the size of a batch, in tokens: one of 224 pixels counts as 2,048 tokens."""
        return max(1, 2 * self.shaping.size**2 // 49)

    @property
    def budget(self) -> int:  # type: ignore[override]
        return AT_ONCE * self.length

    @property
    def lengths(self) -> Ints:
        return np.full(len(self), self.length, np.int64)

    @property
    def amount(self) -> int:
        return len(self) * 2 * (self.shaping.size // PATCH) ** 2

    def select(self, rows: Ints) -> "ImageExamples":
        return replace(
            self, images=self.images[rows], numbers=self.numbers[rows], targets=self.targets[rows], ahead={}
        )

    def varied(self, settings: Augment | None, mix: str | None, classes: int) -> "ImageExamples":
        """The same rows, varied in another way."""
        return replace(self, augment=settings, mix=mix, classes=classes, ahead={})

    def shapes(self, batches: Sequence[Ints]) -> tuple[Ints, Ints]:
        counts = np.array([len(rows) for rows in batches], np.int64)
        return counts * self.length, np.full(len(batches), self.length, np.int64)

    def batch(self, rows: Ints, variation: Variation | None = None) -> Batch:
        """(rows, 3, size, size) bytes under `pixel_values`, channels last in memory: the model scales them."""
        coming = self.ahead.pop(asked(rows, variation), None)
        pixels = self.pixels(rows, variation) if coming is None else coming.result()
        return Batch(
            inputs={"pixel_values": torch.from_numpy(pixels).permute(0, 3, 1, 2)},
            part_of=torch.arange(len(rows)),
            targets=torch.from_numpy(self.learnt(rows, variation)),
            rows=rows,
            tokens=len(rows),
        )

    def expect(self, rows: Ints, variation: Variation | None = None) -> None:
        key = asked(rows, variation)
        if key not in self.ahead:
            self.ahead.clear()
            self.ahead[key] = POOLS.waiting.submit(self.pixels, rows, variation)

    def pixels(self, rows: Ints, variation: Variation | None) -> Pixels:
        """The decoded images of some rows, (rows, size, size, 3)."""
        return np.stack(list(POOLS.decoding.map(lambda row: self.seen(int(row), variation), rows)))

    def seen(self, row: int, variation: Variation | None) -> Pixels:
        """The image of a row, (size, size, 3), blended with another where that is wanted."""
        own, blend = self.pixels_of(row, variation), self.blend(row, variation)
        return own if blend is None else blend.of(own, self.pixels_of(blend.other, variation))

    def blend(self, row: int, variation: Variation | None) -> Blend | None:
        if self.mix is None or variation is None:
            return None
        number = int(self.numbers[row])
        return blend_of(self.mix, self.shaping.size, variation.seed, variation.epoch, number, len(self))

    @property
    def varies(self) -> bool:
        return self.augment is not None or self.mix is not None

    def sheet(self, seed: int, rows: int = 4, epochs: int = 4) -> Pixels | None:
        """A picture of some rows as training sees them: a line each, as the model reads it first, then as it is varied in the
        first epochs; None where they are not varied."""
        if not self.varies:
            return None
        lines = []
        for row in np.linspace(0, len(self) - 1, min(rows, len(self))).astype(int).tolist():
            looks = [self.pixels_of(row, None)]
            looks += [self.seen(row, Variation(seed, epoch)) for epoch in range(epochs)]
            small = [Image.fromarray(look).resize((SHOWN, SHOWN)) for look in looks]
            lines.append(np.concatenate([np.asarray(look) for look in small], axis=1))
        return np.concatenate(lines)

    def learnt(self, rows: Ints, variation: Variation | None) -> Array:
        """The targets of some rows, (rows, ...); where images are blended, the share of each class, (rows, classes)."""
        blends = [self.blend(row, variation) for row in rows.tolist()]
        found: Array = self.targets[rows]
        if None in blends:
            return found
        marks = (
            self.targets if self.targets.ndim == 2 else np.eye(self.classes, dtype=np.float32)[self.targets]
        )
        others = np.array([blend.other for blend in blends if blend is not None])
        shares = np.array([[blend.share] for blend in blends if blend is not None], np.float32)
        soft: Array = shares * marks[rows] + (1 - shares) * marks[others]
        return soft

    def pixels_of(self, row: int, variation: Variation | None) -> Pixels:
        """The image of a row, (size, size, 3), as the model's own processor makes it, or varied."""
        number = int(self.numbers[row])
        size = self.shaping.size
        if variation is None or self.augment is None:
            found = self.kept.get((number, "shaped"))
            if found is None:
                found = self.shaping.shaped(self.images[row].open())
                self.kept.put((number, "shaped"), found)
            return found
        whole = self.kept.get((number, "whole"))
        if whole is None:
            image = self.images[row].open(2 * size)
            image.thumbnail((2 * size, 2 * size))
            whole = np.asarray(image)
            self.kept.put((number, "whole"), whole)
        return augment(whole, size, variation.seed, variation.epoch, number, self.augment)


def asked(rows: Ints, variation: Variation | None) -> tuple[bytes, Variation | None]:
    return rows.tobytes(), variation


class Pools:
    """The threads that decode, and one that waits for them; each pool is started when it is first needed."""

    @cached_property
    def decoding(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(THREADS)

    @cached_property
    def waiting(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1)


POOLS = Pools()
"""The thread pools of this process."""
