"""Rows ready for a model, whatever they are made of."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from luthier.arrays import Array, Ints
from luthier.batches.order import cut_by_budget
from luthier.batches.packed import Packed
from luthier.batches.tokens import Tokens, runs
from luthier.hashes import fingerprint


@dataclass(frozen=True)
class Batch:
    """Some rows as the model takes them in one forward pass."""

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
    packed: Packed | None = None
    """How sequences lie side by side in the one part of `inputs`, of a causal language model; None: each part is by itself."""

    @property
    def real(self) -> torch.Tensor:
        """(parts, tokens) true where a token is no padding."""
        mask = self.inputs.get("attention_mask")
        return torch.ones_like(self.inputs["input_ids"]).bool() if mask is None else mask.bool()

    def to(self, device: torch.device) -> "Batch":
        if device.type == "cpu":
            return self
        moved = {name: tensor.to(device, non_blocking=True) for name, tensor in self.inputs.items()}
        marks = None if self.marks is None else self.marks.to(device)
        targets, packed = self.targets.to(device), None if self.packed is None else self.packed.to(device)
        return Batch(moved, self.part_of.to(device), targets, self.rows, self.tokens, marks, packed)


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
    """What is learnt at each token, where a task answers token by token; else None."""
    sources: Array | None
    """(rows,) what a task needs of a row to put its answer in the user's terms."""
    budget: int
    """Size of a batch when nothing is learnt, in units of `lengths`: larger ones are no faster."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of rows."""

    @property
    @abstractmethod
    def lengths(self) -> Ints:
        """(rows,) what each row adds to a batch: its padded tokens, or as much for an image."""

    @property
    def padded_lengths(self) -> Ints:
        """(rows,) lengths by which a step brings rows together, so that little of it is padding; all alike where nothing is
        padded: rows that are like each other in length are like each other in what they teach, and a step is to be mixed."""
        return self.lengths

    @property
    @abstractmethod
    def amount(self) -> int:
        """How often a weight is used in a pass over all rows: the number of tokens, or its equal for images."""

    @property
    def parts_of_a_row(self) -> float:
        """Parts of a row that a training epoch reads, on average; 1 where rows have no parts, or each part has an answer."""
        return 1.0

    @property
    def flat(self) -> "FlatExamples | None":
        """The same rows, where they are token numbers side by side, so that states of frozen layers can be kept; else None."""
        return None

    @property
    def varies(self) -> bool:
        """Whether a row differs from epoch to epoch in training."""
        return False

    @property
    def untaught(self) -> Ints:
        """The rows of which a model learns nothing, however they are labelled."""
        return np.zeros(0, np.int64)

    @property
    def units(self) -> int:
        """The number of answers that are wanted: one per row, unless its tokens or parts answer."""
        return len(self)

    @property
    def unit_ends(self) -> Ints | None:
        """(rows + 1,) where the units of each row begin, and the last ones end; None where a row is a unit."""
        return None if self.tokens is None else self.tokens.first_unit

    def fingerprints(self) -> list[bytes]:
        """(rows,) the hash of what a model reads of each row, whatever is learnt from it: alike where features are alike."""
        return [fingerprint(inputs.tobytes() for inputs in self.read_of(row)) for row in range(len(self))]

    def read_of(self, row: int) -> list[Array]:
        """What a model reads of a row."""
        return [values.numpy() for _, values in sorted(self.batch(np.array([row])).inputs.items())]

    @abstractmethod
    def select(self, rows: Ints) -> "Examples":
        """The Examples of some rows, in the order given."""

    @abstractmethod
    def shapes(self, batches: Sequence[Ints]) -> tuple[Ints, Ints]:
        """(batches,) each: the size of batches as they are padded, and of the longest part of each."""

    def cut(self, rows: Ints, lengths: Ints, tokens: int) -> list[Ints]:
        """Some rows in their order, cut into batches of at most so many tokens, one row at least. lengths: those of all rows."""
        return cut_by_budget(rows, lengths, tokens)

    def by_length(self, tokens: int | None = None) -> list[Ints]:
        """All rows, shortest first, cut into batches as a frozen model reads them. tokens: as in `cut`; None: `budget`."""
        lengths = self.lengths
        return self.cut(np.argsort(lengths, kind="stable"), lengths, tokens or self.budget)

    @abstractmethod
    def batch(self, rows: Ints, variation: Variation | None = None) -> Batch:
        """Some rows, ready for a model; varied for training where rows can be."""

    def sheet(self, seed: int) -> Array | None:
        """A picture of some rows as training varies them, (height, width, 3) bytes; None where there is nothing to see."""
        return None

    def expect(self, rows: Ints, variation: Variation | None = None) -> None:
        """Take note of which batch will be asked for next, so that slow work on it can begin meanwhile."""
        return


class FlatExamples(Examples):
    """Rows that are token numbers side by side, so that a state can be kept for each of them."""

    ids: Array
    """(tokens,) all token numbers, part after part."""
    ends: Ints
    """(parts + 1,) where each part begins in `ids`, and the end."""
    first_part: Ints
    """(rows + 1,) the first part of each row, and the number of parts."""

    @abstractmethod
    def select(self, rows: Ints) -> "FlatExamples": ...

    by_part: bool = False
    """Whether each part answers by itself: the texts of a row that are compared with each other."""

    @abstractmethod
    def places(self, rows: Ints) -> Ints:
        """Where the tokens of some rows stand in `ids`, if a state is computed of them: in the order of an unpadded batch."""

    def parts_of(self, rows: Ints) -> Ints:
        """The parts of some rows, one row after the other."""
        return runs(self.first_part[rows], self.first_part[rows + 1] - self.first_part[rows])
