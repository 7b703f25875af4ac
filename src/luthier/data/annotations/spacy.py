"""Training data of spaCy: entities as spans, categories with a number each, and documents of tokens."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from luthier.data.annotations.cells import field_type, head, is_nested, objects, replaced, sniffed, without
from luthier.data.annotations.expanding import expanded
from luthier.data.annotations.telling import named, remade
from luthier.data.table import Table
from luthier.errors import DataError, shorten

LIKELY = 0.5
"""A row has a category when the category's number is above this."""


def spacy_categories(table: Table) -> Table | None:
    """Categories `{"SPORTS": 1.0, "POLITICS": 0.0}` as labels."""
    if "cats" not in table.names or not holds_numbers(table):
        return None
    labels = []
    for row, value in enumerate(objects(table, "cats", "categories")):
        if value is not None and not has_numbers(value):
            raise DataError(
                f"{table.place(row)}: column 'cats' holds {shorten(repr(value))}. Expected an object with a number for each "
                "category, as in the other rows. Correct it, or name another column with --label."
            )
        labels.append(labels_of(value))
    table = remade(replaced(table, "cats", labels, pa.list_(pa.string())))
    if "entities" in table.names and any(head(table, "entities")):
        return table
    text = {"text": "text"} if "text" in table.names else {}
    return named(table, "text-classification", "it is spaCy's form of categories", {**text, "label": "cats"})


def holds_numbers(table: Table) -> bool:
    seen = [value for value in sniffed(table, "cats") if value]
    return bool(seen) and all(map(has_numbers, seen))


def has_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, int | float | None) for one in value.values())


def labels_of(value: Mapping[str, Any] | None) -> list[str] | None:
    """The categories of a row; None where it has none at all."""
    if value is None:
        return None
    return [name for name, number in value.items() if number is not None and number > LIKELY]


def spacy_documents(table: Table) -> Table | None:
    """Documents of paragraphs of sentences of tokens, as spaCy 2 writes them: a row for each sentence."""
    if "paragraphs" not in table.names or not is_nested(table, "paragraphs"):
        return None
    inside = str(field_type(table, "paragraphs"))
    if "tokens" not in inside or "ner" not in inside or "orth" not in inside:
        return None
    rows = [
        (row, sentence)
        for row, value in enumerate(table.values("paragraphs"))
        for sentence in sentences(value)
    ]
    tokens = [[str(token.get("orth")) for token in sentence] for _, sentence in rows]
    tags = [
        ["O" if token.get("ner") in (None, "-", "") else token["ner"] for token in sentence]
        for _, sentence in rows
    ]
    table = expanded(table, [row for row, _ in rows])
    words = pa.list_(pa.string())
    table = without(replaced(replaced(table, "tokens", tokens, words), "tags", tags, words), "paragraphs")
    why = "it is what spaCy 2 trains on, documents of tokens"
    return named(table, "token-classification", why, {"text": "tokens", "label": "tags"})


def sentences(paragraphs: Any) -> Iterator[list[dict[str, Any]]]:
    for paragraph in paragraphs or ():
        for sentence in (paragraph or {}).get("sentences") or ():
            tokens = [token for token in (sentence or {}).get("tokens") or () if token]
            if tokens:
                yield tokens
