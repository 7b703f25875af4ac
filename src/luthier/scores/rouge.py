"""ROUGE-L: how much of the right text stands in a generated one, in the same order."""

import re
from collections.abc import Sequence

from luthier.scores.answers import CHARACTER

WORD = re.compile(rf"{CHARACTER.pattern}|[^\W_]+")
"""A word: letters and digits without anything between them; in Chinese and Japanese, one character."""


def rouge_l(text: str, right: str) -> float:
    """F-measure of the longest common subsequence of words, in [0, 1], recall and precision weighted alike.

    Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", section 3.1, eq. 2 to 4 with beta = 1, over the whole
    text (not by sentences, which is ROUGE-Lsum). Words are in lower case, as they stand (no stemming): in English as in the
    package rouge-score. Of two texts without any word it is 1 where they are equal, else 0.

    >>> round(rouge_l("police kill the gunman", "police killed the gunman"), 3)
    0.75
    """
    ours, theirs = words(text), words(right)
    if not ours and not theirs:
        return float(text.strip() == right.strip())
    # F = 2PR / (P + R), of P = common / ours and R = common / theirs.
    return 2 * common_subsequence(ours, theirs) / (len(ours) + len(theirs))


def words(text: str) -> list[str]:
    return [match.group() for match in WORD.finditer(text.lower())]


def common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, in a few operations on whole numbers of `len(first)` bits for each of `second`.

    Crochemore et al. 2001, "A fast and practical bit-vector algorithm for the longest common subsequence problem", Information
    Processing Letters 80: row by row of the dynamic program, a bit of `rising` is 0 where the length grows by one.

    >>> common_subsequence("police killed the gunman".split(), "police the gunman killed".split())
    3
    """
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(first)) - 1
    rising = every
    for word in second:
        matching = rising & places.get(word, 0)
        rising = (rising + matching | rising - matching) & every
    return len(first) - rising.bit_count()
