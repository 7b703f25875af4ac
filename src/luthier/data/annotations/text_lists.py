"""Lists of texts that belong together: two in one column, or a query with all that answers it and all that does not."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from luthier.data.annotations.cells import head, is_nested, is_text, lists_in, replaced, sniffed, without
from luthier.data.annotations.expanding import expanded
from luthier.data.annotations.telling import named, noted, remade
from luthier.data.column_facts import reads_like_text
from luthier.data.column_names import normal
from luthier.data.known_names import LABEL_NAMES, SCORE_NAMES
from luthier.data.table import Table
from luthier.errors import DataError, counted

LIST_NAMES = (
    "texts",
    "set",
    "pair",
    "sentences",
    "sentence_pair",
    "text_pair",
    "pairs",
    "triplet",
    "paraphrases",
)
SETS = ("set", "paraphrases")
QUERY_NAMES = ("query", "anchor", "question", "q", "text", "sentence")
POSITIVE_NAMES = (
    *(
        "pos",
        "positive",
        "positives",
        "positive_passages",
        "positive_ctxs",
        "pos_docs",
        "positive_docs",
        "relevant",
    ),
    *("positive_documents", "positive_texts"),
)
NEGATIVE_NAMES = (
    *(
        "neg",
        "negative",
        "negatives",
        "hard_negatives",
        "hard_negative",
        "negative_passages",
        "hard_negative_ctxs",
    ),
    *("negative_ctxs", "neg_docs", "negative_docs", "irrelevant", "negative_documents", "negative_texts"),
)


def text_lists(table: Table) -> Table | None:
    """Two or three texts of one column as columns."""
    if table.layout.task is not None:
        return None
    names = {normal(name): name for name in table.names}
    name = next((names[one] for one in LIST_NAMES if one in names and holds_texts(table, names[one])), None)
    if name is None:
        return None
    values = [
        None if own is None else [text_of(one) for one in own]
        for own in lists_in(table, name, "lists of texts")
    ]
    if normal(name) in SETS and not any(normal(one) in (*SCORE_NAMES, *LABEL_NAMES) for one in table.names):
        return of_sets(table, name, values)
    if any(is_text(table, one) and wordy(head(table, one)) for one in table.names if one != name):
        return None  # the lists are about a text that stands beside them
    width = max(len(own) for own in values if own)
    label = next(
        (names[one] for one in (*SCORE_NAMES, *LABEL_NAMES) if one in names and names[one] != name), None
    )
    if width > 3 or (width == 3 and label is not None):
        raise DataError(
            f"{table.files[0]}: column {name!r} holds up to {width} texts in a row{' beside a label' if label else ''}. Expected "
            "two, or three without a label: a text, one that belongs to it, and one that does not. Write a row for each pair, "
            "with the columns text and text2."
        )
    columns = [list(column) for column in zip(*(padded(own, width) for own in values), strict=True)]
    if width == 2 and label is None and are_labels(columns[1]):
        return as_columns(
            table,
            name,
            {"text": columns[0], "label": columns[1]},
            None,
            "rows are lists of a text and its label",
        )
    if width == 1:
        return as_columns(table, name, {"text": columns[0]}, None, "rows are lists of one text")
    if width == 3:
        triplet = dict(zip(("anchor", "positive", "negative"), columns, strict=True))
        why = "rows are three texts, a text, one that belongs to it, and one that does not"
        return as_columns(table, name, triplet, "embedding", why)
    pair = dict(zip(("text", "text2"), columns, strict=True))
    if label is None:
        return as_columns(
            table, name, pair, "embedding", "rows are two texts that belong together, without a label"
        )
    return as_columns(table, name, pair, None, f"{name!r} holds two texts in each row", label)


def of_sets(table: Table, name: str, values: Sequence[list[str | None] | None]) -> Table:
    """Texts that all mean the same: a row for each but the first, beside the first."""
    there = [own or [None] for own in values]  # A row without a text stays, to be counted as empty.
    pairs = [(row, own[0], other) for row, own in enumerate(there) for other in (own[1:] or [None])]
    table = expanded(table, [row for row, *_ in pairs])
    table = replaced(table, "text", [first for _, first, _ in pairs], pa.string())
    table = replaced(table, "text2", [other for *_, other in pairs], pa.string())
    if name not in ("text", "text2"):
        table = without(table, name)
    why = "rows are sets of texts that belong together, without a label"
    return named(table, "embedding", why, {"text": "text", "text2": "text2"})


def holds_texts(table: Table, name: str) -> bool:
    """Whether a column holds lists of texts, of which some have more than one."""
    seen = sniffed(table, name)
    fit = all(isinstance(own, list) and all(text_of(one) is not None for one in own) for own in seen)
    return bool(seen) and fit and any(len(own) > 1 for own in seen)


def text_of(value: Any) -> str | None:
    """A text, or that of an object such as a passage."""
    if isinstance(value, dict):
        value = next(
            (value[key] for key in ("text", "content", "passage", "contents", "document") if value.get(key)),
            None,
        )
    return value if isinstance(value, str) else None


def padded(own: Sequence[str | None] | None, width: int) -> list[str | None]:
    return [*(own or ()), *[None] * (width - len(own or ()))]


def are_labels(values: Sequence[str | None]) -> bool:
    """Whether texts are labels: short ones that come again and again."""
    there = [value for value in values if value]
    return len(set(there)) <= len(there) / 2 and not wordy(there)


def wordy(values: Sequence[str]) -> bool:
    """Whether most of some values read like texts."""
    return sum(map(reads_like_text, values)) > len(values) / 2


def as_columns(
    table: Table,
    name: str,
    columns: dict[str, list[Any]],
    task: str | None,
    why: str,
    label: str | None = None,
) -> Table:
    table, roles = remade(table), {}
    for (wanted, values), role in zip(columns.items(), ("text", "text2", "negative"), strict=False):
        column = wanted if wanted not in table.names or wanted == name else f"{name}.{wanted}"
        table = replaced(table, column, values, pa.string())
        roles["label" if wanted == "label" else role] = column
    if label is not None:
        roles["label"] = label
    table = table if name in roles.values() else without(table, name)
    return named(table, task, why, roles)


def candidates(table: Table) -> Table | None:
    """A query with lists of positives and perhaps negatives: a row for each positive, with one negative beside it."""
    if table.layout.task is not None:
        return None
    names = {normal(name): name for name in table.names}
    query = next((names[one] for one in QUERY_NAMES if one in names and is_text(table, names[one])), None)
    positive = next(
        (names[one] for one in POSITIVE_NAMES if one in names and holds_some(table, names[one])), None
    )
    if query is None or positive is None:
        return None
    negatives = [names[one] for one in NEGATIVE_NAMES if one in names and holds_some(table, names[one])]
    if not any(sniffed(table, name) for name in (positive, *negatives)):
        return None
    near = lists(table, positive)
    if not negatives and not wordy([text for own in near for text in own]):
        return None
    far = [texts for name in negatives for texts in [lists(table, name)]]
    apart = (
        [[text for own in rows for text in own] for rows in zip(*far, strict=True)]
        if far
        else [[] for _ in near]
    )
    rows, first, second = beside_each_other(near, apart)
    unread = sum(map(len, apart)) - sum(
        min(len(one), len(other)) for one, other in zip(near, apart, strict=True)
    )
    table = without(expanded(table, rows), positive, *negatives)
    columns = {"text": query, "text2": "positive" if positive in POSITIVE_NAMES[1:] else positive}
    table = replaced(table, columns["text2"], first, pa.string())
    with_negatives = bool(negatives) and any(apart)
    if with_negatives:
        second = filled_up(second)
        columns["negative"] = "negative" if "negative" not in table.names else "neg"
        table = replaced(table, columns["negative"], second, pa.string())
    table = noted(table, told(positive, len(near), len(rows), with_negatives, unread))
    return named(table, "embedding", f"it is a query, {positive!r} and what is not an answer", columns)


def holds_some(table: Table, name: str) -> bool:
    """Whether a column holds texts, or lists of them."""
    seen = sniffed(table, name)
    if not seen:
        return is_text(table, name) and bool(head(table, name))
    return all(isinstance(own, list) and all(text_of(one) is not None for one in own) for own in seen)


def lists(table: Table, name: str) -> list[list[str]]:
    """The texts of each row."""
    if sniffed(table, name) or is_nested(table, name):
        values = lists_in(table, name, "lists of texts")
    else:
        values = [[text] for text in table.values(name)]
    return [[text for text in map(text_of, own or ()) if text and text.strip()] for own in values]


def beside_each_other(
    near: Sequence[list[str]], far: Sequence[list[str]]
) -> tuple[list[int], list[str | None], list[str | None]]:
    """Row, positive and negative of each new row. A row without a positive stays, to be counted as empty."""
    found = list(pairs_of_rows(near, far))
    return [row for row, _, _ in found], [one for _, one, _ in found], [other for _, _, other in found]


def pairs_of_rows(
    near: Sequence[list[str]], far: Sequence[list[str]]
) -> Iterator[tuple[int, str | None, str | None]]:
    for row, (positives, negatives) in enumerate(zip(near, far, strict=True)):
        for at, positive in enumerate(positives or [None]):
            yield row, positive, negatives[at % len(negatives)] if negatives else None


def filled_up(negatives: list[str | None]) -> list[str | None]:
    """The negatives of all queries. A query without one gets one of the query before it, so that its row can be learnt from."""
    there = [text for text in negatives if text is not None]
    last = there[-1]
    found: list[str | None] = []
    for text in negatives:
        last = text if text is not None else last
        found.append(last)
    return found


def told(positive: str, before: int, after: int, negatives: bool, unread: int) -> str:
    beside = " with a negative beside it" if negatives else ""
    more = f" {counted(unread, 'further negative')} are not read." if unread > 0 else ""
    return (
        f"{counted(before, 'query').replace('querys', 'queries')} with lists in {positive!r} are read as "
        f"{counted(after, 'row')}, one for each positive{beside}.{more} A row for each pair or triplet corrects it."
    )
