"""Showing the progress of some work."""

from collections.abc import Callable, Generator
from typing import TypeVar

from luthier.events import Event, Work
from luthier.interrupts import StopWish
from luthier.progress import Progress

Result = TypeVar("Result")


def shown(begin: Callable[[Callable[[], bool]], Generator[Event, None, Result]], quiet: bool) -> Result:
    """Show the events of some work, and return what it ends with."""
    with StopWish().listening() as wish, Progress(quiet).showing() as progress:
        work = Work(begin(lambda: wish.asked))
        for event in work:
            try:
                progress.show(event)
            except KeyboardInterrupt as second:
                work.generator.throw(second)  # the work alone knows how it is gone on with
        return work.result
