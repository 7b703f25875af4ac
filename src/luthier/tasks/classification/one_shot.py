"""Labels that occur once: when their rows are kept to be learnt from, and what is offered where they are not."""

from luthier.tasks.kind import Roles, Wishes

WAYS = (
    "If each label has one row, as in one-shot learning, give rows of other files to test or to validate on (--test FILE, "
    "--valid FILE), or rows without labels (--unlabelled FILE), or go on without any: --allow one-shot."
)
"""What lets rows count whose label no other row has."""


def keeps_single_labels(roles: Roles, wishes: Wishes) -> bool:
    """Whether a label may occur once among the training rows: where the user says so, or other rows were given for a part, so
    that nobody needs its only row to test on."""
    return wishes.few.one_shot or len(roles.names) > 1
