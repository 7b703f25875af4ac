"""`luthier check --forecast SCORE`: how many labelled rows a score is likely to take."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.doctor.check import Checkup
from luthier.errors import PlanError
from luthier.scores.learning_curve import FARTHEST, Curve, RowsNeeded, rows_needed
from luthier.train.probe.learning_curve import LARGEST, probe_curve, sizes_tried

FEWEST = 60
"""Fewest rows: fewer say nothing about how scores grow."""

GROWTH = 2
"""How many times as large as the smallest part of the rows the largest one is to be: a curve wants more than one size."""


@dataclass(frozen=True)
class LabelForecast:
    """The forecast of how many labelled rows a score takes, or why there is none."""

    metric: str
    score: float
    at_hand: int
    curve: Curve
    needed: RowsNeeded

    @property
    def known(self) -> bool:
        """Whether the score lies within the range of the forecast."""
        return self.needed.middle <= FARTHEST * self.at_hand

    def words(self) -> str:
        now = f"{self.metric} {self.curve.scores[-1]:.3f} from {int(self.curve.rows[-1]):,} rows"
        asked = f"{self.metric} {self.score:g}"
        if self.needed.middle <= self.at_hand:
            return f"{asked} is within reach of the {self.at_hand:,} rows at hand ({now} on frozen features)."
        if not self.known:
            return (
                f"{asked} is not foretold: it would take more than {FARTHEST:g} times the {self.at_hand:,} rows at hand "
                f"({now} on frozen features). Another model, or tuning its layers, helps more than labels do."
            )
        low, high = max(self.needed.low, self.at_hand), self.needed.high
        most = (
            f"{round_up(high):,}"
            if high <= FARTHEST * self.at_hand
            else f"more than {round_up(FARTHEST * self.at_hand):,}"
        )
        return (
            f"{asked} likely takes {round_up(self.needed.middle):,} labelled rows in all, between {round_up(low):,} and {most}: "
            f"about {round_up(self.needed.middle - self.at_hand):,} more than the {self.at_hand:,} at hand ({now} on frozen "
            "features; tuning its layers may take fewer)."
        )

    def to_json(self) -> dict[str, Any]:
        def rows(number: float) -> int | None:
            return math.ceil(number) if math.isfinite(number) else None

        return {
            "metric": self.metric,
            "score": self.score,
            "rows_at_hand": self.at_hand,
            "known": self.known,
            "rows": rows(self.needed.middle) if self.known else None,
            "low": rows(self.needed.low) if self.known else None,
            "high": rows(self.needed.high) if self.known else None,
            "curve": [
                {"rows": int(size), "score": round(float(one), 4)}
                for size, one in zip(self.curve.rows, self.curve.scores, strict=True)
            ],
            "words": self.words(),
        }


def round_up(number: float) -> int:
    """A number rounded up to two digits: more would feign precision.

    >>> round_up(1234.0), round_up(8.0)
    (1300, 8)
    """
    unit = 10 ** max(0, math.floor(math.log10(max(number, 1))) - 1)
    return int(math.ceil(number / unit) * unit)


def checked_score(text: str) -> float:
    """The score, checked. Raises PlanError for a number that is no score."""
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not 0 < score < 1:
        raise PlanError(f"--forecast {text}: expected a score between 0 and 1, as in --forecast 0.95.")
    return score


def forecast_labels(checkup: Checkup, score: float, seed: int) -> LabelForecast:
    """Learn from growing parts of all rows on frozen features, and carry the curve on. Raises PlanError without features."""
    rows, evidence = checkup.rows, checkup.evidence
    frozen = None if evidence is None else evidence.frozen
    if rows is not None and not len(rows.split.train):
        raise PlanError(
            "--forecast tells how many labels a score takes, and where labels are named no row is learnt from. Leave it out."
        )
    if rows is None or frozen is None:
        raise PlanError("--forecast needs a model and rows that can be used: leave out --model none.")
    if len(frozen.rows) < FEWEST:
        raise PlanError(
            f"--forecast: {len(frozen.rows)} rows are too few to tell how scores grow. Expected at least {FEWEST}."
        )
    task = rows.task
    if not rows.labels or task.probe is None:
        raise PlanError(f"--forecast tells how many labels a score takes, and {task.name} learns no labels.")
    sizes = sizes_tried(len(frozen.rows), task.outputs)
    smallest, largest = int(sizes[0]), int(sizes[-1])
    if largest < GROWTH * smallest:
        raise PlanError(
            f"--forecast: how scores grow is told from parts of the rows in which each label stands twice, and of "
            f"{len(frozen.rows):,} rows these are {smallest:,} to {largest:,}, too alike to tell. Expected at least "
            f"{math.ceil(GROWTH * smallest / LARGEST):,} rows."
        )
    curve = probe_curve(frozen.features, frozen.targets, task.outputs, task.probe.fit_score, seed)
    at_hand = len(rows.evidence.used)
    return LabelForecast(
        task.metric, score, at_hand, curve, rows_needed(curve, score, int(np.max(curve.rows) / 0.8))
    )
