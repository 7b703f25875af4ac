"""The work of a search's process: take a trial that nobody has, run it, tell of it, until none is left."""

import contextlib
import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from luthier.errors import DiskError, Interrupted, LuthierError, RunError, WorldError
from luthier.events import Advanced, Event, Started, Stopped, TrialBegan, TrialEnded, Validated, Work
from luthier.plan.plan import Plan
from luthier.searching.folder import OF_SEARCH
from luthier.searching.opening import Search, refuse_another_model
from luthier.searching.ranking import best_of, nameable
from luthier.searching.records import SignNote
from luthier.searching.samplers import MOST, Tried
from luthier.searching.space import Value
from luthier.searching.time_budget import time_for_trial, trials_end
from luthier.steps.trial import Outcome, trial

LOOK = 0.5
"""Seconds between two looks at how far other processes are."""
OVER = "over"
"""The name of the note that the search ends: no further trial begins."""
ALIKE = 3
"""When so many trials have failed in the same way, and none has not, the search ends."""


def work(search: Search) -> Iterator[tuple[int, Event]]:
    """Run trials until none is left that this process may take. Yields (number of the trial, event)."""
    yield OF_SEARCH, Started("search", search.clock(), 0 if search.count == MOST else search.count)
    yield OF_SEARCH, Advanced(over(search), search.clock())
    while not search.stop():
        taken = take_trial(search)
        if taken is None and not at_work(search):
            return
        if taken is None:
            yield from waited(search)  # a process at work on the last trials may die
            continue
        one, lock = taken
        with lock:
            for event in attempt(search, one):
                yield one.number, event
        search.memo.wide = None  # from here on there may be others
        yield OF_SEARCH, Advanced(over(search), search.clock())
    raise Interrupted(
        f"Interrupted. `luthier resume {search.folder.path}` goes on with the trials that are left."
    )


def waited(search: Search) -> Iterator[tuple[int, Event]]:
    """Wait a while for other processes, and tell how far they are."""
    time.sleep(LOOK)
    yield OF_SEARCH, Advanced(over(search), search.clock())


def closed(search: Search) -> bool:
    """End the trials of a search; False where another command has begun one just now."""
    with search.folder.alone("ask"):
        if at_work(search):
            return False
        search.folder.keep_note(OVER, SignNote())
    return True


def at_work(search: Search) -> bool:
    """Whether a trial is running, in whatever process."""
    return any(one.state == "running" for one in search.adviser.tried())


def over(search: Search) -> int:
    """The number of trials that have ended."""
    return sum(one.state != "running" for one in search.adviser.tried())


def take_trial(search: Search) -> tuple[Tried, contextlib.ExitStack] | None:
    """A trial whose process has died, or the next one; None where there is none, or no time for it."""
    with search.folder.alone("ask"):
        for one in search.adviser.tried():
            if one.state == "running":
                lock = search.folder.take(f"trial-{one.number}", search.process.holder)
                if lock is not None:
                    return search.adviser.again(one.number), lock
        tried = search.adviser.tried()
        if len(tried) >= search.count or (tried and not time_for_trial(search, tried)):
            return None
        if search.folder.note(OVER, SignNote) is not None:
            return None
        asked = search.adviser.ask(search.recipe)
        if asked is None:
            return None
        lock = search.folder.take(f"trial-{asked.number}", search.process.holder)
        assert lock is not None, "nobody can know of a trial that was asked for just now"
        search.record()
        return asked, lock


def attempt(search: Search, one: Tried) -> Iterator[Event]:
    """Run a trial to its end, or until it is pruned. An error in it is recorded, and ends it alone."""
    begin = search.clock()
    yield TrialBegan(one.number, one.values, begin)
    state, words, outcome = "failed", "", None
    twin = equal_before(search, one)
    if twin is not None:
        words = f"the same settings as trial {twin.number}"
        end(search, one, "complete", twin.score, seconds=0.0, words=words, same_as=twin.number)
        yield ended(search, one.number, begin, words)
        return
    try:
        refuse_another_model(search, one.values)
        # The recipe has all the time that there is: what others take follows from what it took.
        end_by = trials_end(search, search.adviser.tried()) if one.number else search.deadline
        plan = search.trial_plan(one.values, str(search.folder.trial(one.number)), end_by)
        enough = Enough()
        running = trial(plan, search.memo, search.stop, lambda: enough.said)
        outcome = yield from until_pruned(search, one.number, plan, running, enough)
        state = "pruned" if outcome is None else "complete"
        if outcome is not None and math.isnan(outcome.score):
            state, outcome, words = "failed", None, "its score on the validation rows is not a number"
        if outcome is not None and outcome.cut and enough.said:
            words = "ended early as its score fell, which had been the best of all trials until then"
        if outcome is not None and outcome.cut and not outcome.curve and one.number:
            state, outcome, words = "pruned", None, "time was over before its first validation"
    except (Interrupted, DiskError):
        raise
    except Exception as error:
        if isinstance(error, RunError) or (one.number == 0 and isinstance(error, LuthierError)):
            raise  # a model that has changed is no trial's fault; what the recipe cannot do, no trial can
        words = str(error) if isinstance(error, LuthierError) else f"{type(error).__name__}: {error}"
    if outcome is not None:
        end(search, one, state, outcome.score, seconds=round(outcome.seconds, 3), words=words, candidate=outcome.candidate,
            work=outcome.work, peak_bytes=outcome.peak_bytes, cut=outcome.cut)  # fmt: skip
    else:
        end(search, one, state, None, seconds=round(search.clock() - begin, 3), words=words)
    tidy(search)
    yield ended(search, one.number, begin, words)
    fail_if_all_do(search)


