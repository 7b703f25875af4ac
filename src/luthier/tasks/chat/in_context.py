"""Conversations with examples before them: the honest rival of tuning, which costs a longer prompt with every answer."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from luthier.arrays import Ints
from luthier.batches.conversations import Conversation
from luthier.batches.examples import Examples
from luthier.batches.sequences import Sequences
from luthier.tasks.in_context import InContext


class Demonstrations(InContext):
    """Whole conversations as earlier turns of the one that is asked (Brown et al. 2020, arXiv:2005.14165, section 2)."""

    def before(self, shown: Sequence[Conversation], row: Conversation) -> Conversation:
        """The row's own system turns come first; those of the others, which say the same or do not belong here, are left out."""
        own = [turn for turn in row.turns if turn["role"] == "system"]
        earlier = [turn for one in shown for turn in one.turns if turn["role"] != "system"]
        rest = [turn for turn in row.turns if turn["role"] != "system"]
        return replace(row, turns=(*own, *earlier, *rest))

    def lengths(self, alone: Examples) -> Ints:
        assert isinstance(alone, Sequences), "conversations are sequences"
        most = 0 if alone.writer is None else alone.writer.most
        found: Ints = np.maximum(alone.lengths, alone.prompts + most)
        return found

    def of_row_alone(self, examples: Examples, alone: Examples) -> Examples:
        """As many tokens at the end of each row are learnt as in the row alone: those of its own answers."""
        assert isinstance(examples, Sequences), "conversations are sequences"
        assert isinstance(alone, Sequences), "conversations are sequences"
        counts = np.add.reduceat(alone.trained, alone.ends[:-1], dtype=np.int64)
        trained = examples.trained.copy()
        for begin, end, count in zip(examples.ends[:-1], examples.ends[1:], counts, strict=True):
            own = trained[begin:end]
            own[np.flatnonzero(own)[: max(0, int(own.sum()) - count)]] = False
        return replace(examples, trained=trained)
