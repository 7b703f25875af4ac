"""Data that nothing can be learnt from, or that would fool: refused, with what mends it."""

from collections.abc import Sequence

from luthier.data.checks import CHECKS
from luthier.data.split import Split
from luthier.errors import DataError, PlanError, did_you_mean, listing
from luthier.plan.plan import Plan

STOPPING = ("leaks",)
"""Checks whose findings can stop a run that could go on. Without two labels, or without texts, it could not."""


def refuse_unknown_checks(allowed: Sequence[str]) -> None:
    """Raise PlanError for a name that is no check's."""
    for name in allowed:
        if name not in CHECKS:
            raise PlanError(
                f"data.allow: {name!r} is not a check that stops a run.{did_you_mean(name, CHECKS)} Expected {listing(STOPPING)}."
            )


def refuse_empty_parts(plan: Plan, split: Split) -> None:
    """Nothing can be chosen or reported without rows for it."""
    for name, rows, file in (
        ("validation", split.valid, plan.data.valid),
        ("test", split.test, plan.data.test),
    ):
        if len(rows):
            continue
        if file is not None:
            raise DataError(
                f"{file}: none of its rows can be used: each lacks its text or its label, or has a label that occurs "
                "only once in the training rows."
            )
        raise DataError(
            f"{plan.data.path}: no row is left for the {name} part, because rows with the same text or the same group "
            "stay together, and here nearly all do. Add rows that differ, or choose another --group."
        )
