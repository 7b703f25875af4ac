"""Rows without labels, from which some are chosen: read as the labelled ones are, each once, and told by what they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from luthier import seeds
from luthier.arrays import Ints
from luthier.data.table import Table
from luthier.errors import counted
from luthier.forms.form import Columns, Form
from luthier.plan.plan import Plan
from luthier.prepare.unlabelled import MOST_ROWS, Looked, free_table, looked_at


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

    @cached_property
    def looked(self) -> Looked:
        """What tells the rows from each other, and which hold something."""
        return looked_at(self.table, self.columns, self.form)

    def filled(self) -> Ints:
        """Numbers of the rows that hold something: texts, or images that can be opened."""
        return np.flatnonzero(self.looked.there)

    def keys(self, rows: Ints) -> Ints:
        """(rows,) equal for rows that hold the same: texts but for case and white space, images by how they look."""
        return self.looked.keys[rows]


def pool_of(plan: Plan, path: Path, form: Form, columns: Columns) -> tuple[Pool, list[str]]:
    """The rows of an unlabelled file, or of a folder of images, and what was assumed about them. columns: as the labelled rows
    call them, by role. Raises DataError for what cannot be read so."""
    table, own, told = free_table(plan, path, form, columns)
    return Pool(table, form, own), told


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
    out = len(pool.table) - len(rows)
    if out:
        notes.append(
            f"Left out of {counted(len(pool.table), 'row')}: {out:,} that {'is' if out == 1 else 'are'} empty or "
            f"cannot be opened, {'a copy' if out == 1 else 'copies'}, or labelled already."
        )
    if len(rows) > MOST_ROWS:
        notes.append(f"{MOST_ROWS:,} of the other {len(rows):,} were looked at, drawn at random.")
        rows = np.sort(seeds.generator(seed, "rows without labels").permutation(rows)[:MOST_ROWS])
    return rows, notes
