"""The best score that there can be on the validation rows."""

import numpy as np

from luthier.candidates.run import Run

ROUNDING = 1e-9
"""A correlation of answers that are all right may miss 1 by so much."""


def ceiling(run: Run) -> float:
    """The goodness of the metric's value on the validation rows where every one is answered rightly, at which training ends;
    infinite where a method was named, which trains as long as its plan says."""
    if run.plan.train.method != "auto":
        return np.inf
    return run.task.goodness(best_score(run)) - ROUNDING


def best_score(run: Run) -> float:
    """The metric's value on the validation rows where every one is answered rightly."""
    targets = run.targets("valid")
    return run.task.score(run.task.flawless(targets), targets)
