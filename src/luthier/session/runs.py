"""The commands over one plan. Here all that computes is imported; a process that only supervises others (searches.py) does
not."""

from pathlib import Path
from typing import Any

from luthier.checks.finding import Finding
from luthier.doctor import check as checking
from luthier.doctor import suggest as suggesting
from luthier.doctor.check import Checkup
from luthier.doctor.suggest import Suggestions
from luthier.errors import OtherWork, PlanError, RunError
from luthier.files import why_no_folder
from luthier.folder.in_use import refuse_in_use
from luthier.folder.model_folder import ModelFolder
from luthier.folder.run_folder import RunFolder, refuse_strange
from luthier.forecast.forecast import TINY_SECONDS
from luthier.plan.continuing import with_those_of_earlier
from luthier.plan.places import NAMED, found_again
from luthier.plan.plan import Plan, read_plan
from luthier.session.out import refuse_unwritable
from luthier.session.shown import shown
from luthier.steps import seeds as several
from luthier.steps import tune as steps
from luthier.steps.foresee import foresee


def tune(data: str, *, quiet: bool = False, seeds: int = 1, **settings: Any) -> ModelFolder:
    """Adapt a pre-trained model to the examples in a file.

    Keywords are the plan's fields, by their name or as `section__field`: `model="all-MiniLM-L6-v2"`, `lr=1e-4`,
    `train__epochs=3`. seeds: on how many seeds it is tuned; the best by validation is kept. Raises InputError for a wrong request
    or wrong data, before anything is written.
    """
    named = {key.replace("__", "."): value for key, value in settings.items()}
    plan = Plan.build(with_those_of_earlier({"data.path": str(data), **named}))
    return run_plan(plan, quiet) if seeds == 1 else run_seeds(plan, seeds, quiet)


def plan_record(plan: Plan) -> dict[str, Any]:
    """What `tune` would do with a plan, how long it would take and how much memory. Nothing is trained or written."""
    refuse_unwritable(plan.run.out)
    return foresee(plan)


def plan_of(run: Path) -> Plan:
    """The plan of a run's folder, its files found from wherever we are now."""
    refuse_strange(run)
    refuse_in_use(run)
    if not (run / "plan.toml").is_file():
        begun = (run / "state").is_dir()
        why = "was interrupted before its plan was complete" if begun else "is not the folder of a run"
        raise RunError(f"{run}: {why}: it holds no plan.toml. Give the command of the run again.")
    settings = read_plan(run / "plan.toml")
    record = RunFolder.key_record(run)
    where = [] if record is None else [Path(one) for one in record.where]
    for key in (key for key in NAMED if isinstance(settings.get(key), str)):
        settings[key] = found_again(key, settings[key], [*where, run] if where else [run])
    try:
        return Plan.build({**settings, "run.out": str(run)})
    except PlanError as error:
        raise PlanError(f"{run / 'plan.toml'}: {error}") from None


def resume_run(run: Path, quiet: bool = False) -> ModelFolder:
    """Go on with a run. Raises RunError where what it was made from has changed since."""
    plan = plan_of(run)
    try:
        return run_plan(plan, quiet)
    except OtherWork as error:
        raise RunError(
            f"{run}: cannot be gone on with, as what it was made from has changed since: {changed_words(plan, run)}. "
            f"Put it back as it was, or begin anew: luthier tune --plan {run / 'plan.toml'} --out ANOTHER"
        ) from error


def changed_words(plan: Plan, run: Path) -> str:
    """What a run's plan names and has been written to since the run began; all that it names where that says nothing."""
    settings = plan.settings()
    named = {key: Path(str(settings[key])) for key in NAMED if key in settings}
    there = {key: path for key, path in named.items() if path.exists() and key != "run.cache"}
    began = (run / "state" / "key.json").stat().st_mtime
    since = {key: path for key, path in there.items() if path.stat().st_mtime > began}
    words = [f"{path} ({key})" for key, path in (since or there).items()]
    return f"{', '.join(words)}{'' if since else ' or the model'}"


def check(data: str, *, quiet: bool = False, **settings: Any) -> list[Finding]:
    """Find what is wrong with the examples in a file, the gravest first; keywords are the plan's fields, as for `tune`.

    `model="none"` looks at the rows alone. Raises InputError where the file cannot be read as rows.
    """
    named = {key.replace("__", "."): value for key, value in settings.items()}
    return list(check_plan(Plan.build({"data.path": str(data), **named}), quiet).findings)


def check_plan(plan: Plan, quiet: bool = False) -> Checkup:
    """Look at a plan's rows, showing progress."""
    refuse_unwritable(plan.run.out)
    return shown(lambda stop: checking.check(plan, stop), quiet)


def suggest_for(plan: Plan, count: int, quiet: bool = False) -> Suggestions:
    """Write the rows that are most useful to label next, showing progress."""
    refuse_unwritable(plan.run.out)
    if plan.run.out is None and plan.data.unlabelled is not None:
        beside = Path(plan.data.unlabelled).parent
        why = why_no_folder(beside)
        if why is not None:
            raise PlanError(
                f"{beside}: the rows to label would be written there, and cannot be ({why}). Name another folder: --out FOLDER"
            )
    return shown(lambda stop: suggesting.suggest_rows(plan, count, stop), quiet)


def run_plan(plan: Plan, quiet: bool = False, foretold_from: float = TINY_SECONDS) -> ModelFolder:
    """Run a plan to its end, showing progress; Ctrl-C is granted at the next safe point. foretold_from: as `tune` takes it."""
    refuse_unwritable(plan.run.out)
    return shown(lambda stop: steps.tune(plan, stop, foretold_from=foretold_from), quiet)


def run_seeds(plan: Plan, count: int, quiet: bool = False) -> ModelFolder:
    """Run a plan on several seeds, showing progress."""
    if count < 1:
        raise PlanError(f"--seeds {count}: expected how many seeds to run, as in --seeds 5.")
    if plan.data.warm_up is not None:
        raise PlanError(
            "data.warm_up: every seed would warm up anew. Tune on the warm-up file once, and give --seeds with --model RUN."
        )
    if plan.data.label_names:
        raise PlanError("--seeds: no effect with data.label_names, of which nothing is learnt. Leave it out.")
    refuse_unwritable(plan.run.out)
    return shown(lambda stop: several.tune_seeds(plan, count, stop), quiet)


def resume_seeds(out: Path, quiet: bool = False) -> ModelFolder | None:
    """Go on with runs on several seeds; None where a folder is of none such."""
    record = several.record_of(out)
    if record is None:
        return None
    plan = plan_of(out / several.SEEDS).with_settings({"run.out": str(out)})
    return run_seeds(plan, record.count, quiet)