@dataclass
class Enough:
    """The question whether a trial's training is to end, so that it is scored with its best weights."""

    said: bool = False


def until_pruned(
    search: Search, number: int, plan: Plan, running: Generator[Event, None, Outcome], enough: Enough
) -> Generator[Event, None, Outcome | None]:
    """The events of a trial; its outcome, or None where it was not worth going on with."""
    doomed, steps = False, 0
    work = Work(running)
    for event in work:
        if doomed and not isinstance(event, Stopped):  # who has come to the end has nothing left to save
            running.close()
            return None
        yield event
        doomed = False
        if isinstance(event, Started) and event.step_name == "train":
            steps = event.expects
        if isinstance(event, Validated):
            search.spend()
            age = max(1, round(event.epoch * plan.train.validations))  # a training may be shorter than that
            length = round(age * steps / event.step)
            bad = search.adviser.report(number, age, event.score, length)
            if bad and number > 0:  # the recipe is what others are measured by
                enough.said = enough.said or had_the_best(search, number)
                doomed = not enough.said
    return work.result


def had_the_best(search: Search, number: int) -> bool:
    """Whether a trial has had a better score at some validation than any other."""
    tried = search.adviser.tried()
    own = search.metric.best(tried[number].seen.values())
    others = [one for one in tried if one.number != number]
    seen = [score for one in others for score in (*one.seen.values(), one.score) if score is not None]
    return all(search.metric.gain(own, score) > 0 for score in seen)


def equal_before(search: Search, one: Tried) -> Tried | None:
    """A finished trial with the very same values, unless this one has begun already."""
    if search.folder.trial(one.number).exists():
        return None
    for other in search.adviser.tried():
        if (
            other.number != one.number
            and other.state == "complete"
            and settled(search, other) == settled(search, one)
        ):
            return other
    return None


def settled(search: Search, one: Tried) -> dict[str, Value]:
    """A trial's values, and the recipe's where it leaves them open: two trials that come to the same are the same."""
    return {**one.values} if one.number else {**search.recipe, **one.values}


def end(search: Search, one: Tried, state: Any, score: float | None, **notes: Any) -> None:
    """Put on record how a trial ended."""
    with search.folder.alone("ask"):
        search.adviser.remember(one.number, ended=round(search.earlier + search.clock(), 3), **notes)
        search.adviser.tell(one.number, state, score)
        search.record()


def ended(search: Search, number: int, begin: float, words: str) -> TrialEnded:
    tried = search.adviser.tried()
    one, best = tried[number], best_of(tried, search.metric)
    return TrialEnded(
        number=number,
        state=one.state,
        score=one.score,
        best=best is not None and best.number == number,
        words=words,
        took=round(search.clock() - begin, 3),
        seconds=search.clock(),
        values=one.values,
    )


def tidy(search: Search) -> None:
    """Delete the weights of trials that cannot be named any more; they can be computed again from their plans."""
    with search.folder.alone("ask"):
        tried = search.adviser.tried()
        keep = {one.number for one in nameable(tried, search.metric)}
        for one in tried:
            if one.state != "running" and one.number not in keep:
                search.folder.forget_weights(search.folder.trial(one.number))


def fail_if_all_do(search: Search) -> None:
    """Raise WorldError where nothing but the same failure comes of the first trials."""
    ended = [one for one in search.adviser.tried() if one.state != "running"]
    failed = [one for one in ended if one.state == "failed"]
    if len(failed) == len(ended) >= ALIKE and len({one.notes.get("words") for one in failed}) == 1:
        raise WorldError(f"All of the first {len(ended)} trials failed: {failed[0].notes.get('words')}")
