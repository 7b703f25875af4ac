"""A model that was tuned already, opened before its rows are: the tasks that its head can do, and how it is read."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from luthier.errors import ModelError, PlanError, listing
from luthier.folder.model_folder import ModelFolder
from luthier.folder.model_record import FILE as MODEL_RECORD
from luthier.models.headed import HeadedModel
from luthier.models.heads.head import Saved
from luthier.models.hub.adapter import signs_in
from luthier.models.hub.find import find_model
from luthier.models.hub.inspect import Folder, inspect_folder
from luthier.models.hub.tuned_head import tuned_head
from luthier.models.load import reload_model
from luthier.models.readers.reading import Reader, preparation_of
from luthier.prepare.base import EITHER
from luthier.tasks.calibration import Calibration
from luthier.tasks.kind import Finished
from luthier.tasks.task import Task
from luthier.tasks.tuned import tasks_of

NEVER = -1e4
"""The logit of an output that a model does not have."""


@dataclass(frozen=True)
class TunedModel:
    """A model that was tuned already."""

    folder: Folder
    finished: Mapping[str, Finished]
    """By the names of tasks, what it does of them: of its head several may be true."""
    words: str
    """What it is, as a sentence calls it."""
    outputs: int | None = None
    """Numbers that its head gives; None: as many as the task asks for."""
    run: ModelFolder | None = None
    """The folder that luthier wrote; None where another library wrote it."""

    @staticmethod
    def of(name: str, base: str | None, names: tuple[str, ...]) -> "TunedModel":
        """Open a model. base: the model that an adapter was made for.  names: of its outputs, where the user says them.

        Raises ModelError for a folder without a model, or whose model has no head that was tuned.
        """
        path = find_model(name)
        if os.path.lexists(path / MODEL_RECORD):
            return of_luthier(ModelFolder(Path(os.path.expanduser(name))), names)
        folder = inspect_folder(name, path, EITHER, base if signs_in(path) else None)
        head = tuned_head(folder)
        if names:
            head = head.renamed(names, name)
        return TunedModel(folder, tasks_of(head), head.words, len(head.names) or None)

    @property
    def calibration(self) -> Calibration | None:
        """The calibration that it brings along; None where it brings none."""
        return None if self.run is None else self.run.model_record.calibration

    @property
    def long(self) -> str | None:
        """What is done with texts beyond its limit, where it says so: `cut` or `windows`."""
        return None if self.run is None else self.run.model_record.long

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns that it was tuned on, by role, where it says so."""
        return {} if self.run is None else self.run.model_record.columns

    def model(self, task: Task, reader: Reader) -> HeadedModel:
        """The weights, under their own head. Raises ModelError where they do not hold it."""
        if self.run is not None:
            return self.run.model
        saved = Saved(task.head, self.outputs or task.outputs, None, ())
        found = reload_model(with_padding(self.folder, reader), saved, preparation_of(reader))
        refuse_drawn_layers(self.folder, found)
        order = self.finished[task.name].order
        if order is not None:
            found.head = in_order(found.head, order)
        return found.eval()


def of_luthier(run: ModelFolder, names: tuple[str, ...]) -> TunedModel:
    """A model that luthier saved. Raises PlanError for what judging it would take more for than the model itself."""
    task = run.task
    if names:
        raise PlanError("--label-names: a run knows the names of its labels. Leave it out.")
    if task.reference is not None:
        raise PlanError(
            f"{run.path}: its task is {task.name}, whose scores compare it with the model that it was made of, and that is not "
            "judged. The scorecard of the run has them."
        )
    return TunedModel(run.folder, {task.name: Finished(task)}, f"a run of {task.name}", run=run)


def with_padding(folder: Folder, reader: Reader) -> Folder:
    """A folder whose settings say which token pads: a decoder that answers from a text's last token finds it so. An adapter's
    base may not say it, as whoever tunes one gives it that setting on the way."""
    if reader.texts is None or folder.config.get("pad_token_id") is not None:
        return folder
    return replace(folder, config={**folder.config, "pad_token_id": reader.texts.pad})


def refuse_drawn_layers(folder: Folder, model: HeadedModel) -> None:
    """Raise ModelError for an adapter below whose head lie layers that neither it nor its base has, such as a pooler: they would
    be drawn at random, and were when it was tuned."""
    if folder.adapter is None:
        return
    body: Any = model.body
    prefix = f"{body.base_model_prefix}."
    known = {*folder.tensors, *folder.adapter.heads}
    known |= {prefix + name for name in known} | {name.removeprefix(prefix) for name in known}
    drawn = [name for name, _ in body.named_parameters() if name not in known]
    if drawn:
        raise ModelError(
            f"{folder.adapter.path}: neither the adapter nor its base has {listing(drawn, 2)}, so nobody knows what it was tuned "
            "with. Name the model that it was made for, with all its layers; or merge it where it was tuned, with PEFT's "
            "merge_and_unload(), and give the merged model's folder."
        )


def in_order(head: nn.Sequential, order: tuple[int | None, ...]) -> nn.Sequential:
    """A head whose outputs come in another order; one that it does not have is never the likeliest."""
    *below, last = head
    assert isinstance(last, nn.Linear), "a head ends with a linear layer"
    made = nn.Linear(last.in_features, len(order))
    with torch.no_grad():
        made.weight.zero_()
        made.bias.fill_(NEVER)
        for here, there in enumerate(order):
            if there is not None:
                made.weight[here] = last.weight[there]
                made.bias[here] = 0.0 if last.bias is None else last.bias[there]
    return nn.Sequential(*below, made)


def refuse_other_task(tuned: TunedModel, task: str, name: str) -> None:
    """Raise PlanError for a task that a model does not do."""
    if task not in tuned.finished:
        raise PlanError(
            f"--task {task}: {name} is {tuned.words}, which does {listing(tuned.finished)}. Leave --task out, or name another "
            "model."
        )
