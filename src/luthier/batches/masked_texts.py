"""Texts of which some words are hidden, for a model to find: other words in each epoch."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from luthier import seeds
from luthier.arrays import Ints
from luthier.batches.examples import Batch, Variation
from luthier.batches.varied_texts import HELD_OUT, VariedTexts

SHARE = 0.15
"""Share of the tokens that are asked for (Devlin et al. 2019, arXiv:1810.04805, section 3.1)."""
HIDDEN, REPLACED = 0.8, 0.1
"""Shares of these that a mask takes the place of, and a random token; the rest stands as it is (the same section)."""
NOTHING = -1


@dataclass(frozen=True)
class MaskedTexts(VariedTexts):
    """Texts with whole words hidden (whole-word masking, as in Cui et al. 2019, arXiv:1906.08101, section 2.2)."""

    mask: int
    """Number of the token that stands for a hidden one."""
    others: Ints
    """Numbers of the tokens that may stand in the place of another one."""

    def batch(self, rows: Ints, variation: Variation | None = None) -> Batch:
        """Some rows with words hidden. `marks` are the numbers of the tokens that are asked for."""
        found = self.texts.batch(rows)
        ids = found.inputs["input_ids"].numpy()
        marks = np.full(ids.shape, NOTHING, np.int64)
        line = 0
        for row in rows.tolist():
            for part in range(self.texts.first_part[row], self.texts.first_part[row + 1]):
                begin, end = int(self.texts.ends[part]), int(self.texts.ends[part + 1])
                at = part - int(self.texts.first_part[row])
                chosen, shown = self.hidden(self.words[begin:end], row, at, variation or HELD_OUT)
                marks[line, chosen] = ids[line, chosen]
                ids[line, chosen] = np.where(shown == NOTHING, ids[line, chosen], shown)
                line += 1
        return replace(found, marks=torch.from_numpy(marks))

    def hidden(self, words: Ints, row: int, part: int, variation: Variation) -> tuple[Ints, Ints]:
        """The places of a part's tokens that are asked for, and the token that stands at each; -1 where its own does."""
        dice = seeds.generator(variation.seed, "masks", variation.epoch, int(self.numbers[row]), part)
        there, sizes = np.unique(words[words >= 0], return_counts=True)
        if not len(there):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        order = dice.permutation(len(there))
        wanted = max(1, round(SHARE * int(sizes.sum())))
        # The last word may go beyond what is wanted: one that does not fit would else never be asked for.
        taken = order[: int(np.searchsorted(np.cumsum(sizes[order]), wanted)) + 1]
        places = np.flatnonzero(np.isin(words, there[taken]))
        fate = dice.random(len(places))
        random = self.others[dice.integers(len(self.others), size=len(places))]
        shown = np.where(fate < HIDDEN, self.mask, np.where(fate < HIDDEN + REPLACED, random, NOTHING))
        return places, shown
