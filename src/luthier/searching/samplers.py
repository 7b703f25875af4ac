"""Optuna behind a small interface: which values a trial has, and whether it is worth going on with.

Grid and random draw all their values before the first trial, so that trial 7 has the same ones whatever was killed, pruned
or run elsewhere. Bayesian search has to look at what came before; its draw for trial 7 follows from the seed, the number 7
and the trials it can see.
"""

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeVar

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.samplers import BaseSampler, GPSampler, QMCSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from luthier import seeds
from luthier.errors import DiskError, PlanError, WorldError, first_line
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan
from luthier.searching.folder import without_password
from luthier.searching.pruners import LENGTH, pruner_of
from luthier.searching.space import Choices, Dimension, Space, Value

optuna.logging.set_verbosity(optuna.logging.WARNING)

Told = ParamSpec("Told")
Answer = TypeVar("Answer")
State = Literal["running", "complete", "pruned", "failed"]
STATES: dict[TrialState, State] = {
    TrialState.WAITING: "running",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
MOST = 500
"""The most trials where a budget is given, and no number."""
MISSES = 100
"""After so many draws in a row that bring nothing new, a space counts as tried out."""
STARTUP = 8
"""Number of trials that Bayesian search draws at random, before there is something to learn from."""
FEWEST = 8
"""Fewest finished trials from which importance is estimated."""
PATIENCE = 120.0
"""Seconds that a process waits for another one to unlock the SQLite file."""


@dataclass(frozen=True)
class Tried:
    """A trial as the storage records it."""

    number: int
    state: State
    values: dict[str, Value]
    """The values, by setting, of those settings that have an effect with the trial's method."""
    score: float | None
    seen: dict[int, float]
    """The score at each validation, by its number."""
    notes: dict[str, Any]
    """Further facts that were noted about the trial, such as its seconds."""


def distribution(one: Dimension) -> BaseDistribution:
    if isinstance(one, Choices):
        return CategoricalDistribution(one.values)
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def design(space: Space, plan: Plan, sampler: str, seed: int, count: int) -> list[dict[str, Value]] | None:
    """The values of all trials after the recipe's, no two alike; None where they depend on the trials' scores.

    count: the most trials. A grid is put in random order, so that the part which is reached speaks for the whole.
    """
    if sampler == "grid":
        points = space.grid(plan)
        order = seeds.generator(seed, "grid").permutation(len(points))
        return [points[at] for at in order][:count]
    if not sampler.startswith("random"):
        return None
    drawn = RandomSampler(seed=seeds.derive(seed, "random") % 2**32)
    wanted = {one.key: distribution(one) for one in space.dimensions}
    study = optuna.create_study(sampler=drawn if sampler == "random" else sobol(seed), direction="maximize")
    # The sampler learns from a finished trial what there is to draw.
    first = {one.key: one.points[0] for one in space.dimensions}
    study.add_trial(create_trial(params=first, distributions=wanted, value=0.0))
    found: dict[tuple[tuple[str, Value], ...], dict[str, Value]] = {}
    misses = 0
    while len(found) < count and misses < MISSES:
        trial = study.ask(wanted)
        study.tell(trial, 0.0)
        counting = {one.key: trial.params[one.key] for one in space.counting(plan, trial.params)}
        misses = misses + 1 if tuple(counting.items()) in found else 0
        found.setdefault(tuple(counting.items()), counting)
    return list(found.values())


def sobol(seed: int) -> BaseSampler:
    """Sobol's quasi-random numbers, scrambled (Owen 1998)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return QMCSampler(scramble=True, seed=seeds.derive(seed, "sobol") % 2**32)


def storage_at(url: str) -> BaseStorage:
    """A database. Raises PlanError where its URL is none, WorldError where it cannot be opened."""
    # A server may drop a connection that is idle as long as a trial takes: it is tried before it is used.
    file = url.startswith("sqlite")
    settings = {"connect_args": {"timeout": PATIENCE}} if file else {"pool_pre_ping": True}
    try:
        return RDBStorage(url, engine_kwargs=settings)
    except (ArgumentError, ValueError) as error:
        raise PlanError(
            f"search.storage: {without_password(url)!r} is not the URL of a database ({first_line(error)}). "
            "Expected one as in postgresql://user@host/name."
        ) from error
    except Exception as error:
        raise WorldError(
            f"{without_password(url)}: the search's database cannot be opened ({first_line(error)})."
        ) from error


def on_record(method: Callable[Told, Answer]) -> Callable[Told, Answer]:
    """Let a method that reads or writes the storage raise DiskError where the database is locked or full: no trial failed."""

    @functools.wraps(method)
    def told(*given: Told.args, **more: Told.kwargs) -> Answer:
        try:
            return method(*given, **more)
        except (StorageInternalError, SQLAlchemyError) as error:
            raise DiskError(
                f"The record of the search's trials cannot be read or written ({first_line(error.__cause__ or error)}). "
                "Is its disk full, or its database locked or gone?"
            ) from error

    return told


class Adviser:
    """The record of a search's trials, and advice on the next one. Several processes may hold one each."""

    @on_record
    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        search: SearchPlan,
        space: Space,
        plan: Plan,
        count: int,
        higher: bool = True,
    ) -> None:
        """name: of the search in the storage.  count: how many trials there are to be.  higher: whether a higher score is
        better."""
        self.search, self.space, self.plan, self.count = search, space, plan, count
        self.values = design(space, plan, search.sampler, plan.run.seed, count - 1)
        self.storage = storage
        self.study = optuna.create_study(
            study_name=name,
            storage=storage,
            direction=direction(higher),
            pruner=pruner_of(search.prune),
            load_if_exists=True,
        )

    @on_record
    def tried(self) -> list[Tried]:
        """All trials so far, in their order."""
        return [frozen(trial) for trial in self.study.get_trials(deepcopy=False)]

    @on_record
    def ask(self, recipe: Mapping[str, Value]) -> Tried | None:
        """Begin the next trial; None where all of them have begun. One process at a time may ask.

        recipe: the values of trial 0, as far as the space knows them.
        """
        number = len(self.study.get_trials(deepcopy=False))
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if not waiting and number == 0:
            held = {one.key: recipe[one.key] for one in self.space.dimensions if self.holds(one, recipe)}
            self.study.enqueue_trial(held)
        elif not waiting and self.values is not None:
            if number > len(self.values):
                return None
            self.study.enqueue_trial(self.values[number - 1])
        number = waiting[0].number if waiting else number
        self.study.sampler = self.sampler(number)
        return self.asked(self.study.ask())

    def holds(self, one: Dimension, recipe: Mapping[str, Value]) -> bool:
        return one.key in recipe and one.holds(recipe[one.key])

    @on_record
    def again(self, number: int) -> Tried:
        """A trial that began and that nobody runs any more."""
        trial = self.frozen(number)
        if trial.state == TrialState.WAITING:  # killed before it was asked
            self.storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
        if "values" in trial.user_attrs:
            return frozen(trial)
        self.study.sampler = self.sampler(number)  # killed while it was asked
        return self.asked(optuna.trial.Trial(self.study, trial._trial_id))

    def asked(self, trial: optuna.trial.Trial) -> Tried:
        """A trial, with the values that have an effect put on record."""
        values: dict[str, Value] = {}
        fixed = self.frozen(trial.number).system_attrs.get("fixed_params")
        for one in self.space.dimensions:
            counts = one in self.space.counting(self.plan, values)
            if counts and (fixed is None or one.key in fixed):
                values[one.key] = suggested(trial, one)
        trial.set_user_attr("values", values)
        return frozen(self.frozen(trial.number))

    def sampler(self, number: int) -> BaseSampler:
        """The sampler of a trial, whose draw depends on the seed, the trial's number and the trials before it."""
        seed = seeds.derive(self.plan.run.seed, "trial", number) % 2**32
        if self.search.sampler == "bayes":
            return TPESampler(seed=seed, n_startup_trials=STARTUP)
        if self.search.sampler == "bayes:gp":
            return GPSampler(seed=seed, n_startup_trials=STARTUP)
        return RandomSampler(seed=seed)

    @on_record
    def report(self, number: int, validations: int, score: float, length: int) -> bool:
        """Tell of a validation; True where the trial is not worth going on with.

        length: how many validations its whole training has.
        """
        trial = self.frozen(number)
        known = trial.intermediate_values
        if known and validations < max(known):
            return False  # told before a kill, and what came of it too
        if validations not in known:
            self.remember(number, **{LENGTH: length})
            self.storage.set_trial_intermediate_value(trial._trial_id, validations, score)
        return self.study.pruner.prune(self.study, self.frozen(number))

    @on_record
    def remember(self, number: int, **notes: Any) -> None:
        """Note facts about a trial."""
        for key, value in notes.items():
            self.storage.set_trial_user_attr(self.frozen(number)._trial_id, key, value)

    @on_record
    def tell(self, number: int, state: State, score: float | None = None) -> None:
        """Record how a trial ended."""
        ended = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}[
            state
        ]
        if state == "complete":
            assert score is not None, "a trial that is complete has a score"
            self.study.tell(number, score, skip_if_finished=True)
        else:
            self.study.tell(number, state=ended, skip_if_finished=True)

    def frozen(self, number: int) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[number]


