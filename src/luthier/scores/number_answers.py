"""Whether the last number of a text is the right one: compared by value, however it is written."""

import re
from decimal import Decimal, InvalidOperation
from functools import cache

CURRENCY = "[$€£¥₹]"


def number_match(text: str, right: str, comma: bool = False) -> bool:
    """Whether the last number in a text has the value of the last number in the right answer.

    Thousands may be parted ("1,234.50" is 1234.5), a currency or a percent sign beside a number says nothing (50 % is 50, not
    0.5), and words around it neither. Without a number on either side nothing matches.

    comma: whether a comma stands before the decimals and points part thousands, as in "1.234,50".

    >>> number_match("3 boxes at $411.50 make $1,234.50.", "1234.5"), number_match("1.234,50 €", "1234,5", comma=True)
    (True, True)
    """
    found, wanted = last_number(text, comma), last_number(right, comma)
    return found is not None and found == wanted


def last_number(text: str, comma: bool = False) -> Decimal | None:
    """The last number in a text; None where there is none.

    >>> last_number("from 5-3 to -2e3 %"), last_number("order A-1,234."), last_number("none")
    (Decimal('-2E+3'), Decimal('1234'), None)
    """
    last = None
    for last in pattern(comma).finditer(text):  # noqa: B007  the last one is wanted
        pass
    if last is None:
        return None
    digits = re.sub(rf"[^0-9{re.escape(point(comma))}]", "", last["digits"]).replace(",", ".")
    sign = "-" if last["sign"] in ("-", "−") else ""
    try:
        return Decimal(f"{sign}{digits}{last['power'] or ''}")
    except InvalidOperation:  # its power of ten is beyond all use
        return None


def is_number(text: str, comma: bool = False) -> bool:
    """Whether a text is one number and nothing else but a currency or a percent sign.

    >>> is_number("$1,200"), is_number("12 %"), is_number("12 boxes")
    (True, True, False)
    """
    bare = re.sub(rf"^([-+−]?)\s*{CURRENCY}\s*", r"\1", text.strip())
    bare = re.sub(rf"\s*({CURRENCY}|%)$", "", bare)
    return pattern(comma).fullmatch(bare) is not None


def point(comma: bool) -> str:
    return "," if comma else "."


@cache
def pattern(comma: bool) -> re.Pattern[str]:
    """A number within a text. The sign counts where no letter and no digit stands before it: "5-3" ends with 3."""
    decimal, parting = re.escape(point(comma)), rf"[{point(not comma)}\u00a0\u202f'’]"
    whole = rf"[0-9]{{1,3}}(?:{parting}[0-9]{{3}})+(?![0-9])|[0-9]+"
    return re.compile(
        rf"(?:(?<![0-9A-Za-z])(?P<sign>[-+−]){CURRENCY}?)?"
        rf"(?P<digits>(?:{whole})(?:{decimal}[0-9]+)?|(?<![0-9{decimal}]){decimal}[0-9]+)"
        r"(?P<power>[eE][-+]?[0-9]+)?"
    )
