"""Names of columns in the form in which they are compared."""

import re

HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
GAPS = re.compile(r"[\s\-./]+")


def normal(name: str) -> str:
    """A column's name in small letters, its words with `_` between them.

    >>> normal("Sentence 1"), normal("reviewText"), normal("is-valid")
    ('sentence_1', 'review_text', 'is_valid')
    """
    return GAPS.sub("_", HUMP.sub("_", name.strip())).lower()


def words_of_name(name: str) -> list[str]:
    """
    >>> words_of_name("airline_sentiment"), words_of_name("Class Index")
    (['airline', 'sentiment'], ['class', 'index'])
    """
    return [word for word in normal(name).split("_") if word]
