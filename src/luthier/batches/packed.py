"""Sequences side by side without padding, as branches of a prefix tree: which token sees which, and what is predicted where."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from luthier.arrays import Ints
from luthier.batches.prefix_tree import Branch, Tree

PADDED = 1.5
"""Queries and keys of a bucket may be so many times those of its branches."""


@dataclass(frozen=True)
class Bucket:
    """Branches of like size, which attend together; shorter ones are padded."""

    queries: Tensor
    """(branches, queries) tokens of the tree that look."""
    keys: Tensor
    """(branches, keys) tokens of the tree that are looked at, which stand at positions 0, 1, 2, ... of their sequence."""
    positions: Tensor
    """(branches, queries) of the queries in their sequence: each sees keys up to its own."""
    found: Tensor
    """(tokens,) places of the queries that are no padding, branch after branch."""

    @property
    def causal(self) -> bool:
        """Whether the queries are the keys, so that all there is to say of who sees whom is: those before."""
        return len(self.queries) == 1 and self.queries.shape == self.keys.shape

    def to(self, device: torch.device) -> "Bucket":
        return Bucket(
            *(tensor.to(device) for tensor in (self.queries, self.keys, self.positions, self.found))
        )


@dataclass(frozen=True)
class Predictions:
    """The tokens that are predicted, each pair of a place and a token once, and which sequences they belong to."""

    at: Tensor
    """(pairs,) token of the tree after which something is predicted."""
    wanted: Tensor
    """(pairs,) number of the token that is to come."""
    pair: Tensor
    """(predictions,) which of the pairs a prediction is: one pair may be in several sequences."""
    sequence: Tensor
    """(predictions,) the sequence that each is in, ascending."""

    def to(self, device: torch.device) -> "Predictions":
        return Predictions(
            *(tensor.to(device) for tensor in (self.at, self.wanted, self.pair, self.sequence))
        )


@dataclass(frozen=True)
class Packed:
    """How the sequences of a batch lie in one."""

    buckets: tuple[Bucket, ...]
    order: Tensor
    """(tokens,) where each token of the tree stands in the buckets' `found`, one bucket after the other."""
    predictions: Predictions
    source: Ints
    """(tokens,) the place of each token of the tree in the flat numbers of the Examples."""
    flat: Ints
    """(tokens of all sequences,) their places there."""
    executed: Ints
    """(tokens of all sequences,) the token of the tree that each is."""
    paths: tuple[Ints, ...]
    """For each sequence, the tokens of the tree that it consists of."""

    def to(self, device: torch.device) -> "Packed":
        buckets = tuple(bucket.to(device) for bucket in self.buckets)
        moved = self.order.to(device), self.predictions.to(device)
        return Packed(buckets, *moved, self.source, self.flat, self.executed, self.paths)


def buckets_of(tree: Tree) -> tuple[Bucket, ...]:
    """The branches of a tree, those of like size together."""
    waiting = sorted(tree.branches, key=lambda one: (one.end - one.begin, len(one.path)))
    buckets: list[list[Branch]] = []
    for branch in waiting:
        if buckets and padding([*buckets[-1], branch]) <= PADDED:
            buckets[-1].append(branch)
        else:
            buckets.append([branch])
    return tuple(map(bucket_of, buckets))


def padding(branches: Sequence[Branch]) -> float:
    """How many times as large queries times keys of some branches are when all are as long as the longest."""
    sizes = np.array([(one.end - one.begin, len(one.path)) for one in branches], float)
    return float(sizes.max(0).prod() * len(sizes) / sizes.prod(1).sum())


def bucket_of(branches: Sequence[Branch]) -> Bucket:
    """Some branches, padded to the longest."""
    longest = max(one.end - one.begin for one in branches), max(len(one.path) for one in branches)
    queries = np.zeros((len(branches), longest[0]), np.int64)
    keys = np.zeros((len(branches), longest[1]), np.int64)
    positions, real = np.zeros_like(queries), np.zeros(queries.shape, bool)
    for line, one in enumerate(branches):
        own = one.end - one.begin
        queries[line, :own], real[line, :own] = one.path[-own:], True
        positions[line, :own] = np.arange(len(one.path) - own, len(one.path))
        keys[line, : len(one.path)] = one.path
    made = (queries, keys, positions, np.flatnonzero(real))
    return Bucket(*map(torch.from_numpy, made))


def places_in(buckets: Sequence[Bucket], tokens: int) -> Tensor:
    """(tokens,) where each token of the tree stands in the buckets' `found`, one bucket after the other."""
    met = torch.cat([bucket.queries.reshape(-1)[bucket.found] for bucket in buckets])
    order = torch.empty(tokens, dtype=torch.int64)
    order[met] = torch.arange(tokens)
    return order


def predictions_of(tree: Tree, sequences: Sequence[Ints], trained: Sequence[Ints]) -> Predictions:
    """What is predicted in some sequences. trained: places of the tokens of each that are to be predicted, never the first."""
    at = [tree.paths[row][places - 1] for row, places in enumerate(trained)]
    return predictions_after(at, [sequences[row][places] for row, places in enumerate(trained)])


def predictions_after(at: Sequence[Ints], wanted: Sequence[Ints]) -> Predictions:
    """Predictions by sequence. at: the tokens of the tree after which something is predicted in each.  wanted: what."""
    pairs = np.stack([np.concatenate(at), np.concatenate(wanted)]) if at else np.zeros((2, 0), np.int64)
    unique, pair = np.unique(pairs, axis=1, return_inverse=True)
    sequence = np.repeat(np.arange(len(at)), [len(places) for places in at])
    made = (unique[0], unique[1], pair.reshape(-1), sequence)
    return Predictions(*(torch.from_numpy(array.astype(np.int64)) for array in made))


def packed_of(tree: Tree, predictions: Predictions, source: Ints, flat: Ints) -> Packed:
    """Sequences as a tree of them lies. source, flat: as Packed has them."""
    buckets = buckets_of(tree)
    return Packed(
        buckets=buckets,
        order=places_in(buckets, len(tree)),
        predictions=predictions,
        source=source,
        flat=flat,
        executed=np.concatenate([*tree.paths, np.zeros(0, np.int64)]).astype(np.int64),
        paths=tuple(tree.paths),
    )
