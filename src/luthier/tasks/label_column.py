"""The label column, each distinct label (or set of labels) held once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.data.table import Ints
from luthier.tasks.labels import has_many, names_of


@dataclass(frozen=True)
class LabelColumn:
    """The label column, each distinct label (or set of labels) held once."""

    many: bool
    set_of: Ints
    """(table rows,) index into `sets`; the empty set where a row has no label."""
    sets: tuple[tuple[str, ...], ...]


def read_labels(values: Sequence[Any], labels_per_row: str) -> LabelColumn:
    """Labels of all rows, and whether a row may have several."""
    many = has_many(values) if labels_per_row == "auto" else labels_per_row == "many"
    numbers: dict[tuple[str, ...], int] = {}
    set_of = np.empty(len(values), np.int64)
    known: dict[Any, int] = {}
    for row, value in enumerate(values):
        key = tuple(value) if isinstance(value, list) else value
        if key not in known:
            names = tuple(sorted(set(names_of(value, many))))
            known[key] = numbers.setdefault(names, len(numbers))
        set_of[row] = known[key]
    return LabelColumn(many, set_of, tuple(numbers))


def without_single_labels(usable: Ints, labels: LabelColumn, role_of: Ints) -> tuple[Ints, Ints]:
    """`usable` without the rows of which some label occurs only once among the training file's rows; and those rows."""
    learnable = usable[role_of[usable] == 0]
    times: dict[str, int] = {}
    for at, count in zip(*np.unique(labels.set_of[learnable], return_counts=True), strict=True):
        for name in labels.sets[at]:
            times[name] = times.get(name, 0) + int(count)
    rare = np.array([any(times.get(name) == 1 for name in names) for names in labels.sets])
    out = rare[labels.set_of[usable]]
    return usable[~out], usable[out]


def rarest_label(labels: LabelColumn, usable: Ints, names: tuple[str, ...]) -> Ints:
    """(table rows,) a label number to stratify by: of several labels the rarest, as it is the hardest to spread."""
    number = {name: at for at, name in enumerate(names)}
    sets, times = np.unique(labels.set_of[usable], return_counts=True)
    count = np.zeros(len(names), np.int64)
    for at, seen in zip(sets, times, strict=True):
        for name in labels.sets[at]:
            count[number[name]] += seen
    of_set = np.zeros(len(labels.sets), np.int64)
    for at in sets:
        of_set[at] = min((number[name] for name in labels.sets[at]), key=lambda one: count[one])
    found: Ints = of_set[labels.set_of]
    return found
