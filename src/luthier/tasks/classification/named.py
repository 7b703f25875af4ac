"""A classification of which the labels' names are known, and no row: texts are compared with names or descriptions."""

from collections.abc import Sequence

import numpy as np

from luthier.data.row_facts import KnownAnswers, Unusable
from luthier.data.table import Table
from luthier.forms.form import Columns
from luthier.scores.metrics import judging
from luthier.tasks.baselines import readable
from luthier.tasks.classification.task import Classification
from luthier.tasks.descriptions import Described, Descriptions, describe, refuse_alike, told_of_names
from luthier.tasks.kind import Roles, Understood, Wishes
from luthier.tasks.metric import chosen_metric
from luthier.tasks.texts import input_keys


def task_of_names(
    name: str, names: Sequence[str], described: Descriptions | None, metric: str
) -> tuple[Classification, tuple[str, ...]]:
    """The task of some name, and what is to be known of how labels were described. Raises DataError for labels that nothing tells
    apart."""
    found = Described((), ()) if described is None else describe(names, described)
    if described is None:
        refuse_alike("--label-names", names, [readable(name) for name in names])
    words = found.words
    task = Classification(tuple(names), False, chosen_metric(metric, judging(name), name), name, words=words)
    return task, (*found.told, *told_of_names(names, words))


def without_labels(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    """Rows of which nobody says a label: none of them is learnt from or tested on."""
    task = wishes.finished
    assert task is not None, "labels are named"
    none = np.zeros(len(table), np.int64)
    return Understood(
        task=task,
        usable=none[:0],
        unusable=Unusable(),
        answers=KnownAnswers(none, none, set_names=((),), labels=task.known_labels),
        keys=input_keys(table, columns),
        targets=lambda rows: np.zeros(len(rows), np.int64),
    )
