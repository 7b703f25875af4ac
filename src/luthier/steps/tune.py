"""The path from rows to a tested model folder, in its order, as one generator of events."""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from luthier.candidates import competing, tunes
from luthier.candidates.adapting.stage import adapt_body
from luthier.candidates.features import compute_features
from luthier.candidates.reference import compute_reference
from luthier.candidates.run import Mode, Run, Watch
from luthier.devices import release_freed_memory
from luthier.errors import Interrupted, PlanError
from luthier.events import Advanced, Doubted, Ended, Event, Noted, Started
from luthier.folder.in_use import refuse_in_use
from luthier.folder.model_folder import ModelFolder
from luthier.folder.model_record import FILE as MODEL_RECORD
from luthier.folder.model_record import doubts
from luthier.folder.run_folder import RunFolder
from luthier.forecast.forecast import TINY_SECONDS, forecast, refuse_what_does_not_fit
from luthier.forecast.timing import room_for_copy
from luthier.models.hub.find import what_opening_takes
from luthier.plan.plan import Plan
from luthier.prepare.memo import Memo
from luthier.prepare.prepare import Prepared, prepare
from luthier.prepare.rows import understand
from luthier.prepare.student import with_model
from luthier.report.understood_words import understood_words
from luthier.steps.choosing import cheap_candidates, dear_candidates, decide
from luthier.steps.examination import check_features
from luthier.steps.finish import VERSIONS, score_and_write, tested, write_records
from luthier.steps.named import tune_named
from luthier.steps.spared import why_spared, why_untrained
from luthier.steps.statements import statements
from luthier.steps.unmeasured import write_unmeasured
from luthier.steps.warm_up import warm_up_of


def tune(
    plan: Plan,
    stop: Callable[[], bool] = lambda: False,
    memo: Memo | None = None,
    foretold_from: float = TINY_SECONDS,
) -> Generator[Event, None, ModelFolder]:
    """Adapt a model to the rows of a plan; yield what happens, return the finished folder.

    Raises InputError before anything is written, WorldError when the machine fails, and Interrupted when `stop()` has
    turned true: the best model so far then stands in the run's folder. What an earlier, identical command finished is
    not done again.  memo: what earlier runs over the same rows have left to share.  foretold_from: seconds of training from which
    on it is told beforehand how long it takes.
    """
    memo = memo or Memo()
    where = None if plan.run.out is None else Path(plan.run.out)
    if where is not None:
        refuse_in_use(where)
    begin = time.monotonic()

    def clock() -> float:
        return time.monotonic() - begin

    if plan.data.warm_up is not None:
        plan = yield from warmed_up(plan, stop)
        begin = time.monotonic()
    try:
        if plan.data.label_names:
            return (yield from tune_named(plan, stop, memo, clock))
        yield Started("prepare", clock())
        takes = what_opening_takes(model_of(plan, memo))
        if takes is not None:
            yield Noted(takes, clock())
        ready = prepare(plan, memo)
        where = ready.place.out
        return (yield from tuned(ready, memo, stop, clock, foretold_from))
    except KeyboardInterrupt:
        raise cut_off(where) from None


def model_of(plan: Plan, memo: Memo) -> str:
    """The model that a plan's rows are learnt by. Raises InputError for rows that cannot be understood."""
    if "name" in plan.model.model_fields_set:
        return plan.model.name
    return with_model(plan, memo.call(understand, plan.of_rows())).model.name


def cut_off(where: Path | None) -> Interrupted:
    """What to tell when somebody asked to stop a second time: whatever was being written is dropped, what was saved stands."""
    if where is None or not (where / "plan.toml").is_file():
        return Interrupted("Interrupted, before anything was saved.")
    return Interrupted(f"Interrupted at once. `luthier resume {where}` goes on from the last saved step.")


