"""Where the answer stands that a conversation ends with."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from luthier.batches.conversations import ASSISTANT
from luthier.errors import DataError
from luthier.models.chat.probe import ANSWERED, Probed
from luthier.models.chat.template import ChatTemplate

Span = tuple[int, int]
UNLOCATED, REWRITTEN, OTHER_END = "unlocated", "rewritten", "other-end"


@dataclass(frozen=True)
class Located:
    """A rendered conversation, and the places of answers in it, in characters."""

    text: str
    prompt: str | None
    """What generation sees before it writes the last turn, a beginning of `text`; None where the last turn is no answer."""
    spans: tuple[Span, ...]
    """From the first character that the assistant writes to the end of what ends its turn."""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Script:
    """A conversation as messages for a template."""

    template: ChatTemplate
    probed: Probed
    messages: Sequence[dict[str, Any]]
    tools: Sequence[Mapping[str, Any]]
    ends: tuple[str, ...] = ()
    """The tokens that end a turn or a text, as they are written."""
    remarks: tuple[str, ...] = ()
    unlearnt: frozenset[int] = frozenset()
    """Numbers of the assistant's turns that are not to be learnt."""

    def render(self, many: int, answering: bool) -> str:
        """The text of the first messages; with `answering`, the beginning of an answer stands at its end."""
        return self.template.render(self.messages[:many], self.tools, answering)

    def rendered(self, many: int, answering: bool) -> str | None:
        """The same, or None where the template does not take a conversation that ends there."""
        try:
            return self.render(many, answering) if many else None
        except DataError:
            return None  # The whole conversation was rendered: it is only the shorter one that is not taken.

    def around(self, at: int, many: int, answering: bool) -> tuple[str, str] | None:
        """What stands before and after an answer in the text of the first messages; None where that cannot be told."""
        said, word = repr(self.messages), ANSWERED
        while word in said:
            word = f"{word}{len(word)}Q"
        replaced = [*self.messages[:many]]
        replaced[at] = {"role": ASSISTANT, "content": word}
        text = replace(self, messages=replaced).rendered(many, answering)
        if text is None or text.count(word) != 1:
            return None
        before, after = text.split(word)
        return before, after


def last_answer(script: Script, whole: str, prompt: str) -> Located:
    """The answer that a conversation ends with. It follows what generation sees, whatever the template writes in its place.

    Some templates begin an answer otherwise when they ask for it than when they show it, with thinking for instance. A model
    trained on the one would never see the other.
    """
    remarks: tuple[str, ...] = ()
    if not whole.startswith(prompt):
        sides = script.around(len(script.messages) - 1, len(script.messages), False)
        if sides is None or not whole.startswith(sides[0]):
            return Located(whole, None, (), (UNLOCATED,))
        whole, remarks = prompt + whole[shared(sides[0], prompt, script.probed.added) :], (REWRITTEN,)
    return ended(script, whole, prompt, remarks)


def shared(before: str, prompt: str, added: Sequence[str]) -> int:
    """How far what stands before an answer agrees with the prompt, to the end of a token or a tag.

    >>> shared("Assistant: <think></think>", "Assistant: <think>\\n", ())
    18
    >>> shared("Assistant: </think>", "Assistant: <think>", ())
    11
    """
    pairs = zip(before, prompt, strict=False)
    agreed = next(
        (at for at, (one, other) in enumerate(pairs) if one != other), min(len(before), len(prompt))
    )
    tokens = "|".join(map(re.escape, added))
    for found in re.finditer(rf"{tokens}|</?\w+>" if tokens else r"</?\w+>", before):
        if found.start() < agreed < found.end():
            return found.start()
    return agreed


def first_turn(script: Script, whole: str) -> Located:
    """A conversation that is nothing but an answer, for which there is no prompt."""
    sides = script.around(0, 1, False)
    if sides is None or not whole.startswith(sides[0]):
        return Located(whole, None, (), (UNLOCATED,))
    return ended(script, whole, sides[0], ())


def ended(script: Script, text: str, prompt: str, remarks: tuple[str, ...]) -> Located:
    """The span from the prompt to the end of the turn, which is the template's own or another special token."""
    tail, begin = script.probed.tail, len(prompt)
    if text.endswith(tail) and len(text) - len(tail) >= begin:
        stop = len(text) - len(tail) + len(script.probed.end)
        return Located(text, prompt, ((begin, stop),), remarks)
    if (other := last_special(script, text, begin)) is None:
        return Located(text, prompt, (), (*remarks, UNLOCATED))
    return Located(text, prompt, ((begin, other),), (*remarks, OTHER_END))


def last_special(script: Script, text: str, begin: int) -> int | None:
    """Where the last special token of a text ends, if nothing follows it but blanks."""
    tokens = "|".join(map(re.escape, script.probed.added))
    found = re.search(rf"(?:{tokens})(?=\s*\Z)", text[begin:])
    return None if found is None else begin + found.end()
