"""Cells that hold several labels: lists as Python or JSON writes them, signs between labels, vectors of noughts and ones."""

import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.data.number_lists import number_lists

SIGNS = ("|", ";", ",")
"""Between the labels of a cell, in the order in which they are tried."""
LONGEST_CELL = 20_000
LONGEST_PART = 60
"""Characters of a label between such signs, on average."""
BRACKETS = {"[": "]", "(": ")", "{": "}"}
BLANKS_ALONE = re.compile(r"""\[\s*(?:'[^'\\]*'|"[^"\\]*")(?:\s+(?:'[^'\\]*'|"[^"\\]*"))+\s*\]""")
"""As NumPy prints an array of texts: without commas, so that Python would read one text."""
ITEM = re.compile(r"""'([^'\\]*)'|"([^"\\]*)\"""")
FEWEST_IN_VECTOR = 3


@dataclass(frozen=True)
class Cells:
    """A column of labels with its cells taken apart."""

    values: Sequence[Any]
    """A row's label, a list of labels, or nothing."""
    how: str | None = None
    """What was seen, in words that follow "its cells hold"; None where they were taken as they are."""
    vector: bool = False
    """Whether labels are the places of a vector: one without a mark then says that none of them holds."""


def taken_apart(values: Sequence[Any], asked: bool) -> Cells:
    """Cells taken apart where they hold several labels. asked: whether the user says that they do.

    >>> taken_apart(["['a', 'b']", "['b']"], False).values, taken_apart(["a, b", "a", "b", "b, a"], False).values
    ([['a', 'b'], ['b']], [['a', 'b'], ['a'], ['b'], ['b', 'a']])
    """
    if any(isinstance(value, list | tuple) for value in values):
        return vectors(values) or Cells(values)
    texts = [value for value in values if isinstance(value, str) and value.strip()]
    if not texts:
        return Cells(values)
    lists = literal_lists(values)
    if lists is not None:
        return vectors(lists) or Cells(lists, "lists of labels")
    written = digit_vectors(values)
    if written is not None:
        return written
    whole = Counter(text.strip() for text in texts)
    sign = next((sign for sign in SIGNS if parts_labels(whole, sign, asked)), None)
    if sign is None:
        return Cells(values)
    apart = [parted(value, sign) if isinstance(value, str) else value for value in values]
    return Cells(apart, f"labels with {sign!r} between them")


def parted(text: str, sign: str) -> list[str]:
    return [part.strip() for part in text.split(sign) if part.strip()]


def parts_labels(whole: Counter[str], sign: str, asked: bool) -> bool:
    """Whether a sign stands between labels, rather than in the name of one.

    The parts must be fewer than the cells they make; and of a sign that is common in names, most parts must stand alone too,
    or in other company.  whole: how often each cell occurs.

    >>> parts_labels(Counter(["a|b", "a", "b|c", "c"]), "|", False), parts_labels(Counter(["yes|no", "other"]), "|", False)
    (True, False)
    """
    several = [text for text in whole if sign in text]
    if not several:
        return False
    if asked:
        return True
    parts = {part for text in whole for part in parted(text, sign)}
    if sign == "," and all(map(is_numeric, parts)):
        return (
            number_lists(whole) is not False
        )  # Of doubtful ones the user was asked, and said that they are labels.
    if len(parts) >= len(whole):
        return False
    if sign == SIGNS[0]:
        return True
    if sum(map(len, parts)) > LONGEST_PART * len(parts):
        return False
    companies: defaultdict[str, set[frozenset[str]]] = defaultdict(set)
    for text in whole:
        own = frozenset(parted(text, sign))
        for part in own:
            companies[part].add(own - {part})
    joined = {part for text in several for part in parted(text, sign)}
    return sum(len(companies[part]) > 1 for part in joined) > 0.5 * len(joined)


def is_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def literal_lists(values: Sequence[Any]) -> list[Any] | None:
    """The lists that all cells hold as a program writes them; None where a cell holds anything else."""
    found: list[Any] = []
    known: dict[str, Any] = {}
    for value in values:
        if value is None or (isinstance(value, str) and not value.strip()) or value != value:
            found.append(None)
            continue
        if not isinstance(value, str):
            return None
        if value not in known:
            known[value] = literal_list(value.strip())
        if known[value] is None:
            return None
        found.append(known[value])
    return found


def literal_list(text: str) -> list[Any] | None:
    """The list of labels that a text is; None for what is none.

    >>> literal_list('["a", "b"]'), literal_list("{'a'}"), literal_list("['a' 'b']"), literal_list("[a, b]")
    (['a', 'b'], ['a'], ['a', 'b'], ['a', 'b'])
    """
    if len(text) > LONGEST_CELL or BRACKETS.get(text[:1]) != text[-1:]:
        return None
    if BLANKS_ALONE.fullmatch(text):
        return [one or other for one, other in ITEM.findall(text)]
    found = literal(text)
    if isinstance(found, set | frozenset):
        found = sorted(found, key=str)
    if found is None and text[0] == "[" and not any(sign in text for sign in "'\"{}()"):
        inside = text[1:-1]
        found = (
            parted(inside, ",")
            if "," in inside or not all(map(is_numeric, inside.split()))
            else inside.split()
        )
        found = [float(one) if is_numeric(one) else one for one in found]
    if not isinstance(found, list | tuple) or not all(
        isinstance(one, str | int | float | bool) for one in found
    ):
        return None
    return list(found)


def literal(text: str) -> Any:
    """A value as JSON or Python writes it, never run; None for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def vectors(values: Sequence[Any]) -> Cells | None:
    """Lists of noughts and ones, all as long as each other, as the places at which there is a one; None for other lists."""
    lists = [value for value in values if value is not None]
    lengths = {len(value) for value in lists if isinstance(value, list | tuple)}
    if len(lengths) != 1 or any(not isinstance(value, list | tuple) for value in lists):
        return None
    length = lengths.pop()
    marks = {one for value in lists for one in value}
    if length < 2 or not marks <= {0, 1} or any(isinstance(one, str) for one in marks):
        return None
    if all(len(set(value)) == len(value) for value in lists):
        return None  # Two different numbers a row: the numbers of labels, as likely as marks.
    places = [None if value is None else [at for at, mark in enumerate(value) if mark] for value in values]
    return Cells(places, vector_words(length), vector=True)


def digit_vectors(values: Sequence[Any]) -> Cells | None:
    """Noughts and ones in a row of digits, or with blanks between them: `0100`, `0 1 0 0`; None for other cells."""
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    if any(value is not None and not isinstance(value, str) for value in values):
        return None
    plain = {re.sub(r"[\s,;]", "", text) for text in set(texts)}
    lengths = {len(text) for text in plain}
    if len(lengths) != 1 or min(lengths) < FEWEST_IN_VECTOR or not set("".join(plain)) <= {"0", "1"}:
        return None
    if not any(text.startswith("0") for text in plain):
        return None
    apart = [
        [at for at, sign in enumerate(re.sub(r"[\s,;]", "", value)) if sign == "1"]
        if value and value.strip()
        else None
        for value in values
    ]
    return Cells(apart, vector_words(lengths.pop()), vector=True)


def vector_words(length: int) -> str:
    return (
        f"a nought or a one for each of {length} labels, which are called by their places, 0 to {length - 1}"
    )


def most_in_a_row(values: Iterable[Any]) -> int:
    """The longest list."""
    return max((len(value) for value in values if isinstance(value, list | tuple)), default=0)
