"""Regular expressions that answers are to match: one for all rows, or the right answer of each."""

from collections.abc import Mapping

from luthier.data.table import Table
from luthier.errors import DataError, PlanError
from luthier.scores.verifiers import VERIFIERS, compiled_pattern, regex_match
from luthier.tasks.chat.task import Chat

BY_PATTERN = regex_match.__name__


def refuse_patterns(task: Chat, table: Table, rights: Mapping[int, str]) -> None:
    """Raise PlanError for a pattern that nothing takes, and where right answers that are to be patterns are none.

    rights: the right answers of the rows that are used, by their numbers.
    """
    asking = [
        flag for flag, name in (("--metric", task.metric), ("--verify", task.verify)) if name == BY_PATTERN
    ]
    if task.pattern is not None and not asking:
        raise PlanError(
            f"task.pattern: no effect with the metric {task.metric}, which takes no pattern. Leave it out, or choose --metric "
            f"{BY_PATTERN}."
        )
    if task.pattern is not None or not asking:
        return
    wrong = [(row, right) for row, right in rights.items() if not is_pattern(right)]
    if wrong:
        row, right = wrong[0]
        others = f", nor are those of {len(wrong) - 1:,} other rows" if len(wrong) > 1 else ""
        raise PlanError(
            f"{table.place(row)}: {asking[0]} {BY_PATTERN} takes each right answer as a regular expression, and {right[:60]!r} "
            f"is none{others}. Name one for all rows with --pattern, or choose another of {', '.join(rest())}."
        )


def rest() -> list[str]:
    """The rules that take no pattern."""
    return [name for name in VERIFIERS if name != BY_PATTERN]


def is_pattern(text: str) -> bool:
    """Whether a right answer can be searched for as a regular expression."""
    try:
        compiled_pattern(text.strip())
    except DataError:
        return False
    return bool(text.strip())
