"""The check for texts in a language, or of a field, whose words the tokenizer breaks into pieces."""

from collections.abc import Iterator

import numpy as np

from luthier.checks.finding import Evidence, Finding, count_of

TIMES = 1.5
"""Times the pieces of a word of general sentences, from which on a text's words count as broken. With the tokenizer of
all-MiniLM-L6-v2, which makes 1.0 of those, they are in 91 to 99 of 100 German and 82 to 99 Spanish texts of XQuAD, in at most 11
of 100 texts of ten English sets (tweets), in 1 to 6 of abstracts on medicine."""
MOST = 0.5
"""Share of such texts from which on it is told."""
ENGLISH = 0.12
"""Least share of the commonest English words in texts that may be English."""
OTHER_LANGUAGE = (
    "Take a model of this language, or of many, such as --model sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2; or "
    "translate the texts."
)
OTHER_FIELD = "Take a model of this field. With this one, more labels help, and so does tuning its layers: --method full."


def pieces(evidence: Evidence) -> Iterator[Finding]:
    """Texts whose words are broken into far more pieces than those of general English sentences."""
    broken = None if evidence.tokens is None else evidence.tokens.broken
    if broken is None:
        return
    many = broken.pieces > TIMES * broken.usual
    if np.mean(many) < MOST:
        return
    count = int(many.sum())
    foreign = broken.common < ENGLISH
    yield Finding(
        check="pieces",
        severity="warn",
        count=count,
        share=float(np.mean(many)),
        rows=evidence.shown(broken.rows[many]),
        message=f"The tokenizer breaks words into pieces: {count_of(count, 'text', 'texts')} of {len(many):,} looked at have "
        f"more than {TIMES:g} times as many as general English sentences, {np.median(broken.pieces):.1f} a word against "
        f"{broken.usual:.1f}.",
        matters="The model has hardly read "
        + ("texts in this language" if foreign else "such words")
        + ": its features say little of them, and texts are cut off earlier.",
        mend=OTHER_LANGUAGE if foreign else OTHER_FIELD,
    )
