"""`luthier suggest`: which unlabelled rows to label next, as a table to fill in and as tasks for Label Studio."""

import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.arrays import Ints
from luthier.data.annotations.suggested import FROM
from luthier.data.composed import with_marks
from luthier.data.formats.sheets import read_sheet, sheet
from luthier.data.missing import without_marks
from luthier.data.split import text_keys
from luthier.data.table import Table
from luthier.doctor.reader import Reader
from luthier.errors import DataError
from luthier.events import Event, Noted, Started
from luthier.files import write_text
from luthier.forms import FORMS
from luthier.plan.plan import Plan
from luthier.prepare.rows import Given
from luthier.prepare.task_columns import kind_of, needed_columns
from luthier.prepare.unlabelled import MOST_ROWS, free_table
from luthier.tasks.classification.label_column import read_labels
from luthier.tasks.classification.labels import in_order
from luthier.tasks.texts import has_content
from luthier.train.probe.suggest import suggest


@dataclass(frozen=True)
class Suggestions:
    """Rows to label next, the most useful first, and where they were written."""

    rows: tuple[dict[str, Any], ...]
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


def suggest_rows(
    plan: Plan, count: int, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, Suggestions]:
    """Write the rows of the plan's file without labels that are most useful to label next. Raises InputError where one of the
    files cannot be used."""
    begin = time.monotonic()
    assert plan.data.unlabelled is not None, "there is a file to choose from"
    unlabelled = Path(plan.data.unlabelled)

    def clock() -> float:
        return time.monotonic() - begin

    yield Started("prepare", clock())
    table = Given.of(plan).first
    kind, _ = kind_of(plan, table)
    if not kind.suggests:
        raise DataError(
            f"{plan.data.path}: is read as rows of {kind.name}, for which no rows are suggested yet. Use --task "
            "text-classification if each row is a text with a label."
        )
    guess = needed_columns(plan, table, kind)
    table = with_marks(table, guess.label, "--label")
    table, told = without_marks(table, [guess.text], [guess.label], plan.data.missing)
    others, own, cleared = free_table(plan, unlabelled, FORMS["text"], {"text": guess.text})
    there = own["text"]
    told = [*told, *cleared]
    labels = read_labels(table.values(guess.label), plan.task.labels_per_row)
    if labels.many:
        raise DataError(
            f"{plan.data.path}: rows have several labels, for which no rows are suggested yet. "
            "Use --labels-per-row one if each row has one."
        )
    known = np.flatnonzero(has_content(table, guess.text) & labels.there)
    names = in_order({labels.sets[at][0] for at in np.unique(labels.set_of[known])})
    number = {name: at for at, name in enumerate(names)}
    targets = np.array([number[labels.sets[at][0]] for at in labels.set_of[known]], np.int64)
    free, notes = not_yet_labelled(others, there, text_keys(table, guess.text)[known], plan.run.seed)
    if not len(free):
        raise DataError(f"{unlabelled}: every row is empty, or is labelled in {plan.data.path} already.")
    folder = Path(plan.run.out) if plan.run.out else unlabelled.parent
    stem = unlabelled.name.split(".")[0]
    paths = folder / f"{stem}.suggested.csv", folder / f"{stem}.suggested.json"
    refuse_filled_in(paths[0], guess.label)
    notes = [*told, *notes]
    reader = Reader.of(plan)
    way = "cut" if plan.data.long == "auto" else plan.data.long
    texts = [*table.texts(guess.text, known), *others.texts(there, free)]
    examples, _ = reader.form.read(reader.reader, texts, np.zeros(len(texts), np.int64), way)
    features = yield from reader.features(examples, clock, stop)
    found = suggest(features[: len(known)], targets, len(names), features[len(known) :], count)
    chosen = free[found.rows]
    rows = tuple(
        {"file": place.file, "row": place.line, "text": text}
        for place, text in zip(map(others.place, chosen), others.texts(there, chosen), strict=True)
    )
    if len(rows) < count:
        notes.append(f"{len(rows):,} rows, not {count:,}: there are no more without a label.")
    for note in notes:
        yield Noted(note, clock())
    write_text(paths[0], as_csv(rows, guess.text, guess.label))
    write_text(paths[1], as_tasks(rows, guess.text))
    return Suggestions(rows, found.why, *paths, tuple(notes))


def not_yet_labelled(table: Table, text: str, known: Ints, seed: int) -> tuple[Ints, list[str]]:
    """One row of each text that has no label yet, and sentences on what was left out."""
    keys = text_keys(table, text)
    _, first = np.unique(keys, return_index=True)
    filled = has_content(table, text)
    rows = np.sort(first[filled[first] & ~np.isin(keys[first], known)])
    notes = []
    if len(rows) < len(table):
        notes.append(
            f"{len(table) - len(rows):,} of {len(table):,} rows are empty, copies, or labelled already."
        )
    if len(rows) > MOST_ROWS:
        notes.append(f"{MOST_ROWS:,} of the other {len(rows):,} were looked at, drawn at random.")
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_ROWS])
    return rows, notes


def refuse_filled_in(path: Path, label: str) -> None:
    """Raise DataError rather than write over labels that somebody has filled in."""
    if path.exists() and any(row[label].strip() for row in read_sheet(path, (label,))):
        raise DataError(f"{path}: holds labels already. Add its rows to your data, then move or delete it.")


def as_csv(rows: tuple[dict[str, Any], ...], text: str, label: str) -> str:
    """A table to fill in: its rows can be added to the data as they are."""
    return sheet([(text, label, *FROM), *((row["text"], "", row["file"], row["row"]) for row in rows)])


def as_tasks(rows: tuple[dict[str, Any], ...], text: str) -> str:
    """Tasks as Label Studio imports them: a list of objects with `data` (labelstud.io/guide/tasks)."""
    tasks = [{"data": {text: row["text"], "file": row["file"], "row": row["row"]}} for row in rows]
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"
