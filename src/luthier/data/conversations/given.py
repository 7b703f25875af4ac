"""A conversation as a caller of `predict` hands it over: a text, a list of turns, or an object with `messages` or `prompt`."""

from collections.abc import Mapping
from typing import Any

from luthier.batches.conversations import ASSISTANT, Conversation
from luthier.data.conversations.fault import Fault
from luthier.data.conversations.reading import (
    COMPLETION,
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
from luthier.errors import DataError, shorten

EXPECTED = "Expected a text, a list of turns such as {'role': 'user', 'content': …}, or an object with `messages` or `prompt`."
OTHERS = ("conversations", "contents", "instruction")
"""Names under which messages and prompts stand too."""


def conversation_of(value: Any, place: str) -> Conversation:
    """What the model is to answer: a text is the user's turn, and an assistant's turn at the end is answered anew.

    Raises DataError.
    """
    return conversation_from({MESSAGES: value}, place)


def conversation_from(record: Mapping[str, Any], place: str) -> Conversation:
    """What the model is to answer, from an object. Raises DataError that says what is wrong with it."""
    return whole_from(record, place).prompt


def answer_from(record: Mapping[str, Any], place: str) -> Conversation:
    """A conversation whose last answer is to be judged, from an object with `messages`, or `prompt` and `completion`.

    Raises DataError.
    """
    found, answer = whole_from(record, place), record.get(COMPLETION)
    if answer is None:
        return found
    if not isinstance(answer, str):
        raise DataError(f"{place}: its `{COMPLETION}` is {shorten(str(answer), 200)!r}, and is to be a text.")
    return found.with_turns({"role": ASSISTANT, "content": answer})


def whole_from(record: Mapping[str, Any], place: str) -> Conversation:
    """A conversation with whatever turn it ends with, from an object. Raises DataError that says what is wrong with it."""
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
        return prompt_of(given_turns(said), context, system, [], tools)
    except Fault as fault:
        raise DataError(f"{place}: cannot be read as a conversation: {fault}. {EXPECTED}") from None
    except NoTool as words:
        raise DataError(
            f"{place}: its tools {words}. Expected JSON schemas, as in the rows that were learnt from."
        ) from None


def given_turns(said: Any) -> Turns:
    return sound(one_turn(said, USER)) if isinstance(said, str) else turns_of(list(said), Seen(), USER)
