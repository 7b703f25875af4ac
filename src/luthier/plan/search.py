"""The plan of a search, beside the plan of a run whose settings its trials vary."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import ValidationError

from luthier.errors import PlanError, did_you_mean
from luthier.plan.complaints import complaints
from luthier.plan.section import Section
from luthier.plan.sections import Name, Positive

SECTION = "search"
"""The section of a plan file that is about the search."""


class SearchPlan(Section):
    """How the settings of a plan are searched."""

    sampler: Literal["grid", "random", "random:sobol", "bayes", "bayes:gp"] = "bayes"
    """How values are chosen: grid: all combinations; random, or random:sobol, which spreads them evenly; bayes: where
    earlier trials did well (a tree-structured Parzen estimator), or bayes:gp (a Gaussian process)."""
    vary: tuple[str, ...] = ()
    """A setting and its values: KEY=a,b,c or KEY=low..high or 'KEY=low..high log'; may be repeated. Left out: what matters
    most for the task, the learning rate first."""
    trials: Annotated[int, Ge(1), Le(10_000)] | None = None
    """How many trials, the recipe among them. Left out: 20, or as many as --budget allows; of a grid all of its points."""
    prune: Literal["none", "median", "halving", "hyperband"] = "halving"
    """Which trials end early, compared at the same share of their training: median: those below it; halving: all but the best
    quarter, after a sixth and after a third of it; hyperband: in turns as halving, after a third alone, or never."""
    seeds: Positive | None = None
    """On how many seeds the best three are run before one is named. Left out: 3 where --budget leaves time for it, else 1."""
    workers: Positive | None = None
    """Processes that run trials. Left out: as many as cores and memory hold."""
    storage: Name | None = None
    """Where trials are recorded: a database's URL, as in postgresql://..., for several machines on one folder. Left out:
    search.db in the search's folder."""
    on: Name | None = None
    """Where trials run: ray, or ray://host:port. Left out: in processes of this machine."""

    @staticmethod
    def build(settings: Mapping[str, Any]) -> "SearchPlan":
        """A search's plan from settings by name. Raises PlanError that tells of all that is wrong."""
        known = SearchPlan.model_fields
        strange = [name for name in settings if name not in known]
        problems = [f"There is no setting {SECTION}.{name}.{did_you_mean(name, known)}" for name in strange]
        given = {name: value for name, value in settings.items() if name in known and value is not None}
        if isinstance(given.get("vary"), Mapping):
            given["vary"] = [f"{key}={spelt(values)}" for key, values in given["vary"].items()]
        try:
            found = SearchPlan.model_validate(given)
        except ValidationError as error:
            told = [{**one, "loc": (SECTION, *one["loc"])} for one in error.errors()]
            raise PlanError("\n".join([*problems, *complaints(told)])) from None
        if found.on is not None and found.on != "ray" and not found.on.startswith("ray://"):
            problems.append(f"{SECTION}.on: {found.on!r} does not fit. Expected ray or ray://host:port.")
        if problems:
            raise PlanError("\n".join(problems))
        return found


def spelt(values: Any) -> str:
    """A list of values, or a text, in the spelling that `--vary` takes."""
    return ",".join(map(str, values)) if isinstance(values, (list, tuple)) else str(values)


def parted(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a plan file, as `read_plan` gives them: those of the plan, and those of its section `search`."""
    begin = f"{SECTION}."
    own = {key.removeprefix(begin): value for key, value in settings.items() if key.startswith(begin)}
    return {key: value for key, value in settings.items() if not key.startswith(begin)}, own
