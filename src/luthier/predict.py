"""A model over rows: the one way to get logits or features, for training, scoring, comparing and serving."""

from collections.abc import Iterator

import numpy as np
import torch

from luthier.batches.examples import Batch, Examples
from luthier.batches.order import by_length
from luthier.devices import Device
from luthier.models.classifier import Classifier
from luthier.tasks.task import Array

TOKENS = 4_096
"""Padded tokens in a batch when nothing is learnt: beyond it, larger batches are no faster on a CPU."""


def over_rows(examples: Examples, device: Device, tokens: int = TOKENS) -> Iterator[Batch]:
    """All rows once, those of like length together, long before short: memory is at its peak at once, or never."""
    for rows in reversed(by_length(examples.lengths, tokens)):
        yield examples.batch(rows).to(device.torch)


@torch.inference_mode()
def logits_of(model: Classifier, examples: Examples, device: Device, exact: bool = True, tokens: int = TOKENS) -> Array:
    """(rows, outputs) in row order; `exact` computes in fp32, else in the device's precision."""
    found = np.zeros((len(examples), model.outputs), np.float32)
    model.eval()
    with device.exact() if exact else device.fast():
        for batch in over_rows(examples, device, tokens):
            found[batch.rows] = model(batch).cpu().numpy()
    return found


def features_of(
    model: Classifier, examples: Examples, device: Device, exact: bool = True, tokens: int = TOKENS
) -> Iterator[tuple[Batch, Array]]:
    """Feature vectors of the rows of each batch, as (batch, (rows, width)): the caller puts them where they belong."""
    model.eval()
    for batch in over_rows(examples, device, tokens):
        # Entered anew for each batch: a mode that is left open while a generator waits would leak into the caller.
        with torch.inference_mode(), device.exact() if exact else device.fast():
            features = model.features(batch).cpu().numpy()
        yield batch, features
