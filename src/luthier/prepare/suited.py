"""A task in the way in which a model learns it, before its weights are opened."""

from dataclasses import replace

from luthier.models.hub.inspect import inspect_folder
from luthier.models.static.making import model_path
from luthier.prepare.base import EITHER
from luthier.prepare.rows import Rows


def suited(rows: Rows, name: str, base: str | None) -> Rows:
    """The rows under their task in the way in which a model learns it. base: the model that an adapter was made for."""
    how = rows.kind.suited
    if how is None:
        return rows
    task = how(rows.task, inspect_folder(name, model_path(name), EITHER, base))
    return rows if task is rows.task else replace(rows, understood=replace(rows.understood, task=task))
