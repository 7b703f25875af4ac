"""Rows without labels, from which some are chosen: read as the labelled ones are, each once, and told by what they hold."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from luthier.arrays import Ints
from luthier.data.columns import check
from luthier.data.composed import with_texts
from luthier.data.images.folder import with_images_in
from luthier.data.images.source import ImageSource
from luthier.data.missing import without_marks
from luthier.data.read import read
from luthier.data.split import key_of
from luthier.data.table import Table
from luthier.forms.form import Form
from luthier.plan.plan import Plan
from luthier.prepare.data_files import writing_of

MOST_ROWS = 50_000
"""The most unlabelled rows that are read; where there are more, they are drawn at random."""


@dataclass(frozen=True)
class Pool:
    """Rows of a file or a folder, and what they are made of."""

    table: Table
    form: Form
    columns: Mapping[str, str]
    """By role, those that the form reads."""

    def shown(self, rows: Ints | Sequence[int]) -> list[dict[str, str]]:
        """What a person sees of some rows, by role: texts, or the names of images."""
        if len(self.columns) > 1:
            values = {
                role: list(self.table.texts(name, np.asarray(rows))) for role, name in self.columns.items()
            }
        else:
            role = next(iter(self.columns))
            values = {role: [self.whole[row] for row in rows]}
        return [dict(zip(values, of, strict=True)) for of in zip(*values.values(), strict=True)]

    @cached_property
    def whole(self) -> list[str]:
        """(rows,) each as one text."""
        shown = self.form.shown(self.table, self.columns)
        return list(self.table.texts(next(iter(self.columns.values())))) if shown is None else shown

    def filled(self) -> Ints:
        """Numbers of the rows that hold something."""
        inputs = self.form.inputs(self.table, self.columns)
        return np.flatnonzero([not self.form.blank(row) for row in inputs])

    def keys(self, rows: Ints) -> Ints:
        """(rows,) equal for rows that hold the same: texts but for case and white space, images by their bytes."""
        if self.form.file_role is None:
            texts = (json.dumps(list(one.values()), ensure_ascii=False) for one in self.shown(rows))
            return np.array([key_of(text) for text in texts], np.int64)
        source = ImageSource(self.table, self.columns[self.form.file_role])
        digests = (hashlib.sha256(source.bytes_of(int(row))).digest() for row in rows)
        return np.array([int.from_bytes(one[:8], "big", signed=True) for one in digests], np.int64)


def pool_of(plan: Plan, path: Path, form: Form, columns: Mapping[str, str]) -> Pool:
    """The rows of an unlabelled file, or of a folder of images. columns: as the labelled rows call them, by role.

    Raises DataError for what cannot be read so."""
    of_folder = form.rows_of_folder(path)
    if of_folder is not None:
        return Pool(of_folder[0], form, of_folder[1])
    read_by = {role: columns[role] for role in form.roles if role in columns}
    table = read(path, writing_of(plan.data))
    if form.file_role is not None:
        folder = None if plan.data.images is None else Path(plan.data.images)
        table = with_images_in(table, folder, read_by[form.file_role])
    for role, name in read_by.items():
        if form.roles[role].text:
            table = with_texts(table, name, f"--{role}")
        if not form.roles[role].nested:
            check(table, name, role)
    table, _ = without_marks(table, texts_of(form, read_by), (), plan.data.missing)
    return Pool(table, form, read_by)


def texts_of(form: Form, columns: Mapping[str, str]) -> list[str]:
    """Columns of texts, in which a mark may stand for nothing."""
    return [name for role, name in columns.items() if form.roles[role].text]


def not_yet_labelled(pool: Pool, known: Ints, seed: int) -> tuple[Ints, list[str]]:
    """One row of each content that has no label yet, and sentences on what was left out. known: keys of labelled rows."""
    filled = pool.filled()
    keys = pool.keys(filled)
    _, first = np.unique(keys, return_index=True)
    rows = np.sort(filled[first[~np.isin(keys[first], known)]])
    notes = []
    if len(rows) < len(pool.table):
        notes.append(
            f"{len(pool.table) - len(rows):,} of {len(pool.table):,} rows are empty, copies, or labelled already."
        )
    if len(rows) > MOST_ROWS:
        notes.append(f"{MOST_ROWS:,} of the other {len(rows):,} were looked at, drawn at random.")
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_ROWS])
    return rows, notes