def tuned(
    ready: Prepared,
    memo: Memo,
    stop: Callable[[], bool],
    clock: Callable[[], float],
    foretold_from: float,
) -> Generator[Event, None, ModelFolder]:
    """Tune, as `tune` does, once rows and model are opened."""
    folder = ready.place.folder()
    opening: list[Event] = [Ended("prepare", clock(), clock())]
    opening += [Noted(line, clock()) for line in understood_words(ready.rows.understanding.to_json())]
    opening += [Noted(str(guess), clock()) for guess in ready.resolved.guesses]
    opening += [Noted(text, clock(), warning=True) for text in statements(ready)]
    opening += [Doubted(text, clock()) for text in doubts_of(ready, folder)]
    yield from opening
    if not folder.finished:
        took = {
            "read": ready.rows.seconds,
            "check": ready.checked.seconds,
            "load": clock() - ready.rows.seconds - ready.checked.seconds,
        }
        shared = memo.artefacts(ready.features_key, folder)
        run = Run(ready, folder, shared, Watch(clock, took), Mode(stop, wide=memo.wide))
        for event in foretold(run, foretold_from):
            opening.append(event)
            yield event
        with folder.alone():
            if not folder.finished:  # by another command, meanwhile
                yield from run_steps(run, opening)
                return ModelFolder(folder.path)
    yield Noted(
        f"{folder.path} holds the finished run of this plan, data and model: nothing is left to do.", clock()
    )
    return ModelFolder(folder.path)


def foretold(run: Run, foretold_from: float) -> Iterator[Event]:
    """What the run is told to take, before anything is written. Raises PlanError for what this machine has no memory for."""
    ready = run.ready
    if not tunes(ready) or RunFolder.key_record(run.folder.path) is not None:
        return
    if may_be_spared(ready) and foretold_from > 0:
        run.outlook.foretold_from = foretold_from
        if refuse_what_does_not_fit(ready):
            yield recomputing(run)
        return
    found = forecast(ready, run.clock(), briefly=foretold_from)
    if found is not None:
        if found.recomputes:
            yield recomputing(run)
        run.outlook.step_seconds = found.step_seconds
        yield Noted(f"This takes {found.words()}. `luthier plan` tells of what.", run.clock())
    elif not room_for_copy(ready):
        yield Noted(
            "How long this takes is not foretold: steps are tried on a copy of the model, for which there is no room in memory. "
            "`luthier plan` foretells it without one.",
            run.clock(),
        )


def recomputing(run: Run) -> Noted:
    """Let blocks compute their activations again, which is recorded with the plan, and say so."""
    ready = run.ready
    plan = ready.plan.with_settings({"run.recompute": "on"})
    run.ready = replace(ready, resolved=replace(ready.resolved, plan=plan))
    return Noted(
        "What blocks have computed is computed again on the way back, as it would not all fit into memory: the same result, in "
        "about a third more time. --recompute off keeps it.",
        run.clock(),
    )


def doubts_of(ready: Prepared, folder: RunFolder) -> Iterator[str]:
    """What is believed though it may not be what luthier wrote: the model to go on from, an older run's features."""
    if (ready.base.folder.path / MODEL_RECORD).is_file():
        yield from doubts(ready.base.folder.path, ready.base.folder.sums)
    if folder.older:
        yield f"{folder.path}: began before luthier looked into the images: that they are the same cannot be told."
    if folder.unsealed:
        yield f"{folder.path}: began before luthier sealed what it saves: features and weights there are believed as they are."


def run_steps(run: Run, opening: list[Event]) -> Iterator[Event]:
    """What is left to do of a run, in a folder that nobody else is at. opening: what was told before."""
    release_freed_memory()  # what reading the rows and looking at them took
    folder, clock = run.folder, run.clock
    changed = folder.begin({name: version(name) for name in VERSIONS})
    if changed:
        had = ", ".join(f"{name} {number}" for name, number in changed.items())
        opening.append(
            Noted(f"This run began with {had}: its end may differ in the last digits.", clock(), warning=True)
        )
        yield opening[-1]
    for event in opening:
        folder.log(event)
    write_records(folder.path, run.ready)
    for event in path(run):
        if not isinstance(event, Advanced):
            folder.log(event)
        yield event


