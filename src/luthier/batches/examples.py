"""Tokenised rows, kept flat: no padding, no object per row."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]

MULTIPLE = 4
"""Of tokens, to which batches are padded: on a CPU each new width is compiled, which takes time and memory (docs/engine.md)."""


@dataclass(frozen=True)
class Batch:
    """Rows ready for a model."""

    inputs: dict[str, torch.Tensor]
    """`input_ids` and `attention_mask`, both (parts, tokens): padded to the longest part of the batch."""
    part_of: torch.Tensor
    """(parts,) position in the batch of the row a part belongs to. Without windows it just counts up."""
    targets: torch.Tensor
    """(rows, ...) what the task learns from; as the task's `targets` made them."""
    rows: Ints
    """(rows,) positions in the Examples."""
    tokens: int
    """Real tokens, without padding."""

    def to(self, device: torch.device) -> "Batch":
        if device.type == "cpu":
            return self
        moved = {name: tensor.to(device, non_blocking=True) for name, tensor in self.inputs.items()}
        return Batch(moved, self.part_of.to(device), self.targets.to(device), self.rows, self.tokens)


@dataclass(frozen=True)
class Examples:
    """Texts as token numbers. A row has one part, or several when a long text is read in windows."""

    ids: np.ndarray[tuple[int], np.dtype[np.int32]]
    """All token numbers, part after part."""
    ends: Ints
    """(parts + 1,) where each part begins in `ids`, and the end."""
    first_part: Ints
    """(rows + 1,) the first part of each row, and the number of parts."""
    targets: np.ndarray[Any, np.dtype[Any]]
    """(rows, ...) what the task learns from."""
    pad: int
    """Token number that fills a batch up."""

    def __len__(self) -> int:
        return len(self.first_part) - 1

    @property
    def lengths(self) -> Ints:
        """(rows,) tokens of each row with its parts padded as a batch of it alone would be: its share of a batch."""
        if len(self) == 0:
            return np.zeros(0, np.int64)
        longest = np.maximum.reduceat(np.diff(self.ends), self.first_part[:-1])
        found: Ints = np.diff(self.first_part) * self.padded(longest)
        return found

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest part."""
        return int(np.diff(self.ends).max(initial=0))

    def padded(self, widths: Ints) -> Ints:
        """Widths as batches have them: rounded up to `MULTIPLE`, but never beyond what a model was seen to read.

        >>> from types import SimpleNamespace
        >>> Examples.padded(SimpleNamespace(longest=62), np.array([5, 61])).tolist()
        [8, 62]
        """
        found: Ints = np.minimum(-(-widths // MULTIPLE) * MULTIPLE, self.longest)
        return found

    def select(self, rows: Ints) -> "Examples":
        """The Examples of some rows, in the order given."""
        counts = self.first_part[rows + 1] - self.first_part[rows]
        parts = runs(self.first_part[rows], counts)
        lengths = self.ends[parts + 1] - self.ends[parts]
        return Examples(
            ids=self.ids[runs(self.ends[parts], lengths)],
            ends=np.concatenate([[0], np.cumsum(lengths)]),
            first_part=np.concatenate([[0], np.cumsum(counts)]),
            targets=self.targets[rows],
            pad=self.pad,
        )

    def parts(self, row: int | np.int64) -> range:
        return range(int(self.first_part[row]), int(self.first_part[row + 1]))

    def batch(self, rows: Ints) -> Batch:
        """Some rows, padded to their longest part, or a little beyond."""
        spans = [(place, part) for place, row in enumerate(rows) for part in self.parts(row)]
        widest = max(int(self.ends[part + 1] - self.ends[part]) for _, part in spans)
        width = int(self.padded(np.array([widest]))[0])
        ids = np.full((len(spans), width), self.pad, np.int64)
        mask = np.zeros((len(spans), width), np.int64)
        for line, (_, part) in enumerate(spans):
            numbers = self.ids[self.ends[part] : self.ends[part + 1]]
            ids[line, : len(numbers)] = numbers
            mask[line, : len(numbers)] = 1
        return Batch(
            inputs={"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)},
            part_of=torch.tensor([place for place, _ in spans]),
            targets=torch.from_numpy(self.targets[rows]),
            rows=rows,
            tokens=int(mask.sum()),
        )


def runs(begins: Ints, lengths: Ints) -> Ints:
    """The positions of several runs, one after the other.

    >>> runs(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    offsets = np.cumsum(lengths) - lengths
    positions: Ints = np.arange(int(lengths.sum())) + np.repeat(begins - offsets, lengths)
    return positions
