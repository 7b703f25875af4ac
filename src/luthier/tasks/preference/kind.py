"""Preference: rows are prompts with two answers, of which one is better."""

import numpy as np

from luthier.arrays import Array, Ints
from luthier.data.conversations.reading import CHOSEN
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.forms.form import Columns, Form
from luthier.forms.preference_form import PreferenceForm
from luthier.scores.metrics import judging
from luthier.tasks.kind import Kind, Roles, Understood, Wishes
from luthier.tasks.metric import chosen_metric
from luthier.tasks.preference.rows import claims, find, preference_rows
from luthier.tasks.preference.task import NAME, Preference
from luthier.tasks.task import Task

BETA = 0.1
BETAS = {"orpo": 1.0}
"""How much a preference counts where nobody says so. Of ORPO, 0.1 is little beside the loss of the chosen answer
(docs/tasks/preference.md)."""


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    rows, judged = preference_rows(table, columns), CHOSEN not in columns
    objective = objective_of(table, wishes.objective, judged)
    task = Preference(
        objective=objective,
        beta=wishes.beta or BETAS.get(objective, BETA),
        metric=chosen_metric(wishes.metric, judging(NAME), NAME),
        system=wishes.answering.system,
        judged=judged,
    )

    def targets(numbers: Ints) -> Array:
        unknown = np.zeros((len(numbers), task.sequences))
        return np.column_stack([unknown, rows.answers.strata[numbers]]) if judged else unknown

    return rows.understood(task, targets)


def objective_of(table: Table, wished: str, judged: bool) -> str:
    """The objective that the user names, or the one that suits the rows. Raises DataError where the two do not go together."""
    if wished == "auto":
        return "kto" if judged else "dpo"
    if judged and wished != "kto":
        raise DataError(
            f"{table.files[0]}: --objective {wished} learns from pairs of answers, and these rows have one answer each, with a "
            "label that judges it. Use --objective kto, or rows with `prompt`, `chosen` and `rejected`."
        )
    return wished


def form_of(task: Task) -> Form:
    """Preferences as a task learns from them."""
    assert isinstance(task, Preference), "a preference task's rows"
    return PreferenceForm(task.system, task.mismatched, task.scores_answers)


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
