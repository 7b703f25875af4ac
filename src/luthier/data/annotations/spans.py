"""Spans in a text, from every form in which they are written, as lists of start, end and label in characters."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa

from luthier.data.annotations.cells import head, is_text, objects, replaced, sniffed
from luthier.data.annotations.span_places import AS_IS, Places, RawSpan, Reading, find_reading
from luthier.data.annotations.telling import named, noted, remade
from luthier.data.column_names import normal
from luthier.data.known_names import TEXT_NAMES
from luthier.data.table import Table
from luthier.errors import DataError, counted, shorten

SPANS = pa.list_(pa.struct({"start": pa.int64(), "end": pa.int64(), "label": pa.string()}))
"""The type that a column of spans is brought to."""

START_KEYS = (
    *("start", "begin", "startoffset", "beginoffset", "startchar", "charstart", "startindex", "beginindex"),
    *("startpos", "charbegin", "startposition", "from", "offset"),
)
END_KEYS = (
    *("end", "endoffset", "endchar", "charend", "endindex", "endpos", "endposition", "stop", "to", "finish"),
)
LENGTH_KEYS = ("length", "len")
ENDS = (*END_KEYS, *LENGTH_KEYS)
LABEL_KEYS = (
    *(
        "label",
        "labels",
        "type",
        "entitytype",
        "entitygroup",
        "tag",
        "category",
        "class",
        "classname",
        "labelname",
    ),
    *(
        "displayname",
        "ner",
        "nertag",
        "entitylabel",
        "labelid",
        "slot",
        "concept",
        "entity",
        "role",
        "name",
        "key",
    ),
)
SURFACE_KEYS = (
    *(
        "text",
        "word",
        "surface",
        "surfaceform",
        "mention",
        "span",
        "value",
        "content",
        "quote",
        "string",
        "entitytext",
    ),
    *("token", "entity", "name"),
)
"""Keys of a span in order of preference; compared in lower case, without `_` and the like."""

SPAN_NAMES = (
    "spans",
    "entities",
    "label",
    "labels",
    "ents",
    "ner",
    "annotations",
    "annotation",
    "slots",
    "ner_tags",
)
"""Names of columns of spans, in order of preference where there are several."""
TEXT_FIRST = ("text", "sentence", "utterance", "content", "data", "document", "body", *TEXT_NAMES)

EXAMPLE = '[{"start": 0, "end": 5, "label": "LOC"}]'
FEW = 0.05
"""Largest share of rows that hold something else in a column of spans: they are refused by their rows."""
LIKELY = 0.5
"""Share of the spans that must begin and end with words where the column's name does not say what it holds."""

WHOLE = re.compile(r"[-+]?\d{1,10}(\.0+)?")
PLACES = range(-(2**31), 2**31)
"""Numbers that can be places: no text of Arrow's is longer."""


class NoSpan(ValueError):
    """A value that is no span; its words follow "column ... holds"."""


def spans_in(value: Any) -> list[RawSpan] | None:
    """The spans of a row, None where it has no value. Raises NoSpan.

    >>> spans_in([[0, 3, "person"]]) == spans_in([{"begin": 0, "stop": 3, "tag": "person"}])
    True
    >>> spans_in([{"label": ["person"], "points": [{"start": 0, "end": 2, "text": "Ann"}]}])
    [RawSpan(start=0, end=2, label='person', surface='Ann')]
    """
    if value is None:
        return None
    if isinstance(value, dict):
        return [span for item in side_by_side(value) for span in spans_of(item)]
    if not isinstance(value, list):
        raise NoSpan(f"{shorten(repr(value))}")
    return [span for item in value if item is not None for span in spans_of(item)]


