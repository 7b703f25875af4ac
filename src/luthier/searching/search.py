"""A search from its beginning to its end, as the command line and Python ask for it."""

import shutil
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from luthier.errors import InputError, Interrupted, PlanError, WorldError
from luthier.events import Event, Noted
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan
from luthier.searching.folder import SearchFolder, key_of
from luthier.searching.ray import on_ray
from luthier.searching.space import Space, read_space
from luthier.searching.workers import Workers, supervised

LARGEST_GRID = 10_000
"""The most points of a grid, as many as trials may be asked for."""


def search(
    plan: Plan, asked: SearchPlan, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, SearchFolder]:
    """Try settings of a plan, and end with the best: its run's folder is `best/` inside.

    Raises InputError before anything is written, WorldError when the machine fails, Interrupted when `stop()` has turned
    true. The same command, or `resume`, goes on with what an earlier one began.
    """
    refuse_what_a_search_cannot(plan)
    space = read_space(asked.vary, plan)  # refused before a process is begun
    if asked.sampler == "grid":
        refuse_too_large_a_grid(space)
    folder = SearchFolder(Path(plan.run.out) if plan.run.out else default_folder(plan, asked))
    folder.refuse_in_use()
    folder.refuse_strange()
    new = folder.begin(plan, asked)
    try:
        yield from go_on(folder, asked, stop)
    except (InputError, WorldError):
        if new and folder.settled is None:
            shutil.rmtree(folder.path, ignore_errors=True)  # nothing was run: nothing is left
        raise
    return folder


def resume(
    folder: SearchFolder, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, SearchFolder]:
    """Go on with a search from wherever it was left."""
    folder.refuse_strange()
    folder.refuse_in_use()
    _, asked = folder.plans()
    yield from go_on(folder, asked, stop)
    return folder


def refuse_what_a_search_cannot(plan: Plan) -> None:
    if plan.data.label_names:
        raise PlanError(
            "data.label_names: nothing is learnt from names alone, so there is nothing to search for. `luthier tune` makes the "
            "model of them."
        )
    if plan.data.warm_up is not None:
        raise PlanError(
            "data.warm_up: every trial would warm up anew. Tune on the warm-up file once, and search with --model RUN."
        )


def refuse_too_large_a_grid(space: Space) -> None:
    if space.grid_points > LARGEST_GRID:
        raise PlanError(
            f"search.sampler: a grid of {space.grid_points:,} points, {LARGEST_GRID:,} at most. Vary fewer settings or over "
            "fewer values (a range has five in a grid), or choose --sampler random."
        )


def default_folder(plan: Plan, asked: SearchPlan) -> Path:
    """The default folder, runs/search-<name of the data>-<hash>: the same command finds the same folder again."""
    name = Path(plan.data.path).name.split(".")[0]
    return Path("runs") / f"search-{name}-{key_of(plan, asked)[:8]}"


def go_on(folder: SearchFolder, asked: SearchPlan, stop: Callable[[], bool]) -> Iterator[Event]:
    """Run what is left of a search, with no other command beside."""
    try:
        with folder.at_work(asked):
            yield from run_what_is_left(folder, asked, stop)
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted at once. `luthier resume {folder.path}` goes on from here.") from None


def run_what_is_left(folder: SearchFolder, asked: SearchPlan, stop: Callable[[], bool]) -> Iterator[Event]:
    """Run what is left of a search in a folder that no other command has."""
    if folder.finished:
        yield Noted(f"{folder.path} holds the finished search: nothing is left to do.", 0.0)
        return
    if asked.on is not None:
        yield from on_ray(folder, asked, stop)  # and then the end, which is for one process here
    began, earlier = time.time(), folder.seconds()
    with Workers(folder, earlier, began).at_work() as workers:
        workers.start()
        yield from supervised(folder, workers, asked, stop)
