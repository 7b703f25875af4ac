"""The check for e-mail addresses, telephone numbers and card numbers."""

import re
from collections.abc import Callable, Iterator

from luthier.checks.finding import Evidence, Finding, count_of
from luthier.data.problems import Problems


def personal_data(evidence: Evidence) -> Iterator[Finding]:
    """Texts that seem to hold an e-mail address, a telephone or a card number: counted, never shown."""
    counts = dict.fromkeys(PATTERNS, 0)
    rows = 0
    places = Problems()
    for row, text in evidence.texts():
        kinds = {kind for kind, _, _ in held(text)}
        if kinds:
            rows += 1
            places.add(str(evidence.table.place(row)))
        for kind in kinds:
            counts[kind] += 1
    if rows:
        parts = [f"{kind} in {count_of(count, 'row', 'rows')}" for kind, count in counts.items() if count]
        yield Finding(
            check="personal-data",
            severity="warn",
            count=rows,
            share=rows / len(evidence.table),
            rows=(),  # What must not spread is not written into a report.
            message=f"{count_of(rows, 'row seems', 'rows seem')} to hold personal data: {', '.join(parts)}.",
            matters="What a model was trained on can come out of it again, and the law may forbid to keep it.",
            mend="luthier check --fix personal-data writes [e-mail], [phone] and [card] in their place."
            if evidence.rewritable
            else f"Write [e-mail], [phone] and [card] in their place: {places}.",
        )


def held(text: str) -> Iterator[tuple[str, int, int]]:
    """Kind, begin and end of each piece of personal data in a text; what is taken for one kind is no other.

    >>> list(held("Call +49 30 1234567 or write to a.b@example.org, order 12345"))
    [('e-mail', 32, 47), ('phone', 5, 19)]
    """
    taken: list[tuple[int, int]] = []
    if "@" not in text and not any(map(str.isdigit, text)):
        return
    for kind, (pattern, right) in PATTERNS.items():
        for match in pattern.finditer(text):
            begin, end = match.span()
            if right(match.group()) and not any(begin < last and first < end for first, last in taken):
                taken.append((begin, end))
                yield kind, begin, end


def is_card(found: str) -> bool:
    """Whether digits are those of a payment card: 13 to 19 of them, with Luhn's check digit (ISO/IEC 7812-1, annex B).

    >>> is_card("4111 1111 1111 1111"), is_card("4111 1111 1111 1112")
    (True, False)
    """
    digits = [int(one) for one in found if one.isdigit()]
    doubled = [sum(divmod(2 * one, 10)) if at % 2 else one for at, one in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and sum(doubled) % 10 == 0


def is_phone(found: str) -> bool:
    """Whether digits are long enough for a telephone number, and neither a date nor an amount.

    >>> is_phone("030 123 45 67"), is_phone("2024-11-21"), is_phone("1 000 000")
    (True, False, False)
    """
    digits = "".join(filter(str.isdigit, found))
    dated = re.fullmatch(
        r"(19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?|\d\d?[-./ ]\d\d?[-./ ](19|20)\d\d", found.strip()
    )
    grouped = re.fullmatch(r"\d{1,3}(?:[ .,]\d{3})+", found.strip())
    marked = found.lstrip(" (").startswith(("+", "00", "0")) or len(digits) == 10
    local = re.fullmatch(r"\d{3}[-.]\d{4}", found.strip())
    return bool(local) or (8 <= len(digits) <= 15 and marked and not dated and not grouped)


PATTERNS: dict[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    "e-mail": (re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b"), lambda found: True),
    "card": (re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\w)"), is_card),
    "phone": (re.compile(r"(?<![\w.,])(?:\+|\(?\d)[\d()/ .-]{5,18}\d(?!\w)"), is_phone),
}
"""Kinds of personal data: a pattern, and what else must hold. They are hints, no more: names and addresses are not found."""
