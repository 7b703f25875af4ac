"""Numbers as people and spreadsheets write them: decimal commas, thousands, currency signs, percent, units at the end."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.arrays import Array
from luthier.data.missing import is_missing_number

WRITTEN = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[+\-\u2212]?)\s*(?P<before>[^\d\s.,()+\-\u2212]{0,4}?)\s*(?P<sign2>[+\-\u2212]?)"
    r"(?P<digits>\d(?:[\d.,'\u2019_ \u00a0\u202f]*\d)?|[.,]\d+)(?P<exponent>[eE][+\-]?\d{1,3})?[.,]?-{0,2}"
    r"\s*(?P<after>[^\d\s.,()]{0,12}(?:\s[^\d\s.,()]{1,12})?)\s*(?P<close>\))?"
)
"""The pattern of a number: a sign, a prefix (a currency), digits with signs between them, a suffix (percent, a unit)."""
GROUPS = re.compile(r"\d{1,3}(?:[ \u00a0\u202f'\u2019_]\d{3})+(?=$|[.,])")
"""The pattern of thousands that are separated by a blank or an apostrophe."""
COMMA, POINT = ",", "."


@dataclass(frozen=True)
class Numerals:
    """The numbers of a column, read as they are meant."""

    values: Array
    """(rows,) the numbers; NaN where a row has none."""
    wrong: tuple[int, ...]
    """Rows whose value is no number."""
    how: tuple[str, ...]
    """How the numbers are written, in words that follow "numbers"."""
    unclear: str | None = None
    """A value of which nothing tells whether its comma stands before decimals or between thousands."""


@dataclass(frozen=True)
class Written:
    """A number as it stands in a cell."""

    digits: str
    """The digits with points and commas, without other signs between thousands."""
    negative: bool
    exponent: str
    before: str
    after: str

    @property
    def unit(self) -> str:
        return self.before or self.after


def read_numerals(values: Sequence[Any], decimal: str | None = None) -> Numerals:
    """The numbers of a column; the whole column decides what a comma means.

    decimal: the sign before decimals, `,` or `.`, where the user names it.

    >>> read_numerals(["$1,200.50", "$7"]).values.tolist(), read_numerals(["1,5", "2,25"]).values.tolist()
    ([1200.5, 7.0], [1.5, 2.25])
    """
    found = np.full(len(values), np.nan)
    wrong: list[int] = []
    written: dict[int, Written] = {}
    for row, value in enumerate(values):
        if is_missing_number(value):
            continue
        plain = plain_number(value)
        if plain is not None and (decimal != COMMA or not isinstance(value, str)):
            found[row] = plain
        if isinstance(value, str):
            one = written_number(value)
            if one is not None:
                written[row] = one
                continue
        if plain is None or not math.isfinite(plain):
            wrong.append(row)
            found[row] = np.nan
    for row in of_other_units(written):
        wrong.append(row)
        del written[row]
        found[row] = np.nan
    sign, unclear = (decimal, None) if decimal is not None else decimal_sign(written.values())
    for row, one in list(written.items()):
        number = value_of(one, sign)
        found[row] = np.nan if number is None else number
        if number is None:
            wrong.append(row)
            del written[row]
    return Numerals(found, tuple(sorted(wrong)), tuple(seen(written.values(), sign)), unclear)


def of_other_units(written: Mapping[int, Written]) -> list[int]:
    """Rows whose number is in another unit than most: nobody knows what they come to together. A currency may be left out."""
    units = Counter(one.unit for one in written.values())
    usual = units.most_common(1)[0][0] if units else ""
    named = max((unit for unit in units if unit), key=lambda unit: units[unit], default="")
    if is_currency(named):
        return [row for row, one in written.items() if one.unit not in ("", named)]
    return [row for row, one in written.items() if one.unit != usual]


def plain_number(value: Any) -> float | None:
    """A number as programs write it; None for what is none. True and false are none."""
    if isinstance(value, bool | list | dict | bytes):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def written_number(text: str) -> Written | None:
    """The parts of a number in a cell; None for what is no number.

    >>> written_number("EUR 1 234,50").digits, written_number("12 kg").unit, written_number("B00-4711")
    ('1234,50', 'kg', None)
    """
    match = WRITTEN.fullmatch(text.strip())
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    before, after = match["before"].strip(), match["after"].strip()
    if (before and after) or (any(sign.isalpha() for sign in before) and not known_currency(before)):
        return None
    if "_" in before + after or (after and not unit_like(after)):
        return None
    digits = match["digits"]
    if re.search(r"[^\d.,]", digits):
        groups = GROUPS.match(digits)
        if groups is None:
            return None
        digits = re.sub(r"[^\d]", "", groups[0]) + digits[groups.end() :]
        if re.search(r"[^\d.,]", digits):
            return None
    negative = (
        bool(match["open"])
        or "-" in match["sign"] + match["sign2"]
        or "\u2212" in match["sign"] + match["sign2"]
    )
    return Written(digits, negative, match["exponent"] or "", before, after)


CURRENCIES = frozenset(
    (
        *(
            "usd",
            "eur",
            "gbp",
            "chf",
            "jpy",
            "cny",
            "inr",
            "rub",
            "brl",
            "aud",
            "cad",
            "nok",
            "sek",
            "dkk",
            "pln",
            "czk",
        ),
        *("huf", "kr", "rs", "zł", "kč", "us$", "r$", "a$", "c$", "hk$"),
    )
)
"""Codes and signs of more than one letter, in small letters."""


def known_currency(word: str) -> bool:
    return word.lower().rstrip(".") in CURRENCIES


def is_currency(word: str) -> bool:
    """
    >>> is_currency("€"), is_currency("USD"), is_currency("kg")
    (True, True, False)
    """
    return known_currency(word) or (len(word) == 1 and unicodedata.category(word) == "Sc")


def unit_like(word: str) -> bool:
    """Whether what follows a number may be its unit: percent, a currency, a few letters.

    >>> unit_like("%"), unit_like("km/h"), unit_like("€"), unit_like("#")
    (True, True, True, False)
    """
    return bool(re.fullmatch(r"[%‰€$£¥₹₽₩₺₴°′″²³/·^\w]+(?:\s[%‰€$£¥\w/²³]+)?", word))


def decimal_sign(written: Iterable[Written]) -> tuple[str, str | None]:
    """Which sign stands before decimals, from all values together; and a value of which that is not clear."""
    certain: Counter[str] = Counter()
    doubtful = None
    small = plain_large = False
    for one in written:
        sign = certain_decimal(one.digits)
        if sign is not None:
            certain[sign] += 1
        elif COMMA in one.digits:
            doubtful = doubtful or one.digits
        elif POINT not in one.digits:
            small = small or len(one.digits) < 4
            plain_large = plain_large or len(one.digits) > 3
    if certain[COMMA] and not certain[POINT]:
        return COMMA, None
    if doubtful is None or certain[POINT] or (small and not plain_large):
        return POINT, None
    if certain[COMMA] > certain[POINT]:
        return COMMA, None
    return POINT, doubtful


def certain_decimal(digits: str) -> str | None:
    """The sign before the decimals of one value, where it can be no other.

    >>> certain_decimal("1.234,5"), certain_decimal("0,123"), certain_decimal("1,234"), certain_decimal("1.234.567")
    (',', ',', None, ',')
    """
    points, commas = digits.count(POINT), digits.count(COMMA)
    if points and commas:
        return max(POINT, COMMA, key=digits.rfind)
    if points + commas == 0:
        return None
    sign = POINT if points else COMMA
    if points + commas > 1:
        return (
            COMMA if sign == POINT else POINT
        )  # It stands between thousands, and the other before decimals.
    whole, _, rest = digits.partition(sign)
    if len(rest) != 3 or whole in ("", "0") or len(whole) > 3:
        return sign
    return None


def value_of(one: Written, sign: str) -> float | None:
    """The number, given the sign before decimals; None where it does not fit. A lone decimal sign that can be no other wins."""
    own = certain_decimal(one.digits)
    if own is not None:
        sign = own
    other = COMMA if sign == POINT else POINT
    whole, _, rest = one.digits.partition(sign)
    if sign in rest or other in rest:
        return None
    if other in whole and not re.fullmatch(
        rf"\d{{1,3}}(?:{re.escape(other)}\d{{2,3}})*{re.escape(other)}\d{{3}}", whole
    ):
        return None
    number = float(f"{whole.replace(other, '') or '0'}.{rest or '0'}{one.exponent}")
    return (-number if one.negative else number) if math.isfinite(number) else None


def seen(written: Iterable[Written], sign: str) -> Iterable[str]:
    """Words on how numbers are written, where that is not as programs do it."""
    ones = list(written)
    if any(COMMA in one.digits and (certain_decimal(one.digits) or sign) == COMMA for one in ones):
        yield "with decimal commas"
    if any(COMMA in one.digits and (certain_decimal(one.digits) or sign) == POINT for one in ones):
        yield "with commas between thousands"
    units = sorted({one.unit for one in ones if one.unit})
    if units:
        yield f"in {units[0]!r}" if units[0] != "%" else "in percent"
