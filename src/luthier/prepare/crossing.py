"""Where rows are so few that none is held out for good: candidates are compared by cross-validation over the training rows."""

from dataclasses import replace

import numpy as np

from luthier.data.split import Shares, Split
from luthier.errors import PlanError
from luthier.plan.plan import Plan
from luthier.prepare.clusters import SharedRows
from luthier.tasks.kind import Roles, Understood

MOST_ROWS, MOST_PER_LABEL = 400, 16
"""Rows, and rows a label, up to which nothing is held out where nobody says otherwise. A tenth of them are 40 rows, or one or two
of each label: too few to choose by, and too many to learn nothing from."""


def crosses(plan: Plan, found: Understood, roles: Roles, held_out: bool) -> bool:
    """Whether candidates are to be compared by cross-validation. held_out: whether a run that is gone on from has held rows out
    for validation, which then stay so unless the plan says otherwise. Raises PlanError where crossing is asked for beside rows
    that were given to validate on."""
    if plan.data.validation == "crossed" and "valid" in roles.names:
        raise PlanError(
            "data.validation: 'crossed' answers training rows in cross-validation, and here rows were given to validate on. "
            "Leave it out, or leave these rows out."
        )
    if not found.task.crosses or "valid" in roles.names or plan.data.validation == "held-out":
        return False
    if plan.data.validation == "crossed" or held_out:
        return plan.data.validation == "crossed"
    own = roles.rows(found.usable, "train")
    labels = len(np.unique(found.answers.strata[own]))
    return len(own) <= max(MOST_ROWS, MOST_PER_LABEL * labels)


def nothing_held_out(shares: Shares) -> Shares:
    """The shares of the rows, with none for validation; nor for calibration, which takes the rows that are answered in
    cross-validation."""
    calibrates = "valid" if shares.calibrates == "calibration" and not shares.asked else shares.calibrates
    return replace(shares, valid=0.0, calibrates=calibrates)


def crossed(split: Split, found: Understood, shared: SharedRows) -> Split:
    """The split with those training rows in the place of validation rows whose label has another row to be learnt from; as it is
    where no label has, or where all such rows share something, so that none is answered by the others. Rows that an earlier run
    has held out for validation are learnt from too."""
    split = replace(split, train=np.union1d(split.train, split.valid), valid=split.valid[:0])
    strata = found.answers.strata[split.train]
    labels, counts = np.unique(strata, return_counts=True)
    several = np.isin(strata, labels[counts > 1])
    clusters = shared.among(split.train[several])
    if (several.sum() if clusters is None else len(np.unique(clusters))) < 2:
        return split
    return replace(split, valid=split.train[several], crossed=True)
