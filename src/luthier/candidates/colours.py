"""The candidate that knows images by their colours and the directions of their edges alone."""

from functools import partial
from typing import Any

import numpy as np

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.candidates.by_hand import HandMadeCandidate, Learnt, in_pieces
from luthier.candidates.run import Run
from luthier.prepare.prepare import Prepared
from luthier.tasks.probing import Probing
from luthier.train.probe.colours import histograms
from luthier.train.probe.probe import fit_probe, solve_probe

MOST_ROWS = 10_000
"""Training images that are looked at, at the most."""
AT_ONCE = 64
"""Images that are held decoded at once."""


class ColoursCandidate(HandMadeCandidate):
    """Histograms of colours and of the directions of edges, under logistic regression."""

    name = "colours"
    words = "a linear model of colours and edges"

    def why_not_rows(self, ready: Prepared) -> str:
        return "" if ready.rows.form.of_pixels else "rows are no images"

    def learn(self, run: Run, how: Probing) -> Learnt:
        seed, outputs = run.plan.run.seed, how.outputs
        order = seeds.generator(seed, "colours").permutation(len(run.ready.examples["train"]))[:MOST_ROWS]
        examples = run.ready.examples

        def describe(part: str, rows: Ints) -> Any:
            return seen(examples[part], rows)

        features, targets = describe("train", order), how.to_learn(run.targets("train")[order])
        head = fit_probe(features, targets, outputs, how.fit_score, seed)
        with_rows = partial(solve_probe, outputs=outputs, strength=head.strength)
        return Learnt(order, features, head, describe, 0, with_rows)


COLOURS = ColoursCandidate()


def seen(examples: Examples, rows: Ints) -> Array:
    """(rows, width) the histograms of some images, as the model is shown them."""
    pixels = (
        examples.batch(some).inputs["pixel_values"].numpy() for some in in_pieces(rows, AT_ONCE) if len(some)
    )
    return np.concatenate([histograms(one) for one in pixels] or [np.zeros((0, 1), np.float32)])
