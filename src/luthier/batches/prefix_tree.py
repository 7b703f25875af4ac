"""A prefix tree over sequences of tokens: what several share at their beginning stands in it once.

A causal model's state of a token depends on the tokens before it alone, so it is the same in every sequence that begins in
the same way. Through a tree each such token goes once, forward and backward, to the same states and gradients (Liu et al.
2025, "Prefix Grouper", arXiv:2506.05433, for groups of one prompt; here a tree of any depth).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from luthier.arrays import Ints

FEWEST = 4
"""Tokens that sequences must have in common to be a branch of their own."""
PIECE = 256
"""The most tokens of a branch that attend together: a longer one is cut, so that none looks at half of its keys in vain."""


@dataclass(frozen=True)
class Branch:
    """Neighbouring tokens of the tree, which every sequence passes whole or not at all."""

    begin: int
    """The first of its tokens, counted over the tokens of the tree."""
    end: int
    path: Ints
    """Tokens of the tree from the beginning of a sequence to the end of this branch."""


@dataclass
class Tree:
    """Sequences of tokens laid out so that a shared beginning stands there once."""

    branches: list[Branch] = field(default_factory=list)
    paths: list[Ints] = field(default_factory=list)
    """For each sequence, the tokens of the tree that it consists of, from first to last."""
    origins: list[tuple[int, int]] = field(default_factory=list)
    """For each token of the tree, a sequence that it is in, and its place there."""

    def __len__(self) -> int:
        """The number of tokens in the tree."""
        return len(self.origins)

    def add(self, sequence: int, begin: int, end: int, path: Ints) -> Ints:
        """Add tokens `begin` to `end` of a sequence after a path; return the path that ends with them."""
        for at, then in pairwise([*range(begin, end, PIECE), end]):
            first = len(self.origins)
            self.origins += [(sequence, place) for place in range(at, then)]
            path = np.concatenate([path, np.arange(first, len(self.origins))])
            self.branches.append(Branch(first, len(self.origins), path))
        return path


def tree_of(sequences: Sequence[Ints], shares: bool = True) -> Tree:
    """The tree of some sequences. shares: whether beginnings are looked for; else every sequence stands alone.

    >>> tree = tree_of([np.array([1, 2, 3, 4, 5]), np.array([1, 2, 3, 4, 6, 7])])
    >>> len(tree), [path.tolist() for path in tree.paths]
    (7, [[0, 1, 2, 3, 4], [0, 1, 2, 3, 5, 6]])
    """
    tree = Tree(paths=[np.zeros(0, np.int64)] * len(sequences))
    whole = list(range(len(sequences)))
    if shares:
        # Big-endian bytes sort as the numbers do, so that what begins alike lies side by side.
        whole.sort(key=lambda at: np.asarray(sequences[at], ">u4").tobytes())
        grow(tree, sequences, whole, 0, np.zeros(0, np.int64))
        return tree
    for at in whole:
        tree.paths[at] = tree.add(at, 0, len(sequences[at]), tree.paths[at])
    return tree


def grow(tree: Tree, sequences: Sequence[Ints], group: list[int], depth: int, path: Ints) -> None:
    """Add the rest of some sequences, sorted, that have their first `depth` tokens in common: the tokens of `path`."""
    begin = 0
    while begin < len(group):
        first, shared, end = group[begin], len(sequences[group[begin]]), begin + 1
        while end < len(group):
            alike = common(sequences[first], sequences[group[end]])
            if alike - depth < FEWEST:
                break
            shared, end = min(shared, alike), end + 1
        if end - begin > 1:
            grow(tree, sequences, group[begin:end], shared, tree.add(first, depth, shared, path))
        else:
            tree.paths[first] = tree.add(first, depth, len(sequences[first]), path)
        begin = end


def common(one: Ints, other: Ints) -> int:
    """Number of tokens that two sequences have in common at their beginning.

    >>> common(np.array([1, 2, 3]), np.array([1, 2, 4, 5]))
    2
    """
    length = min(len(one), len(other))
    differ = np.flatnonzero(one[:length] != other[:length])
    return int(differ[0]) if len(differ) else length
