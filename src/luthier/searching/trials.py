"""What a process of a search does: take a trial that nobody has, run it, tell of it, until none is left."""

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from luthier.errors import DiskError, Interrupted, LuthierError, PlanError, RunError, WorldError
from luthier.events import Advanced, Event, Started, TrialBegan, TrialEnded, Validated
from luthier.folder.artefacts import Artefacts
from luthier.machine import cores
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan
from luthier.searching.folder import OF_SEARCH, SearchFolder
from luthier.searching.samplers import MOST, Adviser, Tried, storage_at
from luthier.searching.space import Space, Value, plan_of, read_space
from luthier.searching.usual import usual_space
from luthier.steps.kept import Kept
from luthier.steps.prepare import Prepared, prepare, refuse_too_many_blocks, refuse_what_has_no_effect
from luthier.steps.trial import Outcome, trial

USUAL = 20
"""Trials where no number is given."""
FINALISTS = 3
"""Trials that are run on other seeds, beside the recipe."""
LOOK = 0.5
"""Seconds between two looks at what other processes have come to."""
OVER = "over"
"""A note that the search ends: no further trial begins."""
ALIKE = 3
"""So many trials that fail alike, and none that did not, end a search."""
CRASHES = 2
"""A trial whose process dies so often is given up."""
WRITING = 10.0
"""Seconds that the best trial's files and the report take."""
FEW_CORES = 8
THREADS = 4
"""Of a trial on a machine with more than a few cores. Where there are few, each is a trial's own: two trials side by side,
a thread each, get through more than one with two threads (docs/search.md)."""
SHARED = "shared"
"""The folder of what all trials have in common."""


@dataclass
class Search:
    """A search as one of its processes sees it."""

    folder: SearchFolder
    plan: Plan
    """Of which trials vary some settings; precision, device, threads and the split are settled."""
    asked: SearchPlan
    space: Space
    adviser: Adviser
    recipe: dict[str, Value]
    """The values of trial 0."""
    kept: Kept
    ready: Prepared
    """The recipe's: the rows that all trials have in common."""
    count: int
    stop: Callable[[], bool]
    clock: Callable[[], float]
    """Seconds since the command began."""
    earlier: float
    """Seconds that earlier commands took."""

    @property
    def deadline(self) -> float | None:
        """By the clock: when the last trial must have ended, for the best one to be finished within --budget."""
        if self.plan.budget_seconds is None:
            return None
        return self.plan.budget_seconds - self.earlier - self.finishing

    @property
    def finishing(self) -> float:
        """Seconds that are kept back to test the best trial: a pass over the rows, and what is written."""
        features = Artefacts(self.folder.state / SHARED / self.ready.features_key).record("features") or {}
        return float(features.get("seconds", 0.0)) + WRITING

    def trial_plan(self, values: dict[str, Value], out: str, **more: Any) -> Plan:
        """The plan of a trial. The time that is left is its own."""
        left = None if self.deadline is None else f"{max(1.0, self.deadline - self.clock()):.0f}s"
        if "model.name" in values:
            values = {**values, "model.name": self.folder.found_again(str(values["model.name"]))}
        return plan_of(self.plan, values, **{"run__out": out, "run__budget": left, **more})

    def record(self, **more: Any) -> None:
        """Write search.json."""
        tried = self.adviser.tried()
        best = best_of(tried)
        found = {
            "method": self.asked.sampler,
            "metric": self.ready.rows.task.metric,
            "space": self.space.spelt(),
            "prune": self.asked.prune,
            "trials": [trial_record(self.folder, one) for one in tried],
            "best": None
            if best is None
            else {"number": best.number, "values": best.values, "score": best.score},
            "seconds": round(self.earlier + self.clock(), 3),
            **more,
        }
        self.folder.write_record(found)


def open_search(folder: SearchFolder, stop: Callable[[], bool], earlier: float, began: float) -> Search:
    """A search's folder, opened to work on it. Raises InputError for a plan, a space or rows that cannot be used.

    began: by time.time(), when the command began.
    """
    plan, asked = folder.plans()
    plan = plan.with_settings({"run.threads": threads_of(plan, asked), "data.split_seed": plan.split_seed})
    kept = Kept(folder.state / SHARED)
    with folder.alone("open"):
        settled = folder.note("settled")
        if settled is None:
            ready = prepare(plan, kept)
            resolved = ready.plan
            space = read_space(asked.vary, plan) if asked.vary else usual_space(ready)
            refuse_what_the_model_refuses(space, plan, ready)
            settled = {
                "run.precision": resolved.run.precision,
                "run.device": resolved.run.device,
                "run.threads": resolved.run.threads,
            }
            recipe = {
                key: value
                for key, value in resolved.settings().items()
                if key in {one.key for one in space.dimensions}
            }
            gpus = torch.cuda.device_count() if resolved.run.device == "cuda" else 0
            folder.keep_note(
                "settled", {"run": settled, "vary": space.spelt(), "recipe": recipe, "gpus": gpus}
            )
            settled = folder.note("settled") or {}
        else:
            space = read_space(settled["vary"], plan)
        plan = plan.with_settings(settled["run"])
        ready = prepare(plan, kept)
        refuse_what_has_changed(folder, ready)
        adviser = adviser_of(folder, asked, space, plan)
    return Search(
        folder=folder,
        plan=plan,
        asked=asked,
        space=space,
        adviser=adviser,
        recipe=settled["recipe"],
        kept=kept,
        ready=ready,
        count=trials_wanted(asked, plan, space),
        stop=stop,
        clock=lambda: time.time() - began,
        earlier=earlier,
    )


