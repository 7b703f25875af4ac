"""Adaptation of an encoder: it finds whole words that are hidden (Gururangan et al. 2020, arXiv:2004.10964, section 3)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from luthier.batches.examples import Examples
from luthier.devices import Device
from luthier.models.headed import HeadedModel
from luthier.predict import over_rows
from luthier.tasks.adaptation.reading import Reading
from luthier.tasks.chat.likelihood import MICRO_TOKENS
from luthier.tasks.chat.replies import Spoken
from luthier.tasks.chat.task import nothing_written
from luthier.tasks.task import Learning


@dataclass(frozen=True)
class MaskedAdaptation(Reading):
    """The hidden tokens of a text are learnt (batches/masked_texts.py); rows that are only asked always hide the same ones."""

    reads: ClassVar[str] = "masked"  # type: ignore[misc]
    head: ClassVar[str] = "masked"
    replays: ClassVar[bool] = False

    @property
    def learning(self) -> Learning:
        """The output layer gives a number for every token of the vocabulary at each place: pieces are small."""
        return Learning(micro_tokens=MICRO_TOKENS)

    @torch.inference_mode()
    def infer(self, model: HeadedModel, examples: Examples, device: Device) -> Spoken:
        losses, counts = np.zeros(len(examples)), np.zeros(len(examples), np.int64)
        model.eval()
        for batch in over_rows(examples, device):
            found = -model(batch).double().cpu().numpy()
            assert batch.marks is not None, "words are hidden"
            lines = torch.nonzero(batch.marks >= 0)[:, 0]
            row = batch.rows[batch.part_of[lines].cpu().numpy()]
            losses += np.bincount(row, found, len(losses))
            counts += np.bincount(row, minlength=len(losses))
        return Spoken(losses, counts, nothing_written())
