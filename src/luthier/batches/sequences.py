"""Rows of a causal language model: token numbers side by side, and which of them are learnt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch

from luthier.arrays import Array, Ints
from luthier.batches.examples import Batch, FlatExamples, Variation
from luthier.batches.packed import packed_of, predictions_of
from luthier.batches.prefix_tree import Tree, common, tree_of
from luthier.batches.tokens import runs

WORTHWHILE = 0.9
"""Shared beginnings go once where a batch then has at most this share of its tokens."""


@dataclass(frozen=True)
class Writer:
    """What is known of an answer before it is written: how tokens are spelt, which of them end it, how many it may have."""

    spell: Callable[[Sequence[int]], str]
    """The text of some tokens."""
    end: tuple[int, ...]
    """Tokens that end an answer."""
    most: int
    """Tokens of an answer at the most."""
    rows: int | None = None
    """Rows whose answers are written at the most, spread evenly; None: all of them."""


Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Sequences(FlatExamples):
    """Conversations as token numbers. A row has one sequence, or two where it says which of two answers is better.

    A sequence ends with the last token that is learnt in it, which no state is computed of: what would follow teaches nothing. A
    sequence that is scored as a whole has no token that is learnt, and a state of each.
    """

    ids: np.ndarray[tuple[int], np.dtype[np.int32]]
    """All token numbers, sequence after sequence."""
    trained: Flags
    """(tokens,) whether a token is learnt, as what follows those before it; never the first of a sequence."""
    ends: Ints
    """(sequences + 1,) where each sequence begins in `ids`, and the end."""
    first_part: Ints
    """(rows + 1,) the first sequence of each row, and the number of sequences."""
    prompts: Ints
    """(rows,) tokens of the row's first sequence that come before the answer: what is seen when it is to be written."""
    targets: Array
    """(rows,) what is learnt, as the task has it."""
    sources: Array | None = None
    """(rows,) what a task needs of a row to put its answer in the user's terms."""
    writer: Writer | None = None
    """What is known of answers that are to be written; None where none are."""
    shares: bool = True
    """Whether tokens that sequences of a batch share at their beginning go through the model once; never under dropout."""

    tokens: ClassVar[None] = None  # type: ignore[misc]
    budget: ClassVar[int] = 1_024  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self.first_part) - 1

    @cached_property
    def computed(self) -> Ints:
        """(sequences,) tokens of each that a state is computed of: all but the last one that is learnt."""
        lengths = np.diff(self.ends)
        found: Ints = lengths - (sums_of(self.trained.astype(np.int64), self.ends) > 0)
        return found

    @property
    def lengths(self) -> Ints:
        """(rows,) tokens of each row that a state is computed of where nothing is shared."""
        return sums_of(self.computed, self.first_part)

    @cached_property
    def shared(self) -> Ints:
        """(rows,) tokens among `lengths` with which later sequences of a row begin as its first one does."""
        found = np.zeros(len(self), np.int64)
        for row in np.flatnonzero(np.diff(self.first_part) > 1).tolist():
            first, *others = range(int(self.first_part[row]), int(self.first_part[row + 1]))
            whole = self.sequence(first)
            found[row] = sum(common(whole, self.sequence(part)) for part in others)
        return found

    @property
    def padded_lengths(self) -> Ints:
        return np.ones(len(self), np.int64)

    @property
    def untaught(self) -> Ints:
        """The rows in one of whose sequences nothing is learnt, or that have none; of rows that get a score as a whole, none."""
        if not self.trained.any():
            return np.zeros(0, np.int64)
        learnt = sums_of(self.trained.astype(np.int64), self.ends) > 0
        sequences = np.diff(self.first_part)
        found: Ints = np.flatnonzero(
            (sequences == 0) | (sums_of(learnt.astype(np.int64), self.first_part) < sequences)
        )
        return found

    @property
    def amount(self) -> int:
        return len(self.ids)

    @property
    def flat(self) -> "Sequences":
        return self

    def cut(self, rows: Ints, lengths: Ints, tokens: int) -> list[Ints]:
        """Rows in their order, in runs of at most so many tokens; what a row, or a whole run, begins with counts once."""
        found: list[Ints] = []
        begin, size, shared = 0, 0, 0
        for at, row in enumerate(rows.tolist()):
            own = int(lengths[row]) - (int(self.shared[row]) if self.shares else 0)
            alike = min(shared, self.alike(int(rows[begin]), row)) if at > begin else self.shares * own
            if at > begin and size + own - (at - begin) * alike > tokens:
                found.append(rows[begin:at])
                begin, size, alike = at, 0, self.shares * own
            size, shared = size + own, alike
        return [*found, rows[begin:]] if len(rows) else found

    def alike(self, row: int, other: int) -> int:
        """Tokens that the first sequences of two rows share at their beginning."""
        return common(*(self.sequence(int(self.first_part[one])) for one in (row, other)))

    def sequence(self, part: int) -> Ints:
        """The tokens of a sequence that a state is computed of."""
        begin = int(self.ends[part])
        found: Ints = self.ids[begin : begin + int(self.computed[part])].astype(np.int64)
        return found

    def prompt(self, row: int) -> Ints:
        """The tokens that a row's answer follows."""
        begin = int(self.ends[self.first_part[row]])
        found: Ints = self.ids[begin : begin + int(self.prompts[row])].astype(np.int64)
        return found

    def answers(self, rows: Ints) -> Ints:
        """(rows,) tokens of the answers that stand in some rows, the one that ends it among them."""
        first = self.first_part[rows]
        found: Ints = self.ends[first + 1] - self.ends[first] - self.prompts[rows]
        return found

    @property
    def longest_learnt(self) -> int:
        """Tokens of the longest piece that is learnt without a gap: of an answer, which need not be the last one of its row."""
        borders = np.flatnonzero(np.diff(self.trained, prepend=False, append=False))
        return int((borders[1::2] - borders[::2]).max(initial=0))

    def select(self, rows: Ints) -> "Sequences":
        counts = self.first_part[rows + 1] - self.first_part[rows]
        parts = runs(self.first_part[rows], counts)
        lengths = self.ends[parts + 1] - self.ends[parts]
        places = runs(self.ends[parts], lengths)
        return Sequences(
            ids=self.ids[places],
            trained=self.trained[places],
            ends=np.concatenate([[0], np.cumsum(lengths)]),
            first_part=np.concatenate([[0], np.cumsum(counts)]),
            prompts=self.prompts[rows],
            targets=self.targets[rows],
            sources=None if self.sources is None else self.sources[rows],
            writer=self.writer,
            shares=self.shares,
        )

    @property
    def written(self) -> Ints:
        """The rows whose answers are written."""
        if self.writer is None:
            return np.zeros(0, np.int64)
        count = len(self) if self.writer.rows is None else min(len(self), self.writer.rows)
        found: Ints = np.linspace(0, len(self) - 1, count).round().astype(np.int64)
        return found

    def shapes(self, batches: Sequence[Ints]) -> tuple[Ints, Ints]:
        """The tokens that go through the model, and those of the longest sequence, of each batch."""
        sizes = [len(self.tree(self.parts_of(rows))) for rows in batches]
        longest = [int(self.computed[self.parts_of(rows)].max()) for rows in batches]
        return np.array(sizes, np.int64), np.array(longest, np.int64)

    def places(self, rows: Ints) -> Ints:
        parts = self.parts_of(rows)
        return runs(self.ends[parts], self.computed[parts])

    def tree(self, parts: Ints) -> Tree:
        """Some sequences laid out, sharing beginnings where that is worth it."""
        sequences = [self.sequence(part) for part in parts.tolist()]
        found = tree_of(sequences, self.shares)
        worth = len(found) <= WORTHWHILE * sum(map(len, sequences))
        return found if worth or not self.shares else tree_of(sequences, shares=False)

    def batch(self, rows: Ints, variation: Variation | None = None) -> Batch:
        """Some rows side by side in one sequence, without padding."""
        parts = self.parts_of(rows)
        tree = self.tree(parts)
        origins = np.array(tree.origins, np.int64).reshape(-1, 2)
        source = self.ends[parts][origins[:, 0]] + origins[:, 1]
        whole = [self.ids[self.ends[part] : self.ends[part + 1]].astype(np.int64) for part in parts.tolist()]
        learnt = [
            np.flatnonzero(self.trained[self.ends[part] : self.ends[part + 1]]) for part in parts.tolist()
        ]
        packed = packed_of(tree, predictions_of(tree, whole, learnt), source, self.places(rows))
        counts = self.first_part[rows + 1] - self.first_part[rows]
        return Batch(
            inputs={
                "input_ids": torch.from_numpy(self.ids[source].astype(np.int64))[None],
                "position_ids": torch.from_numpy(origins[:, 1].copy())[None],
            },
            part_of=torch.from_numpy(np.repeat(np.arange(len(rows)), counts)),
            targets=learnable(self.targets[rows]),
            rows=rows,
            tokens=int((self.ends[parts + 1] - self.ends[parts]).sum()),
            packed=packed,
        )


def sums_of(numbers: Ints, ends: Ints) -> Ints:
    """(stretches,) the sum of each stretch of some numbers, which may be empty. ends: (stretches + 1,) where each begins.

    >>> sums_of(np.array([1, 2, 3]), np.array([0, 2, 2, 3])).tolist()
    [3, 0, 3]
    """
    upto = np.concatenate([[0], np.cumsum(numbers)])
    found: Ints = upto[ends[1:]] - upto[ends[:-1]]
    return found


def learnable(targets: np.ndarray[Any, np.dtype[Any]]) -> torch.Tensor:
    """Targets as a tensor; zeros where they are texts, which stand among the tokens."""
    return torch.zeros(len(targets)) if targets.dtype == object else torch.from_numpy(targets)
