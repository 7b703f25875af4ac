"""A packed batch cut into smaller ones, for a model that is to compute a step of any size in the memory of a part of it."""

import numpy as np
import torch

from luthier.arrays import Ints
from luthier.batches.examples import Batch
from luthier.batches.order import cut_by_budget
from luthier.batches.packed import Packed, packed_of, predictions_after
from luthier.batches.prefix_tree import tree_of


def pieces_of(batch: Batch, tokens: int) -> list[Batch]:
    """Whole rows of a packed batch in their order, in pieces of at most so many tokens, one row at least.

    What is predicted in the pieces, one after the other, is what is predicted in the batch.
    """
    assert batch.packed is not None, "sequences are packed"
    lengths = np.array([len(path) for path in batch.packed.paths])
    row_of = batch.part_of.cpu().numpy()
    by_row = np.bincount(row_of, lengths, len(batch.rows)).astype(np.int64)
    return [
        piece_of(batch, batch.packed, rows, np.flatnonzero(np.isin(row_of, rows)))
        for rows in cut_by_budget(np.arange(len(batch.rows)), by_row, tokens)
    ]


def piece_of(batch: Batch, packed: Packed, rows: Ints, parts: Ints) -> Batch:
    """Some neighbouring rows of a batch by themselves. parts: their sequences, which are neighbours too."""
    device = batch.part_of.device
    ids = batch.inputs["input_ids"][0].cpu().numpy()
    paths = [packed.paths[part] for part in parts.tolist()]
    lengths = np.array([len(path) for path in packed.paths])
    tree = tree_of([ids[path] for path in paths], shares=len(packed.source) < lengths.sum())
    origins = np.array(tree.origins, np.int64).reshape(-1, 2)
    before = np.array([paths[sequence][place] for sequence, place in tree.origins], np.int64)
    at, wanted = [], []
    predicted = packed.predictions.to(torch.device("cpu"))
    for own, part in enumerate(parts.tolist()):
        pairs = predicted.pair[predicted.sequence == part]
        # A path leads from its tree's first tokens to later ones: its numbers ascend.
        at.append(tree.paths[own][np.searchsorted(paths[own], predicted.at[pairs].numpy())])
        wanted.append(predicted.wanted[pairs].numpy())
    begin = int(lengths[: parts[0]].sum())
    flat = packed.flat[begin : begin + int(lengths[parts].sum())]
    return Batch(
        inputs={
            "input_ids": torch.from_numpy(ids[before])[None],
            "position_ids": torch.from_numpy(origins[:, 1].copy())[None],
        },
        part_of=batch.part_of[torch.from_numpy(parts).to(device)].cpu() - int(rows[0]),
        targets=batch.targets[torch.from_numpy(rows).to(device)].cpu(),
        rows=batch.rows[rows],
        tokens=len(flat),
        packed=packed_of(tree, predictions_after(at, wanted), packed.source[before], flat),
    ).to(device)
