"""The metric that suits the right answers of a set, guessed from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from luthier.scores.json_answers import is_json, json_match
from luthier.scores.number_answers import is_number, number_match
from luthier.scores.rouge import rouge_l, words
from luthier.scores.verifiers import exact_match

NEARLY_ALL = 0.98
"""The share of the answers that is to be of a kind: of many rows, some are always odd."""
TIMES_EACH = 3
"""How often each answer is to be given on average where answers are labels."""
LABEL_CHARACTERS = 60
"""The most characters of an answer that is a label."""
SHORT_WORDS = 30
"""The most words of a short answer: of longer ones there are too many that are right to be compared with one."""
LOSS = "loss"


@dataclass(frozen=True)
class Suited:
    """The metric that answers are to be judged by, and why."""

    metric: str
    why: str


def which_match(rights: Sequence[str], comma: bool = False) -> Suited:
    """The metric that suits right answers. comma: whether numbers have a decimal comma.

    >>> which_match(["12", "1,250", "7.5"])
    Suited(metric='number_match', why='all 3 answers are numbers')
    >>> which_match(["yes", "no", "no", "yes", "no", "yes"])
    Suited(metric='exact_match', why='6 answers are 2 different ones, none over 3 characters')
    """
    assert rights, "no answer to judge by"
    numbers = sum(is_number(right, comma) for right in rights)
    parsed = sum(map(is_json, rights))
    distinct = {right.strip() for right in rights}
    longest, usual = max(map(len, distinct)), median(len(words(right)) for right in rights)
    if parsed >= NEARLY_ALL * len(rights):
        return Suited(json_match.__name__, f"{share(parsed, len(rights))} are JSON")
    if numbers >= NEARLY_ALL * len(rights):
        return Suited(number_match.__name__, f"{share(numbers, len(rights))} are numbers")
    if TIMES_EACH * len(distinct) <= len(rights) and longest <= LABEL_CHARACTERS:
        told = f"{len(rights):,} answers are {len(distinct):,} different ones, none over {longest} characters"
        return Suited(exact_match.__name__, told)
    if usual <= SHORT_WORDS:
        told = f"half of the answers have {usual:,.0f} word{'s' * (usual != 1)} or fewer"
        return Suited(rouge_l.__name__, told)
    return Suited(LOSS, f"half of the answers have {usual:,.0f} words or more, and many could be right")


def share(some: int, of: int) -> str:
    """
    >>> share(3, 3), share(588, 600)
    ('all 3 answers', '588 of 600 answers')
    """
    return f"all {of:,} answers" if some == of else f"{some:,} of {of:,} answers"
