"""Showing the progress of some work."""

from collections.abc import Callable, Generator
from typing import TypeVar

from luthier.events import Event
from luthier.interrupts import StopWish
from luthier.progress import Progress

Result = TypeVar("Result")


def shown(begin: Callable[[Callable[[], bool]], Generator[Event, None, Result]], quiet: bool) -> Result:
    """Show the events of some work, and return what it ends with."""
    with StopWish().listening() as wish, Progress(quiet).showing() as progress:
        events = begin(lambda: wish.asked)
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                result: Result = end.value
                return result
            try:
                progress.show(event)
            except KeyboardInterrupt as second:
                events.throw(second)  # the work alone knows how it is gone on with
