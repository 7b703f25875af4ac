"""An axis that the rows of a table share: in each row a score as a dot with its interval, as in a forest plot.

What is drawn is told by the numbers beside it, so the drawings are left out for who listens to the page. Places are shares of the
cell's width: nothing is stretched where it is wide, and nothing has to be drawn anew.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from luthier.report.markup import Html, join, safe
from luthier.report.numbers import Shown

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
"""Distances of ticks that people count in, times a power of ten."""
MOST_TICKS = 4
EDGE = 0.05
"""The share of the width that is kept free at both ends."""


@dataclass(frozen=True)
class Axis:
    """Where values stand across a cell."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @staticmethod
    def of(values: Iterable[float]) -> "Axis":
        """The axis that holds some values, which are finite.

        >>> Axis.of([0.18, 0.93]).ticks
        (0.2, 0.4, 0.6, 0.8)
        """
        found = list(values) or [0.0, 1.0]
        low, high = min(found), max(found)
        if low == high:
            half = abs(low) / 10 or 0.5
            low, high = low - half, high + half
        return Axis(low, high, ticks_between(low, high))

    def place(self, value: float) -> str:
        """Where a value stands, in percent of the width.

        >>> Axis(0.0, 1.0, ()).place(0.5)
        '50.00%'
        """
        inside = (value - self.low) / (self.high - self.low)
        return f"{100 * (EDGE + (1 - 2 * EDGE) * inside):.2f}%"

    def head(self, metric: Shown) -> Html:
        """The numbers of the axis."""
        texts = (
            f'<text x="{self.place(tick)}" y="12" text-anchor="middle">{safe(metric.tick(tick))}</text>'
            for tick in self.ticks
        )
        return Html(f'<svg aria-hidden="true" class="axis" height="16">{"".join(texts)}</svg>')

    def row(self, test: float | None, ends: tuple[float, float] | None, valid: float | None) -> Html:
        """The grid, the interval as a line, the test score as a dot and, below it, that on validation as a ring."""
        parts = [line("grid", self.place(tick), self.place(tick), "0", "100%") for tick in self.ticks]
        middle = "50%" if valid is None else "42%"
        if ends is not None:
            parts.append(line("span", self.place(ends[0]), self.place(ends[1]), middle, middle))
        if valid is not None:
            parts.append(Html(f'<circle class="ring" cx="{self.place(valid)}" cy="80%" r="3"/>'))
        if test is not None:
            parts.append(Html(f'<circle class="dot" cx="{self.place(test)}" cy="{middle}" r="4.5"/>'))
        return join(parts)


def line(name: str, left: str, right: str, top: str, bottom: str) -> Html:
    return Html(f'<line class="{name}" x1="{left}" x2="{right}" y1="{top}" y2="{bottom}"/>')


def ticks_between(low: float, high: float) -> tuple[float, ...]:
    """Round numbers within two ends, as many as can be read.

    >>> ticks_between(0.02, 5.3), ticks_between(0.91, 0.96)
    ((2.0, 4.0), (0.92, 0.94, 0.96))
    """
    power = 10.0 ** math.floor(math.log10((high - low) / MOST_TICKS))
    for step in (power * factor for factor in STEPS):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < MOST_TICKS:
            break
    return tuple(float(f"{at * step:.12g}") for at in range(first, last + 1))


def drawn(axis: Axis, kept: bool, *scores: object) -> Html:
    """The cell of a row. kept: whether it is the one that the page is about.  scores: test, its two ends, validation; what is no
    finite number is not drawn."""
    test, low, high, valid = (
        float(score) if isinstance(score, int | float) and math.isfinite(score) else None for score in scores
    )
    ends = None if low is None or high is None else (low, high)
    marks = axis.row(test, ends, valid)
    return Html(f'<svg aria-hidden="true" class="row{" kept" * kept}">{marks}</svg>')
