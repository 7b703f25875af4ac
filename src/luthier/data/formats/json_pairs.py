"""Rows of JSON that are lists: a text beside its label or spans, words beside their tags, texts that belong together, turns."""

from collections.abc import Sequence
from typing import Any

from luthier.data.conversations.turns import is_turn
from luthier.data.tags import parts

HEADER_NAMES = frozenset(
    (
        *(
            "text",
            "label",
            "labels",
            "sentence",
            "sentence1",
            "sentence2",
            "text1",
            "text2",
            "category",
            "class",
        ),
        *("tokens", "tags", "words", "query", "question", "context", "answer", "score", "anchor", "positive"),
    )
)
"""Names by which a first row of texts is known to name the columns."""


def as_object(value: Any) -> dict[str, Any] | None:
    """A row that is a list as an object of the same content; None where it is of no form that is known.

    >>> as_object(["Ann left", {"entities": [[0, 3, "person"]]}])
    {'text': 'Ann left', 'entities': [[0, 3, 'person']]}
    >>> as_object([["Ann", "left"], ["B-person", "O"]])
    {'tokens': ['Ann', 'left'], 'tags': ['B-person', 'O']}
    >>> as_object([["Ann", "B-person"], ["left", "O"], [".", "O"]])
    {'tokens': ['Ann', 'left', '.'], 'tags': ['B-person', 'O', 'O']}
    >>> as_object(["Ann left", "She is gone", 0.8])
    {'texts': ['Ann left', 'She is gone'], 'label': 0.8}
    """
    if not isinstance(value, list) or not value:
        return None
    if all(map(is_turn, value)):
        return {"messages": value}
    if all(isinstance(item, list) for item in value):
        return words_and_tags(value)
    first, rest = value[0], value[1:]
    if not isinstance(first, str):
        return None
    if len(rest) == 1 and isinstance(rest[0], dict):
        return {"text": first, **{key: item for key, item in rest[0].items() if key != "text"}}
    if len(rest) == 1 and isinstance(rest[0], list):
        plain = all(isinstance(item, str) for item in rest[0])
        return {"text": first, "label" if plain and rest[0] else "entities": rest[0]}
    *texts, last = value
    if all(isinstance(item, str) for item in value):
        return {"texts": value}
    if all(isinstance(item, str) for item in texts) and isinstance(last, int | float):
        return {"text": first, "label": last} if len(texts) == 1 else {"texts": texts, "label": last}
    return None


def words_and_tags(lists: Sequence[list[Any]]) -> dict[str, Any] | None:
    """Two lists side by side, or a list for each word that ends with its tag."""
    if len(lists) == 2 and len(lists[0]) == len(lists[1]) and are_tags(lists[1]):
        return {"tokens": lists[0], "tags": lists[1]}
    if all(len(one) > 1 and isinstance(one[0], str) for one in lists) and are_tags(
        [one[-1] for one in lists]
    ):
        return {"tokens": [one[0] for one in lists], "tags": [one[-1] for one in lists]}
    return None


def are_tags(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, str) and parts(value) is not None for value in values)


def is_header(value: Any) -> bool:
    """Whether a row that is a list names the columns of the others.

    >>> is_header(["Text", "Label"]), is_header(["a good film", "praise"])
    (True, False)
    """
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(name, str) and name.strip() for name in value)
        and len(set(value)) == len(value)
        and any(name.strip().lower() in HEADER_NAMES for name in value)
    )


class ListRows:
    """Rows of a file that may be lists: each as an object, by the header where the first is one.

    Where the first row is no list, a later one that is stays as it is: it is a fault.
    """

    def __init__(self) -> None:
        self.header: list[str] | None = None
        self.are_lists: bool | None = None

    def is_header(self, value: Any) -> bool:
        """Whether a row, the next of the file, is the header: it is no row then."""
        if self.are_lists is not None or value in (None, {}):
            return False
        self.are_lists = isinstance(value, list)
        if is_header(value):
            self.header = [name.strip() for name in value]
        return self.header is not None

    def row(self, value: Any) -> Any:
        """The row as an object, where it can be one; else as it is. Among lists, a row that is null is empty."""
        if not self.are_lists:
            return value
        if self.header is not None and isinstance(value, list) and len(value) == len(self.header):
            return dict(zip(self.header, value, strict=True))
        return {} if value is None else as_object(value) or value
