"""A conversation as token numbers, with which of them are learnt."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Rendered:
    """Token ids, and per token whether it is learnt."""

    ids: list[int]
    trained: list[bool]
    remarks: tuple[str, ...] = ()
    """What happened to this row, among `REMARKS`."""


REMARKS: Mapping[str, str] = {
    "turn-lost": "the chat template leaves out a turn",
    "calls-lost": "the chat template leaves out the calls of tools",
    "tools-lost": "the chat template leaves out the descriptions of the tools",
    "parts-lost": "a part of a message is no text, and is not read",
    "changed": "the chat template writes a message otherwise than it was given, as without its thinking",
    "unlocated": "an answer cannot be found in the rendering, and is not learnt",
    "unlearnt": "an answer has weight 0, and is not learnt",
    "rewritten": "the chat template begins an answer otherwise when it asks for one: learnt is what it asks for",
    "other-end": "an answer ends with another token than usual: it is learnt where generation would stop at it",
    "apart": "a token would stand over the border between prompt and answer: both are read apart, as in generation",
    "straddled": "a token stands over the beginning of an earlier answer, and is not learnt",
    "special-text": "a message holds text that looks like a special token of the model: it is read as ordinary text",
}
"""What is told of rows, by remark."""
