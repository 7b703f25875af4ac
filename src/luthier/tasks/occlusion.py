"""Which pieces of a row an answer rests on: how much less speaks for it when a piece is left out.

Occlusion (Zeiler and Fergus 2014, arXiv:1311.2901, section 4.2; for words Li, Monroe and Jurafsky 2016, arXiv:1612.08220, eq. 1).
It takes a pass of the model for each piece, no gradient, and serves every head. In a model whose logits are sums over words the
weight of a word is its share of the sum, and the weights of all words add up to what speaks for the answer beyond an empty row.
In others words work together, and they need not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.arrays import Ints
from luthier.batches.examples import Examples
from luthier.forms.form import Form
from luthier.forms.pieces import Piece
from luthier.tasks.calibration import Calibration
from luthier.tasks.outputs import Outputs
from luthier.tasks.task import Task

AT_ONCE = 4
"""Rows whose pieces are left out in one go."""
DECIMALS = 4


@dataclass(frozen=True)
class Weighed:
    """A piece of a row, and what it does for the answer."""

    piece: Piece
    weight: float
    """How much less speaks for the answer without the piece; below 0 where more does."""

    def to_json(self) -> dict[str, Any]:
        return {**self.piece.to_json(), "weight": round(self.weight, DECIMALS)}


@dataclass(frozen=True)
class Asked:
    """How a model is asked for answers to any rows."""

    task: Task
    form: Form
    calibration: Calibration
    read: Callable[[Sequence[Any]], Examples]
    """Rows as the model reads them."""
    infer: Callable[[Examples], Outputs]
    """What the model gives for them."""


def weighed(asked: Asked, rows: Sequence[Any]) -> list[list[Weighed]]:
    """(rows,) the pieces of each row with their weights, in the row's order; none where it has no pieces to leave out."""
    found: list[list[Weighed]] = []
    for begin in range(0, len(rows), AT_ONCE):
        found += weighed_at_once(asked, rows[begin : begin + AT_ONCE])
    return found


def weighed_at_once(asked: Asked, rows: Sequence[Any]) -> list[list[Weighed]]:
    """The same for a few rows, each of which goes through the model with all its variants."""
    how = asked.task.explaining
    assert how is not None, "it was asked before"
    pieces = [asked.form.occluded(row) for row in rows]
    variants = [
        one for row, own in zip(rows, pieces, strict=True) for one in (row, *(less for _, less in own))
    ]
    first = np.cumsum([0] + [1 + len(own) for own in pieces])[:-1]
    examples = asked.read(variants)
    outputs = asked.infer(examples)
    answers = asked.task.answer(outputs, asked.calibration, examples)
    said: Ints = np.repeat(how.said(answers.select(first)), [1 + len(own) for own in pieces])
    support = how.support(outputs, said)
    return [
        [Weighed(piece, float(support[start] - support[start + 1 + at])) for at, (piece, _) in enumerate(own)]
        for start, own in zip(first.tolist(), pieces, strict=True)
    ]
