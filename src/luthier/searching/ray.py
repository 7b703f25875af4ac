"""Trials as Ray tasks: on this machine or on a cluster whose machines see the search's folder under one path.

The folder, the record and the trials are the same as without Ray, which only decides where a trial runs. When the machine or
the process of a task dies, another task finds the trial that nobody holds any more, and goes on with it.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.errors import (
    Interrupted,
    LuthierError,
    WorldError,
    error_record,
    first_line,
    last_line,
    read_error,
)
from luthier.events import Advanced, Event, Noted, Started, TrialBegan, read_event
from luthier.plan.search import SearchPlan
from luthier.report.search_records import TrialRecord
from luthier.searching.folder import DEATHS, RECORD, SearchFolder
from luthier.searching.records import SignNote
from luthier.searching.workers import GRACE, lost, worth_showing

if TYPE_CHECKING:
    from luthier.searching.opening import Search

RETRIES = 3
"""How often the task that settles things is begun again when its process or machine dies."""
STOP = "stop"
"""The beginning of a note's name: such a note in the folder asks a command's tasks, wherever they run, to save and end."""
LOOK = 0.5
"""Seconds between two looks at which tasks have ended."""

OPENED: "dict[tuple[str, float], Search]" = {}
"""The searches that this process of Ray's has opened, so that its next trial finds rows and tokens there."""


@contextlib.contextmanager
def connected(address: str) -> Iterator[Any]:
    """Inside, Ray runs: started here, or joined at an address. If this process has joined one already, it is used and left
    running.

    Raises WorldError where Ray is not installed or does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told that it runs
    try:
        import ray
    except ImportError as error:
        raise WorldError('--on ray: Ray is not installed: pip install "luthier[ray]"') from error
    if ray.is_initialized():
        yield ray
        return
    try:
        # Ray's processes import from the folder that it is begun in: what lies where the user stands is data, not code.
        with contextlib.chdir(Path(os.sep)):
            if address == "ray":
                ray.init(include_dashboard=False, log_to_driver=False)
            else:
                ray.init(address=address, log_to_driver=False)
    except Exception as error:
        raise WorldError(f"--on {address}: Ray does not answer ({first_line(error)}).") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def on_ray(folder: SearchFolder, asked: SearchPlan, stop: Callable[[], bool]) -> Iterator[Event]:
    """Run the trials of a search as Ray tasks. The end of the search, in which the winner is tested, runs in this process."""
    assert asked.on is not None, "it is asked for"
    began, earlier = time.time(), folder.seconds()
    path = str(folder.path.absolute())
    plan, _ = folder.plans()
    with connected(asked.on) as ray, stoppable(folder, began):
        has = ray.cluster_resources()
        gpus = 1 if has.get("GPU", 0) >= 1 and plan.run.device != "cpu" else 0
        first = ray.remote(settle).options(num_gpus=gpus, max_retries=RETRIES)
        settled = answer(ray, first.remote(path, earlier, began))
        if "died" in settled:
            raise WorldError(
                f"--on {asked.on}: the first task ended with {settled['died']}. Perhaps memory runs out there."
            )
        threads, count = int(settled["threads"]), int(settled["count"])
        task = ray.remote(one_trial).options(num_cpus=threads, num_gpus=gpus, max_retries=0)
        room = max(1, int(min(has.get("CPU", 1) // threads, has["GPU"] if gpus else math.inf)))
        yield Noted(f"Ray has room for {room} trials at a time, {threads} threads each.", time.time() - began)
        yield Started("search", time.time() - began, count)
        at_work: list[Any] = []
        asking, resting, last, deaths = True, False, None, 0
        shown = {one.number for one in trials_of(folder) if one.state != "running"}
        with ended_in_any_case(ray, folder, at_work, began):
            while at_work or asking:
                if stop() and asking:
                    folder.keep_note(stop_of(began), SignNote())
                    asking = False
                alone = settled["features"] and not has_features(folder)
                most = 1 if alone else min(room, asked.workers or room)
                # Who found nothing may have looked while others were at it: when they have ended one more task makes sure.
                while asking and len(at_work) < most and not (resting and at_work):
                    at_work.append(task.remote(path, earlier, began))
                    last = at_work[-1] if resting else None
                done, at_work[:] = ray.wait(at_work, timeout=LOOK)
                yield from begun(folder, shown, time.time() - began)
                for reference in done:
                    told = answer(ray, reference)
                    if "died" in told:
                        deaths += 1
                        holder = reference.task_id().hex()
                        yield from after_a_death(folder, holder, told["died"], deaths, time.time() - began)
                        asking, resting = not stop(), False
                        continue
                    deaths = 0
                    resting = not told["left"]
                    asking = asking and not (resting and reference == last)
                    events = [read_event(record) for record in told["events"]]
                    yield from (event for event in events if not isinstance(event, TrialBegan))
                    ended = sum(one.state != "running" for one in trials_of(folder))
                    yield Advanced(ended, time.time() - began)
    if stop():
        raise Interrupted(
            f"Interrupted. `luthier resume {folder.path}` goes on with the trials that are left."
        )


@contextlib.contextmanager
def ended_in_any_case(ray: Any, folder: SearchFolder, at_work: list[Any], began: float) -> Iterator[None]:
    """However the block ends, no task is left at work: where Ray goes on, so would they."""
    try:
        yield
    finally:
        if at_work:
            folder.keep_note(stop_of(began), SignNote())
            with contextlib.suppress(ray.exceptions.RayError):  # it has ended, and they with it
                _, left = ray.wait(at_work, num_returns=len(at_work), timeout=GRACE)
                for reference in left:
                    ray.cancel(reference, force=True)


def has_features(folder: SearchFolder) -> bool:
    """Whether the first task has computed the features, so that others need not compute them again beside it."""
    return next(folder.shared.glob("*/features.json"), None) is not None


def trials_of(folder: SearchFolder) -> list[TrialRecord]:
    """The trials on record, where there is one."""
    return folder.record().trials if (folder.path / RECORD).is_file() else []


def begun(folder: SearchFolder, shown: set[int], seconds: float) -> Iterator[Event]:
    """Trials that have begun since the last look: a task puts its trial on record before it runs it.

    shown: numbers of those that have been told of, to which these are added.
    """
    for one in trials_of(folder):
        if one.number not in shown:
            shown.add(one.number)
            yield TrialBegan(one.number, one.values, seconds)


@contextlib.contextmanager
def stoppable(folder: SearchFolder, began: float) -> Iterator[None]:
    """Inside, a note may ask all tasks of a command to end; none is there after."""
    try:
        yield
    finally:
        (folder.state / f"{stop_of(began)}.json").unlink(missing_ok=True)


def stop_of(began: float) -> str:
    """The name of a command's note to stop. began: the command, by time.time()."""
    return f"{STOP}-{began}"


