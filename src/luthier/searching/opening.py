"""A search's folder, opened to work on: what all of its trials have in common, and what is refused before the first one."""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from luthier.candidates.records import FeaturesRecord
from luthier.devices import available_cores
from luthier.errors import PlanError, RunError
from luthier.folder.artefacts import Artefacts
from luthier.hashes import hash_json
from luthier.machine import cores
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan
from luthier.prepare.base import base_of
from luthier.prepare.idle_settings import refuse_what_has_no_effect
from luthier.prepare.memo import Memo
from luthier.prepare.pairs import read_as
from luthier.prepare.prepare import Prepared, prepare
from luthier.prepare.refusals import refuse_too_many_blocks
from luthier.scores.metrics import METRICS, Metric
from luthier.searching.default_space import default_space
from luthier.searching.folder import SPENT, SearchFolder
from luthier.searching.ranking import best_of, trial_record
from luthier.searching.records import ModelNote, RowsNote, Settled, SpentNote
from luthier.searching.samplers import MOST, Adviser, storage_at
from luthier.searching.space import MODEL, PAIR, Space, Value, plan_of, read_space

USUAL = 20
"""Number of trials where none is given."""
USUAL_SEEDS = 3
"""Number of seeds on which the best few trials are run where a budget leaves time."""
WRITING = 10.0
"""Seconds that the best trial's files and the report take."""
FEW_CORES = 8
THREADS = 4
"""CPU threads of a trial on a machine with more than a few cores. Where there are few, each trial has one: two trials side by
side, a thread each, get through more than one with two threads (docs/search.md)."""


@dataclass(frozen=True)
class OwnProcess:
    """The process that works on the search, among others that may do so too."""

    holder: str
    """The name under which it takes trials."""
    all_cores: bool
    """Whether what no trial does may take all cores, as the plan leaves open how many CPU threads there are."""


@dataclass
class Search:
    """An open search, with all that one of its processes needs to work on it."""

    folder: SearchFolder
    plan: Plan
    """The plan whose settings trials vary; its precision, device, threads and split are settled."""
    asked: SearchPlan
    space: Space
    adviser: Adviser
    recipe: dict[str, Value]
    """The values of trial 0, which follows the recipe."""
    memo: Memo
    ready: Prepared
    """The recipe's: the rows that all trials have in common."""
    stop: Callable[[], bool]
    clock: Callable[[], float]
    """A function that gives the seconds since the command began."""
    earlier: float
    """Seconds that earlier commands took."""
    process: OwnProcess

    @property
    def metric(self) -> Metric:
        """The score by which trials are compared."""
        return METRICS[self.ready.rows.task.metric]

    @property
    def count(self) -> int:
        """How many trials there are to be, the recipe among them."""
        return self.adviser.count

    @property
    def seeds(self) -> int:
        """Number of seeds on which the best few trials are run."""
        return self.asked.seeds or (1 if self.plan.run.budget is None else USUAL_SEEDS)

    @property
    def deadline(self) -> float | None:
        """Seconds by the clock until which the last trial must have ended, for the best one to be finished within --budget."""
        if self.plan.budget_seconds is None:
            return None
        return self.plan.budget_seconds - self.earlier - self.finishing

    @property
    def finishing(self) -> float:
        """Seconds that are kept back to test the best trial: a pass over the rows, and what is written."""
        features = Artefacts(self.folder.shared / self.ready.features_key).record("features", FeaturesRecord)
        return (0.0 if features is None else features.seconds) + WRITING

    def trial_plan(self, values: dict[str, Value], out: str, end: float | None, **more: Any) -> Plan:
        """The plan of a trial. end: seconds by the search's clock until which it must have ended; None: it may take any time."""
        left = None if end is None else f"{max(1.0, end - self.clock()):.0f}s"
        if MODEL in values:
            values = {**values, MODEL: self.folder.found_again(str(values[MODEL]))}
        return plan_of(self.plan, values, **{"run__out": out, "run__budget": left, **more})

    def spend(self) -> None:
        """Note the time that has gone by, for a command that goes on after a kill."""
        self.folder.keep_note(SPENT, SpentNote(seconds=round(self.earlier + self.clock(), 3)))

    def record(self, **more: Any) -> None:
        """Write search.json."""
        tried = self.adviser.tried()
        best = best_of(tried, self.metric)
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


