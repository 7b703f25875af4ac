"""A classification that a finished model does already: its labels, and rows that are asked of it."""

import numpy as np

from luthier.arrays import Array, Bools, Ints
from luthier.data.row_facts import KnownAnswers, Unusable
from luthier.data.table import Table
from luthier.models.hub.tuned_head import TunedHead
from luthier.scores.metrics import judging
from luthier.tasks.classification.label_column import LabelColumn
from luthier.tasks.classification.task import Classification
from luthier.tasks.kind import Finished, Understood
from luthier.tasks.matching import match_labels
from luthier.tasks.task import Task


def classes_of(head: TunedHead, kind: str, name: str, reads: str) -> Finished | None:
    """The classification that a head does; None where it does none. kind: of heads for such rows.  name, reads: the task's."""
    if head.kind != kind or head.number:
        return None
    return Finished(Classification(head.names, head.several, judging(name)[0], name, reads))


def asked_rows(table: Table, labels: LabelColumn, has_input: Bools, keys: Ints, task: Task) -> Understood:
    """Rows that are asked of a finished model: every one that has a label, whether there is anything in it to read or not.

    has_input: (table rows,) whether there is.  Raises DataError for a label that the model does not give.
    """
    assert isinstance(task, Classification), "a classification's rows"
    usable = np.flatnonzero(labels.there & (has_input | readable_when_empty(task)))
    matched = match_labels(labels.names(usable), task.labels, str(table.files[0]))
    sets = [tuple(matched.to_model.get(name, name) for name in own) for own in labels.sets]

    def targets(rows: Ints) -> Array:
        return task.targets([sets[at] for at in labels.set_of[rows]])

    broken = np.flatnonzero(labels.there & ~has_input) if not readable_when_empty(task) else usable[:0]
    return Understood(
        task=task,
        usable=usable,
        unusable=Unusable(broken, np.flatnonzero(~labels.there)),
        answers=KnownAnswers(
            label_sets=labels.set_of,
            strata=labels.set_of,
            set_names=labels.sets,
            labels=task.labels,
        ),
        keys=keys,
        targets=targets,
        told=matched.told(),
    )


def readable_when_empty(task: Classification) -> bool:
    """Whether a model can be asked a row with nothing in it: an empty text is one, a broken image is none."""
    return task.head == "row"
