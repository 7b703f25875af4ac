"""Labels that occur once: when their rows are kept to be learnt from, and what is offered where they are not."""

import numpy as np

from luthier.arrays import Ints
from luthier.tasks.kind import Roles, Wishes

WAYS = (
    "If each label has one row, as in one-shot learning, give rows of other files to test or to validate on (--test FILE, "
    "--valid FILE), or rows without labels (--unlabelled FILE), or go on without any: --allow one-shot."
)
"""What lets rows count whose label no other row has."""


USUAL_ROWS = 3
"""Rows a label, by the median, from which on a label that occurs once is most likely a slip of the pen."""


def keeps_single_labels(roles: Roles, wishes: Wishes, counts: Ints) -> bool:
    """Whether a label may occur once among the training rows: where the user says so; or where labels have a row or two, and
    other rows were given for a part, or without labels, so that nobody needs its only row to test on.

    counts: (labels,) training rows of each.
    """
    if wishes.few.one_shot:
        return True
    given = len(roles.names) > 1 or wishes.few.more_rows
    return given and len(counts) > 0 and float(np.median(counts)) < USUAL_ROWS
