"""What a model gives for each token that is learnt, summed over the answers of a row."""

import torch
from torch import Tensor

from luthier.batches.examples import Batch
from luthier.tasks.task import Model


def sums_of(model: Model, batch: Batch) -> tuple[Tensor, Tensor]:
    """(rows, sequences) each: the log-probability of a sequence's answer in nats, or its score; and the answer's tokens."""
    assert batch.packed is not None, "sequences are packed"
    found, rows, sequences = model(batch), len(batch.rows), len(batch.packed.paths)
    of = batch.packed.predictions.sequence
    tokens = torch.bincount(of, minlength=sequences).view(rows, -1)
    if found.dim() == 2:  # (sequences, 1), as a head over sequences gives it
        return found.view(rows, -1), tokens
    return found.new_zeros(sequences).index_add(0, of, found).view(rows, -1), tokens
