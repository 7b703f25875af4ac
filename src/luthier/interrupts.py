"""Ctrl-C and SIGTERM as a wish to stop, which is granted at the next safe point, so that nothing is left half done."""

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType


class StopWish:
    """Whether somebody asked to stop. Long work looks at it between steps."""

    def __init__(self, signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)) -> None:
        """signals: those that are a wish."""
        self.asked = False
        self.signals = signals

    @contextlib.contextmanager
    def listening(self) -> Iterator["StopWish"]:
        """Catch the first of the signals, Ctrl-C or SIGTERM, inside the block; a second one acts at once, as without us.

        Signals can only be caught in the main thread: elsewhere the block changes nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.getsignal(number) for number in self.signals}

        def wish(number: int, frame: FrameType | None) -> None:
            self.asked = True
            for caught, handler in before.items():
                signal.signal(caught, handler)

        for number in before:
            signal.signal(number, wish)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
