"""Sentences on what small parts of a split mean for the scores."""

import numpy as np

from luthier.data.problems import Problems
from luthier.data.split import Split
from luthier.errors import counted
from luthier.tasks.kind import Understood

FIRM = 200
"""Fewest test rows with which nothing is said: the score's interval then tells enough."""


def small_parts(split: Split, found: Understood) -> tuple[str, ...]:
    """A sentence on each: few test rows, kinds of rows that have none of them, few rows to calibrate on."""
    words, task = [], found.task
    tested = len(split.test)
    if not tested:
        words.append(
            "There are no test rows, so nothing is measured, and nobody can say how good the model is: --test FILE names rows to "
            "test on."
        )
    if not split.validates:
        words.append(
            "There are no rows to validate on, as labels have so few: the training rows stand in, whose scores are those of rows "
            "that were learnt from, and nothing is calibrated. --valid FILE names rows to validate on."
        )
    if 0 < tested < FIRM:
        words.append(
            f"The test part has {counted(tested, 'row')}: {task.firmness(tested)}. More test rows make the numbers firmer."
        )
    strata, names = found.answers.strata, found.answers.strata_names
    missing = np.setdiff1d(strata[split.train], strata[split.test])
    if tested and len(missing) and names:
        kinds = Problems()
        for kind in missing:
            kinds.add(names[kind])
        words.append(f"Not in the test part: rows that {kinds}. How well they are answered is not known.")
    calibrating = len(getattr(split, split.calibrates)) if split.calibrates else 0
    how = task.calibrating
    if split.calibrates and how is not None and calibrating < how.fewest:
        rows = counted(calibrating, "row")
        words.append(f"Only {rows} to calibrate on, which is too few: {how.left_out}.")
    return tuple(words)
