"""Where in a rendered conversation the assistant's answers stand.

Hardly any template marks them, so they are found from the rendering: a conversation is rendered up to an answer and
compared with all of it. Where earlier turns are rendered otherwise once later ones follow, as thinking is left out, the answer
is replaced by a text that can be recognised: what stands before it and after it stays.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from luthier.batches.conversations import ASSISTANT
from luthier.errors import DataError
from luthier.models.chat.probe import ANSWERED, Probed, ending, token_at
from luthier.models.chat.template import ChatTemplate

Learnt = Literal["answers", "last", "all"]
"""Which tokens of a conversation are learnt: those of every answer, those of the last one, or all."""
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
        replaced = [*self.messages[:many]]
        replaced[at] = {"role": ASSISTANT, "content": ANSWERED}
        text = replace(self, messages=replaced).rendered(many, answering)
        if text is None or text.count(ANSWERED) != 1:
            return None
        before, after = text.split(ANSWERED)
        return before, after


def locate(script: Script, learnt: Learnt) -> Located:
    """Render a conversation, and find the answers that are learnt."""
    many = len(script.messages)
    answers = [at for at, message in enumerate(script.messages) if message["role"] == ASSISTANT]
    whole = script.render(many, False)
    if not answers or answers[-1] != many - 1:
        earlier = answers[-1:] if learnt == "last" else answers
        return with_earlier(script, Located(whole, None, ()), earlier, (whole, many, False))
    if many == 1:
        return first_turn(script, whole)

    prompt = script.render(many - 1, True)
    located = last_answer(script, whole, prompt)
    earlier = answers[:-1] if learnt == "answers" else []
    return with_earlier(script, located, earlier, (prompt, many - 1, True))


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


def with_earlier(
    script: Script, located: Located, answers: Sequence[int], shown: tuple[str, int, bool]
) -> Located:
    """The answers before the last turn as well. `shown` is a text in which they stand, and how it was rendered."""
    found = [earlier_answer(script, at, shown) for at in answers]
    remarks = dict.fromkeys(located.remarks)
    for _, remark in found:
        remarks.update(dict.fromkeys(remark))
    spans = tuple(span for span, _ in found if span is not None)
    return Located(located.text, located.prompt, (*spans, *located.spans), tuple(remarks))


def earlier_answer(
    script: Script, at: int, shown: tuple[str, int, bool]
) -> tuple[Span | None, tuple[str, ...]]:
    """Where an answer stands that other turns follow, and what is to be said of it."""
    text, many, answering = shown
    tail, end = script.probed.tail, script.probed.end
    asked = script.rendered(at, True)
    begin = len(asked) if asked is not None and text.startswith(asked) else None
    answered = script.rendered(at + 1, False)
    if begin is not None and answered is not None:
        tailed = answered.endswith(tail)
        stop = len(answered) - len(tail) if tailed else last_special(script, answered, begin)
        if stop is not None and text.startswith(answered[:stop]):
            if not tailed:
                return other_end(script, begin, stop, text)
            if text.startswith(end, stop):
                return spanning(begin, stop + len(end), ())
            if token := token_at(
                text, stop, script.probed.added
            ):  # Once the next turn is there, another one stands here.
                return other_end(script, begin, stop + len(token), text)

    sides = script.around(at, many, answering)
    if sides is None or not (text.startswith(sides[0]) and text.endswith(sides[1])):
        return None, (UNLOCATED,)
    latest = len(sides[0].removesuffix(script.probed.lead))
    begin = latest if begin is None else min(begin, latest)
    stop = len(text) - len(sides[1])
    if sides[1].startswith(end):
        return spanning(begin, stop + len(end), ())
    if (other := ending(sides[1], dict.fromkeys(script.probed.added, 0))) is None:
        return None, (UNLOCATED,)
    return other_end(script, begin, stop + len(other[0]), text)


def other_end(script: Script, begin: int, stop: int, text: str) -> tuple[Span | None, tuple[str, ...]]:
    """An answer that ends with another token than the last one does. It is learnt only if generation stops at it.

    A model that writes in the middle of a conversation what it should end with would go on there.
    """
    token = next(
        one for one in sorted(script.probed.added, key=len, reverse=True) if text[:stop].endswith(one)
    )
    return spanning(begin, stop if token in script.ends else stop - len(token), (OTHER_END,))


def spanning(begin: int, stop: int, remarks: tuple[str, ...]) -> tuple[Span | None, tuple[str, ...]]:
    """A span, or none where it would be empty."""
    return ((begin, stop), remarks) if begin < stop else (None, (*remarks, UNLOCATED))