def after_a_death(
    folder: SearchFolder, holder: str, how: str, deaths: int, seconds: float
) -> Iterator[Event]:
    """Record the work of a task that has died. Raises WorldError where tasks do nothing but die."""
    if deaths > DEATHS:
        raise WorldError(
            f"{deaths} tasks on Ray have died, the last one with {how}, and no trial ended in between: perhaps memory runs out. "
            f"`luthier resume {folder.path}` goes on with the trials that are left."
        )
    for words in lost(folder, holder, how):
        yield Noted(words, seconds, warning=True)


def answer(ray: Any, reference: Any) -> dict[str, Any]:
    """The value that a task returned; `died` and why where its process is gone. Raises the error that stopped it."""
    try:
        told: dict[str, Any] = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise WorldError(f"A trial's task failed on Ray: {last_line(error)}") from error
    except ray.exceptions.RayError as error:
        return {"died": f"{type(error).__name__} ({first_line(error)})"}
    if "error" in told:
        raise read_error(told)
    return told


def opened(path: str, earlier: float, began: float) -> "Search":
    """The search at a path, opened once in a process. Called inside Ray's."""
    import ray

    from luthier.models.telemetry import disable_telemetry
    from luthier.searching.opening import open_search

    disable_telemetry()  # This process was begun by Ray, perhaps on another machine.
    folder, holder = SearchFolder(Path(path)), str(ray.get_runtime_context().get_task_id())
    key = (path, began)
    if key not in OPENED:
        OPENED.clear()
        OPENED[key] = open_search(
            folder, lambda: folder.note(stop_of(began), SignNote) is not None, earlier, began, holder
        )
    search = OPENED[key]
    search.process = replace(search.process, holder=holder)
    return search


def settle(path: str, earlier: float, began: float) -> dict[str, Any]:
    """Open a search for the first time: its space, precision and threads are settled from here on."""
    from luthier.searching.samplers import MOST
    from luthier.searching.trials import over

    try:
        search = opened(path, earlier, began)
    except LuthierError as error:
        return {**error_record(error)}
    count = 0 if search.count == MOST else search.count
    features = search.ready.rows.task.probe is not None
    return {"threads": search.plan.run.threads, "count": count, "over": over(search), "features": features}


def one_trial(path: str, earlier: float, began: float) -> dict[str, Any]:
    """Run the next trial, or one whose process has died, or one of the best few on another seed. Returns its events as JSON, and
    whether there may be more to run."""
    try:
        search = opened(path, earlier, began)
        told = [event for number, event in next_piece(search) if worth_showing(number, event)]
    except Interrupted:
        return {"left": False, "events": []}
    except LuthierError as error:
        return {**error_record(error)}
    return {"left": bool(told), "events": [event.to_json() for event in told]}


def next_piece(search: "Search") -> Iterator[tuple[int, Event]]:
    """The events of the next piece of work; none where nothing is left that no other process does."""
    from luthier.searching.reruns import rerun, take_rerun
    from luthier.searching.trials import attempt, closed, take_trial

    taken = take_trial(search)
    if taken is not None:
        one, lock = taken
        with lock:
            for event in attempt(search, one):
                yield one.number, event
    elif closed(search):
        again, _ = take_rerun(search)
        if again is not None:
            with again[1]:
                yield from rerun(search, again[0])
