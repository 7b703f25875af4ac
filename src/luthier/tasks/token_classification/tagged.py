"""The tags of a table's rows, however they are written: a list, a text with blanks between them, or spans."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from luthier.arrays import Ints
from luthier.batches.word_rows import Words
from luthier.data.table import Table
from luthier.data.tags import parts, scheme_of, tags_of_spans, to_iob2
from luthier.errors import DataError, listing, shorten
from luthier.forms.form import Columns

KIND = re.compile(r"(?![A-Za-z]-)[^\W\d_][\w+$-]*")
"""The type of an entity, or a part of speech, without a mark."""


def holds_spans(table: Table, name: str) -> bool:
    """Whether a column holds lists of objects with a start and an end."""
    kind = table.columns.schema.field(name).type
    return bool(pa.types.is_list(kind) and pa.types.is_struct(kind.value_type))


def tags_of(
    table: Table,
    columns: Columns,
    rows: Sequence[Words],
    values: Sequence[Any],
    usable: Ints,
    repairs: dict[str, list[int]],
) -> dict[int, list[str]]:
    """Strict IOB2 tags of each usable row's words; what was mended is noted. Raises DataError for what cannot be."""
    found: dict[int, list[str]] = {}
    spans = holds_spans(table, columns["label"])
    refuse_no_tags(table, columns["label"], [values[row] for row in usable.tolist()])
    split = {row: split_tags(values[row]) for row in usable.tolist()} if not spans else {}
    refuse_bare_types(table, columns["label"], split.values())
    scheme = scheme_of(split.values())
    for row in usable.tolist():
        try:
            if spans:
                words = rows[row]
                found[row], counts = tags_of_spans(words.places, values[row], len(words.text))
            else:
                tags = split[row]
                if len(tags) != len(rows[row]):
                    raise DataError(
                        f"{table.place(row)}: column {columns['label']!r}: {len(rows[row])} tokens and {len(tags)} tags, of "
                        "which there must be as many. Correct the row, or name another column with --label."
                    )
                found[row], counts = to_iob2(tags, scheme)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{table.place(row)}: column {columns['label']!r}: {str(error).rstrip('.')}. --label names another column."
            ) from None
        for what in counts:
            repairs[what].append(row)
    return found


def refuse_no_tags(table: Table, label: str, values: Iterable[Any]) -> None:
    """Raise DataError where values are neither lists nor texts."""
    strange = next((value for value in values if not isinstance(value, str | list)), None)
    if strange is not None:
        raise DataError(
            f"{table.files[0]}: column {label!r} holds {shorten(repr(strange))}, which is no tags. Expected a list with a tag "
            "for each word, one text with blanks between the tags, or spans. --label names another column."
        )


def refuse_bare_types(table: Table, label: str, rows: Iterable[Sequence[str]]) -> None:
    """Raise DataError where most tags are types without a mark, as parts of speech are."""
    tags = Counter(tag for row in rows for tag in row if tag != "O")
    bare = {tag: count for tag, count in tags.items() if parts(tag) is None and KIND.fullmatch(tag)}
    if 2 * sum(bare.values()) > tags.total():
        raise DataError(
            f"{table.files[0]}: the tags in column {label!r} are types without a mark, such as "
            f"{listing([shorten(tag) for tag in sorted(bare)], 4)}. Expected O, or B- or I- with a type, such as B-LOC. "
            "Put I- before each type (PER becomes I-PER) where words of one type side by side are one entity, or B- where each "
            "word stands for itself, as parts of speech do (NOUN becomes B-NOUN). --label names another column."
        )


def split_tags(value: Any) -> list[str]:
    """Tags given as a list, or as one text with blanks between them."""
    return value.split() if isinstance(value, str) else [str(tag) for tag in value]
