"""Places of answers that are parts of a text: read from their usual forms, and put right where they are off.

In the end an answer is `context[start : start + len(text)]`, its start counted in characters from 0, as in
SQuAD (Rajpurkar et al. 2016, arXiv:1606.05250). Files often differ from that: starts counted in bytes, or in
a text that was cleaned later; answers typed anew; answers without a start.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from luthier.errors import counted, shorten

NEAR_CHARACTERS = 16
"""An answer at most so many characters from its start is "a few characters beside" it."""
STARTS = range(2**31)
"""Numbers that can be starts: no text of Arrow's is longer."""

TEXT_KEYS = ("text", "answer_text")
START_KEYS = ("answer_start", "start")

UNSPACED = (  # Thai and Lao, Burmese, Khmer, kana, Chinese characters
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
"""Letters of scripts that write words without spaces between them."""
INSIDE_A_WORD = re.compile(rf"[^\W{UNSPACED}]{{2}}")
BLANKS = re.compile(r"\s+")

TRIMMED = "an answer with white space around it, trimmed"
PAIRS = "an answer whose start counted characters beyond U+FFFF as two, put right"
BYTES = "an answer whose start counted bytes, put right"
MOVED = "an answer that stood a few characters beside its start, moved"
FAR = "an answer that stood far from its start, moved to its only place"
NEAREST = "an answer that occurs more than once in its text, but not at its start, taken at the nearest place"
FIRST = "an answer that occurs more than once in its text, taken at its first place"
CASE = "an answer in another case than in its text, taken as it stands there"
SPACE = "an answer with other white space than in its text, taken as it stands there"
INSIDE = "an answer that is only found inside a word of its text, taken there"
ABSENT = "an answer that is not in its text"


@dataclass(frozen=True)
class Answers:
    """The answers of a row as they were given. No answers mean that the text does not answer the question."""

    texts: tuple[str, ...] = ()
    starts: tuple[int | None, ...] = ()
    """(answers,) character where each answer begins; None where only its text was given."""


@dataclass(frozen=True)
class Located:
    """The answers of a row that are in its text, in their order."""

    starts: tuple[int, ...]
    texts: tuple[str, ...]
    """(answers,) the answers in the spelling of the text."""
    notes: Counter[str]
    """How many answers were put right or dropped, by kind, in words that follow "rows have"."""


def answers_of(value: object) -> Answers:
    """The answers in a value of a row: texts with starts or alone, one or a list; keys, lists or both.

    What is blank is no answer, and a start below 0 is none. Raises ValueError for what is not an answer; the
    message wants the row's place before it.

    >>> answers_of({"text": ["Paris", "in Paris"], "answer_start": [12, 9]})
    Answers(texts=('Paris', 'in Paris'), starts=(12, 9))
    >>> answers_of([{"answer_text": "Paris", "start": 12}, "in Paris"])
    Answers(texts=('Paris', 'in Paris'), starts=(12, None))
    >>> answers_of(None) == answers_of("") == answers_of({"text": [], "answer_start": []}) == Answers()
    True
    """
    pairs = [(text, start) for text, start in pairs_of(value) if text.strip()]
    return Answers(tuple(text for text, _ in pairs), tuple(start for _, start in pairs))


def pairs_of(value: object) -> Iterator[tuple[str, int | None]]:
    """Each answer in a value with its start. Raises ValueError for what is not an answer."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from pairs_of(item)
    elif isinstance(value, Mapping):
        if value and not any(key in value for key in TEXT_KEYS):
            raise no_answer(value)
        texts, starts = listed(value, TEXT_KEYS), listed(value, START_KEYS)
        if starts and len(starts) != len(texts):
            raise ValueError(
                f"the answers have {counted(len(texts), 'text')} but {counted(len(starts), 'start')}: "
                f"{shorten(repr(value))}. Expected a start for each text, or none at all. Correct them."
            )
        for text, start in zip(texts, starts or [None] * len(texts), strict=True):
            if text is not None:
                yield text_of(text), start_of(start)
    elif value is not None:
        yield text_of(value), None


def listed(value: Mapping[str, Any], keys: tuple[str, ...]) -> list[Any]:
    """The value of the first of some keys that holds something, as a list."""
    found: Any = next((value[key] for key in keys if value.get(key) is not None), [])
    return list(found) if isinstance(found, list | tuple) else [found]


def text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    if type(value) is int:  # a column of answers that all are years is one of numbers
        return str(value)
    raise no_answer(value)


def start_of(value: object) -> int | None:
    """A start that may have been written as 7.0 or "7", and is nothing where it was missing."""
    if value is None or value != value:  # pandas writes a missing number as NaN
        return None
    if isinstance(value, str) and value.strip().removeprefix("-").isdecimal():
        value = int(value) if len(value) < 20 else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or value >= STARTS.stop:
        raise no_answer(value)
    return value if value >= 0 else None


def no_answer(value: object) -> ValueError:
    return ValueError(
        f"the answers hold {shorten(repr(value))}. Expected texts with the numbers of the characters they "
        "start at, counted from 0, such as {'text': ['Paris'], 'answer_start': [7]}, or texts alone. Correct it."
    )


def located(context: str, answers: Answers) -> Located:
    """Each answer where it stands in the context. One that is not in it is dropped, and counted in the notes.

    >>> found = located("Ada met Bob.", answers_of({"text": ["bob"], "answer_start": [7]}))
    >>> found.starts, found.texts
    ((8,), ('Bob',))
    >>> list(found.notes)  # doctest: +NORMALIZE_WHITESPACE
    ['an answer that stood a few characters beside its start, moved',
     'an answer in another case than in its text, taken as it stands there']
    """
    spans: list[tuple[int, int]] = []
    notes: Counter[str] = Counter()
    for given, start in zip(answers.texts, answers.starts, strict=True):
        text = given.strip()
        assert text, "an answer that is blank"
        if text != given:
            notes[TRIMMED] += 1
            start = None if start is None else start + given.index(text)
        if start is not None and context.startswith(text, start):
            spans.append((start, start + len(text)))
            continue
        place, words = sought(context, text, start)
        if place is None:
            notes[ABSENT] += 1
            continue
        spans.append(place)
        notes.update(filter(None, [words, *differences(context, place, text)]))
    return Located(tuple(begin for begin, _ in spans), tuple(context[a:b] for a, b in spans), notes)


def sought(context: str, text: str, start: int | None) -> tuple[tuple[int, int] | None, str]:
    """Where a text stands that does not stand at its start, and in words what was wrong with the start."""
    ways = spellings(text)
    if start is None:
        places = places_of(ways, context)
        return (places[0], FIRST if len(places) > 1 else "") if places else (None, "")
    for words, at in ("", start), *in_characters(context, start):
        for way in ways:
            match = way.match(context, at)
            if match:
                return match.span(), words
    near = places_of(ways, context, max(0, start - NEAR_CHARACTERS), start + NEAR_CHARACTERS)
    if len(near) == 1:
        return near[0], MOVED
    places = places_of(ways, context)
    if not places:
        return None, ""
    return min(places, key=lambda place: abs(place[0] - start)), NEAREST if len(places) > 1 else FAR


def spellings(text: str) -> list[re.Pattern[str]]:
    """Patterns of a text as it is, in any case, and also with any white space between its words."""
    exact, loose = re.escape(text), r"\s+".join(map(re.escape, text.split()))
    return [re.compile(exact), re.compile(exact, re.IGNORECASE), re.compile(loose, re.IGNORECASE)]


def in_characters(context: str, start: int) -> Iterator[tuple[str, int]]:
    """What a start is in characters if it was counted in another unit, and the words for that.

    >>> list(in_characters("\U0001f600\u00e9 Paris", 4))[0][1], list(in_characters("\u00e9 Paris", 3))[1][1]
    (3, 2)
    """
    for encoding, unit, words in (("utf-16-le", 2, PAIRS), ("utf-8", 1, BYTES)):
        before = context[:start].encode(encoding, "surrogatepass")[: start * unit]
        yield words, len(before.decode(encoding, "ignore"))


def places_of(
    ways: list[re.Pattern[str]], context: str, first: int = 0, last: int | None = None
) -> list[tuple[int, int]]:
    """Where a text begins and ends, in the first spelling that stands there as whole words, or else in any.

    first, last: of the characters it may begin at.
    """
    inside: list[tuple[int, int]] = []
    for way in ways:
        found = []
        match = way.search(context, first)
        while match and (last is None or match.start() <= last):
            found.append(match.span())
            match = way.search(context, match.start() + 1)
        whole = [place for place in found if not cuts_a_word(context, place)]
        if whole:
            return whole
        inside = inside or found
    return inside


def cuts_a_word(context: str, place: tuple[int, int]) -> bool:
    """Whether a place begins or ends inside a word.

    >>> cuts_a_word("in 1995", (5, 7)), cuts_a_word("in 1995", (3, 7)), cuts_a_word("東京都", (0, 2))
    (True, False, False)
    """
    return any(INSIDE_A_WORD.fullmatch(context[max(0, edge - 1) : edge + 1]) for edge in place)


def differences(context: str, place: tuple[int, int], text: str) -> Iterator[str]:
    """In words, how a text differs from what stands at its place, and whether that is only part of a word."""
    found = context[slice(*place)]
    if found.split() != text.split():
        yield CASE
    if BLANKS.findall(found) != BLANKS.findall(text):
        yield SPACE
    if cuts_a_word(context, place):
        yield INSIDE
