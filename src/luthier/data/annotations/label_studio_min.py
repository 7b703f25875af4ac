"""Exports of Label Studio as JSON-MIN and as CSV: a row for each annotation, a column for each control."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from luthier.data.annotations.cells import (
    fault_of,
    filled,
    head,
    is_nested,
    is_text,
    objects,
    replaced,
    sniffed,
)
from luthier.data.annotations.label_studio import is_image
from luthier.data.annotations.literals import looks_like_literal
from luthier.data.annotations.spans import holds_spans
from luthier.data.annotations.telling import named, noted, remade
from luthier.data.column_names import normal
from luthier.data.known_names import LABEL_NAMES, TEXT_NAMES
from luthier.data.table import Table
from luthier.errors import counted

MARKS = ("annotator", "annotation_id", "lead_time", "created_at", "updated_at")
"""Columns that the tool itself writes; an export has at least three of them."""
OWN = frozenset(
    (*MARKS, "id", "inner_id", "file_upload", "agreement", "ground_truth", "completed_by", "project")
)
KEYS = ("choices", "taxonomy", "rating", "number", "text")
"""Keys of the object that a control with several values is written as."""


def label_studio_min(table: Table) -> Table | None:
    """Controls with their values as labels, and the text or image beside them."""
    if sum(name in table.names for name in MARKS) < 3 or "lead_time" not in table.names:
        return None
    others = [name for name in table.names if name not in OWN]
    spans = [name for name in others if holds_spans(table, name)]
    for name in others:
        if name not in spans and (values := unwrapped(table, name)) is not None:
            table = remade(replaced(table, name, values))
    text = source_of(table, [name for name in others if name not in spans])
    labels = [name for name in others if name not in (text, *spans) and may_be_label(table, name)]
    if text is None or not (spans or labels):
        return None
    label = preferred([*spans, *labels])
    if len(spans) + len(labels) > 1:
        unread = ", ".join(repr(name) for name in (*spans, *labels) if name != label)
        table = noted(
            table,
            f"Label Studio's export has several columns that may have been annotated: {label!r} is learnt, not {unread}; "
            "--label COLUMN and --task NAME take another.",
        )
    table = once_each(table)
    why = f"it is Label Studio's export, where {label!r} was annotated"
    if label in spans:
        return named(table, "token-classification", why, {"text": text, "label": label})
    if all(map(is_image, head(table, text))):
        return named(table, "image-classification", why, {"image": text, "label": label})
    return named(table, None, why, {"text": text, "label": label})


def unwrapped(table: Table, name: str) -> list[Any] | None:
    """A control's values without the object around them; None where there is none.

    A control writes one value as it is, and several as `{"choices": ["a", "b"]}`.
    """
    if not (
        is_nested(table, name) or fault_of(table, name) or sniffed(table, name) or holds_choices(table, name)
    ):
        return None
    values = [plain(value) for value in loosely(table, name)]
    several = any(isinstance(value, list) and len(value) > 1 for value in values)
    if any(isinstance(value, dict) for value in values):
        return None
    if not several:
        return [next(iter(value), None) if isinstance(value, list) else value for value in values]
    return [value if isinstance(value, list) or value is None else [value] for value in values]


def holds_choices(table: Table, name: str) -> bool:
    """Whether some texts of a column write out several choices."""
    return is_text(table, name) and any(value.startswith('{"choices"') for value in filled(table, name))


def loosely(table: Table, name: str) -> list[Any]:
    """The values of a column in which some are objects, perhaps written as text, and others plain."""
    if is_nested(table, name) or fault_of(table, name) is not None:
        return objects(table, name, "what Label Studio writes")
    values = table.values(name)
    written = [isinstance(value, str) and looks_like_literal(value) for value in values]
    whole = iter(
        objects(table, name, "what Label Studio writes", [row for row, own in enumerate(written) if own])
    )
    return [next(whole) if own else value or None for value, own in zip(values, written, strict=True)]


def plain(value: Any) -> Any:
    """A value without the object around it; for a place in a tree of names, the path to it."""
    if isinstance(value, dict):
        found = next((value[key] for key in KEYS if value.get(key) is not None), value)
        return plain(found) if found is not value else value
    if isinstance(value, list):
        if value and all(isinstance(item, list) for item in value):
            return [" / ".join(map(str, item)) for item in value]
        return [
            item for one in value for item in ([one] if not isinstance(one, dict) else as_list(plain(one)))
        ]
    return value


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def source_of(table: Table, names: Sequence[str]) -> str | None:
    """The text or image that was annotated: by its name, else the column with the longest different texts."""
    texts = [name for name in names if is_text(table, name) and head(table, name)]
    there = {normal(name): name for name in texts}
    by_name = next((there[name] for name in (*TEXT_NAMES[:3], "image") if name in there), None)
    return by_name or max(texts, key=lambda name: sum(map(len, head(table, name))), default=None)


def may_be_label(table: Table, name: str) -> bool:
    """Whether the values of a column come again, or are numbers or lists, as those of a control are."""
    values = head(table, name)
    if not values or not is_text(table, name):
        return bool(values)
    return len(set(values)) <= max(2, len(values) // 2)


def preferred(names: Sequence[str]) -> str:
    there = {normal(name): name for name in names}
    return next((there[name] for name in LABEL_NAMES if name in there), names[0])


def once_each(table: Table) -> Table:
    """Tell the user of tasks that several people annotated, which are several rows."""
    if "id" not in table.names:
        return table
    times = Counter(table.values("id"))
    several = sum(count > 1 for count in times.values())
    if not several:
        return table
    return noted(
        table,
        f"{counted(several, 'task')} of Label Studio stand in several rows, one for each annotation, and each is a row to learn "
        "from; an export with one annotation a task corrects it.",
    )
