"""The metric a task is judged by: its own first one, or the one that was asked for."""

from collections.abc import Sequence

from luthier.errors import PlanError, listing


def chosen_metric(asked: str, known: Sequence[str], task: str) -> str:
    """Raises PlanError for one that the task does not have.

    >>> chosen_metric("auto", ("accuracy", "macro_f1"), "text-classification")
    'accuracy'
    """
    if asked == "auto":
        return known[0]
    if asked not in known:
        raise PlanError(f"task.metric: {asked!r} is no metric of {task}. Expected {listing(known)}.")
    return asked
