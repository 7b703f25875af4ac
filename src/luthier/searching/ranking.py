"""How the trials of a search stand: which is the best, which may still be named, and what is told of each."""

import math
from collections.abc import Sequence
from typing import Any

from luthier.searching.folder import SearchFolder
from luthier.searching.samplers import Tried

FINALISTS = 3
"""Trials that are run on other seeds, beside the recipe."""


def best_of(tried: list[Tried]) -> Tried | None:
    """The finished trial with the best score; of equal ones the first."""
    done = [one for one in tried if one.state == "complete" and one.score is not None]
    return max(done, key=lambda one: (one.score, -one.number)) if done else None


def different(tried: Sequence[Tried]) -> list[Tried]:
    """The finished trials, each settings once."""
    return [one for one in tried if one.state == "complete" and "same_as" not in one.notes]


def finalists(tried: list[Tried]) -> list[Tried]:
    """The best few, and the recipe, below which a search must not end."""
    done = sorted(different(tried), key=lambda one: (-(one.score or 0.0), one.number))
    return done[:FINALISTS] + [one for one in done[FINALISTS:] if one.number == 0]


def nameable(tried: list[Tried]) -> list[Tried]:
    """The finalists, and whoever is no worse than the recipe with less work than all that are better. Of a trial that time cut
    short the weights are all that tells what was scored."""
    done = different(tried)
    floor = next((one.score or 0.0 for one in done if one.number == 0), -math.inf)

    def work_of(one: Tried) -> float:
        return float(one.notes.get("work", 0.0))

    def unbeaten(one: Tried) -> bool:
        better = [other for other in done if (other.score or 0.0) > (one.score or 0.0)]
        return (one.score or 0.0) >= floor and all(work_of(one) < work_of(other) for other in better)

    last = {one.number for one in finalists(tried)}
    return [one for one in done if one.number in last or one.notes.get("cut") or unbeaten(one)]


def trial_record(folder: SearchFolder, one: Tried) -> dict[str, Any]:
    """A trial in search.json."""
    return {
        "number": one.number,
        "values": one.values,
        "score": one.score,
        "state": one.state,
        "seconds": one.notes.get("seconds"),
        "run": str(folder.trial(one.notes.get("same_as", one.number)).relative_to(folder.path)),
        "validations": {str(age): score for age, score in one.seen.items()},
        **{key: value for key, value in one.notes.items() if key != "seconds"},
    }
