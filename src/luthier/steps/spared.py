"""Training that could change nothing, or nothing that could be shown, even if it ended with every validation row right."""

import math
from pathlib import Path

from luthier.candidates import CANDIDATES
from luthier.candidates.ceiling import ROUNDING, best_score
from luthier.candidates.run import Run
from luthier.comparing.choice import beyond_reach, choose
from luthier.comparing.fitted import Fitted
from luthier.folder.scorecard import Scorecard
from luthier.scores.intervals import Difference, Estimate
from luthier.steps.continued import last_trained_at

MORE = 2.0
"""Times the training rows with which layers were trained in vain, from which on a next round of labelling tries that again."""
NEGLIGIBLE = 0.02
"""Largest gain in the metric that is not trained for, if the validation rows could not tell it from chance either."""


def why_spared(run: Run) -> str:
    """Why training is left out, in words; empty where it is not: a method was named, nothing that could be kept is there yet, or
    a dearer candidate could win.

    It cannot where the rule of the choice (comparing/choice.py) would keep a cheaper one even beside a model with every
    validation row right, or where that model's lead would be negligible and within noise.
    """
    if run.plan.train.method != "auto" or not run.learnt or run.ready.teacher is not None:
        return ""  # only who trains layers learns from a teacher
    if not run.ready.rows.split.validates_apart:
        return ""  # what few rows say of a candidate is weighed otherwise (candidates/few_shot/paying.py)
    if tried := tried_before(run):
        return tried
    targets, top = run.targets("valid"), best_score(run)
    flawless = Fitted("tuned", "the tuned", 0.0, {})
    flawless.answers["valid"] = run.task.flawless(targets)
    flawless.scores["valid"] = Estimate(top, top, top)
    kept = beyond_reach(run.learnt, flawless, run.standard_error, run.task.metric)
    reason = f"and even {top:.4f}, all rows right, would be within one standard error of it"
    if kept is None:
        kept, _ = choose(run.learnt, run.standard_error, run.task.metric)
        reason = f"and even {top:.4f}, all rows right, would be no better beyond noise"
        if not negligible(run.difference(flawless, kept, "valid")):
            return ""
    score = kept.scores["valid"].value
    told = f"No layers are trained: the {run.task.metric} of {kept.name} on the {len(targets):,} validation rows is {score:.4f}"
    if run.task.goodness(score) >= run.task.goodness(top) - ROUNDING:
        reason = "which nothing can exceed"
    trained = "--method full trains all the same."
    if run.plan.compare.scratch != "off":
        trained = f"Nor is anything trained from scratch, which stands beside what is tuned. {trained}"
    return f"{told}, {reason}. {trained}"


def why_untrained(run: Run) -> str:
    """Why no candidate trains layers though no method was named, in words; empty where rows are held out, or too few for it."""
    if run.plan.train.method != "auto" or not run.ready.rows.split.crossed:
        return ""
    return (
        f"No layers are trained: none of the {len(run.targets('train')):,} training rows is held out, and nothing else would say "
        "when to stop. Where they are unlike what the model has seen before, --method full may learn more of them."
    )


def tried_before(run: Run) -> str:
    """Why a round of labelling does not train layers again, in words; empty where it does: where it goes on from no run, where
    what was kept had trained some, or where there are twice the rows by now with which they were last tried in vain."""
    if run.plan.data.continues is None:
        return ""
    card, now = Scorecard.read(Path(run.plan.data.continues)).card, len(run.targets("train"))
    rows = last_trained_at(card)
    if rows is None or (card.chosen in CANDIDATES and CANDIDATES[card.chosen].trains) or now >= MORE * rows:
        return ""
    return (
        f"No layers are trained: with {rows:,} training rows an earlier round did so and kept {card.chosen}. They are tried "
        f"again from {math.ceil(MORE * rows):,} training rows on; here are {now:,}. --method full trains them all the same."
    )


def negligible(lead: Difference) -> bool:
    """Whether the lead of a model with all rows right is small, and no evidence that it is better (a 95 % interval)."""
    return lead.value <= NEGLIGIBLE and lead.low <= 0
