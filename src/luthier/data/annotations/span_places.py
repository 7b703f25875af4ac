"""Places of spans in texts: how they are counted, found from all rows together, and their conversion to characters.

In the end a span is `text[start:end]`, counted in characters from 0. Tools also count UTF-16 units (JavaScript, Java) or bytes
of UTF-8, name the last character instead of the one after it, or begin with 1. Which of these a file does shows where the edges
of its spans fall: on the edges of words, and around the text of the span where that is given.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from luthier.data.annotations.answer_places import cuts_a_word

FEWEST = 3
"""Fewest spans that must speak for an unusual reading where the spans' own texts are not given."""
MOST_OF_THEM = 2 / 3
"""Smallest share of the spans changed by an unusual reading that must fit by it."""


@dataclass(frozen=True)
class RawSpan:
    """A span as it was written."""

    start: int
    end: int
    label: str
    surface: str | None = None
    """Its text, where the file gives it."""


@dataclass(frozen=True)
class Reading:
    """A way to count the places in a text."""

    unit: str = "characters"
    """`characters`, `UTF-16` or `bytes`."""
    base: int = 0
    """The number of the first character."""
    inclusive: bool = False
    """Whether the end is the last character of the span, not the one after it."""

    @property
    def words(self) -> str:
        """What is unusual about the reading, in words that follow "count".

        >>> Reading("UTF-16", 1, True).words
        'UTF-16 units, from 1, with inclusive ends'
        """
        units = {"characters": "characters", "UTF-16": "UTF-16 units", "bytes": "bytes of UTF-8"}
        parts = [units[self.unit], *(["from 1"] if self.base else [])]
        return ", ".join([*parts, *(["with inclusive ends"] if self.inclusive else [])])


AS_IS = Reading()
READINGS = tuple(
    Reading(unit, base, inclusive)
    for unit in ("characters", "UTF-16", "bytes")
    for base in (0, 1)
    for inclusive in (False, True)
)
"""The readings, the plainest first: among those that fit alike the first is taken."""

WIDTHS = {
    "characters": lambda sign: 1,
    "UTF-16": lambda sign: 1 + (sign > "\uffff"),
    "bytes": lambda sign: 1 + (sign > "\x7f") + (sign > "\u07ff") + (sign > "\uffff"),
}
"""Number of units that a character takes, by unit."""


class Places:
    """The places of one text in each unit."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ends: dict[str, list[int] | None] = {"characters": None}

    def character(self, at: int, unit: str) -> int:
        """The number of the character that stands at a place; beyond the text, as far beyond.

        >>> Places("\U0001f600 Ann").character(3, "UTF-16"), Places("Ann").character(5, "bytes")
        (2, 5)
        """
        if unit not in self.ends:
            alike = self.text.isascii() or (unit == "UTF-16" and max(self.text) <= "\uffff")
            self.ends[unit] = None if alike else list(accumulate(map(WIDTHS[unit], self.text), initial=0))
        ends = self.ends[unit]
        if ends is None or at < 0:
            return at
        return bisect_left(ends, at) if at <= ends[-1] else len(self.text) + at - ends[-1]

    def read(self, span: RawSpan, reading: Reading) -> tuple[int, int]:
        """Start and end in characters, the end exclusive."""
        start, end = span.start - reading.base, span.end - reading.base + reading.inclusive
        return self.character(start, reading.unit), self.character(end, reading.unit)

    def fits(self, start: int, end: int) -> bool:
        """Whether a span lies in the text, and begins and ends with words."""
        if not 0 <= start < end <= len(self.text):
            return False
        blank = self.text[start].isspace() or self.text[end - 1].isspace()
        return not blank and not cuts_a_word(self.text, (start, end))


def find_reading(texts: Sequence[str], spans: Sequence[Sequence[RawSpan]]) -> Reading:
    """The way in which the spans of all rows are most likely counted; as they stand where nothing tells.

    >>> find_reading(["Ann met Bob"] * 2, [[RawSpan(0, 2, "x"), RawSpan(8, 10, "x")]] * 2)
    Reading(unit='characters', base=0, inclusive=True)
    """
    rows = [(Places(text), span) for text, own in zip(texts, spans, strict=True) for span in own]
    doubtful = [(places, span) for places, span in rows if not right(places, span)]
    if not doubtful:
        return AS_IS
    best, gained = AS_IS, 0
    for reading in READINGS[1:]:
        vote = Vote()
        for places, span in rows:
            vote.take(places, span, reading)
        if vote.convinces and vote.fit - vote.fit_as_is > gained:
            best, gained = reading, vote.fit - vote.fit_as_is
    return best


def right(places: Places, span: RawSpan) -> bool:
    """Whether a span fits as it stands."""
    start, end = span.start, span.end
    if span.surface and places.text[max(0, start) : max(0, end)] != span.surface:
        return False
    return places.fits(start, end)


@dataclass
class Vote:
    """Counts over the spans that a reading would change: how many fit by it, and how many as they stand."""

    changed: int = 0
    fit: int = 0
    fit_as_is: int = 0
    proven: int = 0
    """Number of spans whose own text stands at their place by this reading alone."""

    def take(self, places: Places, span: RawSpan, reading: Reading) -> None:
        before, after = (span.start, span.end), places.read(span, reading)
        if before == after:
            return
        self.changed += 1
        if span.surface:
            there, here = (places.text[max(0, a) : max(0, b)] == span.surface for a, b in (before, after))
            if there or here:
                self.fit += here
                self.fit_as_is += there
                self.proven += here and not there
                return
        self.fit += places.fits(*after)
        self.fit_as_is += places.fits(*before)

    @property
    def convinces(self) -> bool:
        enough = self.proven > 0 or self.fit - self.fit_as_is >= FEWEST
        return enough and self.fit >= MOST_OF_THEM * self.changed and self.fit_as_is <= self.fit / 2
