"""A model that was tuned already and the rows that it is judged on, prepared as for a run in which nothing is to be trained."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from luthier import devices
from luthier.arrays import Ints
from luthier.batches.examples import Examples
from luthier.checks import TABLE, examine, ranked
from luthier.checks.finding import Finding
from luthier.data.row_facts import no_rows
from luthier.data.split import PARTS, Split
from luthier.data.split_column import NONE
from luthier.data.table import Table
from luthier.errors import DataError, ModelError, listing
from luthier.hashes import hash_json
from luthier.models.headed import HeadedModel
from luthier.models.ladder.ladder import Ladder
from luthier.models.load import load_model
from luthier.models.master_weights import MasterWeights
from luthier.models.readers.reading import preparation_of
from luthier.plan.named_columns import column_settings
from luthier.plan.plan import Plan
from luthier.prepare.base import Base
from luthier.prepare.division import Division, group_keys
from luthier.prepare.given import Given
from luthier.prepare.place import Place
from luthier.prepare.prepare import Beside, Checked, Prepared, wanted
from luthier.prepare.refusals import refuse_one_kind
from luthier.prepare.resolve import Resolved, of_rows
from luthier.prepare.rows import Reading, Rows, understood_as, wishes_of
from luthier.prepare.rows_read import RowsRead, read_rows
from luthier.prepare.task_columns import asked_columns, needed_columns
from luthier.prepare.tuned_model import TunedModel, refuse_other_task
from luthier.scores.metrics import judging
from luthier.tasks import TASKS
from luthier.tasks.guess import guess_kind
from luthier.tasks.kind import Kind, Roles, Understood, Wishes
from luthier.tasks.metric import chosen_metric
from luthier.tasks.task import Task

FEWEST_ROWS = 5
"""Rows that are judged at the least: as many as there are folds."""
LOOKED_FOR = ("leaks", "contradictions")
"""Checks of rows that are only asked: which stand in `--train` too, and which have labels that cannot both be right."""
SOME = 32
"""Rows without their labels by which a base that was never tuned knows what is near, at the most."""


@dataclass(frozen=True)
class Request:
    """What is judged, beside what a plan says of the rows."""

    train: str | None = None
    """File whose rows baselines and temperature learn from; None: they are cross-fitted on the rows that are judged."""
    base: str | None = None
    """The model that an adapter was made for, and that any model may be compared with."""
    names: tuple[str, ...] = ()
    """Names of the model's outputs, in its order, where the user says them."""


@dataclass(frozen=True)
class Judged:
    """A model and its rows, opened."""

    ready: Prepared
    """Its test rows are all rows; its training rows those of `--train`, or none."""
    tuned: TunedModel

    @property
    def told(self) -> list[str]:
        """What is to be known of how the model and the rows were understood."""
        ready = self.ready
        found = [f"The model is {self.tuned.words}.", *map(str, ready.resolved.guesses)]
        found += [*ready.base.folder.told, *ready.rows.table.guesses, *ready.rows.told, *ready.long.told]
        left = ready.rows.understanding.left_out_by
        return found + [f"{count:,} rows are left out: {why}." for why, count in left.items()]


def open_judged(plan: Plan, request: Request) -> Judged:
    """Open a model and the rows that it is judged on. Raises InputError for what cannot be used; writes nothing."""
    begin = time.monotonic()
    tuned = TunedModel.of(plan.model.name, request.base, request.names)
    given = given_to_judge(plan, request.train, as_they_stand=tuned.run is None and not plan.data.missing)
    plan = as_tuned(plan, tuned, given.first)
    kind, why = kind_for(plan, given.first, tuned)
    how = Reading(
        kind, why, needed_columns(plan, given.first, kind), wishes_for(plan, kind, tuned), all_asked
    )
    rows = understood_as(plan, given, how, begin)
    base = Base(tuned.folder, rows.form.open(tuned.folder))
    way = plan.data.long if plan.data.long != "auto" else tuned.long or rows.task.long
    read = read_rows(rows, base, rows.form, way)
    rows = with_task(read.rows, rows.task.having_read(first_filled(read)))
    model = tuned.model(rows.task, base.reader)
    ready = prepared(plan, rows, read, base, model)
    return Judged(placed(ready, request), tuned)


def given_to_judge(plan: Plan, train: str | None, as_they_stand: bool) -> Given:
    """The files, every row of the data a test row whatever parts its file names. Raises DataError for what cannot be read.

    The rows that are judged come first, so that they have the numbers that they have in their file.
    """
    whole = plan.with_settings({"data.split_column": NONE})
    asked = Given.of(whole)
    read, tables = {"test": one(asked.read)}, {"test": one(asked.tables)}
    if train is not None:
        learnt = Given.of(whole.with_settings({"data.path": train}))
        read, tables = read | {"train": one(learnt.read)}, tables | {"train": one(learnt.tables)}
    return Given(read, tables, None, asked=True, as_they_stand=as_they_stand)


