"""How much time a search has left, and for what: trials, the best few of them on other seeds, the end."""

import math
import statistics
from collections.abc import Sequence

from luthier.searching.opening import Search
from luthier.searching.ranking import FINALISTS, different
from luthier.searching.samplers import Tried

ENOUGH = 0.5
"""Another trial begins only if at least this share of a median trial's time is left."""
LONGER = 1.1
"""A trial's settings may take so many times as long on another seed."""
HELD_BACK = {False: 1 / 3, True: 1 / 2}
"""Largest share of --budget for the best few on other seeds: by default (False), and where --seeds asks for them (True)."""


def median_seconds(tried: Sequence[Tried]) -> float:
    """Median seconds of the trials that were run to their end; zero as long as there is none."""
    took = [float(one.notes["seconds"]) for one in different(tried) if "seconds" in one.notes]
    return statistics.median_high(took) if took else 0.0


def held_back(search: Search, tried: Sequence[Tried]) -> float:
    """Seconds that trials leave to the best few of them on other seeds: for as many seeds as fit whole, as one that only some
    of them have does not count."""
    budget = search.plan.budget_seconds
    usual = median_seconds(tried)
    if budget is None or not usual:
        return 0.0
    rounds = math.ceil((FINALISTS + 1) / (search.asked.workers or search.folder.default_workers))
    of_a_seed = rounds * LONGER * usual
    fit = HELD_BACK[search.asked.seeds is not None] * budget // of_a_seed
    return min(search.seeds - 1, fit) * of_a_seed


def trials_end(search: Search, tried: Sequence[Tried]) -> float | None:
    """Seconds by the search's clock until which the last trial must have ended; None without a budget."""
    return None if search.deadline is None else search.deadline - held_back(search, tried)


def time_for_trial(search: Search, tried: Sequence[Tried]) -> bool:
    """Whether it is worth while to begin another trial."""
    end = trials_end(search, tried)
    return end is None or search.clock() + ENOUGH * median_seconds(tried) < end


def time_for_rerun(search: Search, one: Tried) -> bool:
    """Whether a trial's settings fit once more, so that time does not cut them short."""
    took = float(one.notes.get("seconds") or 0.0)
    return search.deadline is None or search.clock() + LONGER * took <= search.deadline
