"""Preference: rows are prompts with two answers, of which one is better."""

import numpy as np

from luthier.arrays import Array, Ints
from luthier.data.table import Table
from luthier.forms.form import Columns, Form
from luthier.forms.preference_form import PreferenceForm
from luthier.scores.metrics import judging
from luthier.tasks.kind import Kind, Roles, Understood, Wishes
from luthier.tasks.metric import chosen_metric
from luthier.tasks.preference.rows import claims, find, preference_rows
from luthier.tasks.preference.task import NAME, PAIR, Preference
from luthier.tasks.task import Task


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    found = preference_rows(table, columns)
    task = Preference(
        objective=wishes.objective,
        beta=wishes.beta,
        metric=chosen_metric(wishes.metric, judging(NAME), NAME),
        system=wishes.answering.system,
    )
    answers = 2 * PAIR if task.mismatched else PAIR

    def targets(rows: Ints) -> Array:
        return np.zeros((len(rows), answers))

    return Understood(
        task=task,
        usable=found.usable,
        unusable=found.unusable,
        answers=found.answers,
        keys=found.keys,
        targets=targets,
        repairs=found.repairs,
    )


def form_of(task: Task) -> Form:
    """Preferences as a task learns from them."""
    assert isinstance(task, Preference), "a preference task's rows"
    return PreferenceForm(task.system, task.mismatched)


PREFERENCE = Kind(
    name=NAME,
    example=(
        {"prompt": "May I return it?", "chosen": "Of course, within 30 days.", "rejected": "No."},
        {"prompt": "It arrived broken.", "chosen": "I am sorry. We send a new one.", "rejected": "Bad luck."},
        {"prompt": "Is it in stock?", "chosen": "Yes, it ships tomorrow.", "rejected": "Look yourself."},
    ),
    forms=("preference",),
    find=find,
    understand=understand,
    restore=Preference.from_json,
    claims=claims,
    own_form=form_of,
)
