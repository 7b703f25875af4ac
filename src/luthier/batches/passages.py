"""A question with the text that may answer it, and where in that text each token stands."""

from dataclasses import dataclass, field

import numpy as np

from luthier.arrays import Array

START, END = 1, 2
"""Bits of a token's mark: the answer begins there, or ends with it. Zero: it could and does not; -1: it cannot."""


@dataclass(frozen=True)
class Passage:
    """A row of question answering: the question, and the text that may answer it."""

    question: str
    context: str
    places: Array = field(default_factory=lambda: np.zeros((0, 2), np.int32), repr=False)
    """(tokens, 2) begin and end of each token in the context, over all windows; (0, 0) for tokens outside of the context."""
    parts: Array = field(default_factory=lambda: np.zeros(1, np.int64), repr=False)
    """(windows + 1,) where each window begins among the tokens, and the last one ends."""


@dataclass(frozen=True)
class Gold:
    """The right answers of a row; empty where the text does not answer the question."""

    texts: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()
