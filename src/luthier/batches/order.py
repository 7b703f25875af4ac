"""Which rows go into which step: a pure function of (seed, epoch), so a run can go on anywhere."""

import numpy as np

from luthier import seeds
from luthier.arrays import Ints

POOL = 50
"""Number of steps in a pool, within which rows are sorted by length: enough to save most padding, few enough to stay random."""


def steps_per_epoch(rows: int, batch_rows: int) -> int:
    """Steps that see each row once; the last may be smaller.

    >>> steps_per_epoch(33, 16)
    3
    """
    return -(-rows // batch_rows)


def epoch_order(
    lengths: Ints, batch_rows: int, seed: int, epoch: int, groups: Ints | None = None
) -> list[Ints]:
    """The rows of each step of an epoch: every row once, rows of like length together, steps in random order.

    Rows are shuffled, sorted by length within pools of `POOL` steps, cut into steps, and the steps shuffled. Only one
    step of the epoch may have fewer than `batch_rows` rows. groups: (rows,) the group of each row; where it is given,
    as many rows are drawn with replacement, so that each group is equally likely.
    """
    rng = seeds.generator(seed, "order", epoch)
    if groups is None:
        shuffled = rng.permutation(len(lengths))
    else:
        _, of_row, counts = np.unique(groups, return_inverse=True, return_counts=True)
        shares = 1 / counts[of_row]
        shuffled = rng.choice(len(lengths), len(lengths), p=shares / shares.sum())
    steps: list[Ints] = []
    for begin in range(0, len(shuffled), batch_rows * POOL):
        pool = shuffled[begin : begin + batch_rows * POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        steps += [pool[at : at + batch_rows] for at in range(0, len(pool), batch_rows)]
    return [steps[at] for at in rng.permutation(len(steps))]


def by_length(lengths: Ints, token_budget: int) -> list[Ints]:
    """All rows, shortest first, cut so that a padded batch holds at most `token_budget` tokens (one row at least)."""
    order = np.argsort(lengths, kind="stable")
    return cut_by_budget(order, lengths, token_budget)


def cut_by_budget(rows: Ints, lengths: Ints, token_budget: int) -> list[Ints]:
    """`rows` in their order, cut into runs whose padded size, rows x longest, stays within the budget."""
    cuts, begin, widest = [], 0, 0
    for at, row in enumerate(rows):
        widest = max(widest, int(lengths[row]))
        if at > begin and widest * (at + 1 - begin) > token_budget:
            cuts.append(rows[begin:at])
            begin, widest = at, int(lengths[row])
    if begin < len(rows):
        cuts.append(rows[begin:])
    return cuts
