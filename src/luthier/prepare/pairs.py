"""How the two texts of a row are read to give their number: as one by a cross-encoder, or each by itself by a bi-encoder."""

from dataclasses import replace

import numpy as np

from luthier.devices import Device
from luthier.errors import ModelError
from luthier.forms import FORMS
from luthier.models.heads.bi_encoder import BiEncoder, load_bi_encoder
from luthier.models.readers.reading import Reader
from luthier.plan.sections import ModelPlan
from luthier.predict import all_features_of
from luthier.prepare.base import Base
from luthier.prepare.rows import Rows
from luthier.scores.regression import spearman
from luthier.tasks import TASKS, form_of
from luthier.tasks.regression import cosines
from luthier.tasks.task import Task

FEWEST, MOST = 20, 200
"""Fewest and most training rows that are looked at. With fewer, `NEAR` could be chance."""
NEAR = 0.5
"""Smallest rank correlation, of either sign, between cosines and numbers with which a bi-encoder is chosen
(docs/tasks/regression.md)."""


def how_pairs_are_read(plan: ModelPlan, rows: Rows, base: Base, device: Device) -> Rows:
    """The rows, with the task that reads their texts as the plan says, or as the untrained model's vectors speak for it."""
    task, asked = rows.task, plan.pair
    if len(ways_to_read(task)) < 2:
        return rows
    if asked != "auto":
        return rows if asked == "cross-encoder" else read_apart(rows, "as asked for")
    of_head = [key for key in ("hidden", "dropout") if getattr(plan, key) != getattr(ModelPlan(), key)]
    if of_head:
        return with_reason(rows, f"model.{of_head[0]} is of a head that reads more than one number")
    if plan.pooling != "auto":
        return read_apart(rows, "model.pooling makes vectors of single texts")
    if base.folder.pooling is None:
        return with_reason(rows, "the model declares no vectors of single texts")
    own = rows.split.train
    if len(own) < FEWEST:
        return with_reason(
            rows, f"{len(own)} rows do not tell whether the untrained vectors compare texts well"
        )
    few = own[np.linspace(0, len(own) - 1, min(MOST, len(own))).astype(np.int64)]
    try:
        model = load_bi_encoder(base.folder)
    except ModelError as error:  # a cross-encoder may well read this folder
        return with_reason(rows, f"its vectors cannot be made: {error}")
    near = spearman(rows.targets(few), cosines_by(model, rows.inputs(few), base.reader, device))
    told = f"on {len(few)} training rows the untrained vectors have a spearman of {near:.2f} with the numbers"
    return read_apart(rows, told) if abs(near) >= NEAR else with_reason(rows, told)


def cosines_by(
    model: BiEncoder, pairs: list[tuple[str, str]], reader: Reader, device: Device
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """(rows,) of the vectors of the two texts of each pair."""
    examples, _ = FORMS["apart"].read(reader, pairs, np.zeros(len(pairs), np.float32), "cut")
    vectors = all_features_of(model.to(device.torch), examples, device)
    return cosines(*np.split(vectors, 2, axis=1))[:, 0]


def read_apart(rows: Rows, why: str) -> Rows:
    understood = replace(rows.understood, task=read_as(rows.task, "bi-encoder"))
    return with_reason(replace(rows, understood=understood), why)


def ways_to_read(task: Task) -> dict[str, str]:
    """By value of `model.pair`, the forms in which a task can read the two texts of a row; none where a row is no two texts."""
    if form_of(task).pair is None:
        return {}
    return {pair: name for name in TASKS[task.name].forms if (pair := FORMS[name].pair) is not None}


def read_as(task: Task, pair: str) -> Task:
    """A task as a value of `model.pair` has it read; as it is where that says nothing of it."""
    reads = ways_to_read(task).get(pair, task.reads)
    return task if reads == task.reads else TASKS[task.name].restore({**task.to_json(), "reads": reads})


def with_reason(rows: Rows, why: str) -> Rows:
    return replace(rows, assumed=replace(rows.assumed, guesses={**rows.guesses, "pair": why}))