def direction(higher: bool) -> Literal["maximize", "minimize"]:
    """Optuna's name of the way in which scores are better."""
    return "maximize" if higher else "minimize"


def suggested(trial: optuna.trial.Trial, one: Dimension) -> Value:
    if isinstance(one, Choices):
        chosen = trial.suggest_categorical(one.key, one.values)
        assert chosen is not None, "None is no value of a setting"
        return chosen
    if one.whole:
        return trial.suggest_int(one.key, int(one.low), int(one.high), log=one.log)
    return trial.suggest_float(one.key, one.low, one.high, log=one.log)


def frozen(trial: FrozenTrial) -> Tried:
    seen = dict(trial.intermediate_values)
    score = trial.value if trial.state == TrialState.COMPLETE else None
    if score is None and seen:
        score = seen[max(seen)]
    notes = dict(trial.user_attrs)
    values = notes.pop("values", {})
    return Tried(trial.number, STATES[trial.state], values, score, seen, notes)


def importances(
    tried: Sequence[Tried], space: Space, seed: int, higher: bool = True, draws: int = 20
) -> dict[str, tuple[float, float, float]]:
    """The importance of each setting: its share of what makes the better half of the finished trials differ (PED-ANOVA,
    Watanabe et al. 2023, arXiv:2304.10255), and the 10th and 90th of a hundred of such shares when trials are drawn anew with
    replacement.

    higher: whether a higher score is better. Empty where fewer than eight trials with these settings have finished, or one
    setting alone was varied.
    """
    done = [
        one
        for one in tried
        if one.state == "complete" and one.score is not None and "same_as" not in one.notes
    ]
    known = [one for one in space.dimensions if sum(one.key in trial.values for trial in done) >= FEWEST]
    inside = [
        trial
        for trial in done
        if all(one.key in trial.values and one.holds(trial.values[one.key]) for one in known)
    ]
    if len(inside) < FEWEST or len(known) < 2:
        return {}
    # Imported here: it brings scikit-learn and pandas, seconds that every process of a search would wait for.
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    wanted = {one.key: distribution(one) for one in known}
    better_half = PedAnovaImportanceEvaluator(target_quantile=0.5)

    def shares(trials: Sequence[Tried]) -> dict[str, float]:
        study = optuna.create_study(direction=direction(higher))
        for one in trials:
            params = {key: one.values[key] for key in wanted}
            study.add_trial(create_trial(params=params, distributions=wanted, value=one.score))
        return get_param_importances(study, evaluator=better_half)

    whole, dice = shares(inside), seeds.generator(seed, "importance")
    found = [
        shares([inside[at] for at in dice.integers(len(inside), size=len(inside))]) for _ in range(draws)
    ]

    def spread(key: str) -> list[float]:
        return [one.get(key, 0.0) for one in found]

    return {
        key: (value, float(np.quantile(spread(key), 0.1)), float(np.quantile(spread(key), 0.9)))
        for key, value in whole.items()
    }
