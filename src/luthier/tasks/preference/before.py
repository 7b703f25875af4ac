"""Log-probabilities of answers under the model as it came: computed once, and kept."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from luthier.arrays import Array, Floats, Ints
from luthier.batches.examples import Examples
from luthier.batches.sequences import Sequences
from luthier.devices import Device
from luthier.models.headed import HeadedModel
from luthier.predict import over_rows
from luthier.tasks.preference.sums import sums_of
from luthier.tasks.reference import Reference
from luthier.tasks.task import Task


class Before(Reference):
    """The first columns of the targets: a log-probability in nats for each sequence of a row."""

    def told(
        self, task: Task[Any, Any], model: HeadedModel, examples: Examples, device: Device
    ) -> Iterator[tuple[Ints, Floats]]:
        model.eval()
        for batch in over_rows(examples, device):
            # Entered anew for each batch: a mode that is left open while a generator waits would leak into the caller.
            with torch.inference_mode():
                values, _ = sums_of(model, batch)
            yield batch.rows, values.double().cpu().numpy()

    def given(self, task: Task[Any, Any], examples: Examples, values: Array) -> Examples:
        assert isinstance(examples, Sequences), "answers are sequences"
        more = examples.targets[:, values.shape[1] :]
        return replace(examples, targets=np.concatenate([values, more], axis=1))
