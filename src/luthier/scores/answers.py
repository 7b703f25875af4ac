"""Scores of answers that are spans of a text, as SQuAD 2.0 defines them: exact match and F1 over words.

Rajpurkar et al. 2018 (arXiv:1806.03822) and its evaluate-v2.0.py; for other languages than English, Lewis et
al. 2020, MLQA (arXiv:1910.07475) and its mlqa_evaluation_v1.py. A question without answers is one that the
text does not answer; saying nothing is the empty string.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Bools, Floats

ARTICLES = {
    language: re.compile(rf"\b({words})\b")
    for language, words in {
        "en": "a|an|the",
        "de": "ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des",
        "es": "un|una|unos|unas|el|la|los|las",
        "fr": "un|une|des|le|la|les",
        "it": "un|uno|una|il|lo|la|i|gli|le",
        "nl": "een|de|het",
        "pt": "um|uma|uns|umas|o|a|os|as",
    }.items()
}
"""Articles by ISO 639-1 code. English has SQuAD's list, German and Spanish have MLQA's, the others are made after theirs."""

ELIDED = {"fr": re.compile(r"\bl['’]"), "it": re.compile(r"\b(l|un)['’]")}
"""Articles that cling to the next word; they go before the apostrophe does, which would leave `lhomme`."""

SPLIT_BY_CHARACTER = {"zh", "ja"}

CHARACTER = re.compile(r"([\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff])")
"""A character of a script written without spaces: Han (MLQA's range with the rare ones added), hiragana, katakana."""


def normalised(text: str, language: str = "en") -> str:
    """An answer as it is compared: lower case, without punctuation and articles, words parted by one space.

    language: ISO 639-1 code; one without a row in `ARTICLES` keeps all words. In Chinese and Japanese each
    character is a word. English loses ASCII punctuation only, as SQuAD has it, the others all of Unicode's.

    >>> normalised("The  Eiffel-Tower (in Paris)!")
    'eiffeltower in paris'
    >>> normalised("L’homme « le plus » vieux", "fr")
    'homme plus vieux'
    >>> normalised("東京の UNO 本部。", "ja")
    '東 京 の uno 本 部'
    """
    text = text.lower()
    if language in ELIDED:
        text = ELIDED[language].sub(" ", text)
    text = _without_punctuation(text, ascii_only=language == "en")
    if language in ARTICLES:
        text = ARTICLES[language].sub(" ", text)
    if language in SPLIT_BY_CHARACTER:
        text = CHARACTER.sub(r" \1 ", text)
    return " ".join(text.split())


def exact_match(said: str, answers: Sequence[str], language: str = "en") -> float:
    """1 if what is said is one of the answers, compared `normalised`, else 0. Without answers: 1 if nothing is said.

    >>> exact_match("the tower", ["Tower.", "A big tower"])
    1.0
    """
    heard = normalised(said, language)
    return float(heard in _accepted(answers, language))


def token_f1(said: str, answers: Sequence[str], language: str = "en") -> float:
    """F1 of the words said, in [0, 1], for the answer that fits best. Without answers: 1 if nothing is said.

    A word counts as often as it occurs on both sides.

    >>> token_f1("big red tower", ["the tower", "a tower of red bricks"])
    0.5714285714285715
    """
    words = normalised(said, language).split()
    return max(_f1(words, answer.split()) for answer in _accepted(answers, language))


def per_row(
    said: Sequence[str], answers: Sequence[Sequence[str]], language: str = "en"
) -> NDArray[np.float64]:
    """(rows, 2): exact match and F1 of each row; the scores are the means, and `intervals` takes a column.

    said: (rows,), empty where nothing is said.  answers: (rows,), each all accepted ones, none if unanswerable.
    """
    assert len(said) == len(answers), f"{len(said)} rows said and {len(answers)} rows of answers"
    pairs = [
        (exact_match(heard, accepted, language), token_f1(heard, accepted, language))
        for heard, accepted in zip(said, answers, strict=True)
    ]
    return np.array(pairs, np.float64).reshape(len(pairs), 2)


def best_threshold(margin: Floats, f1_if_answered: Floats, answerable: Bools) -> tuple[float, float]:
    """Threshold with the highest mean score if exactly the rows with margin <= threshold are answered; that mean.

    margin: (rows,), score of 'no answer' minus score of the best span, finite.  f1_if_answered: (rows,), what
    the span scores; of an unanswerable row 0, but 1 if the span is empty.  answerable: (rows,).  All should be
    validation rows.

    The search of evaluate-v2.0.py (`find_best_thresh`), which adds rows in the order of their margin; but rows
    of one margin are not cut apart, since no threshold does that, and of equal means the one that answers more
    is taken, where the script answers less. If answering nothing is best, the threshold lies just below the
    lowest margin; the script's 0 means that only for probabilities.

    >>> best_threshold(np.array([-3.0, -1.0, 2.0]), np.array([1.0, 0.5, 0.0]), np.array([True, True, False]))
    (-1.0, 0.8333333333333334)
    """
    margin, answerable = np.asarray(margin, np.float64), np.asarray(answerable, bool)
    assert margin.shape == f1_if_answered.shape == answerable.shape, (
        f"margins {margin.shape}, scores {f1_if_answered.shape}, answerable {answerable.shape}"
    )
    assert len(margin) > 0, "no row to search on"
    assert np.isfinite(margin).all(), "margins must be finite"

    order = np.argsort(margin, kind="stable")
    rising = margin[order]
    if_silent = np.where(answerable, 0.0, 1.0)
    gained = (np.asarray(f1_if_answered, np.float64) - if_silent)[order]
    sums = np.cumsum(np.concatenate([[if_silent.sum()], gained]))  # (rows + 1,), after k rows answered
    # The number next to zero is a denormal, which a process that flushes them (devices.py) takes for zero.
    below = min(np.nextafter(rising[0], -np.inf), rising[0] - np.finfo(np.float64).tiny)
    thresholds = np.concatenate([[below], rising])

    can_be_cut = np.append(thresholds[:-1] < thresholds[1:], True)
    sums = np.where(can_be_cut, sums, -np.inf)
    answered = np.flatnonzero(sums == sums.max())[-1]
    return float(thresholds[answered]), float(sums[answered] / len(margin))


def _accepted(answers: Sequence[str], language: str) -> list[str]:
    """The accepted answers, normalised. An answer of which nothing is left does not count; without any, only "" is right."""
    left = (normalised(answer, language) for answer in answers)
    return [answer for answer in left if answer] or [""]


def _f1(said: list[str], answer: list[str]) -> float:
    if not said or not answer:
        return float(said == answer)
    common = (Counter(said) & Counter(answer)).total()
    if common == 0:
        return 0.0
    precision, recall = common / len(said), common / len(answer)
    return (2 * precision * recall) / (precision + recall)


def _without_punctuation(text: str, *, ascii_only: bool) -> str:
    if ascii_only:
        return "".join(sign for sign in text if sign not in string.punctuation)
    return "".join(
        sign
        for sign in text
        if sign not in string.punctuation and not unicodedata.category(sign).startswith("P")
    )
