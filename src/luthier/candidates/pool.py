"""Rows without labels that the probe may learn from, beside those with labels."""

import numpy as np

from luthier import seeds
from luthier.batches.examples import Examples
from luthier.prepare.prepare import Prepared

UNLABELLED = "unlabelled"
"""The key of their features."""
MOST_ROWS, MOST_LABELLED, MOST_PRODUCTS = 5_000, 10_000, 200_000
"""The most rows without labels and with labels, and the most of either times the number of labels, with which the probe learns:
each is learnt from a few dozen times to tell whether it helps. With more labelled rows there is little left to gain."""


def most(rows: int, outputs: int) -> int:
    """So many rows, or fewer where labels are many."""
    return min(rows, max(1, MOST_PRODUCTS // outputs))


def learns_of_few(ready: Prepared) -> bool:
    """Whether rows are so few that none are held out: the probe is then another one, and has learnt from all of them at once."""
    return not ready.rows.split.validates_apart and ready.rows.task.crosses


def discriminates(ready: Prepared) -> bool:
    """Whether the probe is a discriminant (train/probe/discriminant.py), all of whose rows count alike."""
    return learns_of_few(ready) and ready.rows.task.contrasting is None


def could_learn(ready: Prepared) -> bool:
    """Whether rows without labels are given and the probe tells one label a row. With a teacher it is the teacher's answers to
    them that are learnt."""
    task, train = ready.rows.task, ready.examples["train"]
    return (
        ready.unlabelled is not None
        and ready.teacher is None
        and task.probe is not None
        and task.labels_per_row == "one"
        and train.tokens is None
        and len(train) > 0
    )


def learns_from_pool(ready: Prepared) -> bool:
    """Whether the probe may learn from rows without labels."""
    few = len(ready.examples["train"]) <= most(MOST_LABELLED, ready.rows.task.outputs)
    return could_learn(ready) and few and not discriminates(ready)


def pool_of(ready: Prepared) -> Examples | None:
    """The rows without labels that the probe may learn from, some of them where they are many; None where it learns from none."""
    free = ready.unlabelled
    if free is None or not learns_from_pool(ready):
        return None
    return drawn(free.examples, most(MOST_ROWS, ready.rows.task.outputs), ready.plan.run.seed)


def drawn(rows: Examples, count: int, seed: int) -> Examples:
    """At most so many rows, at random."""
    if len(rows) <= count:
        return rows
    order = seeds.generator(seed, "unlabelled, for the probe").permutation(len(rows))
    return rows.select(np.sort(order[:count]))


def words_on_pool(ready: Prepared) -> list[str]:
    """What the probe is going to do with them, for who has not seen it yet; nothing where it learns from none."""
    free, train = ready.unlabelled, len(ready.examples["train"])
    if free is None or not could_learn(ready):
        return []
    if discriminates(ready):
        return [
            "The probe does not learn from rows without labels: that of so few rows is a discriminant, whose rows count alike."
        ]
    pool = pool_of(ready)
    if pool is None:
        return [
            f"The probe does not learn from rows without labels: with {train:,} training rows there is little to gain, and from "
            f"{most(MOST_LABELLED, ready.rows.task.outputs) + 1:,} on it takes long to tell."
        ]
    rows = f"{len(pool):,} rows without labels"
    if len(pool) < len(free.examples):
        rows = f"{len(pool):,} of {len(free.examples):,} rows without labels, drawn at random"
    return [
        f"The probe may learn from {rows}, which are given labels by their features. That is kept where it is better in "
        "cross-validation over the training rows, beyond noise."
    ]
