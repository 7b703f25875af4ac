"""Where in a rendered conversation the assistant's answers stand.

Hardly any template marks them, so they are found from the rendering: a conversation is rendered up to an answer and
compared with all of it. Where earlier turns are rendered otherwise once later ones follow, as thinking is left out, the answer
is replaced by a text that can be recognised: what stands before it and after it stays.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from luthier.batches.conversations import ASSISTANT
from luthier.models.chat.probe import ending, token_at
from luthier.models.chat.spans import (
    OTHER_END,
    UNLOCATED,
    Located,
    Script,
    Span,
    first_turn,
    last_answer,
    last_special,
)

Learnt = Literal["answers", "last", "all"]
"""Which tokens of a conversation are learnt: those of every answer, those of the last one, or all."""
Shown = tuple[str, int, bool]
"""A text, and how it was rendered: from how many turns, and whether the beginning of an answer stands at its end."""


def locate(script: Script, learnt: Learnt) -> Located:
    """Render a conversation, and find the answers that are learnt."""
    many = len(script.messages)
    answers = [at for at, message in enumerate(script.messages) if message["role"] == ASSISTANT]
    whole = script.render(many, False)
    if not answers or answers[-1] != many - 1:
        earlier = answers[-1:] if learnt == "last" else answers
        return with_earlier(script, Located(whole, None, ()), earlier, (whole, many, False))
    if many == 1:
        return taught(script, first_turn(script, whole))

    prompt = script.render(many - 1, True)
    located = taught(script, last_answer(script, whole, prompt))
    earlier = answers[:-1] if learnt == "answers" else []
    shown = (whole, many, False) if located.prompt is None else (prompt, many - 1, True)
    return with_earlier(script, located, earlier, shown)


def taught(script: Script, located: Located) -> Located:
    """What was found of a conversation that ends with an answer; without its place where it is not to be learnt."""
    return replace(located, spans=()) if len(script.messages) - 1 in script.unlearnt else located


def with_earlier(script: Script, located: Located, answers: Sequence[int], shown: Shown) -> Located:
    """The answers before the last turn as well, but for those that are not to be learnt. `shown` is a text in which they
    stand."""
    found = [earlier_answer(script, at, shown) for at in answers if at not in script.unlearnt]
    remarks = dict.fromkeys(located.remarks)
    for _, remark in found:
        remarks.update(dict.fromkeys(remark))
    spans = tuple(span for span, _ in found if span is not None)
    return Located(located.text, located.prompt, (*spans, *located.spans), tuple(remarks))


def earlier_answer(script: Script, at: int, shown: Shown) -> tuple[Span | None, tuple[str, ...]]:
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
            # Once the next turn is there, another token may stand in the place of the end.
            if token := token_at(text, stop, script.probed.added):
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
