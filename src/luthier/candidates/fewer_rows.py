"""What a candidate would come to if it had learnt from fewer rows: the points of its learning curve."""

from collections.abc import Callable, Iterator

import numpy as np

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.comparing.fitted import Smaller
from luthier.tasks.probing import Probing

SHARES = (1 / 8, 1 / 4, 1 / 2)
"""Shares of the training rows that a candidate learns from once more, to tell how its score grows with them."""
DRAWS = 2
"""How often rows of each share are drawn."""


def with_fewer(
    again: Callable[[Ints], Array], how: Probing, asked: Examples, rows: int, seed: int
) -> tuple[Smaller, ...]:
    """What would be given for some test rows after learning from growing shares of so many rows.

    again(rows): (asked, outputs) after learning from these alone.
    """
    return tuple(Smaller(len(chosen), how.answered(again(chosen), asked)) for chosen in draws(rows, seed))


def draws(rows: int, seed: int) -> Iterator[Ints]:
    """Numbers of rows out of so many: each share, drawn several times."""
    for share in SHARES:
        for draw in range(DRAWS):
            order = seeds.generator(seed, "fewer rows", str(share), draw).permutation(rows)
            yield np.sort(order[: max(1, round(share * rows))])
