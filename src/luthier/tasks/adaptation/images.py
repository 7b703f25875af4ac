"""Adaptation of a model of images: an image that was changed is known again by the features of the image as it is.

These are the features that the model as it came has: it is its own teacher (self-distillation; in SEED, Fang et al. 2021,
arXiv:2101.04731, section 3, it is another model). The teacher stands still, so that features cannot all become alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from luthier.arrays import Array, Floats, Ints
from luthier.batches.augment import Augment
from luthier.batches.examples import Batch, Examples, Variation
from luthier.batches.image_examples import ImageExamples
from luthier.devices import Device
from luthier.models.headed import HeadedModel
from luthier.predict import all_features_of, features_of
from luthier.tasks.adaptation.recognising import Recognised, Recognising, surprises, surprises_of
from luthier.tasks.reference import Reference
from luthier.tasks.task import Loss, Model, Task

CHANGED = Augment(min_area=0.5, jitter=0.2, flip=0.5)
"""How images are changed that are only asked: as `--augment light` changes those of training."""
HELD_OUT = Variation(0, -1)
"""What decides how they are changed: always alike."""


@dataclass(frozen=True)
class ImageAdaptation(Recognising):
    """A row is an image; its target, once the model as it came has seen it, is the feature vector that it had there."""

    reads: ClassVar[str] = "image"  # type: ignore[misc]
    head: ClassVar[str] = "pixels"

    @property
    def reference(self) -> Reference:
        return OwnTeacher()

    def loss(self, model: Model, batch: Batch) -> Loss:
        features = model(batch)
        return Loss(
            surprises(features, taught(batch.targets, features.detach()), None).sum(), len(batch.rows)
        )

    @torch.inference_mode()
    def infer(self, model: HeadedModel, examples: Examples, device: Device) -> Recognised:
        assert isinstance(examples, ImageExamples), "rows are images"
        whole = all_features_of(model, examples, device)
        changed = np.zeros_like(whole)
        if (
            examples.targets.ndim == 1
        ):  # of a finished model: there is no teacher, and only vectors are wanted
            return Recognised(whole, np.zeros(len(examples)))
        varied = examples.varied(CHANGED, None, 0)
        model.eval()
        for rows in varied.by_length():
            batch = varied.batch(rows, HELD_OUT).to(device.torch)
            changed[rows] = model.features(batch).float().cpu().numpy()
        return Recognised(whole, surprises_of(changed, examples.targets.astype(np.float32), None))


def taught(targets: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """(rows, width) the teacher's vectors; the model's own before it was asked for these, as steps are tried out."""
    return targets.to(own.dtype) if targets.ndim == 2 else own


class OwnTeacher(Reference):
    """The features of the model as it came."""

    def told(
        self, task: Task[Any, Any], model: HeadedModel, examples: Examples, device: Device
    ) -> Iterator[tuple[Ints, Floats]]:
        for batch, _, values in features_of(model, examples, device):
            yield batch.rows, values

    def given(self, task: Task[Any, Any], examples: Examples, values: Array) -> Examples:
        assert isinstance(examples, ImageExamples), "rows are images"
        return replace(examples, targets=values.astype(np.float32))
