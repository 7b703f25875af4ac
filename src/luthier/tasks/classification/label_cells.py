"""Cells that hold several labels: lists as Python or JSON writes them, signs between labels, vectors of noughts and ones."""

import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.data.number_lists import number_lists
from luthier.errors import shorten

SIGNS = ("|", ";", ",", "\n", "#")
"""Signs between the labels of a cell, in the order in which they are tried."""
RARE_IN_CELLS = SIGNS[3:]
"""Signs that must part labels by the rule of `parts_labels` even where the user says that a row has several."""
DOUBTFUL_SIGNS = ("/", "+", " ")
"""Signs that stand in the names of labels at least as often as between labels, so that the user is asked."""
FEWEST_WITH_BLANKS = 6
"""Different cells below which blanks are taken for part of names."""
MOST_WITHOUT_ONE_ALONE = 100
"""Different parts up to which cells combine parts that hardly ever stand alone."""
IN_WORDS = {"\n": "line ends", " ": "blanks"}
TAGGED = re.compile(r"(?:[\s,]*<[^<>]+>)+\s*")
"""A pattern of tags as Stack Overflow writes them: `<a><b>`."""
BETWEEN_MARKED = ", \t\r\n\xa0"
"""What may stand between such labels."""
HASHED = re.compile(r"(?:[\s,]*#[^\s#,][^#,]*)+")
"""A pattern of hash tags: `#a #b`."""
LONGEST_CELL = 20_000
LONGEST_PART = 60
"""Characters of a label between such signs, on average."""
BRACKETS = {"[": "]", "(": ")", "{": "}"}
BLANKS_ALONE = re.compile(r"""\[\s*(?:'[^'\\]*'|"[^"\\]*")(?:\s+(?:'[^'\\]*'|"[^"\\]*"))+\s*\]""")
"""As NumPy prints an array of texts: without commas, so that Python would read one text."""
ITEM = re.compile(r"""'([^'\\]*)'|"([^"\\]*)\"""")
FEWEST_IN_VECTOR = 3
FEWEST_PATTERNS = 3
"""Different vectors of digits from which on they are no codes."""


@dataclass(frozen=True)
class Cells:
    """A column of labels with its cells taken apart."""

    values: Sequence[Any]
    """A row's label, a list of labels, or nothing."""
    how: str | None = None
    """What was seen, in words that follow "its cells hold"; None where they were taken as they are."""
    vector: bool = False
    """Whether labels are the places of a vector: one without a mark then says that none of them holds."""
    doubt: str | None = None
    """What the cells may as well be, in words that follow "the column holds"; None where there is no doubt."""


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
    written = digit_vectors(values, asked)
    if written is not None:
        return written
    whole = Counter(text.strip() for text in texts)
    marked = marked_labels(values, whole)
    if marked is not None:
        return marked
    sign = next((sign for sign in SIGNS if parts_labels(whole, sign, asked)), None)
    if sign is not None:
        return Cells(parted_cells(values, sign), f"labels with {in_words(sign)} between them")
    doubtful = next((sign for sign in DOUBTFUL_SIGNS if combines(whole, sign)), None)
    if doubtful is None:
        return Cells(values)
    if asked:
        return Cells(parted_cells(values, doubtful), f"labels with {in_words(doubtful)} between them")
    example = next(text for text in whole if len(parted(text, doubtful)) > 1)
    return Cells(
        values,
        doubt=f"cells such as {shorten(example)!r}, which may be one label, or several with {in_words(doubtful)} between them",
    )


def in_words(sign: str) -> str:
    return IN_WORDS.get(sign, repr(sign))


def parted_cells(values: Sequence[Any], sign: str) -> list[Any]:
    return [parted(value, sign) if isinstance(value, str) else value for value in values]


def parted(text: str, sign: str) -> list[str]:
    return [part.strip() for part in text.split(sign) if part.strip()]


