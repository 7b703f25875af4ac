"""Conversations written down as one text, as in Anthropic's preferences: a line that begins with "Human:" or "Assistant:"."""

import re

from luthier.data.conversations.speakers import ASSISTANT, SYSTEM, USER
from luthier.data.conversations.turns import Turns

SPEAKERS = {"Human": USER, "Assistant": ASSISTANT, "System": SYSTEM}
BEGIN = re.compile(r"(?:^|\n\n)(Human|Assistant|System):[ \t]*")
OPENING = re.compile(r"\s*(Human|System):")


def is_transcript(text: str) -> bool:
    """Whether a text is a conversation written down: a person begins, and the assistant has a turn in it.

    >>> is_transcript("\\n\\nHuman: Hello\\n\\nAssistant: Hi!"), is_transcript("Human: a species")
    (True, False)
    """
    return OPENING.match(text) is not None and "\n\nAssistant:" in text


def turns_in(text: str) -> Turns:
    """The turns of a text that is a transcript; an assistant's turn with nothing in it at the end is none yet.

    >>> turns_in("\\n\\nHuman: Hello\\n\\nAssistant: Hi!\\n\\nHuman: Bye\\n\\nAssistant:")[1:]
    [{'role': 'assistant', 'content': 'Hi!'}, {'role': 'user', 'content': 'Bye'}]
    """
    _, *pieces = BEGIN.split("\n\n" + text.strip())
    said = zip(pieces[::2], pieces[1::2], strict=True)
    turns: Turns = [{"role": SPEAKERS[who], "content": words.strip()} for who, words in said]
    if turns and turns[-1] == {"role": ASSISTANT, "content": ""}:
        turns.pop()
    return turns
