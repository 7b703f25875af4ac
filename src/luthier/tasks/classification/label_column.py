"""The label column, each distinct label (or set of labels) held once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.arrays import Bools, Ints
from luthier.tasks.classification.label_cells import Cells, most_in_a_row, taken_apart
from luthier.tasks.classification.labels import names_of, whole_numbers


@dataclass(frozen=True)
class LabelColumn:
    """The label column, each distinct label (or set of labels) held once."""

    many: bool
    set_of: Ints
    """(table rows,) index into `sets`; the empty set where a row has no label."""
    sets: tuple[tuple[str, ...], ...]
    there: Bools
    """(table rows,) whether a row is labelled; one that has none of several labels may be."""
    how: str | None = None
    """How the cells were taken apart, in words that follow "its cells hold"; None where they were not."""
    doubt: str | None = None
    """What the cells may as well be, as `Cells.doubt` tells it."""

    def names(self, rows: Ints) -> set[str]:
        """The labels that some rows have."""
        return {name for at in np.unique(self.set_of[rows]) for name in self.sets[at]}


def read_labels(values: Sequence[Any], labels_per_row: str, none_is_answer: bool = False) -> LabelColumn:
    """Labels of all rows, and whether a row may have several.

    none_is_answer: whether an empty list says that none of the labels holds, rather than that nobody labelled the row.
    """
    values = whole_numbers(values)
    cells = Cells(values) if labels_per_row == "one" else taken_apart(values, labels_per_row == "many")
    many = labels_per_row == "many" or (labels_per_row == "auto" and most_in_a_row(cells.values) > 1)
    empty_counts = many and (none_is_answer or cells.vector)
    numbers: dict[tuple[str, ...], int] = {}
    set_of, there = np.empty(len(values), np.int64), np.empty(len(values), bool)
    known: dict[Any, tuple[int, bool]] = {}
    for row, value in enumerate(cells.values):
        key = tuple(value) if isinstance(value, list) else value
        if key not in known:
            names = tuple(sorted(set(names_of(value))))
            answered = bool(names) or (empty_counts and value is not None)
            known[key] = numbers.setdefault(names, len(numbers)), answered
        set_of[row], there[row] = known[key]
    return LabelColumn(many, set_of, tuple(numbers), there, cells.how, cells.doubt)


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
    """(table rows,) a label number to stratify by: of several labels the rarest, as it is the hardest to spread; of none, the
    number after the last."""
    number = {name: at for at, name in enumerate(names)}
    sets, times = np.unique(labels.set_of[usable], return_counts=True)
    count = np.zeros(len(names), np.int64)
    for at, seen in zip(sets, times, strict=True):
        for name in labels.sets[at]:
            count[number[name]] += seen
    of_set = np.zeros(len(labels.sets), np.int64)
    for at in sets:
        of_set[at] = min(
            (number[name] for name in labels.sets[at]), key=lambda one: count[one], default=len(names)
        )
    found: Ints = of_set[labels.set_of]
    return found
