"""Whether a generated text is right, by rules that can be checked: what `--verify` asks, and what metrics are the shares of."""

from collections.abc import Callable
from functools import partial

import regex

from luthier.errors import DataError
from luthier.scores.json_answers import json_match
from luthier.scores.number_answers import number_match

Verifier = Callable[[str, str], bool]
"""A function from a generated text and the right one to whether it is right."""
REGEX_SECONDS = 5.0
"""Seconds for a regular expression and one text, before it counts as one that never ends."""


def exact_match(text: str, right: str) -> bool:
    r"""Whether a text is the right one to the letter, but for white space before and after it.

    >>> exact_match(" card_arrival\n", "card_arrival"), exact_match("Card arrival", "card_arrival")
    (True, False)
    """
    return text.strip() == right.strip()


def contains(text: str, right: str) -> bool:
    """Whether the right answer, without white space around it, stands somewhere in a text, to the letter. An empty one stands
    nowhere: it would be in every text.

    >>> contains("The capital is Paris.", "Paris"), contains("paris", "Paris")
    (True, False)
    """
    return bool(right.strip()) and right.strip() in text


def regex_match(text: str, right: str, pattern: str | None = None) -> bool:
    r"""Whether a regular expression is found in a text: the one that the right answer is, or the same for all rows.

    It may be found anywhere; `^` and `$` tie it to the ends. A point does not stand for a line's end, and letters have their
    case, unless the pattern says otherwise, as in `(?si)`.

    >>> regex_match("Order A-1234 is late.", r"\bA-\d{4}\b"), regex_match("{}", "", pattern=r"^\{.*\}$")
    (True, True)
    """
    asked = right.strip() if pattern is None else pattern
    compiled = compiled_pattern(asked)
    if not asked:
        return False  # it would be found in every text
    try:
        return compiled.search(text, timeout=REGEX_SECONDS) is not None
    except TimeoutError as error:
        raise DataError(
            f"The regular expression {asked!r} was not done with one text of {len(text):,} characters after "
            f"{REGEX_SECONDS:g} seconds. Write it without repetitions inside of repetitions, such as (a+)+."
        ) from error


def compiled_pattern(pattern: str) -> "regex.Pattern[str]":
    """A regular expression, compiled. Raises DataError where it is none."""
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise DataError(
            f"{pattern!r} is no regular expression ({error}). Write it as Python's re takes them."
        ) from error


VERIFIERS: dict[str, Verifier] = {
    rule.__name__: rule for rule in (exact_match, contains, regex_match, number_match, json_match)
}
"""The rules by which a text is right, by the names of the metrics that are their shares."""


def verifier(name: str, pattern: str | None = None, comma: bool = False) -> Verifier:
    """A rule by its name, with what the user says of it.

    pattern: a regular expression for all rows, where `regex_match` is not to take each row's own.  comma: whether numbers have
    a decimal comma.

    >>> verifier("number_match", comma=True)("2,50", "2,5"), verifier("exact_match")("yes", "no")
    (True, False)
    """
    if VERIFIERS[name] is regex_match:
        return partial(regex_match, pattern=pattern)
    if VERIFIERS[name] is number_match:
        return partial(number_match, comma=comma)
    return VERIFIERS[name]
