"""What small parts of a split mean for what can be known, in plain words."""

import numpy as np

from luthier.data.problems import Problems, counted
from luthier.data.split import Split
from luthier.tasks.kind import Understood

FIRM = 200
"""Test rows from which the width of a score is left to its interval."""


def small_parts(split: Split, found: Understood) -> tuple[str, ...]:
    """A sentence on each: few test rows, kinds of rows that have none of them, few rows to calibrate on."""
    words, task = [], found.task
    tested = len(split.test)
    if 0 < tested < FIRM:
        words.append(
            f"The test part has {counted(tested, 'row')}: {task.firmness(tested)}. More test rows make the numbers firmer."
        )
    missing = np.setdiff1d(found.strata[split.train], found.strata[split.test])
    if tested and len(missing) and found.strata_names:
        kinds = Problems()
        for kind in missing:
            kinds.add(found.strata_names[kind])
        words.append(f"Not in the test part: rows that {kinds}. How well they are answered is not known.")
    calibrating = len(getattr(split, split.calibrates)) if split.calibrates else 0
    how = task.calibrating
    if split.calibrates and how is not None and calibrating < how.fewest:
        rows = counted(calibrating, "row")
        words.append(f"Only {rows} to calibrate on, which is too few: {how.left_out}.")
    return tuple(words)
