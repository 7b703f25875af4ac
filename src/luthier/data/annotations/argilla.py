"""Exports of Argilla 1: records with a `prediction` of a model and the `annotation` of a person, each with its `status`."""

from luthier.data.annotations.cells import field_type, is_nested, is_text
from luthier.data.annotations.setting_aside import with_set_aside
from luthier.data.annotations.spans import holds_spans
from luthier.data.annotations.telling import named
from luthier.data.table import Table

STATES = {"Validated": None, "Edited": None, "Discarded": "discarded", "Default": "not answered"}
"""States of records that are not used, and the reason in words."""


def argilla(table: Table) -> Table | None:
    """Records with their annotation as what is learnt; those that were discarded or not answered are set aside."""
    if not {"text", "annotation", "status"} <= set(table.names) or not is_text(table, "status"):
        return None
    states = table.values("status")
    if not set(states) <= STATES.keys():
        return None
    aside = {row: reason for row, state in enumerate(states) if (reason := STATES[state]) is not None}
    spans = holds_spans(table, "annotation")
    if is_nested(table, "annotation") and not spans and not is_list_of_texts(table):
        return None
    table = with_set_aside(table, aside, ["annotation"])
    task, what = ("token-classification", "spans") if spans else ("text-classification", "labels")
    return named(table, task, f"it is Argilla's export of {what}", {"text": "text", "label": "annotation"})


def is_list_of_texts(table: Table) -> bool:
    return str(field_type(table, "annotation")) in ("list<item: string>", "list<element: string>")
