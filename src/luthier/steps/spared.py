"""Training that could change nothing: a cheaper candidate would be kept even beside a model with every validation row right."""

import numpy as np

from luthier.compare.choice import Candidate, beyond_reach
from luthier.scores.intervals import Estimate
from luthier.steps.run import Run

ROUNDING = 1e-9
"""A correlation of answers that are all right may miss 1 by so much."""


def ceiling(run: Run) -> float:
    """The metric's value on the validation rows where every one is answered rightly, at which training ends; infinite where a
    method was named, which trains as long as its plan says."""
    if run.plan.train.method != "auto":
        return np.inf
    return best_score(run) - ROUNDING


def best_score(run: Run) -> float:
    targets = run.targets("valid")
    return run.task.score(run.task.all_right(targets), targets)


def why_spared(run: Run) -> str:
    """Why training is left out, in words, by the very rule of the choice (compare/choice.py); empty where it is not: a method was
    named, nothing that could be kept is there yet, or a dearer candidate could win."""
    if run.plan.train.method != "auto":
        return ""
    targets, top = run.targets("valid"), best_score(run)
    flawless = Candidate("tuned", 0.0, {})
    flawless.predicted["valid"] = run.task.all_right(targets)
    flawless.scores["valid"] = Estimate(top, top, top)
    kept = beyond_reach(run.learnt, flawless, run.standard_error)
    if kept is None:
        return ""
    score = kept.scores["valid"].value
    told = f"No layers are trained: the {run.task.metric} of {kept.name} on the {len(targets):,} validation rows is {score:.4f}"
    reason = (
        "which nothing can exceed"
        if score >= top - ROUNDING
        else f"and even {top:.4f}, all rows right, would be within one standard error of it"
    )
    return f"{told}, {reason}. --method full trains all the same."
