"""Work whose process has died: counted, and given up when that happens too often."""

from dataclasses import dataclass

from luthier.searching.folder import SearchFolder
from luthier.searching.opening import adviser_of
from luthier.searching.records import CrashesNote
from luthier.searching.reruns import Rerun, failure
from luthier.searching.samplers import Adviser
from luthier.searching.space import read_space

CRASHES = 2
"""A trial over which so many processes died is given up."""


@dataclass(frozen=True)
class Abandoned:
    """The work that a process had begun when it died."""

    what: str
    """The work in words: `trial 7`, or `trial 7 on seed 3`."""
    failed: bool
    """Whether processes have now died over it so often that it is given up."""


def abandoned(folder: SearchFolder, holder: str, how: str) -> list[Abandoned]:
    """Count a crash for the work of a process that has ended, and for no other work: other processes may have died beside it.

    holder: the name under which the process took trials.  how: the way it ended, in words.
    """
    plan, asked = folder.plans()
    settled = folder.settled
    if settled is None:
        return []  # it died before there were any trials
    adviser = adviser_of(folder, asked, read_space(settled.vary, plan), plan, settled.higher)
    found = []
    with folder.alone("ask"):
        for name in folder.held_by(holder):
            kind, *numbers = name.split("-")
            if kind == "trial":
                found += crashed(folder, adviser, int(numbers[0]), how)
            if kind == "rerun":
                found += rerun_crashed(folder, Rerun(int(numbers[0]), int(numbers[1])), how)
    return found


def crashed(folder: SearchFolder, adviser: Adviser, number: int, how: str) -> list[Abandoned]:
    """Count a crash of a trial's process; nothing is counted where the trial had ended before."""
    one = adviser.tried()[number]
    if one.state != "running":
        return []
    crashes = int(one.notes.get("crashes", 0)) + 1
    adviser.remember(number, crashes=crashes)
    lock = folder.take(f"trial-{number}") if crashes >= CRASHES else None
    if lock is None:
        return [Abandoned(f"trial {number}", failed=False)]
    with lock:
        adviser.remember(number, words=words_of(how, crashes))
        adviser.tell(number, "failed")
    return [Abandoned(f"trial {number}", failed=True)]


def rerun_crashed(folder: SearchFolder, one: Rerun, how: str) -> list[Abandoned]:
    """Count a crash of the process that ran a trial on another seed; nothing where that had ended before."""
    if one.outcome(folder) is not None or failure(folder, one.number) is not None:
        return []
    known = folder.note(f"crashes-{one}", CrashesNote)
    crashes = 1 if known is None else known.count + 1
    folder.keep_note(f"crashes-{one}", CrashesNote(count=crashes))
    if crashes >= CRASHES:
        one.fail(folder, words_of(how, crashes))
    return [Abandoned(one.words, failed=crashes >= CRASHES)]


def words_of(how: str, crashes: int) -> str:
    return f"its process ended with {how}, {crashes} times: perhaps memory ran out"
