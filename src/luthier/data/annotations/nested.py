"""Objects inside of rows as columns of their own: `content.text`, `label.name`."""

import pyarrow as pa

from luthier.data.annotations.cells import field_type, is_text, objects, replaced, sniffed
from luthier.data.annotations.spans import keys_of
from luthier.data.annotations.telling import named, remade
from luthier.data.column_names import normal
from luthier.data.columns import can_be
from luthier.data.known_names import LABEL_NAMES, TEXT_NAMES
from luthier.data.table import Table

LEVELS = 4
KEPT = frozenset(("answers", "answer", "translation", "cats"))
"""Columns of objects that stay as they are, since tasks or other shapes read them."""
WRAPPERS = frozenset(
    ("row", "data", "fields", "example", "record", "item", "sample", "instance", "inputs", "input")
)
"""Names of objects that hold a row: the names inside of them stand for themselves."""
NAMING = ("name", "label", "value", "title", "class", "text", "display_name", "choices")
"""Keys of a label's object that hold the label's name."""
LABELLING = (*LABEL_NAMES, "annotation", "classification", "classification_annotation")
"""Names of columns of labels, or of the objects around labels."""
SPEAKING = ("text", "value", "content", "body", "raw", "full_text")
"""Keys of a text's object that hold the text."""

OF_MODELS = frozenset(
    (
        *("suggestion", "suggestions", "prediction", "predictions", "predicted", "model_output"),
        *("model_outputs", "model_prediction", "model_predictions"),
    )
)
"""Names of objects with a model's answers, which are never learnt from unless the user names them."""


def nested(table: Table) -> Table | None:
    """The table without columns of objects; text and label are found inside of them where no column of the table is called so.

    None where that brings neither, nor lists: objects with nothing to read or learn may stay.
    """
    before = table.names
    table = with_objects(table)
    while (flat := first_flattened(table)) is not None:
        table = flat
    opened = [name for name in table.names if name not in before]
    lists = any(pa.types.is_nested(table.columns.schema.field(name).type) for name in opened)
    renamed = any("." not in name for name in opened)
    named_table = with_roles(table, before)
    return named_table if lists or renamed or named_table is not table else None


def with_objects(table: Table) -> Table:
    """The table in which labels that are objects written as text in cells are objects."""
    for name in table.names:
        if normal(name) in LABELLING and is_text(table, name):
            seen = sniffed(table, name)
            if seen and all(
                isinstance(value, dict) and set(map(normal, value)) & set(NAMING) for value in seen
            ):
                table = replaced(table, name, objects(table, name, "objects"))
    return table


def first_flattened(table: Table) -> Table | None:
    return next((flat for name in table.names if (flat := flattened(table, name)) is not None), None)


def flattened(table: Table, name: str) -> Table | None:
    """The table with the keys of a column of objects as columns in its place; None where it holds none."""
    kind = table.columns.schema.field(name).type
    if (
        not pa.types.is_struct(kind)
        or normal(name) in KEPT
        or name.count(".") >= LEVELS
        or not kind.num_fields
    ):
        return None
    names = [field.name for field in kind]
    if {"bytes", "answer_start"} & set(names) or keys_of(dict.fromkeys(names, True)) is not None:
        return None
    inner = table.columns.column(name).flatten()
    at = table.names.index(name)
    columns = table.columns.remove_column(at)
    for field, column in reversed(list(zip(kind, inner, strict=True))):
        own = (
            field.name
            if normal(name) in WRAPPERS and field.name not in table.names
            else f"{name}.{field.name}"
        )
        if own in columns.column_names:
            own = f"{name}.{field.name}"
        columns = columns.add_column(at, pa.field(own, field.type), column)
    return remade(table.with_columns(columns))


def with_roles(table: Table, before: list[str]) -> Table:
    """The text and the label inside of objects, by the names on the way to them, where no column is called so itself."""
    own = {normal(name) for name in set(before) & set(table.names)}
    roles = {}
    for role, known, inside in (("text", TEXT_NAMES, SPEAKING), ("label", LABELLING, NAMING)):
        if not own & set(known) and (name := found(table, role, known, inside)) is not None:
            roles[role] = name
    why = "text and label stand inside of objects that are called so"
    return named(table, None, why, roles) if roles else table


def can_serve(table: Table, name: str, role: str) -> bool:
    return is_text(table, name) if role == "text" else can_be(field_type(table, name), role)


def found(table: Table, role: str, known: tuple[str, ...], inside: tuple[str, ...]) -> str | None:
    """A column inside of an object that is called as texts, or labels, are; or is the text, or name, in one that is."""
    dotted = [
        name
        for name in table.names
        if "." in name and can_serve(table, name, role) and not OF_MODELS & set(map(normal, name.split(".")))
    ]
    for word in known:
        for leaf in inside:
            for name in dotted:
                steps = [normal(step) for step in name.split(".")]
                if steps[-1] == leaf and word in steps[:-1]:
                    return name
        for name in dotted:
            if normal(name.split(".")[-1]) == word:
                return name
    return None
