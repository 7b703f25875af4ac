"""The commands over a search: other processes run its trials, so nothing that computes is imported here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from luthier.errors import PlanError
from luthier.plan.method import is_method
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan
from luthier.searching import search as searching
from luthier.searching.folder import SearchFolder
from luthier.searching.result import SearchResult
from luthier.session.out import refuse_unwritable
from luthier.session.shown import shown


def search(
    data: str,
    *,
    vary: Mapping[str, Any] | Sequence[str] | None = None,
    method: str = "bayes",
    trials: int | None = None,
    seeds: int | None = None,
    workers: int | None = None,
    quiet: bool = False,
    **settings: Any,
) -> SearchResult:
    """Try settings of a plan on the validation rows, and end with the best, tested.

    vary: by setting `"1e-5..1e-3 log"`, `"8,16,32"` or a list of values; what matters most for the task when left out.
    method: `grid`, `random`, `random:sobol`, `bayes` or `bayes:gp`. Other keywords are what else a search is asked for
    (`prune`, `storage`, `on`) and the plan's fields, as for `tune`; the training method is `train__method`. Raises InputError
    before anything is written.
    """
    if is_method(method):
        raise PlanError(
            f"method={method!r} says how to train, and in a search `method` is the sampler: grid, random or bayes. "
            f"Write train__method={method!r}."
        )
    own = {"sampler": method, "vary": vary or (), "trials": trials, "seeds": seeds, "workers": workers}
    rest: dict[str, Any] = {key: settings.pop(key) for key in ("prune", "storage", "on") if key in settings}
    asked = SearchPlan.build({**own, **rest})
    named = {key.replace("__", "."): value for key, value in settings.items()}
    plan = Plan.build({"data.path": str(data), **named})
    return search_plan(plan, asked, quiet)


def search_plan(plan: Plan, asked: SearchPlan, quiet: bool = False) -> SearchResult:
    """Search a plan's settings, showing progress."""
    refuse_unwritable(plan.run.out)
    return SearchResult(shown(lambda stop: searching.search(plan, asked, stop), quiet).path)


def resume_search(path: Path, quiet: bool = False) -> SearchResult:
    """Go on with a search that was killed or interrupted."""
    return SearchResult(shown(lambda stop: searching.resume(SearchFolder(path), stop), quiet).path)