def marked_labels(values: Sequence[Any], whole: Counter[str]) -> Cells | None:
    """Cells of which each is a row of labels with a sign of their own, as `<a><b>` or `#a #b`; None for other cells.

    >>> marked_labels(["<a><b>", "<b>"], Counter(["<a><b>", "<b>"])).values
    [['a', 'b'], ['b']]
    """
    forms = (
        (TAGGED, re.compile(r"[<>]"), "labels in angle brackets"),
        (HASHED, re.compile(r"[#,]"), "labels that begin with '#'"),
    )
    for form, sign, how in forms:
        if all(map(form.fullmatch, whole)):
            apart = [
                [part for one in sign.split(value) if (part := one.strip(BETWEEN_MARKED))]
                if isinstance(value, str)
                else value
                for value in values
            ]
            return Cells(apart, how) if most_in_a_row(apart) > 1 else None
    return None


def combines(whole: Counter[str], sign: str) -> bool:
    """Whether cells plainly combine a few parts, as no names do: at most two thirds as many parts as cells, in changing company.

    Some of the parts stand alone too; or else there are few of them, and cells combine now more of them, now less.

    >>> combines(Counter(["a", "b", "a/b"]), "/"), combines(Counter(["credit card", "debit card", "cash"]), " ")
    (True, False)
    """
    apart = {text: frozenset(parted(text, sign)) for text in whole}
    joined = {part for parts in apart.values() if len(parts) > 1 for part in parts}
    parts = {part for own in apart.values() for part in own}
    if not joined or 3 * len(parts) > 2 * len(whole) or sum(map(len, parts)) > LONGEST_PART * len(parts):
        return False
    if sign == " " and (len(whole) < FEWEST_WITH_BLANKS or 3 * len(parts) == 2 * len(whole)):
        return False
    if sign != " " and all(map(is_numeric, joined)):
        return False  # Fractions, dates and sums.
    alone = joined & whole.keys()
    few = 4 * len(parts) <= len(whole) and len(parts) <= MOST_WITHOUT_ONE_ALONE
    varied = len({len(own) for own in apart.values()}) > 1
    return (4 * len(alone) >= len(joined) or (few and varied)) and in_changing_company(apart.values(), joined)


def in_changing_company(cells: Iterable[frozenset[str]], joined: set[str]) -> bool:
    """Whether most parts of cells with several stand alone too, or beside others."""
    companies: defaultdict[str, set[frozenset[str]]] = defaultdict(set)
    for own in cells:
        for part in own:
            companies[part].add(own - {part})
    return sum(len(companies[part]) > 1 for part in joined) > 0.5 * len(joined)


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
    if asked and sign not in RARE_IN_CELLS:
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
    joined = {part for text in several for part in parted(text, sign)}
    if sign == "#" and 4 * len(joined & whole.keys()) < len(joined):
        return False  # Two halves of a name, as in FOOD#QUALITY.
    return in_changing_company((frozenset(parted(text, sign)) for text in whole), joined)


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


def digit_vectors(values: Sequence[Any], asked: bool) -> Cells | None:
    """Noughts and ones in a row of digits, or with blanks between them: `0100`, `0 1 0 0`; None for other cells.

    Digits without blanks may be codes as well, unless some have several marks, and there are several of them.
    """
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    if any(value is not None and not isinstance(value, str) for value in values):
        return None
    plain = {re.sub(r"[\s,;]", "", text) for text in set(texts)}
    lengths = {len(text) for text in plain}
    if len(lengths) != 1 or min(lengths) < FEWEST_IN_VECTOR or not set("".join(plain)) <= {"0", "1"}:
        return None
    if not any(text.startswith("0") for text in plain):
        return None
    codes = len(plain) < FEWEST_PATTERNS or all(text.count("1") < 2 for text in plain)
    if codes and not asked and all(map(str.isdigit, texts)):
        example = next(text for text in texts if text.startswith("0"))
        return Cells(
            values,
            doubt=f"cells such as {example!r}, which may be codes, or a nought or a one for each of several labels",
        )
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
