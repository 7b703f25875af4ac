"""The commands over one plan. All that computes is imported here: who only supervises others (searches.py) does without."""

from pathlib import Path
from typing import Any

from luthier.data.checks.finding import Finding
from luthier.errors import RunError
from luthier.folder.model_folder import ModelFolder
from luthier.folder.run_folder import RunFolder
from luthier.plan.plan import Plan, read_plan
from luthier.session.shown import shown
from luthier.steps import check as checking
from luthier.steps import suggest as suggesting
from luthier.steps import tune as steps
from luthier.steps.check import Checkup
from luthier.steps.forecast import TINY_SECONDS
from luthier.steps.foresee import foresee
from luthier.steps.suggest import Suggestions


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


def run_plan(plan: Plan, quiet: bool = False, foretold_from: float = TINY_SECONDS) -> ModelFolder:
    """Run a plan to its end, showing progress; Ctrl-C is granted at the next safe point. foretold_from: as `tune` takes it."""
    return shown(lambda stop: steps.tune(plan, stop, foretold_from=foretold_from), quiet)
