"""Which columns a conversation or a preference is made of, by what the columns are called and hold."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from luthier.data.column_names import normal
from luthier.data.columns import ColumnGuess
from luthier.data.conversations.reading import (
    CHOSEN,
    COMPLETION,
    CONTEXT,
    HISTORY,
    MESSAGES,
    PROMPT,
    REJECTED,
    SYSTEM_PROMPT,
    TOOLS,
)
from luthier.data.formats.as_written import SYSTEM_NAMES, TOOL_NAMES
from luthier.data.table import Table
from luthier.errors import DataError, did_you_mean, listing

MESSAGE_NAMES = (MESSAGES, "conversations", "conversation", "dialogue", "dialog", "chat", "turns", "contents")
PROMPT_NAMES = (PROMPT, "instruction", "question", "query", "input", "input_text", "user", "human")
ASKED_NAMES = (*PROMPT_NAMES, "text")
"""Names of what is asked where nothing is to be learnt: a file of plain texts too."""
COMPLETION_NAMES = (
    COMPLETION,
    "output",
    "response",
    "answer",
    "output_text",
    "assistant",
    "generation",
    "target",
)
CONTEXT_NAMES = ("input", CONTEXT)
CHOSEN_NAMES = (CHOSEN, "chosen_response", "response_chosen", "preferred", "preferred_output")
JUDGEMENT_NAMES = ("label", "kto_tag")
REJECTED_NAMES = (REJECTED, "rejected_response", "response_rejected", "dispreferred", "non_preferred_output")
EXTRAS = {
    SYSTEM_PROMPT: SYSTEM_NAMES,
    HISTORY: (HISTORY,),
    TOOLS: TOOL_NAMES,
}
"""Names of columns that add to a conversation."""
INSTRUCTION = "instruction"
LABEL = "label"
ORDER = (MESSAGES, PROMPT, CONTEXT, CHOSEN, REJECTED, COMPLETION, *EXTRAS, LABEL)
"""All roles, in the order in which they are told."""


def names_of(table: Table) -> dict[str, str]:
    """The table's columns by their name as it is compared."""
    found: dict[str, str] = {}
    for name in table.names:
        found.setdefault(normal(name), name)
    return found


def first_of(table: Table, names: Sequence[str], besides: Sequence[str] = ()) -> str | None:
    there = names_of(table)
    return next((there[name] for name in names if name in there and there[name] not in besides), None)


def turns_column(table: Table) -> str | None:
    """The column of whole conversations: one of turns that is called so, or the only one of turns."""
    answers = (*CHOSEN_NAMES, *REJECTED_NAMES, *COMPLETION_NAMES, PROMPT, HISTORY)
    there = {name: own for name, own in names_of(table).items() if own in table.layout.turns}
    named = next((there[name] for name in MESSAGE_NAMES if name in there), None)
    others = [own for name, own in there.items() if name not in answers]
    return named or (others[0] if len(others) == 1 else None)


