"""Rows without labels: read by the same columns as the others, without those that stand in the other rows too."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier import seeds
from luthier.arrays import Bools, Ints
from luthier.batches.examples import Examples
from luthier.data.columns import check, must_exist
from luthier.data.composed import with_texts
from luthier.data.images.facts import ImageFacts, image_facts, looks
from luthier.data.images.shards import holds_shards, shards_for
from luthier.data.images.source import ImageSource
from luthier.data.missing import without_marks
from luthier.data.read import read
from luthier.data.split import Split
from luthier.data.table import Table
from luthier.errors import DataError, did_you_mean, listing, shorten
from luthier.forms.form import Columns, Form
from luthier.hashes import hash_json
from luthier.plan.plan import Plan
from luthier.prepare.data_files import with_its_images, writing_of
from luthier.tasks.texts import has_content, input_keys

MOST_ROWS = 50_000
"""The most rows without labels that are read; where there are more, they are drawn at random."""
THREADS = 4
"""Threads that open images."""


@dataclass(frozen=True)
class Counts:
    """How many rows a file without labels has, and what became of them."""

    rows: int
    used: int
    empty: int
    """Those in which nothing can be read or seen."""
    copies: int
    """Those that stand in the file before."""
    held_out: int
    """Those that stand in the validation, calibration or test rows too."""
    train: int
    """Those that stand in the training rows too, and are learnt there."""
    beyond: int
    """Those that are not drawn, as there are more than are read."""

    @property
    def left_out(self) -> dict[str, int]:
        """The rows that are not used, by the reason in words."""
        reasons = {
            "with nothing to read": self.empty,
            "like a row above": self.copies,
            "also among the rows for validation, calibration or test": self.held_out,
            "also among the training rows": self.train,
            f"not drawn, as {MOST_ROWS:,} are read at the most": self.beyond,
        }
        return {why: count for why, count in reasons.items() if count}

    def told(self, file: str) -> str:
        """A sentence on the file.

        >>> Counts(rows=10, used=7, empty=1, copies=0, held_out=0, train=2, beyond=0).told("more.csv")
        'more.csv: 7 of 10 rows without labels are used; 1 with nothing to read, 2 also among the training rows.'
        """
        reasons = ", ".join(f"{count:,} {why}" for why, count in self.left_out.items())
        end = f"; {reasons}." if reasons else "."
        return f"{file}: {self.used:,} of {self.rows:,} rows without labels are used{end}"


@dataclass(frozen=True)
class FreeRows:
    """Rows of a table that nobody has labelled, and that stand nowhere else."""

    table: Table
    columns: Columns
    """The table's columns, by role."""
    chosen: Ints
    """Numbers of the rows that are used."""
    counts: Counts
    told: tuple[str, ...]
    """Sentences on what became of the rows, and on what was assumed about them."""
    contents: str | None = None
    """Hash of the images' own bytes, where rows name them."""

    @property
    def fingerprint(self) -> str:
        """Hash of the rows, of the images' own bytes where rows name them, and of which are used."""
        return hash_json([self.table.fingerprint, self.contents, dict(self.columns), self.chosen.tolist()])


@dataclass(frozen=True)
class Unlabelled:
    """Rows without labels as the model reads them."""

    examples: Examples
    """Targets are noughts: there is nothing to learn from them but the rows themselves."""
    inputs: tuple[Any, ...]
    """What the model reads of each row, as its form makes it of a table: a text, a pair of texts, a picture."""
    counts: Counts
    told: tuple[str, ...]
    fingerprint: str


def free_rows(
    plan: Plan, form: Form, table: Table, columns: Columns, split: Split, images: ImageFacts | None
) -> FreeRows | None:
    """The rows of the plan's file without labels that stand in no part of the split; None where the plan names no file, or rows
    of this form have no use for one.

    table, columns, split: of the rows with labels.  images: what was seen of them; None where rows are no images.
    Raises DataError where the file cannot be used, or nothing of it is left.
    """
    file = plan.data.unlabelled
    if file is None or "data.unlabelled" not in form.effects:
        return None
    others, own, told = free_table(plan, Path(file), form, columns)
    here = looked_at(others, own, form)
    known = looked_at(table, columns, form) if images is None else Looked.of(images)
    in_train = np.isin(here.keys, known.keys_of(split.train))
    held = np.concatenate([split.valid, split.calibration, split.test])
    in_held = np.isin(here.keys, known.keys_of(held)) & ~in_train
    first = firsts(here)
    free = np.flatnonzero(first & ~in_train & ~in_held)
    chosen = free
    if len(free) > MOST_ROWS:
        order = seeds.generator(plan.split_seed, "unlabelled").permutation(len(free))
        chosen = np.sort(free[order[:MOST_ROWS]])
    counts = Counts(
        rows=len(others),
        used=len(chosen),
        empty=int((~here.there).sum()),
        copies=int((here.there & ~first).sum()),
        held_out=int((first & in_held).sum()),
        train=int((first & in_train).sum()),
        beyond=len(free) - len(chosen),
    )
    if not len(chosen):
        reasons = ", ".join(f"{count:,} {why}" for why, count in counts.left_out.items())
        otherwise = (
            "leave it out" if plan.data.continues is None else "leave out --continue, which goes on with it"
        )
        raise DataError(
            f"{file}: none of its {counts.rows:,} rows can be used; {reasons}. Name a file of other rows with --unlabelled, or "
            f"{otherwise}."
        )
    return FreeRows(others, own, chosen, counts, (*told, counts.told(file)), here.contents)


