"""Names of columns that form a pair: `q1` and `q2`, `sentA` and `sentB`, `left` and `right`."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from luthier.data.column_names import normal

MARKS = (
    *(("1", "2"), ("a", "b"), ("left", "right"), ("first", "second"), ("one", "two")),
    *(("source", "target"), ("src", "tgt"), ("src", "trg")),
)
"""Words by which the names of a pair differ."""
SECOND = ("2", "b")
"""Marks that may stand on the second name alone, as in `text` and `text_b`."""
THIRD = {"2": "3", "b": "c"}
"""The mark of a third column, with which two are no pair."""
Words = tuple[str, ...]
WORD = re.compile(r"[^\W\d_]+|\d+")


def paired(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ by a mark alone, in the order in which they stand.

    >>> paired(["id", "sentA", "sentB"]), paired(["text", "text_b"]), paired(["end1", "end2", "end3"])
    ([('sentA', 'sentB')], [('text', 'text_b')], [])
    """
    apart = {name: tuple(WORD.findall(normal(name))) for name in names}
    called: defaultdict[Words, list[str]] = defaultdict(list)
    for name, words in apart.items():
        called[words].append(name)
    found = []
    for second, words in apart.items():
        for place, first_words in firsts_of(words):
            third = (*words[:place], THIRD.get(words[place], ""), *words[place + 1 :])
            if third not in called:
                found += [(first, second) for first in called.get(first_words, ())]
    at = {name: number for number, name in enumerate(names)}
    return sorted(found, key=lambda pair: (*sorted(map(at.__getitem__, pair)), at[pair[0]]))


def firsts_of(words: Words) -> Iterator[tuple[int, Words]]:
    """What the first name may be, in words, of which another is the second, and at which of its words they differ.

    >>> list(firsts_of(("text", "b"))), list(firsts_of(("2",)))
    ([(1, ('text',)), (1, ('text', 'a'))], [])
    """
    if len(words) > 1 and words[-1] in SECOND:
        yield len(words) - 1, words[:-1]
    for place, word in enumerate(words):
        for first, second in MARKS:
            if word == second and not (len(words) == 1 and first.isdigit()):
                yield place, (*words[:place], first, *words[place + 1 :])
