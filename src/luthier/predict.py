"""A model over rows: the one way to get logits or features, for training, scoring, comparing and serving."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch

from luthier.batches.examples import Batch, Examples
from luthier.batches.order import by_length
from luthier.devices import Device
from luthier.models.classifier import Classifier
from luthier.tasks.task import Array

TOKENS = 1_024
"""Padded tokens in a batch when nothing is learnt: beyond it, larger batches are no faster on a CPU."""


def over_rows(examples: Examples, device: Device, tokens: int = TOKENS) -> Iterator[Batch]:
    """All rows once, those of like length together, long before short: memory is at its peak at once, or never."""
    for rows in reversed(by_length(examples.lengths, tokens)):
        yield examples.batch(rows).to(device.torch)


@torch.inference_mode()
def logits_of(model: Classifier, examples: Examples, device: Device, tokens: int = TOKENS) -> Array:
    """(rows, outputs) in row order, in the precision the model's weights have now (models/twin.py)."""
    found = np.zeros((len(examples), model.outputs), np.float32)
    model.eval()
    for batch in over_rows(examples, device, tokens):
        found[batch.rows] = model(batch).cpu().numpy()
    return found


def features_of(
    model: Classifier, examples: Examples, device: Device, tokens: int = TOKENS
) -> Iterator[tuple[Batch, Array]]:
    """Feature vectors of the rows of each batch, as (batch, (rows, width)): the caller puts them where they belong."""
    model.eval()
    for batch in over_rows(examples, device, tokens):
        # Entered anew for each batch: a mode that is left open while a generator waits would leak into the caller.
        with torch.inference_mode():
            features = model.features(batch).cpu().numpy()
        yield batch, features


@dataclass(frozen=True, repr=False)
class Predictions(Sequence[dict[str, Any]]):
    """Answers in row order, each as `luthier predict` writes it."""

    rows: tuple[dict[str, Any], ...]

    @property
    def labels(self) -> list[Any]:
        """The answers alone: a label per row, or a list of them."""
        return [row["label"] for row in self.rows]

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> "Predictions": ...
    def __getitem__(self, at: int | slice) -> "dict[str, Any] | Predictions":
        return Predictions(self.rows[at]) if isinstance(at, slice) else self.rows[at]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        shown = [f"{row['label']} ({sure(row):.2f})" for row in self.rows[:5]]
        more = f", and {len(self.rows) - 5} more" if len(self.rows) > 5 else ""
        return f"Predictions({', '.join(shown)}{more})"

    def to_json(self) -> list[dict[str, Any]]:
        return [{"row": at, **row} for at, row in enumerate(self.rows)]

    def lines(self) -> str:
        """One JSON object per line, as JSONL."""
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.to_json())


def sure(row: dict[str, Any]) -> float:
    """The highest probability of a row."""
    return float(max(row["probabilities"].values()))
