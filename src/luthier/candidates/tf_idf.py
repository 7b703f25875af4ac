"""The candidate that knows texts by their words alone: TF-IDF, with logistic regression or ridge regression on top."""

from functools import partial
from typing import Any

import numpy as np

from luthier.arrays import Array, Ints
from luthier.candidates.by_hand import HandMadeCandidate, Made, Solve
from luthier.candidates.run import Run
from luthier.prepare.prepare import Prepared
from luthier.tasks.probing import Probing
from luthier.train.probe.probe import cross_validate, solve_sparse
from luthier.train.probe.tf_idf import MOST_CHARACTERS, Texts, TfIdf

STRENGTHS = (0.1, 1.0, 10.0, 100.0)
"""Inverse strengths of the L2 penalty tried (scikit-learn's C), from strong to weak, on rows of length 1."""
USUAL = 10.0
"""The strength where rows are too few to try others."""
MOST_FEATURES, MOST_WEIGHTS = 100_000, 1_500_000
"""N-grams of a kind, and weights of all features and labels together, at the most: the solver holds 300 bytes for each."""
MOST_PRODUCTS, PRODUCTS_TRIED, FEWEST_TRIED = 150_000_000, 5_000_000, 600
"""The most features that are not zero, times labels, in one evaluation of the loss: at the end, and where strengths are tried;
and the fewest rows on which strengths are tried."""


class TfIdfCandidate(HandMadeCandidate):
    """Words and pieces of words, weighted by how rare they are, under a linear model; one strength by cross-validation."""

    name = "tf-idf"
    words = "a linear model of word counts (TF-IDF)"
    most_rows = 50_000

    def why_not_rows(self, ready: Prepared) -> str:
        return "" if ready.rows.form.of_texts else "rows are not made of texts alone"

    def make(self, run: Run, order: Ints, outputs: int) -> Made:
        texts = texts_of(run.ready, "train", order)
        fits = np.cumsum([sum(map(len, row)) for row in texts]) <= MOST_CHARACTERS
        fits[:1] = True
        texts = texts[: int(fits.sum())]
        bags = TfIdf.of(texts, MOST_FEATURES, MOST_WEIGHTS // outputs)
        features = bags.features(texts)
        kept = most_rows(features, outputs, MOST_PRODUCTS)

        def describe(part: str, numbers: Ints) -> Any:
            return bags.features(texts_of(run.ready, part, numbers))

        return Made(order[:kept], features[:kept], describe, bags.nbytes)

    def solver(self, features: Any, targets: Array, how: Probing, seed: int, clusters: Ints | None) -> Solve:
        tried = max(FEWEST_TRIED, most_rows(features, how.outputs, PRODUCTS_TRIED))
        held = cross_validate(features, targets, how.outputs, how.fit_score, seed, STRENGTHS, tried, clusters)
        strength = max(held.logits, key=held.score) if held.logits else USUAL
        return partial(solve_sparse, outputs=how.outputs, strength=strength)


TF_IDF = TfIdfCandidate()


def most_rows(features: Any, outputs: int, products: int) -> int:
    """How many of the first rows have at most so many features that are not zero, once for each label."""
    held = features.indptr[1:].astype(np.int64) * outputs
    return max(1, int((held <= products).sum()))


def texts_of(ready: Prepared, part: str, rows: Ints) -> Texts:
    """The texts of some rows of a part."""
    numbers: Ints = getattr(ready.rows.split, part)
    form = ready.rows.form
    return [form.texts(row) for row in ready.rows.inputs(numbers[rows])]
