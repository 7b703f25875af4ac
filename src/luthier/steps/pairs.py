"""How the two texts of a row are read to give their number: as one by a cross-encoder, or each by itself by a bi-encoder."""

from dataclasses import replace

import numpy as np

from luthier.devices import Device
from luthier.models.inspect import Folder
from luthier.models.load import load_bi_encoder
from luthier.models.reading import READERS, Reader
from luthier.plan.plan import Plan
from luthier.predict import features_of
from luthier.scores.regression import spearman
from luthier.steps.rows import Rows
from luthier.tasks.regression import Regression, cosines

FEWEST, MOST = 20, 200
"""Training rows that are looked at. Of fewer, `NEAR` may be chance."""
NEAR = 0.5
"""Rank correlation with the numbers from which the untrained vectors are worth going on from (docs/tasks/regression.md)."""


def how_pairs_are_read(plan: Plan, rows: Rows, folder: Folder, reader: Reader, device: Device) -> Rows:
    """The rows, with the task that reads their texts as the plan says, or as the untrained model's vectors speak for it."""
    task, asked = rows.task, plan.model.pair
    if not isinstance(task, Regression) or task.reads != "pair":
        return rows
    if asked != "auto":
        return rows if asked == "cross-encoder" else read_apart(rows, task, "as asked for")
    if plan.model.hidden:
        return with_reason(rows, "room for model.hidden")
    if folder.pooling is None and plan.model.pooling == "auto":
        return with_reason(rows, "the model declares no vectors of single texts")
    own = rows.split.train
    if len(own) < FEWEST:
        return with_reason(
            rows, f"{len(own)} rows do not tell whether the untrained vectors compare texts well"
        )
    few = own[np.linspace(0, len(own) - 1, min(MOST, len(own))).astype(np.int64)]
    near = spearman(rows.targets(few), untrained_cosines(plan, rows.inputs(few), folder, reader, device))
    told = f"on {len(few)} training rows the untrained vectors have a spearman of {near:.2f} with the numbers"
    return read_apart(rows, task, told) if near >= NEAR else with_reason(rows, told)


def untrained_cosines(
    plan: Plan, pairs: list[tuple[str, str]], folder: Folder, reader: Reader, device: Device
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """(rows,) of the vectors of the two texts of each pair, as the pre-trained model gives them."""
    model = load_bi_encoder(folder, plan.model.pooling).to(device.torch)
    examples, _ = READERS["apart"](reader, pairs, np.zeros(len(pairs), np.float32), "cut")
    vectors = np.zeros((len(pairs), model.width), np.float32)
    for _, where, made in features_of(model, examples, device):
        vectors[where] = made
    return cosines(vectors)[:, 0]


def read_apart(rows: Rows, task: Regression, why: str) -> Rows:
    understood = replace(rows.understood, task=replace(task, reads="apart"))
    return with_reason(replace(rows, understood=understood), why)


def with_reason(rows: Rows, why: str) -> Rows:
    return replace(rows, guesses={**rows.guesses, "pair": why})
