"""Rows ready for a model, whatever they are made of."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from luthier.batches.tokens import Tokens

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Batch:
    """Rows ready for a model."""

    inputs: dict[str, torch.Tensor]
    """`input_ids` and `attention_mask`, both (parts, tokens), padded to the longest part of the batch, and `token_type_ids`
    where the model tells two texts of a part by them."""
    part_of: torch.Tensor
    """(parts,) position in the batch of the row a part belongs to. Without windows it just counts up."""
    targets: torch.Tensor
    """(rows, ...) what the task learns from; as the task's `targets` made them."""
    rows: Ints
    """(rows,) positions in the Examples."""
    tokens: int
    """Real tokens, without padding."""
    marks: torch.Tensor | None = None
    """(parts, tokens) what is learnt at each token, where a task answers token by token; -1 where there is nothing."""

    def to(self, device: torch.device) -> "Batch":
        if device.type == "cpu":
            return self
        moved = {name: tensor.to(device, non_blocking=True) for name, tensor in self.inputs.items()}
        marks = None if self.marks is None else self.marks.to(device)
        return Batch(moved, self.part_of.to(device), self.targets.to(device), self.rows, self.tokens, marks)


@dataclass(frozen=True)
class Variation:
    """What decides how a row looks in training: rows are varied alike whenever these are alike."""

    seed: int
    epoch: int


class Examples(ABC):
    """Rows and what is learnt from them."""

    targets: Array
    """(rows, ...) what the task learns from."""
    tokens: Tokens | None
    """Where a task answers token by token."""
    sources: Array | None
    """(rows,) what a task needs of a row to put its answer in the user's terms."""
    budget: int
    """Size of a batch when nothing is learnt, in units of `lengths`: larger ones are no faster."""

    @abstractmethod
    def __len__(self) -> int:
        """Rows."""

    @property
    @abstractmethod
    def lengths(self) -> Ints:
        """(rows,) what each row adds to a batch: its padded tokens, or as much for an image."""

    @property
    @abstractmethod
    def amount(self) -> int:
        """How often a weight is used in a pass over all rows: tokens, or as much for images."""

    @property
    def varies(self) -> bool:
        """Whether a row differs from epoch to epoch in training."""
        return False

    @property
    def units(self) -> int:
        """How many answers are wanted: of each row one, unless its tokens or parts answer."""
        return len(self)

    @property
    def unit_ends(self) -> Ints | None:
        """(rows + 1,) where the units of each row begin, and the last ones end; None where a row is a unit."""
        return None if self.tokens is None else self.tokens.first_unit

    @abstractmethod
    def select(self, rows: Ints) -> "Examples":
        """The Examples of some rows, in the order given."""

    @abstractmethod
    def shapes(self, batches: Sequence[Ints]) -> tuple[Ints, Ints]:
        """(batches,) each: the size of batches as they are padded, and of the longest part of each."""

    @abstractmethod
    def batch(self, rows: Ints, variation: Variation | None = None) -> Batch:
        """Some rows, ready for a model; varied for training where rows can be."""

    def expect(self, rows: Ints, variation: Variation | None = None) -> None:
        """Told which batch will be asked for next: what is slow to get may be got meanwhile."""
        return
