"""A candidate that has learnt what it could."""

from dataclasses import dataclass, field

from torch import nn

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
    """Whether it is there to be beaten, as nothing was trained for it."""
    weights: Weights | None = None
    """What can be kept of it; None where there is no model."""
    calibration: Calibration = field(default_factory=Calibration)
    answers: dict[str, Answers] = field(default_factory=dict)
    """What it answers, calibrated, on `valid` and `test`."""
    scores: dict[str, Estimate] = field(default_factory=dict)
    """The task's metric on `valid` and `test`."""
