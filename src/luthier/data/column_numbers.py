"""Whether a column holds numbers that are to be estimated, or labels that are numbers."""

import numpy as np

from luthier.data.column_names import words_of_name
from luthier.data.number_lists import number_lists
from luthier.data.numerals import read_numerals
from luthier.data.table import Table

AMOUNTS = (
    "score",
    "rating",
    "stars",
    "points",
    "price",
    "grade",
    "similarity",
    "relatedness",
    "value",
    "amount",
    "salary",
)
"""Last words of the names of columns of numbers that people estimate. With two such columns, the user must say which."""

SEVERAL = ("labels", "classes", "categories", "tags", "topics", "emotions", "genres", "codes")
"""Last words of names of columns of several labels a row."""

FEWEST_NUMBERS = 10
"""Fewest distinct values of numbers that are to be estimated; fewer are labels."""

FEWEST_FRACTIONS = 4
"""Fewest distinct numbers in a small file that may be more than labels."""
VARIED = 0.6
"""Smallest share of distinct numbers in a small file whose numbers are to be estimated."""

MOST_WHOLE_NUMBERS = 20
"""The most distinct whole numbers that are taken for labels."""
FEW_WRONG = 0.05
"""Largest share of other values in a column of numbers; reading the column reports each of them."""


def holds_numbers(table: Table, name: str) -> bool:
    """Whether a column holds numbers of many values that are to be estimated, and no labels: not all whole, or amounts.

    Of many whole numbers it is the name that tells: a score, a price; or else that they are no labels by their numbers, which
    begin at nought or one, leave out none, and recur.
    """
    found, wrong, how = sampled_numbers(table, name)
    if not wrong and len(found) <= FEWEST_NUMBERS:
        return varied_fractions(table, name, found)
    if wrong:
        return False
    if how or any(not number.is_integer() for number in found):
        return True
    if len(found) <= MOST_WHOLE_NUMBERS:
        return False
    return words_of_name(name)[-1:] in [[word] for word in AMOUNTS] or not numbered_labels(found)


def varied_fractions(table: Table, name: str, found: set[float]) -> bool:
    """Whether a few numbers are to be estimated: not all whole, and nearly as many as rows, in a small file."""
    filled = sum(bool(text.strip()) for text in table.texts(name, table.sample))
    fractions = any(not number.is_integer() for number in found)
    return fractions and len(found) > FEWEST_FRACTIONS and len(found) > VARIED * filled


def holds_amounts(table: Table, name: str) -> bool:
    """Whether a column holds numbers, most of them different."""
    found, wrong, _ = sampled_numbers(table, name)
    return not wrong and len(found) > FEWEST_NUMBERS and not runs_on(table, name)


def runs_on(table: Table, name: str) -> bool:
    """Whether a column's numbers merely count the rows: whole, and each larger than the one before, or each smaller."""
    found = read_numerals(table.values(name, table.sample))
    values = found.values[np.isfinite(found.values)]
    steps = np.diff(values)
    counts = len(steps) > 2 and bool(np.all(steps > 0) or np.all(steps < 0))
    return counts and bool(np.all(values == np.round(values)))


def sampled_numbers(table: Table, name: str) -> tuple[set[float], bool, tuple[str, ...]]:
    """The different numbers of a column, from a sample; whether more than a few of its values are none; how they are written."""
    values = table.values(name, table.sample)
    if any(isinstance(value, bool | list | dict) for value in values) or lists_numbers(table, name):
        return set(), True, ()
    found = read_numerals(values)
    numbers = set(found.values[np.isfinite(found.values)].tolist())
    return numbers, len(found.wrong) > FEW_WRONG * len(values), found.how


def lists_numbers(table: Table, name: str) -> bool | None:
    """Whether a column's cells list the numbers of labels, as `4,27`; None where that may as well be a decimal comma.

    Where the cells do not tell, the column's name may: `labels` are several, a price is one number.
    """
    last = words_of_name(name)[-1:]
    found = number_lists(table.texts(name, table.sample), named=last in [[word] for word in SEVERAL])
    return False if found is None and last in [[word] for word in AMOUNTS] else found


def numbered_labels(found: set[float]) -> bool:
    """Whether whole numbers may be labels by their numbers: they begin at nought or one, and leave out none.

    >>> numbered_labels({0.0, 1.0, 2.0}), numbered_labels({10.0, 35.0, 90.0})
    (True, False)
    """
    return min(found) in (0, 1) and max(found) - min(found) + 1 == len(found)
