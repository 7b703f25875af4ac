"""Each text twice: whole, and with words left out, for a model that is to see that both are the same."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from luthier import seeds
from luthier.arrays import Bools, Ints
from luthier.batches.examples import Batch, Variation
from luthier.batches.varied_texts import HELD_OUT, VariedTexts

LEFT_OUT = 0.3
"""Share of the words that are left out of the second view (docs/unlabelled.md). TSDAE (arXiv:2104.06979, section 4.1) leaves out
0.6, for a decoder to write again, and sees little difference from 0.3 on."""


@dataclass(frozen=True)
class TextViews(VariedTexts):
    """Texts of one part each, of which a batch holds two parts: the text with words left out, and the whole text.

    Dropout differs between the two parts, as in SimCSE (arXiv:2104.08821, section 3).
    """

    views: ClassVar[int] = 2

    @property
    def units(self) -> int:
        return self.views * len(self)

    @property
    def unit_ends(self) -> Ints | None:
        return self.views * np.arange(len(self) + 1)

    def batch(self, rows: Ints, variation: Variation | None = None) -> Batch:
        """Some rows, two parts each: with words left out, then whole."""
        plain = self.texts.batch(rows)
        width = plain.inputs["input_ids"].shape[1]
        inputs = {name: tensor.repeat_interleave(2, dim=0) for name, tensor in plain.inputs.items()}
        for line, row in enumerate(rows.tolist()):
            begin, end = int(self.texts.ends[row]), int(self.texts.ends[row + 1])
            kept = np.flatnonzero(self.kept(self.words[begin:end], row, variation or HELD_OUT))
            moved = torch.from_numpy(kept)
            for name, tensor in inputs.items():
                empty = self.texts.pad if name == "input_ids" else 0
                shorter = torch.full((width,), empty, dtype=tensor.dtype)
                shorter[: len(kept)] = plain.inputs[name][line, moved]
                tensor[2 * line] = shorter
        tokens = int(inputs["attention_mask"].sum())
        part_of = torch.arange(len(rows)).repeat_interleave(2)
        return replace(plain, inputs=inputs, part_of=part_of, tokens=tokens)

    def kept(self, words: Ints, row: int, variation: Variation) -> Bools:
        """(tokens,) which tokens of a text stand in its second view: those of one word at the least, and the special ones."""
        dice = seeds.generator(variation.seed, "words left out", variation.epoch, int(self.numbers[row]))
        there = np.unique(words[words >= 0])
        if not len(there):
            return np.ones(len(words), bool)
        chances = dice.random(len(there))
        gone = there[(chances < LEFT_OUT) & (chances < chances.max())]
        return ~np.isin(words, gone)
