"""Conversations without speakers: texts by turns, as LIMA has them, or objects of what was asked and answered, as Capybara."""

from collections.abc import Mapping
from typing import Any

from luthier.data.conversations.speakers import ASSISTANT, USER

NAMES = ("messages", "conversations", "conversation")
"""Columns in which such lists are conversations with an assistant; elsewhere they may be anything."""
PAIRS = (
    ("input", "output"),
    ("human", "assistant"),
    ("user", "assistant"),
    ("prompt", "response"),
    ("instruction", "output"),
)
"""Keys of what is asked and what is answered."""
TOLD = "the texts of a row are read as turns of a user and an assistant, one after the other"


def are_exchanges(value: Any) -> bool:
    """Whether a value is such a list: of texts, two at the least, or of objects with two texts.

    >>> are_exchanges(["Hello", "Hi!"]), are_exchanges([{"input": "Hello", "output": "Hi!"}]), are_exchanges(["Hello"])
    (True, True, False)
    """
    if not isinstance(value, list) or not value:
        return False
    return (len(value) > 1 and all(isinstance(one, str) for one in value)) or all(map(keys_of, value))


def keys_of(value: Any) -> tuple[str, str] | None:
    """The keys under which an object has what is asked and what is answered; None for anything else."""
    if not isinstance(value, Mapping):
        return None
    return next((pair for pair in PAIRS if all(isinstance(value.get(key), str) for key in pair)), None)


def spelt_out(value: Any) -> Any:
    """Such a list with a speaker in each turn; anything else as it is.

    >>> spelt_out(["Hello", "Hi!"])
    [{'role': 'user', 'content': 'Hello'}, {'role': 'assistant', 'content': 'Hi!'}]
    """
    if not are_exchanges(value):
        return value
    pairs = [one if isinstance(one, str) else [one[key] for key in keys_of(one) or ()] for one in value]
    texts = pairs if all(isinstance(one, str) for one in pairs) else [text for pair in pairs for text in pair]
    return [{"role": (USER, ASSISTANT)[at % 2], "content": text} for at, text in enumerate(texts)]
