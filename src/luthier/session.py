"""The commands as Python calls them: keywords are the plan's fields, progress is shown, the outcome is returned."""

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from luthier.data.checks.finding import Finding
from luthier.errors import PlanError, RunError
from luthier.events import Event
from luthier.folder.model_folder import ModelFolder
from luthier.folder.run_folder import RunFolder
from luthier.interrupts import StopWish
from luthier.plan.method import is_method
from luthier.plan.plan import Plan, read_plan
from luthier.plan.search import SearchPlan
from luthier.progress import Progress
from luthier.searching import search as searching
from luthier.searching.folder import SearchFolder
from luthier.searching.result import SearchResult
from luthier.steps import check as checking
from luthier.steps import suggest as suggesting
from luthier.steps import tune as steps
from luthier.steps.check import Checkup
from luthier.steps.foresee import foresee
from luthier.steps.suggest import Suggestions

Result = TypeVar("Result")


def tune(data: str, *, quiet: bool = False, **settings: Any) -> ModelFolder:
    """Adapt a pre-trained model to the examples in a file.

    Keywords are the plan's fields, by their name or as `section__field`: `model="all-MiniLM-L6-v2"`, `lr=1e-4`,
    `train__epochs=3`. Raises InputError for a wrong request or wrong data, before anything is written.
    """
    named = {key.replace("__", "."): value for key, value in settings.items()}
    return run_plan(Plan.build({"data.path": str(data), **named}), quiet)


def plan_record(plan: Plan) -> dict[str, Any]:
    """What `tune` would do with a plan, and what it would take: trains nothing, writes nothing."""
    return foresee(plan)


def search(
    data: str,
    *,
    vary: Mapping[str, Any] | Sequence[str] | None = None,
    method: str = "bayes",
    trials: int | None = None,
    prune: str | None = None,
    seeds: int | None = None,
    workers: int | None = None,
    storage: str | None = None,
    on: str | None = None,
    quiet: bool = False,
    **settings: Any,
) -> SearchResult:
    """Try settings of a plan on the validation rows, and end with the best, tested.

    vary: by setting `"1e-5..1e-3 log"`, `"8,16,32"` or a list of values; what matters most for the task when left out.
    method: `grid`, `random`, `random:sobol`, `bayes` or `bayes:gp`. Other keywords are the plan's fields, as for `tune`;
    the training method is `train__method`. Raises InputError before anything is written.
    """
    if is_method(method):
        raise PlanError(
            f"method={method!r} says how to train, and in a search `method` is the sampler: grid, random or bayes. "
            f"Write train__method={method!r}."
        )
    own = {"sampler": method, "vary": vary or (), "trials": trials, "prune": prune, "seeds": seeds}
    asked = SearchPlan.build({**own, "workers": workers, "storage": storage, "on": on})
    named = {key.replace("__", "."): value for key, value in settings.items()}
    plan = Plan.build({"data.path": str(data), **named})
    return search_plan(plan, asked, quiet)


def search_plan(plan: Plan, asked: SearchPlan, quiet: bool = False) -> SearchResult:
    """Search a plan's settings, showing progress."""
    return SearchResult(shown(lambda stop: searching.search(plan, asked, stop), quiet).path)


def resume(run: str, *, quiet: bool = False) -> ModelFolder | SearchResult:
    """Go on with a run or a search that was killed or interrupted, from its last saved step, to the same bytes.

    Raises RunError when the folder holds neither, and PlanError or DataError when what it was made from has changed.
    """
    path = Path(run)
    if SearchFolder(path).is_search:
        return SearchResult(shown(lambda stop: searching.resume(SearchFolder(path), stop), quiet).path)
    return run_plan(plan_of(path), quiet)


def plan_of(run: Path) -> Plan:
    """The plan of a run's folder, its files found from wherever we are now."""
    if not (run / "plan.toml").is_file():
        begun = (run / "state").is_dir()
        why = "was interrupted before its plan was complete" if begun else "is not the folder of a run"
        raise RunError(f"{run}: {why}: it holds no plan.toml. Give the command of the run again.")
    settings = read_plan(run / "plan.toml")
    record = RunFolder.key_record(run) or {}
    for key in ("data.path", "data.valid", "data.test", "model.name", "run.cache"):
        places = [Path(where) / settings[key] for where in record.get("where", []) if key in settings]
        found = [place for place in places if place.exists()]
        if found:
            settings[key] = str(found[0])
    return Plan.build({**settings, "run.out": str(run)})


def check(data: str, *, quiet: bool = False, **settings: Any) -> list[Finding]:
    """What is wrong with the examples in a file, the gravest first; keywords are the plan's fields, as for `tune`.

    `model="none"` looks at the rows alone. Raises InputError where the file cannot be read as rows.
    """
    named = {key.replace("__", "."): value for key, value in settings.items()}
    return list(check_plan(Plan.build({"data.path": str(data), **named}), quiet).findings)


def check_plan(plan: Plan, quiet: bool = False) -> Checkup:
    """Look at a plan's rows, showing progress."""
    return shown(lambda stop: checking.check(plan, stop), quiet)


def suggest_for(plan: Plan, unlabelled: Path, count: int, quiet: bool = False) -> Suggestions:
    """Write the rows that are most useful to label next, showing progress."""
    return shown(lambda stop: suggesting.suggest_rows(plan, unlabelled, count, stop), quiet)


def run_plan(plan: Plan, quiet: bool = False) -> ModelFolder:
    """Run a plan to its end, showing progress; Ctrl-C is granted at the next safe point."""
    return shown(lambda stop: steps.tune(plan, stop), quiet)


def shown(begin: Callable[[Callable[[], bool]], Generator[Event, None, Result]], quiet: bool) -> Result:
    """Show the events of some work, and return what it ends with."""
    with StopWish().listening() as wish, Progress(quiet).showing() as progress:
        events = begin(lambda: wish.asked)
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                result: Result = end.value
                return result
            progress.show(event)
