"""Adaptation of a sentence encoder: a text is known again though words were left out of it.

The changed view is that of TSDAE (Wang et al. 2021, arXiv:2104.06979, section 3.1), which has a decoder write the whole text.
Here the text is found among the others, as in SimCSE (Gao et al. 2021, arXiv:2104.08821, section 3), which takes no decoder.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from luthier.batches.examples import Batch, Examples
from luthier.devices import Device
from luthier.models.headed import HeadedModel
from luthier.predict import over_rows
from luthier.tasks.adaptation.recognising import Recognised, Recognising, surprises, surprises_of
from luthier.tasks.task import Loss, Model


@dataclass(frozen=True)
class TextAdaptation(Recognising):
    """A row is a text; its two parts are the text with words left out, and the whole text (batches/text_views.py)."""

    reads: ClassVar[str] = "views"  # type: ignore[misc]
    head: ClassVar[str] = "vector"

    def loss(self, model: Model, batch: Batch) -> Loss:
        vectors = model(batch)
        changed, whole = vectors[0::2], vectors[1::2]
        return Loss(surprises(changed, whole, batch.targets).sum(), len(batch.rows))

    @torch.inference_mode()
    def infer(self, model: HeadedModel, examples: Examples, device: Device) -> Recognised:
        found = np.zeros((2, len(examples), model.width), np.float32)
        model.eval()
        for batch in over_rows(examples, device):
            vectors = model(batch).float().cpu().numpy()
            found[0, batch.rows], found[1, batch.rows] = vectors[0::2], vectors[1::2]
        changed, whole = found
        return Recognised(whole, surprises_of(changed, whole, examples.targets))
