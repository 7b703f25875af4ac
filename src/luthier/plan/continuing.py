"""The settings of a run that another one goes on from, with newly labelled rows beside its own."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from luthier.errors import PlanError
from luthier.plan.places import MODELS, NAMED, found_again
from luthier.plan.plan import flag, full_key, read_plan

KEY = "data.continues"
"""The setting that names the earlier run."""
OWN = ("data.path", "data.warm_up", "data.allow", "data.validation", KEY)
"""Settings of `data` that each run has for itself. How candidates are compared follows from how many rows there are now, and from
whether the earlier run has held some out (prepare/crossing.py)."""
BESIDE = ("train.method", "run.seed", "run.precision")
"""Settings of other sections than `data`, `task` and `model` that the next round goes on with."""


def with_those_of_earlier(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a plan, and for what they leave open those of the run that they go on from, if any.

    Which rows are for what, which columns are read, which model reads them: a next round of labelling is to be the same in all
    but its labels. Raises PlanError where there is no such run.
    """
    name = settings.get(KEY, settings.get("continues"))
    if name is None:
        return dict(settings)
    given, run = {full_key(key): value for key, value in settings.items()}, Path(name)
    if not (run / "plan.toml").is_file():
        raise PlanError(
            f"--continue {name}: is not the folder of a run, which holds a plan.toml. Name the run of the round before, as in "
            "--continue runs/reviews-1a2b3c4d; without --continue, luthier tune begins anew."
        )
    before = read_plan(run / "plan.toml")
    if before.get("data.label_names"):
        raise PlanError(
            f"--continue {name}: was made of labels' names alone, and has no labelled rows that new ones could stand beside. "
            "Leave out --continue: the rows that are labelled now are a first round."
        )
    kept = {key: value for key, value in before.items() if goes_on(key)}
    for key in (key for key in NAMED if isinstance(kept.get(key), str)):
        kept[key] = found_again(key, kept[key], [run])
    refuse_what_is_gone(name, {key: value for key, value in kept.items() if key not in given})
    return {**kept, **given}


def refuse_what_is_gone(run: str, kept: Mapping[str, Any]) -> None:
    """Raise PlanError for a file or a folder that a run goes on with and that is not there any more. kept: its settings that
    nobody says otherwise."""
    for key in NAMED:
        place = kept.get(key)
        if isinstance(place, str) and os.path.isabs(place) and not os.path.lexists(place):
            raise PlanError(
                f"--continue {run}: goes on with {place} ({flag(key)}), which is not there any more. Put it back, or name where "
                f"it is now: {flag(key)} {'FOLDER' if key in MODELS else 'FILE'}."
            )


def goes_on(key: str) -> bool:
    """
    >>> [goes_on(key) for key in ("data.test", "data.path", "model.name", "train.lr", "run.seed")]
    [True, False, True, False, True]
    """
    return key in BESIDE or (key.split(".")[0] in ("data", "task", "model") and key not in OWN)