def warmed_up(plan: Plan, stop: Callable[[], bool]) -> Generator[Event, None, Plan]:
    """The plan that goes on from a run over its warm-up file: a run of its own, found again by whoever warms up alike."""
    folder = yield from tune(warm_up_of(plan), stop)
    yield Noted(f"Warmed up: going on from {folder.path}.", 0.0)
    kept = {key: value for key, value in plan.settings().items() if key not in ("data.warm_up", "model.base")}
    return Plan.build(kept | {"model.name": str(folder.path)})


def path(run: Run) -> Iterator[Event]:
    """The steps in their order."""
    yield from features_and_probe(run)
    yield from timed(run, "check", check_features(run))
    yield from training(run)
    yield from decide(run)
    yield from timed(run, "score", score_and_write(run) if tested(run) else write_unmeasured(run))


def features_and_probe(run: Run) -> Iterator[Event]:
    if run.task.reference is not None:
        yield from timed(run, "reference", compute_reference(run))
    yield from timed(run, "features", compute_features(run))
    if run.ready.unlabelled is not None:
        yield from timed(run, "adapt", adapt_body(run))
    yield from timed(run, "probe", cheap_candidates(run))


def training(run: Run) -> Iterator[Event]:
    """The dear candidates, unless the plan wants none, none is there for such rows, or they could not win."""
    if not competing(run.ready, trains=True):
        if why := why_untrained(run):
            yield Noted(why, run.clock())
        return
    run.outlook.spared = why_spared(run)
    if run.outlook.spared:
        yield Noted(run.outlook.spared, run.clock())
        return
    if run.outlook.foretold_from is not None:
        yield from foretell(run, run.outlook.foretold_from)
    yield from timed(run, "train", dear_candidates(run))


def may_be_spared(ready: Prepared) -> bool:
    """Whether it is known only when the probe is there that anything is to be trained."""
    return ready.plan.train.method == "auto" and ready.rows.task.probe is not None


def foretell(run: Run, shortest: float) -> Iterator[Event]:
    """What training is going to take, where that is worth a word; of too little memory a warning, as there is a model by now."""
    try:
        found = forecast(still_ahead(run.ready), run.clock(), briefly=shortest)
    except PlanError as error:
        yield Noted(str(error), run.clock(), warning=True)
        return
    if found is not None:
        if found.recomputes:
            yield recomputing(run)
        run.outlook.step_seconds = found.step_seconds
        yield Noted(
            f"What is left takes {found.words_after_the_probe()}. `luthier plan` tells of what.", run.clock()
        )


def still_ahead(ready: Prepared) -> Prepared:
    """What is left to learn from once the probe is there: rows without labels have taught, unless a teacher answers them."""
    if ready.teacher is not None:
        return ready
    return replace(ready, beside=replace(ready.beside, unlabelled=None))


def timed(run: Run, name: str, step: Iterator[Event]) -> Iterator[Event]:
    """A step and its Ended; a wish to stop is granted between steps."""
    if run.stop():
        raise run.interrupted()
    begin = run.clock()
    yield from step
    release_freed_memory()
    yield from told_damage(run)
    took = run.clock() - begin
    run.watch.took[name] = run.watch.took.get(name, 0.0) + run.watch.earlier.get(name, 0.0) + took
    yield Ended(name, run.clock(), took)


def told_damage(run: Run) -> Iterator[Event]:
    """What a step found not to be what was written, and computed again."""
    for artefacts in (run.folder, run.shared):
        for words in artefacts.damaged:
            yield Noted(words, run.clock(), warning=True)
        artefacts.damaged.clear()