def find_conversation(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    """The columns of conversations by role: as asked, else by their names. Raises DataError where there are none."""
    named = asked_of(table, asked, (MESSAGES, PROMPT, CONTEXT, COMPLETION, *EXTRAS))
    if asked.get(LABEL) is not None:
        raise DataError(
            f"{table.files[0]}: --label {asked[LABEL]}: conversations have no labels. Leave it out, or name another task "
            f"with --task; the column of the assistant's answers is named with --column {COMPLETION}=NAME."
        )
    found = dict(named)
    if PROMPT not in named and COMPLETION not in named:
        whole = named.get(MESSAGES) or turns_column(table)
        if whole is not None:
            found[MESSAGES] = whole
    if MESSAGES not in found:
        found = with_prompt(table, found)
        found = with_role(table, found, COMPLETION, COMPLETION_NAMES)
    return guess_of(with_extras(table, found), named)


def find_prompts(table: Table, asked: Mapping[str, str | None], known: Mapping[str, str]) -> dict[str, str]:
    """The columns of what a finished model is to answer: as asked, else as the learnt rows were called, else by their names.

    Rows to answer need not be written as those to learn from were: a model of `messages` answers a column `prompt` too.
    """
    named = asked_of(table, asked, (MESSAGES, PROMPT, CONTEXT, *EXTRAS))
    whole = {MESSAGES, PROMPT}
    found = {
        role: name
        for role, name in known.items()
        if role in (MESSAGES, PROMPT, CONTEXT, *EXTRAS) and name in table.names
        if not (role in whole and named.keys() & whole)
    } | named
    if not whole & found.keys():
        turns = turns_column(table)
        found = with_prompt(table, found, ASKED_NAMES) if turns is None else {**found, MESSAGES: turns}
    return guess_of(with_extras(table, found), named).columns


def find_preference(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    """The columns of preferences by role: as asked, else by their names. Raises DataError where there are none."""
    named = asked_of(table, asked, ORDER)
    pairs = {CHOSEN, REJECTED} & named.keys() or first_of(table, CHOSEN_NAMES) is not None
    judged = {COMPLETION, LABEL} & named.keys()
    found = with_pair(table, named) if pairs and not judged else with_judged(table, named)
    return guess_of(with_extras(table, found), named)


def with_pair(table: Table, named: Mapping[str, str]) -> dict[str, str]:
    """The columns of two answers, and of their prompt where there is one: the answers may have it at their beginning."""
    found = with_role(table, named, CHOSEN, CHOSEN_NAMES)
    found = with_role(table, found, REJECTED, REJECTED_NAMES)
    if {PROMPT, MESSAGES} & found.keys():
        return found
    whole = turns_column(table)
    if first_of(table, (PROMPT, INSTRUCTION)) is None and whole is not None and normal(whole) != MESSAGES:
        return {**found, PROMPT: whole}  # `messages` is a copy of the chosen conversation
    return found if first_of(table, PROMPT_NAMES, list(found.values())) is None else with_prompt(table, found)


def with_judged(table: Table, named: Mapping[str, str]) -> dict[str, str]:
    """The columns of a judgement and of what is judged: an answer to a prompt, or the end of a conversation."""
    if LABEL not in named and first_of(table, JUDGEMENT_NAMES) is None:
        raise DataError(
            f"{table.files[0]}: no column is named as two answers are of which one is better, nor as one that judges an answer: "
            f"none of {listing([*CHOSEN_NAMES, *REJECTED_NAMES, *JUDGEMENT_NAMES], most=20)}. Name them with --column "
            f"chosen=NAME --column rejected=NAME, or with --label NAME. Columns: {listing(table.names, most=20)}."
        )
    found = with_role(table, named, LABEL, JUDGEMENT_NAMES)
    whole = None if {COMPLETION, PROMPT} & found.keys() else turns_column(table)
    if whole is not None:
        return {MESSAGES: whole, **found}
    return with_role(table, with_prompt(table, found), COMPLETION, COMPLETION_NAMES)


def with_prompt(
    table: Table, found: Mapping[str, str], names: Sequence[str] = PROMPT_NAMES
) -> dict[str, str]:
    """The columns with that of what is asked, and of the input that it is about. Raises DataError."""
    wider = with_role(table, found, PROMPT, names)
    about = first_of(table, CONTEXT_NAMES, list(wider.values()))
    if about is None or CONTEXT in wider or normal(wider[PROMPT]) != INSTRUCTION or nested(table, about):
        return wider
    return {**wider, CONTEXT: about}


def with_role(table: Table, found: Mapping[str, str], role: str, names: Sequence[str]) -> dict[str, str]:
    """The columns with one more, by its name. Raises DataError where none is called so."""
    if role in found:
        return dict(found)
    name = first_of(table, names, list(found.values()))
    if name is None:
        raise DataError(
            f"{table.files[0]}: no column looks like the {role}: none of {listing(names)}. Name it with --column {role}=NAME. "
            f"Columns: {listing(table.names, most=20)}."
        )
    return {**found, role: name}


def with_extras(table: Table, found: Mapping[str, str]) -> dict[str, str]:
    """The columns with those that add to a conversation, in the order of roles."""
    wider = dict(found)
    for role, names in EXTRAS.items():
        name = first_of(table, names, list(wider.values()))
        if role in wider or name is None or (role == SYSTEM_PROMPT and nested(table, name)):
            continue
        wider[role] = name
    return wider


def nested(table: Table, name: str) -> bool:
    return bool(pa.types.is_nested(table.columns.schema.field(name).type))


def asked_of(table: Table, asked: Mapping[str, str | None], roles: Sequence[str]) -> dict[str, str]:
    """The columns that the user named for some roles. Raises DataError for one that is not there."""
    found = {role: name for role in roles if (name := asked.get(role)) is not None}
    for role, name in found.items():
        if name not in table.names:
            raise DataError(
                f"{table.files[0]}: there is no column {name!r}, which is named for the {role}."
                f"{did_you_mean(name, table.names)} Columns: {listing(table.names, most=20)}."
            )
    return found


def guess_of(found: Mapping[str, str], named: Mapping[str, str]) -> ColumnGuess:
    reasons = {
        role: f"column {name!r}, {'as named' if role in named else 'by its name'}"
        for role, name in found.items()
    }
    return ColumnGuess({role: found[role] for role in ORDER if role in found}, reasons)