def side_by_side(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The objects of an object of lists, as the Hub's data sets keep a sequence of objects. Raises NoSpan."""
    lists = {key: item for key, item in value.items() if isinstance(item, list)}
    if not lists or len({len(item) for item in lists.values()}) != 1 or not keys_of(lists):
        raise NoSpan(shorten(repr(value)))
    for items in zip(*lists.values(), strict=True):
        yield dict(zip(lists, items, strict=True))


def spans_of(item: Any) -> Iterator[RawSpan]:
    """A span, once for each of its labels and places."""
    if isinstance(item, list):
        yield of_list(item)
        return
    if not isinstance(item, dict):
        raise NoSpan(shorten(repr(item)))
    points = item.get("points")
    if isinstance(points, list):
        for point in points:
            if point is not None and not isinstance(point, dict):
                raise NoSpan(shorten(repr(item)))
            if point is not None:
                yield from spans_of({**point, "label": item.get("label")})
        return
    keys = keys_of(item)
    if keys is None:
        raise NoSpan(shorten(repr(item)))
    start_key, end_key, label_key = keys
    start, end = whole(item[start_key]), whole(item[end_key])
    labels = names_in(item[label_key])
    if start is None or end is None or not labels:
        raise NoSpan(shorten(repr(item)))
    if squeezed(end_key) in LENGTH_KEYS:
        end += start
    surface = next(
        (item[k] for k in surfaces_among(tuple(item)) if k != label_key and isinstance(item[k], str)), None
    )
    for label in labels:
        yield RawSpan(start, end, label, surface)


def keys_of(item: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """The keys of start, end (or length) and label."""
    return keys_among(tuple([key for key, value in item.items() if value is not None]))


@lru_cache(1024)
def keys_among(there: tuple[str, ...]) -> tuple[str, str, str] | None:
    found = [next(iter(known(there, names)), None) for names in (START_KEYS, ENDS, LABEL_KEYS)]
    start, end, label = found
    return None if start is None or end is None or label is None else (start, end, label)


@lru_cache(1024)
def surfaces_among(there: tuple[str, ...]) -> list[str]:
    """The keys that may hold the text of a span."""
    return known(there, SURFACE_KEYS)


def known(keys: Iterable[str], names: Sequence[str]) -> list[str]:
    """Those of some keys that are among names, in the order of the names."""
    there = {squeezed(key): key for key in keys}
    return [there[name] for name in names if name in there]


@lru_cache(1024)
def squeezed(key: str) -> str:
    return re.sub(r"[^a-z]", "", key.lower())


def of_list(item: list[Any]) -> RawSpan:
    """A span written as a list: two numbers with a label before or after them, and perhaps its text."""
    numbers = [at for at, value in enumerate(item) if whole(value) is not None]
    texts = [value for at, value in enumerate(item) if at not in numbers[:2]]
    if len(item) == 3 and len(numbers) == 3:
        numbers, texts = [0, 1], [str(item[2])]
    if len(numbers) < 2 or numbers[1] != numbers[0] + 1 or not 3 <= len(item) <= 4:
        raise NoSpan(shorten(repr(item)))
    start, end = whole(item[numbers[0]]), whole(item[numbers[1]])
    names = [str(text).strip() for text in texts if isinstance(text, str | int) and str(text).strip()]
    if start is None or end is None or len(names) != len(texts):
        raise NoSpan(shorten(repr(item)))
    if len(names) == 1:
        return RawSpan(start, end, names[0])
    # Beside the label stands the text of the span: it is as long as the span, or holds a blank.
    surface = min(names, key=lambda name: abs(len(name) - (end - start)))
    label = names[1] if names[0] is surface else names[0]
    return RawSpan(start, end, label, surface)


def whole(value: Any) -> int | None:
    """A whole number that can be a place in a text, however it was written.

    >>> whole(7), whole("7.0"), whole(7.5), whole(10**30)
    (7, 7, None, None)
    """
    if isinstance(value, str) and WHOLE.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and value in PLACES else None


def names_in(value: Any) -> list[str]:
    """The labels of a span: one, several, or one in an object with its name."""
    if isinstance(value, dict):
        value = next((value[key] for key in known(value, ("name", "label", "text", "value", "id"))), None)
    if isinstance(value, list):
        return [name for item in value for name in names_in(item)]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return []
    name = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    return [name] if name else []


def holds_spans(table: Table, name: str) -> bool:
    """Whether a column holds spans, by its own values: lists of things with a start, an end and a label."""
    rows = strange = 0
    for value in sniffed(table, name):
        try:
            rows += bool(spans_in(value))
        except NoSpan:
            strange += 1
    return rows > 0 and strange <= FEW * rows


def all_spans(table: Table, name: str) -> list[list[RawSpan] | None]:
    """The spans of all rows. Raises DataError for one that is none."""
    found = []
    for row, value in enumerate(objects(table, name, "spans")):
        try:
            found.append(spans_in(value))
        except NoSpan as words:
            raise DataError(
                f"{table.place(row)}: column {name!r} holds {words}. Expected spans with start, end and label, such as "
                f"{EXAMPLE}, as in the other rows. Correct it, or name another column with --label."
            ) from None
    return found


def spans(table: Table) -> Table | None:
    """Columns of spans in any form as spans in characters, with the text that they are in."""
    if table.layout.task not in (None, "token-classification") or {"question", "context"} <= set(table.names):
        return None
    columns = [name for name in table.names if holds_spans(table, name)]
    if not columns:
        return None
    told_by_form = table.layout.columns.get("label")
    best = told_by_form if told_by_form in columns else preferred(columns)
    text = table.layout.columns.get("text") or text_of_spans(table, best)
    if text is None:
        return None
    by_its_name = best == told_by_form or normal(best) in SPAN_NAMES
    if not by_its_name and shares_of_fit(table, text, all_spans(table, best)) < LIKELY:
        return None
    columns = [name for name in columns if name == best or normal(name) in SPAN_NAMES]
    why = (
        table.layout.why or f"column {best!r} holds spans of {text!r}, each with a start, an end and a label"
    )
    for name in columns:
        table = with_spans(table, name, text, all_spans(table, name))
    if "relations" in table.names and head(table, "relations"):
        table = noted(table, "relations between spans, in the column 'relations', are not read.")
    return named(table, "token-classification", why, {"text": text, "label": best})


def preferred(columns: Sequence[str]) -> str:
    """The column of several that most likely is meant."""
    there = {normal(name): name for name in columns}
    return next((there[name] for name in SPAN_NAMES if name in there), columns[0])


def text_of_spans(table: Table, spans_column: str) -> str | None:
    """The column that the spans are in: by name, else the one with the longest texts."""
    texts = [
        name
        for name in table.names
        if is_text(table, name) and name != spans_column and not sniffed(table, name)
    ]
    there = {normal(name): name for name in reversed(texts)}
    by_name = next((there[name] for name in TEXT_FIRST if name in there), None)
    return by_name or max(texts, key=lambda name: sum(map(len, head(table, name))), default=None)


def shares_of_fit(table: Table, text: str, found: Sequence[list[RawSpan] | None]) -> float:
    """The share of the spans that begin and end with words, by the way of counting that suits them best."""
    rows = [row for row, own in enumerate(found) if own]
    texts = table.texts(text, rows)
    spans = [found[row] or [] for row in rows]
    reading = find_reading(texts, spans)
    fit = [
        places.fits(*places.read(span, reading))
        for places, own in zip(map(Places, texts), spans, strict=True)
        for span in own
    ]
    return sum(fit) / max(1, len(fit))


def with_spans(table: Table, name: str, text: str, found: Sequence[list[RawSpan] | None]) -> Table:
    """The table with spans in a column, counted in characters; what was put right is told."""
    rows = [row for row, own in enumerate(found) if own]
    texts = table.texts(text, rows)
    reading = find_reading(texts, [found[row] or [] for row in rows])
    values: list[Any] = [None if own is None else [] for own in found]
    for row, content in zip(rows, texts, strict=True):
        places = Places(content)
        for span in found[row] or ():
            start, end = places.read(span, reading)
            values[row].append({"start": start, "end": end, "label": span.label})
    if table.values(name) != values:
        table = remade(table)
    table = replaced(table, name, values, SPANS)
    return table if reading == AS_IS else noted(table, told(name, text, reading, len(rows)))


def told(name: str, text: str, reading: Reading, rows: int) -> str:
    return (
        f"the spans in {name!r} count {reading.words}, by where the words of {text!r} begin and end in "
        f"{counted(rows, 'row')}; they are put right. Spans in characters from 0, with exclusive ends, correct it."
    )
