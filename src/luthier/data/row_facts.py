"""What is known of the rows of a table, whatever the task: what they answer, and which of them cannot be used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from luthier.arrays import Ints


def no_rows() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class KnownAnswers:
    """What the rows of a table answer, as numbers that can be compared."""

    label_sets: Ints
    """(table rows,) equal for rows with the same answer: the same label, or the same set of them."""
    strata: Ints
    """(table rows,) equal where every part of a split should have its share."""
    set_names: Sequence[tuple[str, ...]] = ()
    """The labels behind each number in `label_sets`; none where answers are no labels."""
    strata_names: tuple[str, ...] = ()
    """What the rows of each number in `strata` have in common, in words that follow "rows", as in `have no answer`; none where
    that has no name."""
    labels: tuple[str, ...] = ()
    """Names of the labels that are learnt; none where answers are no labels."""
    contrasted: str = ""
    """Why each part of a split needs rows of every number in `strata_names`, as a sentence; empty where it does not."""

    def labels_of(self, row: int) -> tuple[str, ...]:
        """The labels of a row of the table."""
        return self.set_names[int(self.label_sets[row])]


@dataclass(frozen=True)
class Unusable:
    """Numbers of the rows that are left out because something is missing."""

    empty_input: Ints = field(default_factory=no_rows)
    """There is nothing to read."""
    empty_label: Ints = field(default_factory=no_rows)
    """There is nothing to learn."""
    single: Ints = field(default_factory=no_rows)
    """No training row shares their label."""
    others: Mapping[str, Ints] = field(default_factory=dict)
    """Rows by what else they lack, in words that follow "rows with", such as `no answer`."""
    details: Mapping[int, str] = field(default_factory=dict)
    """What exactly was found in some rows of `others`, by row."""
