"""Searches in this process, for tests."""

import os
import time
from collections.abc import Iterator
from typing import Any

from luthier.events import Event
from luthier.interrupts import StopWish
from luthier.searching.folder import SearchFolder
from luthier.searching.worker import worked

VARY = ("train.lr=1e-4..3e-2 log", "train.batch_rows=8,16")


def events_of(
    folder: SearchFolder, wish: StopWish | None = None, alone: bool = False
) -> Iterator[tuple[int, Event]]:
    """A process's work on a search, in this process."""
    return worked(folder, wish or StopWish(), folder.seconds(), time.time(), os.getppid(), alone)


def finished(folder: SearchFolder) -> dict[str, Any]:
    for _ in events_of(folder):
        pass
    assert folder.finished
    return folder.record().to_json()


def scores(record: dict[str, Any]) -> dict[int, tuple[str, float, tuple[Any, ...]]]:
    return {
        one["number"]: (one["state"], one["score"], tuple(one["values"].items())) for one in record["trials"]
    }
