"""A candidate that has learnt what it could."""

from dataclasses import dataclass, field

import numpy as np
from torch import nn

from luthier.arrays import Ints
from luthier.scores.intervals import Estimate
from luthier.tasks.answers import Answers
from luthier.tasks.calibration import Calibration
from luthier.tasks.outputs import Outputs

PRETRAINED = ""
"""The name under which the body is as it came."""


@dataclass(frozen=True)
class Weights:
    """The weights that a model of a candidate is made of."""

    body: str = PRETRAINED
    """The name of the candidate that moved the body's layers; its weights lie in the run's folder under this name."""
    head: nn.Sequential | None = None
    """The head, where it is not the one that the body was trained with."""
    hidden: tuple[int, ...] = ()
    """Widths of the layers between the features and the last one."""


@dataclass(frozen=True)
class Smaller:
    """What a candidate would give for some test rows if it had learnt from fewer rows."""

    learnt: int
    """Training rows that it learnt from."""
    outputs: Outputs
    """What it gives for the test rows that `tried_rows` names."""


@dataclass(frozen=True)
class Footprint:
    """What the answers of a candidate cost, and what it would give if it had learnt from fewer rows."""

    seconds: float = 0.0
    """Seconds in which it answered the test rows, beside a pass of the model over them."""
    asks_model: bool = True
    """Whether such a pass comes first, as its answers are made of what the model gives."""
    bytes: int | None = 0
    """Bytes on disk of what it knows beside a model; None where that was not counted."""
    with_model: bool = True
    """Whether a model is on disk too."""
    learnt: int = 0
    """Training rows that it learnt from; none where it was not tried with fewer."""
    smaller: tuple[Smaller, ...] = ()
    """What it would give with fewer."""


MOST_TRIED = 5_000
"""Test rows that are answered by candidates which learnt from fewer rows, at the most."""


def tried_rows(rows: int) -> Ints:
    """The numbers of those of so many test rows, evenly spread."""
    return np.linspace(0, rows - 1, min(rows, MOST_TRIED)).astype(np.int64)


@dataclass
class Fitted:
    """A candidate that has learnt what it could: what it gives, what that cost, and the weights that can be kept of it.

    Parts are `valid`, `calibration` and `test`; the last is opened only when one candidate has been chosen, unless it cost
    nothing to answer it on the way.
    """

    name: str
    words: str
    """What it is, as a sentence calls it."""
    seconds: float
    """Seconds that the candidate took beyond the cheaper ones."""
    outputs: dict[str, Outputs]
    """What it gives for the rows of each part."""
    to_beat: bool = True
    """Whether it is there to be beaten, and never kept."""
    counts: bool = True
    """Whether the verdict and what tuning was worth compare with it; else it is only shown."""
    learns: bool = False
    """Whether it learnt from labels, so that it is calibrated."""
    weights: Weights | None = None
    """What can be kept of it; None where there is no model."""
    calibration: Calibration = field(default_factory=Calibration)
    answers: dict[str, Answers] = field(default_factory=dict)
    """What it answers, calibrated, on `valid` and `test`."""
    scores: dict[str, Estimate] = field(default_factory=dict)
    """The task's metric on `valid` and `test`."""
    footprint: Footprint = Footprint()
