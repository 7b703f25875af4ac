"""The sentence of a text that has most of a question's words: what can be answered without learning anything.

After the sliding window of Richardson et al. 2013 (MCTest, algorithm 1): there some words in a row, here a sentence, in
which a word counts the more the rarer it is.
"""

import math
from collections import Counter

from luthier.tasks.question_answering.sentences import WORD, Place, sentences_of

LONGEST = 1_000
"""Characters of a sentence; where marks are missing, a piece of the text."""


def nearest_sentence(question: str, text: str) -> tuple[Place, float] | None:
    """Where it stands, the first of equals, and the share of the question it holds, in [0, 1]; None without a word in common.

    A word of the question that is in k of n sentences weighs log(1 + n / k).

    >>> nearest_sentence("Who opened the workshop?", "It is in Cremona. Guarneri opened the workshop.")[0]
    (18, 46)
    """
    places = [[match.span() for match in WORD.finditer(text, *one)] for one in sentences_of(text, LONGEST)]
    places = [words for words in places if words]
    spoken = [{text[begin:end].lower() for begin, end in words} for words in places]
    held = Counter(word for words in spoken for word in words)
    weights = {
        word: math.log(1 + len(places) / max(1, held[word]))
        for word in sorted({match.group().lower() for match in WORD.finditer(question)})
    }
    shared = [sum(weights[word] for word in sorted(words & weights.keys())) for words in spoken]
    if not any(shared):
        return None
    best = max(range(len(shared)), key=shared.__getitem__)
    words = places[best]
    return (words[0][0], words[-1][1]), shared[best] / sum(weights.values())
