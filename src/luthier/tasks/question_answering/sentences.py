"""Sentences and words of a text in any language, found by their marks: rough, and with nothing to download."""

import re
from collections.abc import Iterator

SENTENCE = re.compile(
    r"[^.!?\u3002\uff01\uff1f\n]+(?:[.!?](?=\S)[^.!?\u3002\uff01\uff1f\n]*)*[.!?\u3002\uff01\uff1f]?"
)
"""A mark in the midst of a word, as in 3.5, ends no sentence."""
HAN_AND_KANA = r"\u3040-\u30ff\u3400-\u9fff"
CHARACTER = re.compile(f"[{HAN_AND_KANA}]")
WORD = re.compile(rf"[{HAN_AND_KANA}]|[^\W{HAN_AND_KANA}]+(?:[-'’.,]\w+)*")
"""A word; in Chinese and Japanese, each character is one."""

Place = tuple[int, int]
"""Begin and end in a text."""


def sentences_of(text: str, longest: int) -> Iterator[Place]:
    """Where each sentence stands; one of more than `longest` characters, as where marks are missing, in pieces.

    >>> list(sentences_of("It has 3.5 rooms. Why?", 600))
    [(0, 17), (17, 22)]
    """
    for match in SENTENCE.finditer(text):
        begin, end = match.span()
        while end - begin > longest:
            space = text.rfind(" ", begin + 1, begin + longest)
            cut = space if space > 0 else begin + longest
            yield begin, cut
            begin = cut
        yield begin, end
