"""Text of a user that looks like one of the model's special tokens stays text: it is marked before the template sees it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.batches.conversations import ASSISTANT

BEGIN, END = "\U000ffff0", "\U000ffff1"
"""Characters of private use that stand around such text while a template is rendered; they are never tokenized."""
MARKED = re.compile(f"{BEGIN}([^{BEGIN}{END}]*){END}|[{BEGIN}{END}]")
"""Marked text, or a mark that a template has torn from its partner."""


@dataclass(frozen=True)
class SpecialText:
    """Which special tokens may not come from a message.

    An assistant may write special tokens, as those of a tool's call, but none of those that turns are made of.
    """

    assistant: "re.Pattern[str]"
    others: "re.Pattern[str]"

    def marked(self, message: Mapping[str, Any]) -> dict[str, Any] | None:
        """A message with marks, or None where it needs none. Its role stays as it is, since templates compare it."""
        pattern = self.assistant if message["role"] == ASSISTANT else self.others
        said = {key: value for key, value in message.items() if key != "role"}
        return {"role": message["role"], **mark(said, pattern)} if holds(said, pattern) else None

    def marked_tool(self, tool: Mapping[str, Any]) -> dict[str, Any] | None:
        """The same of a tool's description."""
        return dict(mark(tool, self.others)) if holds(tool, self.others) else None


def special_text(tokenizer: Any, turn_tokens: Sequence[str]) -> SpecialText:
    """What may not come from a message with this tokenizer: others than the assistant may write none of its special tokens."""
    special = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return SpecialText(pattern_of(turn_tokens), pattern_of([*special, *turn_tokens]))


def pattern_of(tokens: Iterable[str]) -> "re.Pattern[str]":
    """A pattern that finds special tokens in a text, the longer ones first; it also finds marks that were in the text before."""
    longest_first = sorted({token for token in tokens if token}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, [*longest_first, BEGIN, END])))


def holds(given: Any, pattern: "re.Pattern[str]") -> bool:
    """Whether some text in a turn or a tool would be read as a special token."""
    if isinstance(given, str):
        return pattern.search(given) is not None
    if isinstance(given, Mapping):
        return any(holds(value, pattern) for value in given.values())
    return isinstance(given, Sequence) and any(holds(value, pattern) for value in given)


def mark(given: Any, pattern: "re.Pattern[str]") -> Any:
    """The same turn or tool with marks around such text. Marks that were there before are taken out."""
    if isinstance(given, str):
        return pattern.sub(lambda found: "" if found[0] in (BEGIN, END) else f"{BEGIN}{found[0]}{END}", given)
    if isinstance(given, Mapping):
        return {key: mark(value, pattern) for key, value in given.items()}
    if isinstance(given, Sequence):
        return [mark(value, pattern) for value in given]
    return given


def unmarked(text: str) -> str:
    """A rendered text without the marks."""
    return text.replace(BEGIN, "").replace(END, "")
