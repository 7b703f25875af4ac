"""The features of rows of all lengths, with little padding: for a step that compares rows, and so mixes long and short ones."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel
from luthier.models.kernels.dropout import DICE

TOKENS = 512
"""Padded tokens of a piece, at the most; of a longer row it is that row."""
NARROWEST = 8


def features_by_length(model: HeadedModel, batch: Batch) -> Tensor:
    """(rows, width): what `model.features` gives, computed a few rows of like length at a time.

    A step of a row of 200 tokens and 39 of 20 is 8,000 tokens with padding, and 980 without: memory and time are those of about
    twice the latter. Dropout is the same, as a row's masks do not depend on the batch that it is in.
    """
    if "attention_mask" not in batch.inputs:
        return model.features(batch)
    keys, found, places = DICE.keys, [], []
    for rows in of_like_length(row_lengths(batch), parts_of_rows(batch)):
        piece, parts = part_of(batch, rows)
        DICE.keys, DICE.call = (None if keys is None else keys[parts]), 0
        found.append(model.features(piece)[: len(rows)])
        places.append(rows)
    DICE.keys = keys
    return torch.cat(found)[torch.argsort(torch.cat(places))]


def row_lengths(batch: Batch) -> Tensor:
    """(rows,) tokens of the longest part of each row."""
    of_parts = batch.inputs["attention_mask"].sum(dim=1)
    lengths = torch.zeros(len(batch.rows), dtype=of_parts.dtype, device=of_parts.device)
    return lengths.scatter_reduce(0, batch.part_of, of_parts, "amax")


def parts_of_rows(batch: Batch) -> Tensor:
    """(rows,) number of parts of each row."""
    return torch.bincount(batch.part_of, minlength=len(batch.rows))
