"""Rows of a table as preferences: a prompt with two answers, or with one that was found good or bad."""

from collections.abc import Sequence
from typing import Any

from luthier.arrays import Ints
from luthier.batches.conversations import Conversation, Judged, Preference, Turn
from luthier.data.conversations.cells import as_text
from luthier.data.conversations.fault import (
    EQUAL,
    NO_ANSWER,
    NO_COMMON_PROMPT,
    NO_JUDGEMENT,
    NO_MESSAGES,
    Fault,
)
from luthier.data.conversations.reading import (
    CHOSEN,
    COMPLETION,
    REJECTED,
    Columns,
    Made,
    answered,
    prompts_of,
    sound,
    turns_in,
)
from luthier.data.conversations.speakers import ASSISTANT
from luthier.data.conversations.turns import Turns
from luthier.data.marks import mark_of
from luthier.data.table import Table
from luthier.errors import counted

LABEL = "label"


def preferences_of(table: Table, columns: Columns, rows: Ints | None = None) -> list[Preference | Fault]:
    """Some rows as pairs of answers, or all of them; a Fault for a row that is none. Raises DataError as `prompts_of` does."""
    prompts = prompts_of(table, columns, rows)
    chosen = turns_in(table, columns[CHOSEN], ASSISTANT, rows)
    rejected = turns_in(table, columns[REJECTED], ASSISTANT, rows)
    return [pair_or_fault(*row) for row in zip(prompts, chosen, rejected, strict=True)]


def pair_or_fault(prompt: Made, chosen: Turns | Fault, rejected: Turns | Fault) -> Preference | Fault:
    try:
        if isinstance(prompt, Fault):
            raise prompt
        return preference_of(prompt, sound(chosen), sound(rejected))
    except Fault as fault:
        return fault


def preference_of(prompt: Conversation, chosen: Turns, rejected: Turns) -> Preference:
    """One pair of answers behind their prompt, whether the prompt is repeated at their beginning or not. Raises Fault.

    Where the answers are whole conversations, the prompt is what both begin with.
    """
    if not chosen or not rejected:
        raise Fault(NO_ANSWER, f"`{REJECTED if chosen else CHOSEN}` is empty")
    if chosen == rejected:
        raise Fault(EQUAL)
    if chosen[0]["role"] != ASSISTANT or rejected[0]["role"] != ASSISTANT:
        shared = shared_beginning(chosen, rejected)
        prompt = with_shared(prompt, chosen[:shared])
        chosen, rejected = chosen[shared:], rejected[shared:]
    if not prompt.turns:
        raise Fault(NO_MESSAGES, "there is no prompt")
    for name, answer in ((CHOSEN, chosen), (REJECTED, rejected)):
        if not answered(answer):
            raise Fault(NO_ANSWER, f"`{name}` ends without an answer")
    return Preference(prompt, tuple(chosen), tuple(rejected))


def shared_beginning(chosen: Turns, rejected: Turns) -> int:
    """How many turns both conversations begin with, before an answer that differs. Raises Fault where they differ elsewhere."""
    pairs = zip(chosen, rejected, strict=False)
    shared = next(
        (at for at, (one, other) in enumerate(pairs) if one != other), min(len(chosen), len(rejected))
    )
    rest = [turns[shared]["role"] for turns in (chosen, rejected) if len(turns) > shared]
    if not shared or len(rest) < 2 or set(rest) != {ASSISTANT}:
        raise Fault(
            NO_COMMON_PROMPT,
            f"`{CHOSEN}` and `{REJECTED}` part after {counted(shared, 'turn')}, and not at an answer",
        )
    return shared


def with_shared(prompt: Conversation, shared: Turns) -> Conversation:
    """The prompt that the answers themselves begin with, beside the row's own, of which one may be only a part. Raises Fault."""
    own = list(prompt.turns)
    if ends_with(own, shared):
        return prompt
    if ends_with(shared, own) or begins_with(shared, own):
        return Conversation(tuple(shared), prompt.tools)
    raise Fault(NO_COMMON_PROMPT, "the prompt is not what the answers begin with")


def ends_with(turns: Sequence[Turn], end: Sequence[Turn]) -> bool:
    return len(turns) >= len(end) and same(turns[len(turns) - len(end) :], end)


def begins_with(turns: Sequence[Turn], begin: Sequence[Turn]) -> bool:
    return len(turns) >= len(begin) and same(turns[: len(begin)], begin)


def same(one: Sequence[Turn], other: Sequence[Turn]) -> bool:
    """Whether turns of the same number are by the same speakers and say the same, but for white space around it."""
    return all(
        first["role"] == second["role"]
        and (first["content"] or "").strip() == (second["content"] or "").strip()
        for first, second in zip(one, other, strict=True)
    )


def judged_of(table: Table, columns: Columns, rows: Ints | None = None) -> list[Judged | Fault]:
    """Some rows as answers that were judged, or all of them; a Fault for a row that is none.

    Without a column of answers, the answer is the turn that the conversation ends with.
    """
    prompts = prompts_of(table, columns, rows)
    labels = table.values(columns[LABEL], rows)
    if COMPLETION not in columns:
        return [judged_or_fault(whole, None, label) for whole, label in zip(prompts, labels, strict=True)]
    answers = turns_in(table, columns[COMPLETION], ASSISTANT, rows)
    return [judged_or_fault(*row) for row in zip(prompts, answers, labels, strict=True)]


def judged_or_fault(prompt: Made, answer: Turns | Fault | None, label: Any) -> Judged | Fault:
    try:
        if isinstance(prompt, Fault):
            raise prompt
        if answer is None:
            return judged_one(prompt.prompt, prompt.turns[len(prompt.prompt.turns) :], label)
        return judged_one(prompt, sound(answer), label)
    except Fault as fault:
        return fault


def judged_one(prompt: Conversation, answer: Sequence[Turn], label: Any) -> Judged:
    """One answer with its judgement. Raises Fault."""
    mark = mark_of(label)
    if not prompt.turns:
        raise Fault(NO_MESSAGES, "there is no prompt")
    if not answered(answer):
        raise Fault(NO_ANSWER)
    if mark not in (0, 1):
        raise Fault(NO_JUDGEMENT, f"the label is {label!r}, neither true nor false")
    return Judged(prompt, tuple(answer), mark == 1)


def shown_pair(one: Preference) -> str:
    """A pair as a person reads it."""
    return f"{as_text(one.prompt.turns)}\nchosen: {as_text(one.chosen)}\nrejected: {as_text(one.rejected)}"


def shown_judged(one: Judged) -> str:
    return f"{as_text(one.prompt.turns)}\n{'good' if one.good else 'bad'}: {as_text(one.answer)}"
