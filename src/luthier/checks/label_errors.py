"""The check for labels that look wrong, by confident learning on a probe's probabilities."""

from collections.abc import Iterator

import numpy as np

from luthier.arrays import Array
from luthier.checks.finding import Evidence, Finding, Frozen, count_of
from luthier.checks.review import Suspect

FEWEST = 50
"""Fewest rows with which labels are doubted: fewer do not show what is usual."""
DOUBTED = 0.25
"""Chance of an error from which on a row is shown: on four sets with one label in twenty made wrong, 64 to 89 of 100 of
those are found so, and of 100 rows shown 37 to 96 are of them (benchmarks/doctor/doctor.py)."""
LEAST_NOISE, MOST_NOISE = 0.03, 0.1
"""The estimated share of wrong labels is clipped to this range. Public test sets have 3.3 % on average (Northcutt et al. 2021,
arXiv:2103.14749); confident learning takes every error of a weak model for one of the labels."""
LEFT_NOISE = 0.01
"""Assumed share of wrong labels once a person has gone through them: a new doubt must be stronger."""


def label_errors(evidence: Evidence) -> Iterator[Finding]:
    """Rows whose label the other rows speak against, the likeliest errors first."""
    frozen = evidence.frozen
    found = suspects(evidence) if evidence.labelled else []
    if frozen is None or not found:
        return
    rows = [suspect.row for suspect, _ in found]
    yield Finding(
        check="label-errors",
        severity="warn",
        count=len(found),
        share=len(found) / len(frozen.rows),
        rows=tuple(
            shown | {"label": own_label(evidence, suspect.row), "suggested": suspect.suggested}
            for shown, (suspect, _) in zip(evidence.shown(rows, most=None), found, strict=True)
        ),
        message=f"{count_of(len(found), 'row has a label', 'rows have labels')} that the other rows speak against, the likeliest "
        "errors first.",
        matters="Wrong labels teach what is wrong; in the test rows they make a right answer count as an error.",
        mend="luthier check --fix labels:review writes a file in which you decide, row by row, and which the same command then "
        "reads.",
    )


def own_label(evidence: Evidence, row: int) -> str:
    return "|".join(evidence.answers.labels_of(row))


def suspects(evidence: Evidence) -> list[tuple[Suspect, float]]:
    """Rows whose label may well be wrong, each with the chance that it is; labels that a person has confirmed are left out."""
    frozen = evidence.frozen
    if frozen is None or len(frozen.rows) < FEWEST:
        return []
    chance = chance_of_error(frozen, LEFT_NOISE if evidence.judged.complete else noise_share(frozen))
    settled = np.isin(frozen.rows, evidence.judged.settled)
    found = np.flatnonzero((chance >= DOUBTED) & ~settled)
    found = found[np.argsort(-chance[found], kind="stable")]
    return [(suspect(frozen, int(at)), float(chance[at])) for at in found]


def suspect(frozen: Frozen, at: int) -> Suspect:
    probabilities = frozen.probabilities[at]
    if frozen.targets.ndim == 2:
        names = [name for name, one in zip(frozen.labels, probabilities, strict=True) if one >= 0.5]
        return Suspect(int(frozen.rows[at]), "|".join(names), float(agreement(frozen)[at].min()))
    own = int(frozen.targets[at])
    best = int(np.argmax(np.where(np.arange(len(probabilities)) == own, -1.0, probabilities)))
    return Suspect(int(frozen.rows[at]), frozen.labels[best], float(probabilities[own]))


def agreement(frozen: Frozen) -> Array:
    """(rows, 1) the probability of the label as it is, or (rows, labels) of each mark."""
    given = frozen.probabilities
    if frozen.targets.ndim == 2:
        return np.where(frozen.targets > 0, given, 1 - given)
    return given[np.arange(len(given)), frozen.targets][:, None]


def chance_of_error(frozen: Frozen, noise: float) -> Array:
    """(rows,) that a label is wrong, by Bayes' rule.

    The probabilities are of labels as they stand, a share `noise` of them wrong and evenly spread over the others.
    """
    others = 1 if frozen.targets.ndim == 2 else len(frozen.labels) - 1
    wrong = noise / max(1, others)
    right = np.clip((agreement(frozen) - wrong) / (1 - noise - wrong), 0.0, 1.0)
    found: Array = ((1 - right) * wrong / ((1 - right) * wrong + right * (1 - noise) + 1e-12)).max(1)
    return found


def noise_share(frozen: Frozen) -> float:
    """Share of wrong labels by confident learning (Northcutt et al. 2021, arXiv:1911.00068, eq. 3), within bounds."""
    if frozen.targets.ndim == 2 or len(np.unique(frozen.targets)) < len(frozen.labels):
        return LEAST_NOISE
    from cleanlab.count import estimate_joint

    joint = estimate_joint(frozen.targets, frozen.probabilities)
    return float(np.clip(1 - np.trace(joint), LEAST_NOISE, MOST_NOISE))
