"""The best few trials on other seeds, so that none is named for a lucky draw. All processes of a search share them."""

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from luthier.errors import DiskError, Interrupted, LuthierError, RunError, WorldError
from luthier.events import Advanced, Event, Noted, Started, Validated
from luthier.folder.run_folder import RunFolder
from luthier.searching.folder import OF_SEARCH, SearchFolder
from luthier.searching.opening import Search, refuse_another_model
from luthier.searching.ranking import finalists
from luthier.searching.records import FailedNote, NamedNote
from luthier.searching.samplers import Tried
from luthier.searching.time_budget import time_for_rerun
from luthier.searching.trials import LOOK
from luthier.steps.trial import Outcome, outcome_of, trial

NAMED = "named"
"""The name of the note on which trial a search ends with. A later command keeps to it, however much time it has."""


@dataclass(frozen=True)
class Rerun:
    """A trial's settings on another seed."""

    number: int
    seed: int

    def __str__(self) -> str:
        return f"{self.number}-{self.seed}"

    @property
    def words(self) -> str:
        return f"trial {self.number} on seed {self.seed}"

    def path(self, folder: SearchFolder) -> Path:
        return folder.path / "seeds" / str(self)

    def outcome(self, folder: SearchFolder) -> Outcome | None:
        """The outcome of the rerun; None as long as it has not ended."""
        path = self.path(folder)
        record = RunFolder.key_record(path)
        return None if record is None else outcome_of(RunFolder(path, record.key))

    def fail(self, folder: SearchFolder, words: str) -> None:
        """Record that the rerun failed: its trial is then not named."""
        folder.keep_note(f"failed-{self.number}", FailedNote(seed=self.seed, words=words))


def failure(folder: SearchFolder, number: int) -> str | None:
    """Why a trial's settings failed on another seed; None where they did not fail."""
    found = folder.note(f"failed-{number}", FailedNote)
    return None if found is None else found.words


def reruns(search: Search) -> list[Rerun]:
    """All reruns of the search, in their order: each of the best few has a second seed before one has a third."""
    own = search.plan.run.seed
    seeds = range(own + 1, own + search.seeds)
    return [
        Rerun(one.number, seed) for seed in seeds for one in finalists(search.adviser.tried(), search.metric)
    ]


def confirm(search: Search) -> Iterator[tuple[int, Event]]:
    """Run the reruns for which there is time, sharing them with the other processes. Yields (number of the trial, event)."""
    wanted = reruns(search)
    if not wanted or search.folder.note(NAMED, NamedNote) is not None:
        return
    yield OF_SEARCH, Started("seeds", search.clock(), len(wanted))
    while True:
        yield OF_SEARCH, Advanced(sum(over(search, one) for one in wanted), search.clock())
        if search.stop():
            raise Interrupted(f"Interrupted. `luthier resume {search.folder.path}` goes on from here.")
        taken, others = take_rerun(search)
        if taken is None and not others:
            return
        if taken is None:
            time.sleep(LOOK)  # a process at work on the last of them may die
            continue
        one, lock = taken
        with lock:
            yield from rerun(search, one)


def over(search: Search, one: Rerun) -> bool:
    """Whether a rerun has ended, or is given up with its trial."""
    return one.outcome(search.folder) is not None or failure(search.folder, one.number) is not None


def take_rerun(search: Search) -> tuple[tuple[Rerun, contextlib.ExitStack] | None, bool]:
    """The next rerun, if there is one and time for it; and whether other processes are at any.

    None after one that there is no time for: seeds count only where all of the best few have them.
    """
    tried, others, late = search.adviser.tried(), False, search.folder.note(NAMED, NamedNote) is not None
    for one in reruns(search):
        late = late or (not over(search, one) and not time_for_rerun(search, tried[one.number]))
        wanted = not late and not over(search, one)
        # Of one that is over, too: whoever is at another seed of a trial that failed has it still.
        lock = search.folder.take(f"rerun-{one}", search.process.holder if wanted else "")
        if lock is None:
            others = True
        elif wanted and not over(search, one):
            return (one, lock), others
        else:
            lock.close()
    return None, others


def rerun(search: Search, one: Rerun) -> Iterator[tuple[int, Event]]:
    """Run a rerun. An error in it is recorded, and ends it alone."""
    folder = one.path(search.folder)
    values = search.adviser.tried()[one.number].values
    search.memo.wide = None  # there may be others
    try:
        refuse_another_model(search, values)
        plan = search.trial_plan(values, str(folder), search.deadline, run__seed=one.seed)
        for event in trial(plan, search.memo, search.stop):
            if isinstance(event, Validated):
                search.spend()
            yield one.number, event
        yield OF_SEARCH, Noted(came_to(search, one), search.clock())
    except (Interrupted, DiskError, RunError):
        raise
    except Exception as error:
        words = str(error) if isinstance(error, LuthierError) else f"{type(error).__name__}: {error}"
        one.fail(search.folder, words)
        words = f"Trial {one.number} fails on seed {one.seed}, so it is not named: {words}"
        yield OF_SEARCH, Noted(words, search.clock(), warning=True)
    search.folder.forget_weights(folder)
    with search.folder.alone("ask"):
        search.record()  # the time that it took


def came_to(search: Search, one: Rerun) -> str:
    outcome = one.outcome(search.folder)
    assert outcome is not None, "it ended just now"
    if math.isnan(outcome.score):
        raise WorldError("its score on the validation rows is not a number")
    cut = " when time was over: it does not count" if outcome.cut else ""
    return f"Trial {one.number} on seed {one.seed}: {search.ready.rows.task.metric} {outcome.score:.4f}{cut}."


def unheard(search: Search) -> dict[int, list[int]]:
    """The seeds, by trial, on which it has no whole score because time was over."""
    found: dict[int, list[int]] = {}
    for one in reruns(search):
        outcome = one.outcome(search.folder)
        if failure(search.folder, one.number) is None and (outcome is None or outcome.cut):
            found.setdefault(one.number, []).append(one.seed)
    return found


def scores_of(search: Search, one: Tried) -> dict[int, float]:
    """The scores of a trial's settings, by the seed they were run on. A rerun that time cut short does not count."""
    found = {search.plan.run.seed: one.score or 0.0}
    for path in (search.folder.path / "seeds").glob(f"{one.number}-*"):
        again = Rerun(one.number, int(path.name.split("-")[1]))
        outcome = again.outcome(search.folder)
        if outcome is not None and not outcome.cut:
            found[again.seed] = outcome.score
    return dict(sorted(found.items()))
