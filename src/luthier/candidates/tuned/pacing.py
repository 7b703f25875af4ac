"""What was foretold of a training, put right by its real steps."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from luthier.events import Event, Noted, Stepped
from luthier.report.forecast_words import time_in_words

FIRST_LOOK = 20
"""Steps after which the first look is worth it; each further one is after twice as many."""
FEWEST_SECONDS = 5.0
"""Steps of less time tell nothing of a machine."""
OFF = 1.5
"""The user is told when training is so many times faster or slower than was last said."""


@dataclass
class Pacing:
    """The pace of a training, as it was last told."""

    told: float | None
    """Seconds of a step, validations and all; None: nothing was told, and nothing is put right."""
    steps: int
    """Number of steps of the whole training."""
    end: Callable[[], float] = lambda: math.inf
    """The second of the run in which no further step may begin, as there is a budget."""
    look_at: int = FIRST_LOOK
    seen: int = 0
    since: Stepped | None = None
    """The step from which on the pace is taken: what ran beside the steps before may be over."""

    def notes(self, event: Event) -> Iterator[Noted]:
        """Something to say after an event, if there is."""
        if self.told is None or not isinstance(event, Stepped):
            return
        if self.since is None:
            self.since = event  # the first step compiles
            return
        self.seen += 1
        taken = event.seconds - self.since.seconds
        if self.seen < self.look_at or taken < FEWEST_SECONDS:
            return
        pace = taken / (event.step - self.since.step)
        self.look_at, self.since = 2 * self.seen, event
        if max(pace / self.told, self.told / pace) >= OFF:
            left, ends = pace * (self.steps - event.step), self.end() - event.seconds
            budget = ""
            if ends < left:
                reached = event.step + int(ends / pace)
                budget = f" The budget ends it at about step {reached:,} of {self.steps:,}."
            left_words = time_in_words(max(0.0, min(left, ends)))
            yield Noted(
                f"Steps take {pace:.2g} s, not {self.told:.2g} s: {left_words} of training are left at most.{budget}",
                event.seconds,
            )
            self.told = pace