def open_search(
    folder: SearchFolder,
    stop: Callable[[], bool],
    earlier: float,
    began: float,
    holder: str,
    alone: bool = False,
) -> Search:
    """A search's folder, opened to work on it. Raises InputError for a plan, a space or rows that cannot be used.

    began: by time.time(), when the command began.  holder: the name under which this process takes trials.
    alone: whether no other process is at work until this one trains.
    """
    plan, asked = folder.plans()
    own_threads = plan.run.threads is None
    plan = plan.with_settings(alike_in_trials(plan, asked))
    memo = Memo(folder.shared)
    with folder.alone("open"):
        settled = folder.settled
        if settled is None:
            ready = prepare(plan, memo)
            refuse_to_compare_by_learnt_rows(ready)
            resolved = ready.plan
            space = read_space(asked.vary, plan) if asked.vary else default_space(ready)
            refuse_what_the_model_refuses(space, plan, ready)
            run: dict[str, str | int | None] = {
                "run.precision": resolved.run.precision,
                "run.device": resolved.run.device,
                "run.threads": resolved.run.threads,
            }
            recipe = {
                key: value
                for key, value in resolved.settings().items()
                if key in {one.key for one in space.dimensions}
            }
            storage_at(asked.storage or folder.url)  # one that does not answer leaves nothing behind
            gpus = torch.cuda.device_count() if resolved.run.device == "cuda" else 0
            higher = METRICS[ready.rows.task.metric].higher
            settled = Settled(run=run, vary=list(space.spelt()), recipe=recipe, gpus=gpus, higher=higher)
            folder.keep_note("settled", settled)
        else:
            space = read_space(settled.vary, plan)
        plan = plan.with_settings(settled.run)
        ready = prepare(plan, memo)
        refuse_what_has_changed(folder, ready)
        adviser = adviser_of(folder, asked, space, plan, settled.higher)
    memo.wide = available_cores() if alone and own_threads else None
    return Search(
        folder=folder,
        plan=plan,
        asked=asked,
        space=space,
        adviser=adviser,
        recipe=settled.recipe,
        memo=memo,
        ready=ready,
        stop=stop,
        clock=lambda: time.time() - began,
        earlier=earlier,
        process=OwnProcess(holder, own_threads),
    )


def refuse_what_has_changed(folder: SearchFolder, ready: Prepared) -> None:
    """Raises RunError where rows, split or model are not those that the search began with."""
    known = folder.note("rows", RowsNote)
    if known is None:
        folder.keep_note("rows", RowsNote(key=ready.features_key))
    elif known.key != ready.features_key:
        raise RunError(
            f"{folder.path}: the rows or the model have changed since this search began, so further trials could not be compared "
            "with those that have ended. Put back what was there, or search anew with another --out."
        )


def refuse_another_model(search: Search, values: Mapping[str, Value]) -> None:
    """Raises RunError where a trial's model, one of those that are varied, is not what earlier trials have learnt from."""
    if MODEL not in values:
        return
    name, folder = str(values[MODEL]), search.folder
    task = search.ready.rows.task
    fingerprint = base_of(
        folder.found_again(name), task.reads, search.plan.model.base, search.memo
    ).fingerprint
    note = f"model-{hash_json([name])[:12]}"
    known = folder.note(note, ModelNote)
    if known is None:
        folder.keep_note(note, ModelNote(name=name, fingerprint=fingerprint))
    elif known.fingerprint != fingerprint:
        raise RunError(
            f"{folder.path}: the model {name} has changed since this search began, so what is learnt from it could not be "
            "compared with trials that have ended. Put back what was there, or search anew with another --out."
        )


def alike_in_trials(plan: Plan, asked: SearchPlan) -> dict[str, Any]:
    """Settings that all trials have, whatever is varied: their threads, and the rows that they are scored on. Trials vary how
    layers are tuned, so rows are held out however few there are, unless the plan says otherwise."""
    own = {"run.threads": threads_of(plan, asked), "data.split_seed": plan.split_seed}
    return own | ({"data.validation": "held-out"} if plan.data.validation == "auto" else {})


def threads_of(plan: Plan, asked: SearchPlan) -> int:
    """CPU threads of each trial: as the plan says, or such that all workers together have the cores."""
    if plan.run.threads is not None:
        return plan.run.threads
    if asked.workers is not None:
        return max(1, cores() // asked.workers)
    return 1 if cores() < FEW_CORES else THREADS


def adviser_of(folder: SearchFolder, asked: SearchPlan, space: Space, plan: Plan, higher: bool) -> Adviser:
    """The record of a search's trials, which also advises on the next one. higher: whether a higher score is better."""
    record = folder.key_record()
    assert record is not None, "it is the folder of a search"
    storage = storage_at(asked.storage or folder.url)
    return Adviser(storage, record.id, asked, space, plan, trials_wanted(asked, plan, space), higher)


def trials_wanted(asked: SearchPlan, plan: Plan, space: Space) -> int:
    """How many trials there are to be, the recipe among them."""
    if asked.sampler == "grid":
        points = len(space.grid(plan)) + 1
        return min(points, asked.trials or points)
    if asked.trials is not None:
        return asked.trials
    return USUAL if plan.run.budget is None else MOST


def refuse_to_compare_by_learnt_rows(ready: Prepared) -> None:
    """Raise PlanError where training rows stand in for validation rows: the trial that has learnt most by heart would win."""
    if not ready.rows.split.validates:
        raise PlanError(
            "Labels have so few rows that none could be held out to compare trials by. Name rows to validate on with --valid "
            "FILE, or leave the settings to `luthier tune`."
        )


def refuse_what_the_model_refuses(space: Space, plan: Plan, ready: Prepared) -> None:
    """Raise PlanError that tells of all values that are right in a plan and wrong for this task or model."""
    problems: dict[str, None] = {}
    pairs = next((one.points for one in space.dimensions if one.key == PAIR), ())
    for one, pair in itertools.product(space.dimensions, pairs or (plan.model.pair,)):
        beside = {PAIR: pair} if pairs else {}
        for value in one.points:
            asked = plan_of(plan, {**beside, one.key: value})
            try:
                refuse_what_has_no_effect(asked, read_as(ready.rows.task, asked.model.pair))
                if asked.model.name == plan.model.name:
                    refuse_too_many_blocks(asked, ready.ladder)
            except PlanError as error:
                problems[f"--vary {error}"] = None
    if problems:
        raise PlanError("\n".join(problems))
