"""Exports of Dataturks: `content`, and `annotation`, a list of spans or the labels of the whole row."""

from typing import Any

from luthier.data.annotations.cells import dicts_in, replaced, sniffed
from luthier.data.annotations.label_studio import is_image
from luthier.data.annotations.setting_aside import with_set_aside
from luthier.data.annotations.telling import named, remade
from luthier.data.table import Table

SKIPPED = "skipped"


def dataturks(table: Table) -> Table | None:
    """Labels of whole rows as labels; spans are left for `spans`, which reads them. Rows that were skipped are set aside."""
    if not {"content", "annotation"} <= set(table.names):
        return None
    seen = [value for value in sniffed(table, "annotation") if value]
    of_spans = bool(seen) and all(isinstance(value, list) and all(map(has_points, value)) for value in seen)
    of_rows = bool(seen) and all(isinstance(value, dict) and "labels" in value for value in seen)
    if not (of_spans or of_rows):
        return None
    aside = dict.fromkeys(skipped(table), SKIPPED)
    if of_spans:
        table = with_set_aside(table, aside, ["annotation"])
        why = "it is Dataturks' export of spans"
        return named(table, "token-classification", why, {"text": "content", "label": "annotation"})
    labels = [labels_of(value) for value in dicts_in(table, "annotation", "what Dataturks writes")]
    table = with_set_aside(remade(replaced(table, "annotation", labels)), aside, ["annotation"])
    images = all(map(is_image, table.values("content")))
    task, role = ("image-classification", "image") if images else ("text-classification", "text")
    return named(table, task, "it is Dataturks' export of labels", {role: "content", "label": "annotation"})


def has_points(value: Any) -> bool:
    return isinstance(value, dict) and "points" in value


def labels_of(value: Any) -> list[str] | None:
    return None if not value else [str(label) for label in value.get("labels") or ()]


def skipped(table: Table) -> list[int]:
    """Rows that were passed over, as their metadata say."""
    if "metadata" not in table.names:
        return []
    states = [value.get("status") if isinstance(value, dict) else None for value in table.values("metadata")]
    return [row for row, state in enumerate(states) if isinstance(state, str) and state.lower() == SKIPPED]
