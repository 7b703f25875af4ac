"""A conversation as a caller of `predict` hands it over: a text, a list of turns, or an object with `messages` or `prompt`."""

from collections.abc import Mapping
from typing import Any

from luthier.batches.conversations import Conversation
from luthier.data.conversations.fault import Fault
from luthier.data.conversations.reading import (
    CONTEXT,
    MESSAGES,
    PROMPT,
    SYSTEM_PROMPT,
    TOOLS,
    one_turn,
    prompt_of,
    sound,
)
from luthier.data.conversations.speakers import USER
from luthier.data.conversations.tools import NoTool, tools_of
from luthier.data.conversations.turns import Seen, Turns, turns_of
from luthier.data.problems import shorten
from luthier.errors import DataError

EXPECTED = "Expected a text, a list of turns such as {'role': 'user', 'content': …}, or an object with `messages` or `prompt`."
OTHERS = ("conversations", "instruction")
"""Names under which messages and prompts stand too."""


def conversation_of(value: Any, place: str) -> Conversation:
    """What the model is to answer: a text is the user's turn, and an assistant's turn at the end is answered anew.

    Raises DataError.
    """
    return conversation_from({MESSAGES: value}, place)


def conversation_from(record: Mapping[str, Any], place: str) -> Conversation:
    """What the model is to answer, from an object. Raises DataError that says what is wrong with it."""
    name = next((one for one in (MESSAGES, PROMPT, *OTHERS) if one in record), None)
    said = record if name is None else record[name]
    if not isinstance(said, str | list | tuple):
        raise DataError(f"{place}: {shorten(str(said), 200)!r} is no conversation. {EXPECTED}")
    context = record.get(CONTEXT) or (record.get("input") if name == "instruction" else None) or ""
    system = record.get(SYSTEM_PROMPT) or ""
    if not isinstance(context, str) or not isinstance(system, str):
        raise DataError(f"{place}: `{CONTEXT}` and `{SYSTEM_PROMPT}` are texts. {EXPECTED}")
    try:
        tools = tools_of(record.get(TOOLS))
        return prompt_of(given_turns(said), context, system, [], tools).prompt
    except Fault as fault:
        raise DataError(f"{place}: cannot be read as a conversation: {fault}. {EXPECTED}") from None
    except NoTool as words:
        raise DataError(
            f"{place}: its tools {words}. Expected JSON schemas, as in the rows that were learnt from."
        ) from None


def given_turns(said: Any) -> Turns:
    return sound(one_turn(said, USER)) if isinstance(said, str) else turns_of(list(said), Seen(), USER)
