"""The features of rows of all lengths, with little padding: for a step that compares rows, and so mixes long and short ones."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from luthier.batches.examples import Batch
from luthier.batches.text_examples import MULTIPLE
from luthier.models.headed import HeadedModel
from luthier.models.kernels.dropout import DICE


def features_by_length(model: HeadedModel, batch: Batch) -> Tensor:
    """(rows, width): what `model.features` gives, computed a few rows of like length at a time.

    A step of a row of 200 tokens and 39 of 20 is 8,000 tokens with padding, and 980 without: memory and time are those of the
    latter. Dropout is the same, as a row's masks do not depend on the batch that it is in.
    """
    if "attention_mask" not in batch.inputs:
        return model.features(batch)
    keys, found, places = DICE.keys, [], []
    for rows in of_like_length(row_lengths(batch)):
        piece, parts = part_of(batch, rows)
        DICE.keys, DICE.call = (None if keys is None else keys[parts]), 0
        found.append(model.features(piece))
        places.append(rows)
    DICE.keys = keys
    return torch.cat(found)[torch.argsort(torch.cat(places))]


def row_lengths(batch: Batch) -> Tensor:
    """(rows,) tokens of the longest part of each row."""
    of_parts = batch.inputs["attention_mask"].sum(dim=1)
    lengths = torch.zeros(len(batch.rows), dtype=of_parts.dtype, device=of_parts.device)
    return lengths.scatter_reduce(0, batch.part_of, of_parts, "amax")


def of_like_length(lengths: Tensor) -> Iterator[Tensor]:
    """Places of rows, ascending, that are brought together: the longest, with all more than two thirds as long; then again.

    More pieces would have less padding still, and take longer.

    >>> [rows.tolist() for rows in of_like_length(torch.tensor([9, 40, 10, 27, 39]))]
    [[1, 3, 4], [0, 2]]
    """
    left = torch.arange(len(lengths), device=lengths.device)
    while len(left):
        longest = lengths[left].max()
        together = 3 * lengths[left] > 2 * longest
        if not longest:
            together = torch.ones_like(together)  # rows of nothing but padding
        yield left[together]
        left = left[~together]


def part_of(batch: Batch, rows: Tensor) -> tuple[Batch, Tensor]:
    """Some rows of a batch, without the columns that are padding for all of them, and which parts these are. rows: ascending."""
    parts = torch.isin(batch.part_of, rows).nonzero().squeeze(1)
    longest = int(batch.inputs["attention_mask"][parts].sum(dim=1).max())
    width = -(-longest // MULTIPLE) * MULTIPLE
    inputs = {name: tensor[parts, :width] for name, tensor in batch.inputs.items()}
    return (
        replace(
            batch,
            inputs=inputs,
            part_of=torch.searchsorted(rows, batch.part_of[parts]),
            targets=batch.targets[rows],
            rows=batch.rows[rows.cpu().numpy()],
            tokens=int(inputs["attention_mask"].sum()),
        ),
        parts,
    )
