"""`luthier suggest`: which unlabelled rows to label next, as a table to fill in and as tasks for Label Studio."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.data.composed import parts_of, with_marks, with_texts
from luthier.data.missing import without_marks
from luthier.data.table import Table
from luthier.doctor.reader import Reader
from luthier.doctor.suggested_lists import as_csv, as_tasks, found_from, refuse_filled_in
from luthier.doctor.unlabelled import Pool, not_yet_labelled, pool_of, texts_of
from luthier.errors import DataError, counted
from luthier.events import Event, Noted, Started
from luthier.files import write_text
from luthier.forms.form import Form
from luthier.plan.plan import Plan
from luthier.prepare.given import Given
from luthier.prepare.task_columns import kind_and_columns
from luthier.tasks.kind import LABEL, Kind
from luthier.tasks.suggesting import Labelled, Suggesting
from luthier.train.probe.suggest import Doubt, enough, least_sure, suggest


@dataclass(frozen=True)
class Suggestions:
    """Rows to label next, the most useful first, and where they were written."""

    rows: tuple[dict[str, Any], ...]
    """`file` and `row`, where each stands, and what it holds by role."""
    why: str
    csv: Path
    tasks: Path
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": list(self.rows),
            "why": self.why,
            "csv": str(self.csv),
            "tasks": str(self.tasks),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Known:
    """The labelled rows, and how rows of their kind are suggested."""

    how: Suggesting
    pool: Pool
    labels: Labelled
    columns: tuple[str, ...]
    """The columns of labels: one, or one for each label."""


@dataclass(frozen=True)
class Work:
    """The clock of a command, and whether somebody wants it to stop."""

    clock: Callable[[], float]
    stop: Callable[[], bool]


def suggest_rows(
    plan: Plan, count: int, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, Suggestions]:
    """Write the rows of the plan's file without labels that are most useful to label next. Raises InputError where one of the
    files cannot be used."""
    begin = time.monotonic()
    assert plan.data.unlabelled is not None, "there is a file to choose from"
    unlabelled = Path(plan.data.unlabelled)
    work = Work(lambda: time.monotonic() - begin, stop)
    yield Started("prepare", work.clock())
    known, told = known_rows(plan)
    pool, assumed = pool_of(plan, unlabelled, known.pool.form, known.pool.columns)
    free, notes = not_yet_labelled(pool, known.pool.keys(known.labels.rows), plan.run.seed)
    if not len(free):
        raise DataError(f"{unlabelled}: every row is empty, or is labelled in {plan.data.path} already.")
    folder = Path(plan.run.out) if plan.run.out else unlabelled.parent
    stem = unlabelled.name.split(".")[0]
    paths = folder / f"{stem}.suggested.csv", folder / f"{stem}.suggested.json"
    refuse_filled_in(paths[0], known.columns)
    found, by_doubt = yield from chosen(plan, known, pool, free, count, work)
    rows = tuple(place_and_content(pool, found, unlabelled, folder))
    notes = [*told, *assumed, *notes]
    if len(rows) < count:
        notes.append(f"{counted(len(rows), 'row')}, not {count:,}: there are no more without a label.")
    for note in notes:
        yield Noted(note, work.clock())
    write_text(paths[0], as_csv(rows, known.pool.columns, known.columns))
    write_text(paths[1], as_tasks(rows, known.pool.columns))
    typical = f"typical of {known.pool.form.thing}s that no label speaks of yet"
    return Suggestions(rows, known.how.in_doubt if by_doubt else typical, *paths, tuple(notes))


def known_rows(plan: Plan) -> tuple[Known, list[str]]:
    """The labelled rows, and what was assumed about them. Raises DataError for rows of a kind of which none are suggested."""
    table = Given.of(plan).first
    kind, columns = understood(plan, table)
    if kind.suggests is None:
        raise DataError(
            f"{plan.data.path}: is read as rows of {kind.name}, for which no rows are suggested yet. Use --task "
            "text-classification if each row is a text with a label."
        )
    label = columns[LABEL]
    form = kind.suggests.form(table, columns)
    names = tuple(parts_of(table, label)) or (label,)
    table, told = cleared(plan, table, kind, form, columns)
    labels = kind.suggests.labelled(table, columns, plan.task.labels_per_row)
    pool = Pool(table, form, {role: columns[role] for role in form.roles if role in columns})
    labels = with_content(labels, pool)
    return Known(kind.suggests, pool, labels, names), told


def understood(plan: Plan, table: Table) -> tuple[Kind, dict[str, str]]:
    """What the labelled rows are, and their columns by role. Raises DataError where that cannot be told, with what to do while
    nothing is labelled yet."""
    try:
        kind, _, guess = kind_and_columns(plan, table)
        return kind, dict(guess.columns)
    except DataError as error:
        if plan.data.path != plan.data.unlabelled:
            raise
        raise DataError(f"{error} Where nothing is labelled yet, an empty column 'label' does.") from error


def cleared(
    plan: Plan, table: Table, kind: Kind, form: Form, columns: dict[str, str]
) -> tuple[Table, list[str]]:
    """The table with the columns that the user makes of several, and without what stands for nothing."""
    table = with_marks(table, columns[LABEL], "--label")
    for name in texts_of(form, columns_of(form, columns)):
        table = with_texts(table, name, "--text")
    return without_marks(
        table,
        texts_of(form, columns_of(form, columns)),
        [columns[LABEL]],
        plan.data.missing,
        numbers=kind.numbers,
    )


def columns_of(form: Form, columns: dict[str, str]) -> dict[str, str]:
    """Those that rows are read from."""
    return {role: columns[role] for role in form.roles if role in columns}


def with_content(labels: Labelled, pool: Pool) -> Labelled:
    """The labelled rows without those in which there is nothing to read."""
    there = np.isin(labels.rows, pool.filled())
    return labels if there.all() else replace(labels, rows=labels.rows[there], targets=labels.targets[there])


def chosen(
    plan: Plan, known: Known, pool: Pool, free: Ints, count: int, work: Work
) -> Generator[Event, None, tuple[Ints, bool]]:
    """The rows to label, the most useful first, and whether their labels are in doubt. free: those that have none."""
    labels, form = known.labels, known.pool.form
    reader = Reader.of_form(plan, form, known.how.head)
    way = "cut" if plan.data.long == "auto" else plan.data.long
    inputs = [
        *form.inputs(known.pool.table, known.pool.columns, labels.rows),
        *form.inputs(pool.table, pool.columns, free),
    ]
    examples, _ = form.read(reader.reader, inputs, np.zeros(len(inputs), np.int64), way)
    look = by_words if known.how.by_word else by_rows
    features, sureness = yield from look(reader, examples, labels, work)
    own = len(labels.rows)
    found = suggest(features[:own], features[own:], sureness, count, plan.run.seed)
    return free[found.rows], found.by_doubt


def tells(labels: Labelled) -> bool:
    """Whether there are labels enough to be in doubt of others."""
    return enough(labels.given, labels.kinds) and len(labels.rows) > 1 and labels.outputs > 1


def by_rows(
    reader: Reader, examples: Examples, labels: Labelled, work: Work
) -> Generator[Event, None, tuple[Array, Array | None]]:
    """(rows, width) features, and how sure one is of each row that follows the labelled ones; None while labels are too few."""
    features = yield from reader.features(examples, work.clock, work.stop)
    own = len(labels.rows)
    if not tells(labels):
        return features, None
    doubt = Doubt.of(features[:own], labels.targets, labels.outputs)
    return features, doubt.sureness(features[own:])


def by_words(
    reader: Reader, examples: Examples, labels: Labelled, work: Work
) -> Generator[Event, None, tuple[Array, Array | None]]:
    """The same of rows whose words have labels: by the words that one is least sure of."""
    own = len(labels.rows)
    words: dict[int, Array] = {}

    def keep(row: int, features: Array) -> None:
        words[row] = features

    labelled = yield from reader.by_words(examples.select(np.arange(own)), keep, work.clock, work.stop)
    doubt = None
    if tells(labels):
        doubt = Doubt.of(np.concatenate([words[row] for row in range(own)]), labels.targets, labels.outputs)
    sureness = np.ones(len(examples) - own)

    def judge(row: int, features: Array) -> None:
        if doubt is not None and len(features):
            sureness[row] = least_sure(doubt.sureness(features))

    rest = examples.select(np.arange(own, len(examples)))
    others = yield from reader.by_words(rest, judge, work.clock, work.stop)
    return np.concatenate([labelled, others]), None if doubt is None else sureness


def place_and_content(pool: Pool, rows: Ints, unlabelled: Path, folder: Path) -> list[dict[str, Any]]:
    """Where each row stands and what it holds. Images of a folder are named as the table in `folder` finds them."""
    role = pool.form.file_role
    found: list[dict[str, Any]] = []
    for row, content in zip(rows.tolist(), pool.shown(rows), strict=True):
        if role is not None and unlabelled.is_dir():
            content[role] = found_from(content[role], unlabelled, folder)
        place = pool.table.place(row)
        found.append({"file": place.file, "row": place.line, **content})
    return found
