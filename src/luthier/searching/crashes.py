"""Trials whose process has died: counted, and given up when that happens too often."""

from luthier.searching.folder import SearchFolder
from luthier.searching.opening import adviser_of
from luthier.searching.samplers import Adviser, Tried
from luthier.searching.space import read_space

CRASHES = 2
"""A trial whose process dies so often is given up."""


def abandoned(folder: SearchFolder, how: str, number: int | None = None) -> list[tuple[int, bool]]:
    """Count a crash for a trial whose process ended: (number, whether that was once too often, and it has failed).

    how: the process ended.  number: of the trial; None for all running ones that no process holds.
    """
    plan, asked = folder.plans()
    settled = folder.note("settled") or {}
    adviser = adviser_of(folder, asked, read_space(settled["vary"], plan), plan)
    found = []
    with folder.alone("ask"):
        for one in adviser.tried():
            counts = one.state == "running" and number in (None, one.number)
            lock = folder.take(f"trial-{one.number}") if counts else None
            if lock is not None:
                with lock:
                    found.append((one.number, given_up(adviser, one, how)))
    return found


def given_up(adviser: Adviser, one: Tried, how: str) -> bool:
    """Count a crash of a trial; True where it has failed by it."""
    crashes = int(one.notes.get("crashes", 0)) + 1
    adviser.remember(one.number, crashes=crashes)
    if crashes < CRASHES:
        return False
    words = f"its process ended with {how}, {crashes} times: perhaps memory ran out"
    adviser.remember(one.number, words=words)
    adviser.tell(one.number, "failed")
    return True
