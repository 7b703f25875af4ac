"""Rows of conversations: which of them an assistant's turns can be learnt from, and what is wrong with the others."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.conversations import ASSISTANT, Conversation
from luthier.data.conversations.cells import as_text
from luthier.data.conversations.claims import claims_conversation
from luthier.data.conversations.fault import NO_ANSWER, NO_MESSAGES, UNKNOWN_SPEAKER, Fault
from luthier.data.conversations.naming import find_conversation
from luthier.data.conversations.reading import Made, answered, conversations_of
from luthier.data.conversations.speakers import PLAIN
from luthier.data.row_facts import KnownAnswers, Unusable
from luthier.data.split import key_of
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.forms.form import Columns
from luthier.tasks.kind import Understood
from luthier.tasks.task import Task

MOST_STRANGE = 0.1
"""Largest share of rows with an unknown speaker; where there are more, the user is asked who is who."""
UNANSWERED = "a last turn that nobody answers, from which nothing is learnt"

claims, find = claims_conversation, find_conversation


@dataclass(frozen=True)
class LanguageRows:
    """The rows of a table as a task of language models understands them, in the records that all tasks use."""

    usable: Ints
    unusable: Unusable
    keys: Ints
    """(table rows,) equal for rows with the same prompt and tools."""
    answers: KnownAnswers
    made: Sequence[object]
    """(table rows,) each row as it is learnt from, or the Fault that makes it none."""
    repairs: Mapping[str, Ints] = field(default_factory=dict)

    def understood(
        self, task: Task, targets: Callable[[Ints], Array], told: tuple[str, ...] = ()
    ) -> Understood:
        """These rows as rows of a task. targets: what is learnt from some of them.  told: what was taken for likely."""
        return Understood(
            task=task,
            usable=self.usable,
            unusable=self.unusable,
            answers=self.answers,
            keys=self.keys,
            targets=targets,
            repairs=self.repairs,
            told=told,
        )


def conversation_rows(table: Table, columns: Columns) -> LanguageRows:
    """The rows of a table as conversations to learn from.

    Raises DataError where no row is one, where many have speakers that are not known, and for tools that are no JSON schemas.
    """
    made = [checked(one) for one in conversations_of(table, columns)]
    asked = [as_prompt(before_answer(one)) if isinstance(one, Conversation) else None for one in made]
    answers = [as_text(last_answer(one)) if isinstance(one, Conversation) else None for one in made]
    open_ended = [
        row for row, one in enumerate(made) if isinstance(one, Conversation) and not answered(one.turns)
    ]
    repairs = {UNANSWERED: np.array(open_ended, np.int64)} if open_ended else {}
    return language_rows(table, made, asked, answers, repairs)


def checked(one: Made) -> Made:
    """A conversation to learn from, or the Fault that makes it none."""
    if isinstance(one, Fault):
        return one
    try:
        check_conversation(one)
    except Fault as fault:
        return fault
    return one


def check_conversation(one: Conversation) -> None:
    """Raise Fault for a conversation without an assistant's turn, or with an empty one, or with nothing before it."""
    if not one.turns:
        raise Fault(NO_MESSAGES)
    at = [number for number, turn in enumerate(one.turns) if turn["role"] == ASSISTANT]
    if not at:
        raise Fault(NO_ANSWER, "there is no turn of the assistant")
    for number in at:
        if not answered(one.turns[: number + 1]):
            raise Fault(NO_ANSWER, f"turn {number + 1} is the assistant's and empty")
    if not any((turn.get("content") or "").strip() for turn in one.turns[: at[-1]]):
        raise Fault(NO_MESSAGES, "nothing stands before the answer")


def before_answer(one: Conversation) -> Conversation:
    """What stands before the last turn of the assistant."""
    return one.answered.prompt


def last_answer(one: Conversation) -> Sequence[Mapping[str, object]]:
    """The last turn of the assistant, in a list; nothing where there is none."""
    return one.answered.turns[-1:]


def as_prompt(one: Conversation) -> str:
    """A prompt as one text, its tools in it, by which equal ones are known."""
    return as_text(one.turns) + (json.dumps(one.tools, sort_keys=True) if one.tools else "")


def language_rows(
    table: Table,
    made: Sequence[object],
    asked: Sequence[str | None],
    answers: Sequence[str | None],
    repairs: Mapping[str, Ints],
) -> LanguageRows:
    """The rows in the records of all tasks. made: a Fault for each row that is left out.  asked, answers: None for these.

    Raises DataError where nothing is left, or where many rows have speakers that are not known.
    """
    faults = {row: one for row, one in enumerate(made) if isinstance(one, Fault)}
    refuse_strangers(table, faults)
    refuse_none_left(table, faults)
    by_reason: defaultdict[str, list[int]] = defaultdict(list)
    for row, fault in faults.items():
        by_reason[fault.reason].append(row)
    return LanguageRows(
        usable=np.array([row for row in range(len(made)) if row not in faults], np.int64),
        unusable=Unusable(
            others={why: np.array(rows, np.int64) for why, rows in by_reason.items()},
            details={row: fault.detail for row, fault in faults.items() if fault.detail},
        ),
        keys=keys_of(asked),
        answers=KnownAnswers(label_sets=keys_of(answers), strata=np.zeros(len(table), np.int64)),
        made=made,
        repairs=repairs,
    )


def keys_of(texts: Sequence[str | None]) -> Ints:
    """(rows,) equal for equal texts; a row without one is like no other."""
    return np.array(
        [key_of(f"row {row}" if text is None else text) for row, text in enumerate(texts)], np.int64
    )


def refuse_strangers(table: Table, faults: Mapping[int, Fault]) -> None:
    """Raise DataError where so many rows have speakers that are not known that nobody but the user can say who they are."""
    strange = {row: fault for row, fault in faults.items() if fault.reason == UNKNOWN_SPEAKER}
    if len(strange) <= MOST_STRANGE * len(table):
        return
    row, fault = next(iter(strange.items()))
    raise DataError(
        f"{table.place(row)}: {fault.detail}, who is not known, and {len(strange):,} of {len(table):,} rows have such a speaker. "
        f"Which of them the model is to speak for is not plain: write {PLAIN} in their place."
    )


def refuse_none_left(table: Table, faults: Mapping[int, Fault]) -> None:
    """Raise DataError where no row can be used, with what is wrong with the first ones."""
    if len(faults) < len(table):
        return
    counts: defaultdict[str, int] = defaultdict(int)
    for fault in faults.values():
        counts[fault.reason] += 1
    told = ", ".join(f"{count:,} with {reason}" for reason, count in counts.items())
    row, fault = next(iter(faults.items()))
    raise DataError(
        f"{table.files[0]}: none of its {len(table):,} rows can be used: {told}. The first: {table.place(row)}, {fault}. "
        "Correct the rows, or name other columns with --column ROLE=NAME."
    )