def one(tables: Mapping[str, Table]) -> Table:
    """The rows of all parts in one table."""
    return Table.join(list(tables.values()))


def as_tuned(plan: Plan, tuned: TunedModel, table: Table) -> Plan:
    """The plan with the columns that the model was tuned on, where the user names no others and the table has them."""
    asked = asked_columns(plan)
    known = {
        role: name for role, name in tuned.columns.items() if asked.get(role) is None and name in table.names
    }
    settings = column_settings(known)
    if tuned.run is not None and not plan.data.missing:
        settings["data.missing"] = list(tuned.run.model_record.missing)
    return plan.with_settings(settings)


def kind_for(plan: Plan, table: Table, tuned: TunedModel) -> tuple[Kind, str]:
    """The task that the rows are for, of those that the model does, and why. Raises PlanError for one that it does not do,
    DataError for rows of another."""
    if plan.task.name != "auto":
        refuse_other_task(tuned, plan.task.name, plan.model.name)
        return TASKS[plan.task.name], "as named"
    asked = asked_columns(plan)
    guessed, why = guessed_kind(plan, table)
    if guessed in tuned.finished:
        return TASKS[guessed], f"as the model is {tuned.words}, and the rows have {why}"
    refused: DataError | None = None
    for name in tuned.finished:
        try:
            TASKS[name].find(table, asked)
        except DataError as error:
            refused = refused or error  # that of the task that is the likeliest
        else:
            return TASKS[name], f"as the model is {tuned.words}"
    assert refused is not None, "a model does some task"
    if not guessed:
        raise refused
    raise DataError(
        f"{table.files[0]}: has {why}, which is {guessed}, and {plan.model.name} is {tuned.words}, which does "
        f"{listing(tuned.finished)}. Give rows for that, or name their columns with --text and --label; "
        f"or judge a model of {guessed}."
    )


def guessed_kind(plan: Plan, table: Table) -> tuple[str, str]:
    """The task that the rows alone would be for, and why; empty where nobody can tell."""
    try:
        kind, why = guess_kind(table, asked_columns(plan), plan.task.labels_per_row, plan.data.decimal)
    except DataError:  # the model may tell what its rows alone do not
        return "", ""
    return kind.name, why


def wishes_for(plan: Plan, kind: Kind, tuned: TunedModel) -> Wishes:
    """What the task is told of the model that does it already."""
    finished = with_wishes(plan, tuned.finished[kind.name].task)
    found = replace(wishes_of(plan, kind), finished=finished, task_named=True)
    if finished.labels_per_row is not None:
        found = replace(found, labels_per_row=finished.labels_per_row)
    return found if tuned.run is None else replace(found, metric=finished.metric)


def with_wishes(plan: Plan, task: Task) -> Task:
    """A finished model's task with what the user says of it: the metric, and whether rows have one label or many."""
    changes: dict[str, Any] = {}
    if plan.task.metric != "auto":
        changes["metric"] = chosen_metric(plan.task.metric, judging(task.name), task.name)
    if plan.task.labels_per_row != "auto" and task.labels_per_row is not None:
        changes["many"] = plan.task.labels_per_row == "many"
    return replace(task, **changes) if changes else task  # type: ignore[type-var]  # tasks are frozen dataclasses


def all_asked(plan: Plan, found: Understood, table: Table, roles: Roles) -> Division:
    """Nothing is split off: every row that has a label is a test row, or one of `--train`. Raises DataError for too few."""
    train, test = (roles.rows(found.usable, part) for part in roles.names)
    if len(test) < FEWEST_ROWS:
        raise DataError(
            f"{plan.data.path}: {len(test):,} rows have a label, which are too few to judge by. Expected {FEWEST_ROWS} at the "
            "least; a useful verdict starts near 100."
        )
    how = "every row was asked, nothing was split off"
    split = Split(train, no_rows(), no_rows(), test, how, calibrates="")
    refuse_one_kind(plan, split, found)
    groups = None if plan.data.group is None else group_keys(table, plan.data.group)
    return Division(found, split, groups)


def with_task(rows: Rows, task: Task) -> Rows:
    """The rows under a task that knows more than before."""
    return rows if task is rows.task else replace(rows, understood=replace(rows.understood, task=task))


def first_filled(read: RowsRead) -> Examples:
    """The rows of `--train` as the model reads them; without such, those that are judged."""
    count = len(read.rows.split.train) or len(read.rows.split.test)
    return read.examples.select(np.arange(count))


