"""The cost of batches, and of those of the frozen pass: a few real ones, timed."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.forecast.outline import Sizes, sizes_of
from luthier.models.kernels.dropout import DICE
from luthier.prepare.prepare import Prepared

LONG_SECONDS = 0.5
"""A step that takes longer is timed again only as far as the time allows, but for the middle one."""


class Sized(Protocol):
    """Batches, by what their time is a sum of."""

    def terms(self) -> Array:
        """(batches, terms)"""
        ...


@dataclass(frozen=True)
class Cost:
    """Seconds of a batch as a sum of the terms of its size, none of them negative."""

    terms: Array

    @staticmethod
    def fit(sizes: Sized, seconds: list[float]) -> "Cost":
        """Least squares of the relative error: a small batch counts as much as a large one."""
        from scipy.optimize import nnls

        share = sizes.terms() / np.array(seconds)[:, None]
        scale = share.max(axis=0)
        found, _ = nnls(share / scale, np.ones(len(seconds)))
        return Cost(found / scale)

    def of(self, sizes: Sized) -> float:
        """Seconds of all batches together."""
        return float((sizes.terms() @ self.terms).sum())

    def mixed(self, other: "Cost", share: float) -> "Cost":
        return Cost((1 - share) * self.terms + share * other.terms)


@contextlib.contextmanager
def leaving_no_trace() -> Iterator[None]:
    """Inside, torch's and the dropout's dice may be thrown: after it they lie as before."""
    with torch.random.fork_rng():
        try:
            yield
        finally:
            DICE.keys, DICE.call = None, 0


def at_quantiles(sizes: Sizes, quantiles: tuple[float, ...]) -> list[int]:
    """Positions of batches of differing shapes, in the order of the quantiles of their size.

    >>> at_quantiles(Sizes(np.array([9, 2, 9, 5]), np.array([3, 1, 3, 5])), (0.5, 1.0, 0.0))
    [0, 1]
    """
    order = np.lexsort([sizes.longest, sizes.tokens])
    met, found = set(), []
    for quantile in quantiles:
        at = int(order[int(quantile * (len(order) - 1) + 0.5)])
        shape = int(sizes.tokens[at]), int(sizes.longest[at])
        if shape not in met:
            met.add(shape)
            found.append(at)
    return found


@dataclass(frozen=True)
class Looks:
    """The cost of batches of the frozen pass, in one precision."""

    first: Cost
    """Cost of batches whose shape was not seen before, and is compiled."""
    again: Cost

    def eased(self, by: float) -> "Looks":
        """As they would be if all took `by` times as long."""
        return Looks(Cost(by * self.first.terms), Cost(by * self.again.terms))


def time_looks(ready: Prepared) -> dict[str, Looks]:
    """In training's precision (`fast`) and in fp32 (`exact`), on a few real batches."""
    examples = max(ready.examples.values(), key=len)
    few = examples.select(np.arange(min(len(examples), 20_000)))
    batches = few.by_length()
    chosen = at_quantiles(sizes_of(few, batches), (0.5, 0.05, 0.95))
    of = sizes_of(few, [batches[at] for at in chosen])
    found: dict[str, Looks] = {}
    for name, mode in (("fast", ready.masters.training), ("exact", ready.masters.reporting)):
        if name == "exact" and ready.device.precision == "fp32":
            found["exact"] = found["fast"]
            continue
        with mode():
            look(ready, few, batches[chosen[0]][:1])  # pays what only the very first batch does
            first = [look(ready, few, batches[at]) for at in chosen]
            rounds = [first]
            if max(first) < LONG_SECONDS:
                rounds += [[look(ready, few, batches[at]) for at in chosen] for _ in range(2)]
        best = [min(tries) for tries in zip(*rounds, strict=True)]
        # Only in training's precision shapes are compiled.
        found[name] = Looks(Cost.fit(of, first if name == "fast" else best), Cost.fit(of, best))
    return found


def look(ready: Prepared, examples: Examples, rows: Ints) -> float:
    """Seconds of a batch of the frozen pass."""
    model = ready.model.eval()
    begin = time.perf_counter()
    with torch.inference_mode():
        batch = examples.batch(rows).to(ready.device.torch)
        # A language model's output layer is no small part of it, and what it says of rows is not made of their features.
        (model(batch) if model.writes else model.features(batch)).cpu()
    return time.perf_counter() - begin
