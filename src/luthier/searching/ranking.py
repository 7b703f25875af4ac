"""The ranking of a search's trials: which is the best, which may still be named, and what search.json tells of each."""

import math
from collections.abc import Sequence
from typing import Any

from luthier.scores.metrics import Metric
from luthier.searching.folder import SearchFolder
from luthier.searching.samplers import Tried

FINALISTS = 3
"""Number of trials that are run on other seeds, beside the recipe."""


def best_of(tried: list[Tried], metric: Metric) -> Tried | None:
    """The finished trial with the best score; of equal ones the first."""
    done = [one for one in tried if one.state == "complete" and one.score is not None]
    return max(done, key=lambda one: (goodness(one, metric), -one.number)) if done else None


def goodness(one: Tried, metric: Metric) -> float:
    """The score of a trial as it is compared, higher being better."""
    return metric.goodness(one.score or 0.0)


def different(tried: Sequence[Tried]) -> list[Tried]:
    """The finished trials, one for each distinct set of values."""
    return [one for one in tried if one.state == "complete" and "same_as" not in one.notes]


def finalists(tried: list[Tried], metric: Metric) -> list[Tried]:
    """The best few, and the recipe, below which a search must not end."""
    done = sorted(different(tried), key=lambda one: (-goodness(one, metric), one.number))
    return done[:FINALISTS] + [one for one in done[FINALISTS:] if one.number == 0]


def nameable(tried: list[Tried], metric: Metric) -> list[Tried]:
    """The finalists, each trial that is no worse than the recipe with less work than all better ones, and trials that time cut
    short: of those only the weights show what was scored."""
    done = different(tried)
    floor = next((goodness(one, metric) for one in done if one.number == 0), -math.inf)

    def work_of(one: Tried) -> float:
        return float(one.notes.get("work", 0.0))

    def unbeaten(one: Tried) -> bool:
        own = goodness(one, metric)
        better = [other for other in done if goodness(other, metric) > own]
        return own >= floor and all(work_of(one) < work_of(other) for other in better)

    last = {one.number for one in finalists(tried, metric)}
    return [one for one in done if one.number in last or one.notes.get("cut") or unbeaten(one)]


def trial_record(folder: SearchFolder, one: Tried) -> dict[str, Any]:
    """A trial as search.json records it."""
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