def prepared(plan: Plan, rows: Rows, read: RowsRead, base: Base, model: HeadedModel) -> Prepared:
    """Rows and model as the steps of a run take them."""
    device = devices.choose(plan.run.device, "fp32", plan.run.threads)
    asked = plan.settings()
    guesses = [
        guess
        for guess in of_rows(rows)
        if asked.get(guess.key) in (None, "auto")
        and guess.key != "data.long"  # which a run may say otherwise
    ]
    model = model.to(device.torch)
    return Prepared(
        resolved=Resolved(plan, tuple(guesses)),
        rows=rows,
        base=base,
        model=model,
        masters=MasterWeights(model.body, device.dtype),
        ladder=Ladder(()),  # nothing is trained
        examples=by_part(rows, read.examples),
        beside=Beside(),
        long=read.long,
        checked=Checked(found_in(rows, read), rows.evidence, 0.0),
        device=device,
        place=Place(Path(), "", ()),
    )


def found_in(rows: Rows, read: RowsRead) -> tuple[Finding, ...]:
    """What is wrong with the rows, as far as it makes their score say less; nothing of it stops anybody."""
    return ranked([*examine(rows.evidence, {name: TABLE[name] for name in LOOKED_FOR}), *read.left_out])


def by_part(rows: Rows, examples: Examples) -> dict[str, Examples]:
    """The examples of each part, as they are asked."""
    ends = np.cumsum([len(getattr(rows.split, part)) for part in PARTS])
    parts = np.split(np.arange(len(examples)), ends[:-1])
    return {
        part: rows.task.asked(part, examples.select(chosen))
        for part, chosen in zip(PARTS, parts, strict=True)
    }


def placed(ready: Prepared, request: Request) -> Prepared:
    """With the folder where the verdict is written, by default runs/judge-<name of the data>-<hash>."""
    plan, rows = ready.plan, ready.rows
    stands_on = [plan.identity(), rows.fingerprint, ready.base.fingerprint, rows.task.to_json()]
    key = hash_json(["judge", *stands_on, list(request.names), request.base, len(rows.split.train)])
    name = Path(plan.data.path).name.split(".")[0]
    out = Path(plan.run.out or Path("runs") / f"judge-{name}-{key[:8]}")
    return replace(ready, place=Place(out, key, ()))


def of_base(ready: Prepared, name: str) -> Prepared:
    """The same rows, read by the model that the judged one was made of, which has learnt nothing of them."""
    rows = ready.rows
    base = Base.of(name, rows.task.reads, None)
    read = read_rows(rows, base, rows.form, ready.long.way)
    if len(read.rows.split.test) != len(rows.split.test):
        raise ModelError(
            f"--base {name}: cannot read {len(rows.split.test) - len(read.rows.split.test):,} of the rows that the judged model "
            "reads, so the two cannot be compared. Leave --base out."
        )
    asked = wanted(ready.plan, rows.task)
    if (
        base.folder.pooling is None
    ):  # what an architecture's own class has above its body may be drawn at random
        asked = replace(asked, pooling="mean", own_pooling=False)
    model = load_model(base.folder, asked, preparation_of(base.reader))
    made = prepared(ready.plan, rows, read, base, model)
    return replace(with_some_valid(made), place=ready.place)


def with_some_valid(ready: Prepared) -> Prepared:
    """With a few of the test rows in the place of validation rows: what has learnt nothing looks at no label of them."""
    few = np.unique(np.linspace(0, len(ready.rows.split.test) - 1, SOME).astype(np.int64))
    split = replace(ready.rows.split, valid=ready.rows.split.test[few])
    examples = {"valid": ready.examples["test"].select(few), "test": ready.examples["test"]}
    return replace(ready, rows=replace(ready.rows, split=split), examples=examples)


def learning_from(ready: Prepared, learnt: Ints, asked: Ints) -> Prepared:
    """The rows for a baseline: it learns from some of all rows and is asked others. What would be chosen by validation is chosen
    by the rows that are learnt from.

    learnt, asked: places among all rows, those of `--train` first.
    """
    rows, held = ready.rows, ready.examples
    numbers = np.concatenate([rows.split.train, rows.split.test])
    own, others = numbers[learnt], numbers[asked]
    split = replace(rows.split, train=own, valid=own, test=others)

    def examples_of(places: Ints) -> Examples:
        count = len(rows.split.train)
        part = held["train"] if len(places) and places[0] < count else held["test"]
        return part.select(places if part is held["train"] else places - count)

    examples = {
        "train": examples_of(learnt),
        "valid": examples_of(learnt),
        "calibration": held["calibration"],
        "test": examples_of(asked),
    }
    return replace(ready, rows=replace(rows, split=split), examples=examples)
