"""What prompts share at their beginnings, as levels of a tree: the tokens of a shared beginning are read once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

WORTH = 64
"""How many tokens a shared beginning must save: a further level costs a further pass over all weights."""

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Level:
    """Pieces of prompts that are read side by side. Each goes on from where a piece of the level above ended."""

    parents: tuple[int, ...]
    """For each piece the number of its parent in the level above; in the first level 0, for the empty beginning."""
    pieces: tuple[Ids, ...]
    """The tokens of each piece; none where a prompt waits for the level that it is read in."""


@dataclass(frozen=True)
class Branch:
    """A piece of some prompts, and how these go on. A prompt's last branch has no others."""

    piece: Ids
    goes_on: tuple["Branch", ...] = ()

    @property
    def height(self) -> int:
        """How many branches follow one another below this one."""
        return 1 + max((branch.height for branch in self.goes_on), default=-1)


def levels_of(prompts: Sequence[Ids], worth: int = WORTH) -> list[Level]:
    """The levels in which to read some prompts, all different and in ascending order. The pieces of the last level are the
    ends of the prompts, in their order.

    >>> [level.pieces for level in levels_of([(1, 2, 3), (1, 2, 4, 5), (1, 2, 6)], worth=3)]
    [((1, 2),), ((3,), (4, 5), (6,))]
    """
    row = tuple(branches(prompts, 0, worth))
    levels, parents = [], tuple(0 for _ in row)
    for height in range(max(branch.height for branch in row), -1, -1):
        # A prompt's end is read together with all others', in the last level; until then its branch waits, with no tokens.
        read = [branch.height == height for branch in row]
        levels.append(
            Level(parents, tuple(branch.piece if now else () for branch, now in zip(row, read, strict=True)))
        )
        below = [
            branch.goes_on if now and height else (branch,) for branch, now in zip(row, read, strict=True)
        ]
        parents = tuple(parent for parent, some in enumerate(below) for _ in some)
        row = tuple(branch for some in below for branch in some)
    return levels


def branches(prompts: Sequence[Ids], begin: int, worth: int) -> Iterator[Branch]:
    """The branches that some prompts, the same up to `begin`, have from there on."""
    if sum(len(prompt) - begin for prompt in prompts[:-1]) < worth:
        yield from (Branch(prompt[begin:]) for prompt in prompts)
        return
    end = common(prompts[0], prompts[-1])
    if (len(prompts) - 1) * (end - begin) >= worth:
        yield Branch(prompts[0][begin:end], tuple(branches(prompts, end, worth)))
        return
    for _, some in groupby(prompts, key=lambda prompt: prompt[end : end + 1]):
        yield from branches(list(some), begin, worth)


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two prompts share at their beginnings; for prompts in order, the first and the last tell it of all.

    >>> common((1, 2, 3), (1, 2, 4))
    2
    """
    pairs = zip(one, other, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))
