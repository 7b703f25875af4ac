"""Names of two columns that say that they are a pair: `q1` and `q2`, `sentA` and `sentB`, `left` and `right`."""

import re
from collections.abc import Sequence
from itertools import combinations

from luthier.data.column_names import normal

MARKS = (
    *(("1", "2"), ("a", "b"), ("left", "right"), ("first", "second"), ("one", "two")),
    *(("source", "target"), ("src", "tgt"), ("src", "trg")),
)
"""Words by which the names of a pair differ."""
SECOND = ("2", "b")
"""What may stand behind the second name alone, as in `text` and `text_b`."""
THIRD = {"2": "3", "b": "c"}
"""The mark of a third column, with which two are no pair."""
WORD = re.compile(r"[^\W\d_]+|\d+")


def paired(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ by a mark alone.

    >>> paired(["id", "sentA", "sentB"]), paired(["text", "text_b"]), paired(["end1", "end2", "end3"])
    ([('sentA', 'sentB')], [('text', 'text_b')], [])
    """
    apart = {name: tuple(WORD.findall(normal(name))) for name in names}
    there = set(apart.values())
    found = []
    for one, other in combinations(names, 2):
        for first, second in ((one, other), (other, one)):
            place = differing_at(apart[first], apart[second])
            if place is None:
                continue
            words = apart[second]
            third = (*words[:place], THIRD.get(words[place], ""), *words[place + 1 :])
            if third not in there:
                found.append((first, second))
    return found


def differing_at(first: Sequence[str], second: Sequence[str]) -> int | None:
    """At which word two names differ, as those of a pair do; None where they do not.

    >>> differing_at(("text",), ("text", "b")), differing_at(("1", "id"), ("2", "name"))
    (1, None)
    """
    if first and tuple(second[:-1]) == tuple(first) and second[-1] in SECOND:
        return len(first)
    if len(first) != len(second):
        return None
    places = [at for at, (one, other) in enumerate(zip(first, second, strict=True)) if one != other]
    if len(places) != 1 or (first[places[0]], second[places[0]]) not in MARKS:
        return None
    return None if len(first) == 1 and first[0].isdigit() else places[0]