def refuse_what_has_changed(folder: SearchFolder, ready: Prepared) -> None:
    """Raises RunError where rows, split or model are not those that the search began with."""
    known = folder.note("rows")
    if known is None:
        folder.keep_note("rows", {"key": ready.features_key})
    elif known["key"] != ready.features_key:
        raise RunError(
            f"{folder.path}: the rows or the model have changed since this search began, so further trials could not be compared "
            "with those that have ended. Put back what was there, or search anew with another --out."
        )


def threads_of(plan: Plan, asked: SearchPlan) -> int:
    """CPU threads of each trial: as the plan says, or such that all workers together have the cores."""
    if plan.run.threads is not None:
        return plan.run.threads
    if asked.workers is not None:
        return max(1, cores() // asked.workers)
    return 1 if cores() < FEW_CORES else THREADS


def adviser_of(folder: SearchFolder, asked: SearchPlan, space: Space, plan: Plan) -> Adviser:
    """The record of a search's trials."""
    record = folder.key_record()
    assert record is not None, "it is the folder of a search"
    storage = storage_at(asked.storage or folder.url)
    return Adviser(storage, record["id"], asked, space, plan, trials_wanted(asked, plan, space))


def trials_wanted(asked: SearchPlan, plan: Plan, space: Space) -> int:
    """How many trials there are to be, the recipe among them."""
    if asked.sampler == "grid":
        points = len(space.grid(plan)) + 1
        return min(points, asked.trials or points)
    if asked.trials is not None:
        return asked.trials
    return USUAL if plan.run.budget is None else MOST


def refuse_what_the_model_refuses(space: Space, plan: Plan, ready: Prepared) -> None:
    """Values that are right in a plan and wrong for this task or model. Raises PlanError that tells of all of them."""
    problems: dict[str, None] = {}
    for one in space.dimensions:
        for value in one.points:
            asked = plan_of(plan, {one.key: value})
            try:
                refuse_what_has_no_effect(asked, ready.rows.task)
                if asked.model.name == plan.model.name:
                    refuse_too_many_blocks(asked, ready.ladder)
            except PlanError as error:
                problems[f"--vary {error}"] = None
    if problems:
        raise PlanError("\n".join(problems))


def work(search: Search) -> Iterator[tuple[int, Event]]:
    """Run trials until none is left that this process may take; (number, event) of each."""
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
        yield OF_SEARCH, Advanced(over(search), search.clock())
    raise Interrupted(
        f"Interrupted. `luthier resume {search.folder.path}` goes on with the trials that are left."
    )


def waited(search: Search) -> Iterator[tuple[int, Event]]:
    """Some time for others to get on, and how far they are."""
    time.sleep(LOOK)
    yield OF_SEARCH, Advanced(over(search), search.clock())


def at_work(search: Search) -> bool:
    """Whether a trial is running, in whatever process."""
    return any(one.state == "running" for one in search.adviser.tried())


def over(search: Search) -> int:
    """How many trials have ended."""
    return sum(one.state != "running" for one in search.adviser.tried())


def take_trial(search: Search) -> tuple[Tried, contextlib.ExitStack] | None:
    """A trial whose process has died, or the next one; None where there is none, or no time for it."""
    with search.folder.alone("ask"):
        for one in search.adviser.tried():
            if one.state == "running":
                lock = search.folder.take(f"trial-{one.number}")
                if lock is not None:
                    return search.adviser.again(one.number), lock
        tried = search.adviser.tried()
        if len(tried) >= search.count or (tried and not time_for_one(search, tried)):
            return None
        if search.folder.note(OVER) is not None:
            return None
        asked = search.adviser.ask(search.recipe)
        if asked is None:
            return None
        lock = search.folder.take(f"trial-{asked.number}")
        assert lock is not None, "nobody can know of a trial that was asked for just now"
        search.record()
        return asked, lock


def time_for_one(search: Search, tried: list[Tried]) -> bool:
    """Whether half of a usual trial fits into what is left."""
    if search.deadline is None:
        return True
    took = sorted(one.notes["seconds"] for one in tried if one.state == "complete" and "seconds" in one.notes)
    usual = took[len(took) // 2] if took else 0.0
    return search.clock() + 0.5 * usual < search.deadline


def attempt(search: Search, one: Tried) -> Iterator[Event]:
    """Run a trial to its end, or until it is pruned; what goes wrong in it is on record, and ends it alone."""
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
        plan = search.trial_plan(one.values, str(search.folder.trial(one.number)))
        outcome = yield from until_pruned(search, one.number, plan, trial(plan, search.kept, search.stop))
        state = "pruned" if outcome is None else "complete"
        if outcome is not None and outcome.cut and not outcome.curve and one.number:
            state, outcome, words = "pruned", None, "time was over before its first validation"
    except (Interrupted, DiskError):
        raise
    except Exception as error:
        if one.number == 0 and isinstance(error, LuthierError):
            raise  # what the recipe cannot do, no trial can
        words = str(error) if isinstance(error, LuthierError) else f"{type(error).__name__}: {error}"
    if outcome is not None:
        end(search, one, state, outcome.score, seconds=round(outcome.seconds, 3), words=words, candidate=outcome.candidate,
            work=outcome.work, peak_bytes=outcome.peak_bytes, cut=outcome.cut)  # fmt: skip
    else:
        end(search, one, state, None, seconds=round(search.clock() - begin, 3), words=words)
    tidy(search)
    yield ended(search, one.number, begin, words)
    fail_if_all_do(search)


def until_pruned(
    search: Search, number: int, plan: Plan, running: Generator[Event, None, Outcome]
) -> Generator[Event, None, Outcome | None]:
    """The events of a trial; its outcome, or None where it was not worth going on with."""
    while True:
        try:
            event = next(running)
        except StopIteration as end_of_it:
            outcome: Outcome = end_of_it.value
            return outcome
        yield event
        if isinstance(event, Validated):
            bad = search.adviser.report(number, round(event.epoch * plan.train.validations), event.score)
            if bad and number:  # the recipe is what others are measured by
                running.close()
                return None


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


def best_of(tried: list[Tried]) -> Tried | None:
    """The finished trial with the best score; of equal ones the first."""
    done = [one for one in tried if one.state == "complete" and one.score is not None]
    return max(done, key=lambda one: (one.score, -one.number)) if done else None


def different(tried: list[Tried]) -> list[Tried]:
    """The finished trials, each settings once."""
    return [one for one in tried if one.state == "complete" and "same_as" not in one.notes]


def finalists(tried: list[Tried]) -> list[Tried]:
    """The best few, and the recipe, below which a search must not end."""
    done = sorted(different(tried), key=lambda one: (-(one.score or 0.0), one.number))
    return done[:FINALISTS] + [one for one in done[FINALISTS:] if one.number == 0]


def nameable(tried: list[Tried]) -> list[Tried]:
    """The finalists, and whoever is no worse than the recipe with less work than all that are better. Of a trial that time cut
    short the weights are all that tells what was scored."""
    done = different(tried)
    floor = next((one.score or 0.0 for one in done if one.number == 0), -math.inf)

    def work_of(one: Tried) -> float:
        return float(one.notes.get("work", 0.0))

    def unbeaten(one: Tried) -> bool:
        better = [other for other in done if (other.score or 0.0) > (one.score or 0.0)]
        return (one.score or 0.0) >= floor and all(work_of(one) < work_of(other) for other in better)

    last = {one.number for one in finalists(tried)}
    return [one for one in done if one.number in last or one.notes.get("cut") or unbeaten(one)]


def end(search: Search, one: Tried, state: Any, score: float | None, **notes: Any) -> None:
    """Put on record how a trial ended."""
    with search.folder.alone("ask"):
        search.adviser.remember(one.number, ended=round(search.earlier + search.clock(), 3), **notes)
        search.adviser.tell(one.number, state, score)
        search.record()


def ended(search: Search, number: int, begin: float, words: str) -> TrialEnded:
    tried = search.adviser.tried()
    one, best = tried[number], best_of(tried)
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
    """Drop the weights of trials that cannot be named any more; what they were follows from their plans."""
    with search.folder.alone("ask"):
        tried = search.adviser.tried()
        keep = {one.number for one in nameable(tried)}
        for one in tried:
            if one.state != "running" and one.number not in keep:
                search.folder.forget_weights(search.folder.trial(one.number))


def fail_if_all_do(search: Search) -> None:
    """Raise WorldError where nothing but the same failure comes of the first trials."""
    ended = [one for one in search.adviser.tried() if one.state != "running"]
    failed = [one for one in ended if one.state == "failed"]
    if len(failed) == len(ended) >= ALIKE and len({one.notes.get("words") for one in failed}) == 1:
        raise WorldError(f"All of the first {len(ended)} trials failed: {failed[0].notes.get('words')}")


def trial_record(folder: SearchFolder, one: Tried) -> dict[str, Any]:
    """A trial in search.json."""
    return {
        "number": one.number,
        "values": one.values,
        "score": one.score,
        "state": one.state,
        "seconds": one.notes.get("seconds"),
        "run": str(folder.trial(one.notes.get("same_as", one.number)).relative_to(folder.path)),
        "validations": {str(age): score for age, score in one.seen.items()},
        **{key: value for key, value in one.notes.items() if key != "seconds"},
    }


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
