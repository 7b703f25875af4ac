"""Tokenised rows, kept flat: no padding, no object per row."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.batches.examples import Batch, FlatExamples, Variation
from luthier.batches.tokens import Tokens, runs

MULTIPLE = 4
"""Batches are padded to a multiple of so many tokens: a CPU compiles each new width, which costs time and memory
(docs/engine.md)."""


@dataclass(frozen=True)
class TextExamples(FlatExamples):
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
    """Number of the padding token."""
    types: np.ndarray[tuple[int], np.dtype[np.int8]] | None = None
    """(tokens,) 0 or 1: which of two texts a token is of, where the model is told."""
    tokens: Tokens | None = None
    """What is learnt at each token, where a task answers token by token; else None."""
    by_part: bool = False
    """Whether each part answers by itself: the texts of a row that are compared with each other."""
    sources: np.ndarray[Any, np.dtype[Any]] | None = None
    """(rows,) what a task needs of a row to put its answer in the user's terms."""
    few: int | None = None
    """The most parts with nothing to find that a training epoch reads of a row, different ones in each; None: all of them."""

    budget: ClassVar[int] = 1_024  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self.first_part) - 1

    @property
    def lengths(self) -> Ints:
        """(rows,) tokens of each row with its parts padded as a batch of it alone would be: its share of a batch."""
        if len(self) == 0:
            return np.zeros(0, np.int64)
        longest = np.maximum.reduceat(np.diff(self.ends), self.first_part[:-1])
        found: Ints = self.counts * self.padded(longest)
        return found

    @cached_property
    def holding(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(parts,) whether something is to be found in a part, beyond its first token, which stands for "nothing"."""
        assert self.tokens is not None, "something is found token by token"
        marked = self.tokens.marks > 0
        marked[self.ends[:-1]] = False
        found: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.logical_or.reduceat(marked, self.ends[:-1])
        return found

    @cached_property
    def counts(self) -> Ints:
        """(rows,) number of parts of each row that a batch holds."""
        all_parts = np.diff(self.first_part)
        if self.few is None or not len(self):
            return all_parts
        holding = np.add.reduceat(self.holding.astype(np.int64), self.first_part[:-1])
        found: Ints = holding + np.minimum(all_parts - holding, self.few)
        return found

    @property
    def flat(self) -> "TextExamples":
        return self

    @property
    def parts_of_a_row(self) -> float:
        return 1.0 if self.by_part or not len(self) else float(self.counts.mean())

    @property
    def varies(self) -> bool:
        return bool((self.counts < np.diff(self.first_part)).any())

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest part."""
        return int(np.diff(self.ends).max(initial=0))

    def padded(self, widths: Ints) -> Ints:
        """Widths as batches have them: rounded up to `MULTIPLE`, but never beyond what a model was seen to read.

        >>> from types import SimpleNamespace
        >>> TextExamples.padded(SimpleNamespace(longest=62), np.array([5, 61])).tolist()
        [8, 62]
        """
        found: Ints = np.minimum(-(-widths // MULTIPLE) * MULTIPLE, self.longest)
        return found

    def select(self, rows: Ints) -> "TextExamples":
        """The Examples of some rows, in the order given."""
        counts = self.first_part[rows + 1] - self.first_part[rows]
        parts = runs(self.first_part[rows], counts)
        lengths = self.ends[parts + 1] - self.ends[parts]
        places = runs(self.ends[parts], lengths)
        return TextExamples(
            ids=self.ids[places],
            ends=np.concatenate([[0], np.cumsum(lengths)]),
            first_part=np.concatenate([[0], np.cumsum(counts)]),
            targets=self.targets[rows],
            pad=self.pad,
            types=None if self.types is None else self.types[places],
            by_part=self.by_part,
            tokens=None if self.tokens is None else self.tokens.select(rows, places),
            sources=None if self.sources is None else self.sources[rows],
            few=self.few,
        )

    def read_of(self, row: int) -> list[Array]:
        """Its token numbers, where its parts end, which text each token is of, and which tokens answer."""
        first, last = self.first_part[row], self.first_part[row + 1]
        begin, end = self.ends[first], self.ends[last]
        read = [self.ids[begin:end], self.ends[first : last + 1] - begin]
        if self.types is not None:
            read.append(self.types[begin:end])
        if self.tokens is not None:
            own = slice(self.tokens.first_unit[row], self.tokens.first_unit[row + 1])
            read.append(self.tokens.unit[own] - begin)
        return read

    def places(self, rows: Ints) -> Ints:
        counts = self.first_part[rows + 1] - self.first_part[rows]
        parts = runs(self.first_part[rows], counts)
        return runs(self.ends[parts], self.ends[parts + 1] - self.ends[parts])

    def parts(self, row: int, variation: Variation | None = None) -> list[int]:
        """The parts of a row; in training only a few of those with nothing to find, drawn anew in each epoch."""
        own = np.arange(self.first_part[row], self.first_part[row + 1])
        if variation is not None and self.few is not None and self.counts[row] < len(own):
            empty = own[~self.holding[own]]
            drawn = seeds.generator(variation.seed, "windows", variation.epoch, row).permutation(empty)
            own = np.sort(np.concatenate([own[self.holding[own]], drawn[: self.few]]))
        found: list[int] = own.tolist()
        return found

    @property
    def units(self) -> int:
        if self.by_part:
            return len(self.ends) - 1
        return len(self) if self.tokens is None else len(self.tokens.unit)

    @property
    def unit_ends(self) -> Ints | None:
        return self.first_part if self.by_part else super().unit_ends

    @property
    def amount(self) -> int:
        parts = len(self.ends) - 1
        return len(self.ids) * int(self.counts.sum()) // max(1, parts)

    def shapes(self, batches: Sequence[Ints]) -> tuple[Ints, Ints]:
        counts = self.counts
        longest = self.lengths // np.maximum(counts, 1)
        wide = np.array([longest[rows].max() for rows in batches], np.int64)
        parts = np.array([counts[rows].sum() for rows in batches], np.int64)
        return parts * wide, wide

    def batch(self, rows: Ints, variation: Variation | None = None) -> Batch:
        """A batch of some rows, padded to their longest part, or a little beyond."""
        spans = [
            (place, part) for place, row in enumerate(rows.tolist()) for part in self.parts(row, variation)
        ]
        widest = max(int(self.ends[part + 1] - self.ends[part]) for _, part in spans)
        width = int(self.padded(np.array([widest]))[0])
        ids = np.full((len(spans), width), self.pad, np.int64)
        mask = np.zeros((len(spans), width), np.int64)
        types = None if self.types is None else np.zeros((len(spans), width), np.int64)
        marks = None if self.tokens is None else np.full((len(spans), width), -1, np.int64)
        for line, (_, part) in enumerate(spans):
            begin, end = int(self.ends[part]), int(self.ends[part + 1])
            ids[line, : end - begin] = self.ids[begin:end]
            mask[line, : end - begin] = 1
            if types is not None and self.types is not None:
                types[line, : end - begin] = self.types[begin:end]
            if marks is not None and self.tokens is not None:
                marks[line, : end - begin] = self.tokens.marks[begin:end]
        inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if types is not None:
            inputs["token_type_ids"] = torch.from_numpy(types)
        targets = self.targets[rows]
        return Batch(
            inputs=inputs,
            part_of=torch.tensor([place for place, _ in spans]),
            # What is learnt token by token stands in the marks.
            targets=torch.zeros(len(rows)) if targets.dtype == object else torch.from_numpy(targets),
            rows=rows,
            tokens=int(mask.sum()),
            marks=None if marks is None else torch.from_numpy(marks),
        )
