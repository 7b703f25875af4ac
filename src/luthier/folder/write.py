"""The tuned model in the format of the library its weights came from, so that it loads there without luthier."""

import json
from pathlib import Path

import torch
from torch import nn

from luthier.devices import release_freed_memory
from luthier.errors import InputError, WorldError
from luthier.files import whole_folder
from luthier.folder.model_record import CARD, FILE, ModelRecord, sealed_record_of
from luthier.models.headed import HeadedModel
from luthier.models.heads import HEADS
from luthier.models.heads.head import Saved
from luthier.models.hub.gguf_folder import carry_origin
from luthier.models.hub.inspect import inspect_folder
from luthier.models.load import reload_model
from luthier.models.quiet import quiet
from luthier.models.readers.reading import Reader, preparation_of
from luthier.tasks import TASKS, form_of
from luthier.tasks.task import Task

AGAIN = "The disk or a library is at fault: give the same command again, and report it if it ends the same."


def write_model(
    path: Path,
    model: HeadedModel,
    head: nn.Sequential,
    reader: Reader,
    record: ModelRecord,
    card: str,
    base: Path | None = None,
) -> None:
    """Write a model folder, whole or not at all.

    head: dropout and linear layers, `model.head` or the probe's, in the user's units.  card: README.md.  base: the folder of
    the model that was tuned, which may say where its weights come from.
    """
    task = task_of(record)
    with whole_folder(path) as folder, quiet():
        HEADS[task.head].save(folder, model, head, reader, task.config_labels)
        if base is not None:
            carry_origin(base, folder)
        (folder / FILE).write_text(
            json.dumps(sealed_record_of(record, folder), indent=2, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )
        (folder / CARD).write_text(card, encoding="utf-8")
        release_freed_memory()  # what writing took, as large as the weights: those that are opened come beside the model
        reopen(path, folder, model, head, reader, record)


def task_of(record: ModelRecord) -> Task:
    """The task as a reader of the record has it: JSON knows lists where a task has tuples."""
    return TASKS[record.task["name"]].restore(json.loads(json.dumps(record.task)))


def reopen(
    path: Path,
    folder: Path,
    model: HeadedModel,
    head: nn.Sequential,
    reader: Reader,
    record: ModelRecord,
) -> None:
    """Open a model that was written, as `predict` will: it has the weights that it was written from, and reads texts alike.

    folder: where it stands until it is complete.  Raises WorldError where it is another one.
    """
    task = task_of(record)
    try:
        found = inspect_folder(str(folder), folder, form_of(task).files)
        own = form_of(task).open(found)
        saved = Saved(task.head, task.outputs, record.pooling, record.hidden)
        again = reload_model(found, saved, preparation_of(own))
    except InputError as error:
        raise WorldError(f"{path}: was written, and cannot be opened again ({error}). {AGAIN}") from error
    weights = HEADS[task.head].saved_weights
    same = weigh_the_same(weights(again, again.head), weights(model, head))
    if not same or not own.reads_as(reader):
        raise WorldError(f"{path}: was written, and opened again it is another model. {AGAIN}")


def weigh_the_same(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules have the same weights under the same names."""
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[name].cpu(), tensor.detach().to("cpu", ours[name].dtype))
        for name, tensor in theirs.items()
    )
