"""The candidate that knows images by their colours and the directions of their edges alone."""

from functools import partial
from typing import Any

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.candidates.by_hand import HandMadeCandidate, Made, Solve, in_pieces
from luthier.candidates.run import Run
from luthier.prepare.prepare import Prepared
from luthier.tasks.probing import Probing
from luthier.train.probe.colours import histograms
from luthier.train.probe.probe import solve_probe, strength_for

AT_ONCE = 64
"""Images that are held decoded at once."""


class ColoursCandidate(HandMadeCandidate):
    """Histograms of colours and of the directions of edges, under logistic regression."""

    name = "colours"
    words = "a linear model of colours and edges"
    most_rows = 10_000

    def why_not_rows(self, ready: Prepared) -> str:
        return "" if ready.rows.form.of_pixels else "rows are no images"

    def make(self, run: Run, order: Ints, outputs: int) -> Made:
        examples = run.ready.examples

        def describe(part: str, rows: Ints) -> Any:
            return seen(examples[part], rows)

        return Made(order, describe("train", order), describe, nbytes=0)

    def solver(self, features: Any, targets: Array, how: Probing, seed: int, clusters: Ints | None) -> Solve:
        strength, _ = strength_for(features, targets, how.outputs, how.fit_score, seed, clusters)
        return partial(solve_probe, outputs=how.outputs, strength=strength)


COLOURS = ColoursCandidate()


def seen(examples: Examples, rows: Ints) -> Array:
    """(rows, width) the histograms of some images, as the model is shown them."""
    pixels = (
        examples.batch(some).inputs["pixel_values"].numpy() for some in in_pieces(rows, AT_ONCE) if len(some)
    )
    return np.concatenate([histograms(one) for one in pixels] or [np.zeros((0, 1), np.float32)])