def read_unlabelled(rows: FreeRows | None, form: Form, reader: Any, way: str) -> Unlabelled | None:
    """The rows as the model reads them. form, reader, way: as those with labels are read."""
    if rows is None:
        return None
    inputs = [form.learnt(row) for row in form.inputs(rows.table, rows.columns, rows.chosen)]
    examples, _ = form.read(reader, inputs, np.zeros(len(inputs), np.int64), way)
    return Unlabelled(examples, tuple(inputs), rows.counts, rows.told, rows.fingerprint)


def free_table(plan: Plan, path: Path, form: Form, columns: Columns) -> tuple[Table, Columns, list[str]]:
    """The table of a file without labels, its columns by role, and what was assumed about it.

    columns: those of the rows with labels, which it is to have too; a file of a single column has no other. Raises DataError.
    """
    folder = form.rows_of_folder(path)
    if folder is not None:
        return *folder, []
    if holds_shards(path):
        table = Table.join(list(shards_for("train", path, writing_of(plan.data)).values()))
    else:
        table = with_its_images(plan, read(path, writing_of(plan.data)), columns.get(form.file_role or ""))
    wanted = {
        role: name for role, name in columns.items() if role in form.roles and form.roles[role].predicts
    }
    only = table.names[0] if len(table.names) == len(wanted) == 1 else None
    own: dict[str, str] = {}
    for role, name in wanted.items():
        table = with_texts(table, name, f"--{role}") if form.roles[role].text else table
        own[role] = name if only is None else only
        refuse_another_column(table, own[role])
        looked_for = must_exist if form.roles[role].nested and role != form.file_role else check
        looked_for(table, own[role], role)
    texts = [name for role, name in own.items() if form.roles[role].text]
    table, cleared = without_marks(table, texts, (), plan.data.missing)
    return table, own, [f"{path}: {words}" for words in cleared]


def refuse_another_column(table: Table, name: str) -> None:
    """Raise DataError where rows without labels lack a column that the others are read by: naming another one would be for all
    files."""
    if name not in table.names:
        raise DataError(
            f"{table.files[0]}: there is no column {shorten(name)!r}, by which the other rows are read."
            f"{did_you_mean(name, table.names)} Columns: {listing(table.names)}. Give the column that name, or leave it alone in "
            "its file."
        )


@dataclass(frozen=True)
class Looked:
    """What tells the rows of a table from each other."""

    there: Bools
    """(rows,) whether there is something to read or to see."""
    keys: Ints
    """(rows,) equal for rows of the same texts, but for case and white space, or of images that look wholly the same."""
    contents: str | None
    """Hash of the images' own bytes; None where rows are no images."""

    @staticmethod
    def of(images: ImageFacts) -> "Looked":
        """What tells images from each other."""
        return Looked(images.usable, looks(images), hash_json(images.contents.tolist()))

    def keys_of(self, rows: Ints) -> Ints:
        """The keys of some rows, without those that have nothing in them."""
        return self.keys[rows[self.there[rows]]]


def looked_at(table: Table, columns: Columns, form: Form) -> Looked:
    """What tells the rows of a table from each other, as their form reads them."""
    if form.file_role is not None:
        return Looked.of(
            image_facts(ImageSource(table, columns[form.file_role]), np.arange(len(table)), THREADS)
        )
    there = np.ones(len(table), bool)
    for role, name in columns.items():
        if role in form.roles:
            there &= has_content(table, name)
    return Looked(there, input_keys(table, columns), None)


def firsts(rows: Looked) -> Bools:
    """(rows,) whether a row is the first of its kind among those that have something in them."""
    filled = np.flatnonzero(rows.there)
    first = np.zeros(len(rows.there), bool)
    first[filled[np.unique(rows.keys[filled], return_index=True)[1]]] = True
    return first
