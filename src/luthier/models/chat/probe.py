"""What a template does, found by rendering a conversation whose contents can be recognised."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from luthier.batches.conversations import ASSISTANT
from luthier.errors import DataError, ModelError
from luthier.models.chat.messages import Arguments
from luthier.models.chat.template import ChatTemplate

ASKED, ANSWERED = "Qx7asked7xQ", "Qx7answered7xQ"
"""Contents that no template writes by itself, and none changes by trimming."""
TURNS = ({"role": "user", "content": ASKED}, {"role": ASSISTANT, "content": ANSWERED})
TOOL = {
    "type": "function",
    "function": {
        "name": "Qx7tool7xQ",
        "description": "A tool.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}


@dataclass(frozen=True)
class Probed:
    """What a template writes around an answer."""

    lead: str
    """What stands between the text that asks for an answer and the answer's own, and is the model's to write: a blank, mostly."""
    tail: str
    """All that stands after an answer at the end of a conversation."""
    end: str
    """The part of it, at its beginning, that ends the turn, and is learnt with the answer."""
    end_token: int
    special: tuple[str, ...]
    """The special tokens that turns are made of. Tokens that an assistant may write, as those around thinking, are added
    to tokenizers as ordinary ones."""
    added: tuple[str, ...]
    """All tokens that were added to the tokenizer's vocabulary, without those that are blank."""
    asks: bool
    """Whether the template writes the beginning of an answer when it is asked for one."""

    @property
    def told(self) -> list[str]:
        """What a user should know of what the template does."""
        if self.asks or not self.lead.strip():
            return []
        return [
            "The chat template does not begin an answer when it is asked to (add_generation_prompt has no effect): "
            f"the model learns to write {self.lead!r} before each."
        ]


def probe(template: ChatTemplate) -> Probed:
    """Find out what ends a turn. A template that renders no answer, or ends none, is of no use."""
    try:
        whole, again = (template.render(TURNS, (), False) for _ in range(2))
        prompt, unasked = (template.render(TURNS[:1], (), asked) for asked in (True, False))
    except DataError as error:
        raise ModelError(
            f"The model's chat template cannot render a question and an answer. {error}"
        ) from error
    if whole != again:
        raise ModelError(
            "The chat template renders the same conversation differently each time, so that no two readings of a row agree. "
            "Give the model another template."
        )
    for content, kind in ((ASKED, "question"), (ANSWERED, "answer")):
        if whole.count(content) != 1:
            raise ModelError(
                f"The chat template writes the {kind} of a conversation {whole.count(content)} times instead of once: "
                f"{whole!r}. Give the model another template."
            )
    if ASKED not in prompt or ANSWERED in prompt:
        raise ModelError(f"The chat template does not write the question before an answer: {prompt!r}.")
    before, tail = whole.split(ANSWERED)
    added = added_tokens(template.tokenizer)
    if (found := ending(tail, added, template.tokenizer.eos_token)) is None:
        raise ModelError(
            "The chat template writes no token that ends the assistant's turn, so that a model could never learn to stop: "
            f"after an answer stands {tail!r}. Give the model a template that ends the turn, such as its eos_token."
        )
    end, token = found
    visible = tuple(one for one in added if one and not one.isspace())
    special = {str(one) for one in template.tokenizer.added_tokens_decoder.values() if one.special}
    written = tuple(one for one in visible if one in special and one in whole + prompt)
    lead = before.removeprefix(prompt) if before.startswith(prompt) else ""
    return Probed(lead, tail, end, token, written, visible, prompt != unasked)


def added_tokens(tokenizer: Any) -> dict[str, int]:
    """The tokens that were added to a vocabulary, by their text, with those that have a part to play."""
    parts = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
    return {**tokenizer.get_added_vocab(), **parts}


def ending(text: str, added: Mapping[str, int], eos: str | None = None) -> tuple[str, int] | None:
    """The beginning of a text up to the first token that was added to the tokenizer, and that token; None where there is none.

    Blanks may stand before it; words would be part of the next turn. Of tokens without anything between them `eos` is taken
    where it is among them, as it is what generation stops at.

    >>> ending(" </s>\\n", {"</s>": 2})
    (' </s>', 2)
    >>> ending("<end></s>\\n", {"</s>": 2, "<end>": 7}, eos="</s>")
    ('<end></s>', 2)
    >>> ending("\\n\\nUser:", {"</s>": 2}) is None
    True
    """
    at, first = len(text) - len(text.lstrip()), None
    while token := token_at(text, at, added):
        at += len(token)
        if token == eos or first is None:
            first = (text[:at], added[token])
        if token == eos:
            break
    return first


def token_at(text: str, at: int, added: Iterable[str]) -> str:
    """The longest of the added tokens that begins at a place of a text; the empty string where none does."""
    return max((one for one in added if not one.isspace() and text.startswith(one, at)), key=len, default="")


def arguments_shape(template: ChatTemplate) -> tuple[Arguments, str]:
    """Which shape of a call's arguments a template writes as plain JSON, and a sentence on what was tried."""
    said = []
    shapes: tuple[tuple[Arguments, Any], ...] = (
        ("mapping", {"Qx7key7xQ": "Qx7value7xQ"}),
        ("text", json.dumps({"Qx7key7xQ": "Qx7value7xQ"})),
    )
    for shape, arguments in shapes:
        try:
            text = template.render(calling(arguments), (TOOL,), False)
        except DataError as error:
            said.append(f"given as {WORDS[shape]} they are refused ({str(error).split(' The roles of ')[0]})")
            continue
        if WRITTEN[shape](text):
            return shape, f"Arguments of tools are given to the chat template as {WORDS[shape]}."
        said.append(f"given as {WORDS[shape]} they do not stand in the text")
    return "mapping", f"The chat template writes no arguments of tools: {'; '.join(said)}."


def well_written(text: str) -> bool:
    """Whether a mapping stands in a text in some way of the template's own, and not as Python would print it."""
    return "Qx7key7xQ" in text.replace("'Qx7key7xQ'", "") and "Qx7value7xQ" in text


def is_json(text: str) -> bool:
    """Whether the JSON text stands in a text as it is, and not as a string within JSON."""
    return re.search(r'[^\\]"Qx7key7xQ": *"Qx7value7xQ"', text) is not None


WRITTEN: dict[Arguments, Callable[[str], bool]] = {"mapping": well_written, "text": is_json}
WORDS: dict[Arguments, str] = {"mapping": "a mapping", "text": "JSON text"}


def calling(arguments: Any) -> list[dict[str, Any]]:
    """A conversation in which a tool is called and answers."""
    function = {"name": "Qx7tool7xQ", "arguments": arguments}
    call = {
        "id": "Qx7call7x",
        "type": "function",
        "function": function,
    }  # Nine signs, as some templates want.
    return [
        TURNS[0],
        {"role": ASSISTANT, "content": "", "tool_calls": [call]},
        {"role": "tool", "name": "Qx7tool7xQ", "tool_call_id": "Qx7call7x", "content": "Qx7result7xQ"},
        TURNS[1],
    ]
