"""Running a model over rows: the one way to get logits or features, for training, scoring, comparing and serving."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch

from luthier.arrays import Array, Ints
from luthier.batches.examples import Batch, Examples
from luthier.batches.tokens import runs
from luthier.devices import Device
from luthier.errors import ModelError
from luthier.models.finite import first_not_finite
from luthier.models.headed import HeadedModel
from luthier.terminal import json_line, plain


def over_rows(examples: Examples, device: Device, tokens: int | None = None) -> Iterator[Batch]:
    """All rows once, those of like length together, long before short: memory is at its peak at once, or never.

    tokens: size of a batch; as the examples say where it is None.
    """
    batches = examples.by_length(tokens)[::-1]
    for at, rows in enumerate(batches):
        # Where the cores compute, whoever decodes meanwhile makes them wait for each other: a third slower (docs/engine.md).
        if device.kind != "cpu" and at + 1 < len(batches):
            examples.expect(batches[at + 1])
        yield examples.batch(rows).to(device.torch)


@torch.inference_mode()
def logits_of(model: HeadedModel, examples: Examples, device: Device, tokens: int | None = None) -> Array:
    """(rows, outputs) in row order, in the precision the model's weights have now (models/master_weights.py)."""
    found = np.zeros((examples.units, model.outputs), np.float32)
    by_unit = examples.tokens is not None
    model.eval()
    for batch in over_rows(examples, device, tokens):
        where, values = placed(batch, model(batch), examples, by_unit)
        found[where] = values
    return found


@torch.inference_mode()
def logits_and_features_of(model: HeadedModel, examples: Examples, device: Device) -> tuple[Array, Array]:
    """(rows, outputs) and (rows, width) in row order, of a model that answers row by row."""
    logits = np.zeros((len(examples), model.outputs), np.float32)
    features = np.zeros((len(examples), model.width), np.float32)
    model.eval()
    for batch in over_rows(examples, device):
        answered, read = model.answer_with_features(batch)
        logits[batch.rows], features[batch.rows] = answered.cpu().numpy(), read.cpu().numpy()
    return logits, features


def features_of(
    model: HeadedModel, examples: Examples, device: Device, tokens: int | None = None, by_unit: bool = False
) -> Iterator[tuple[Batch, Ints, Array]]:
    """Feature vectors of each batch, as (batch, where, (n, width)): of its rows, or `by_unit` of its units; `where` tells
    which these are."""
    by_unit = by_unit and examples.tokens is not None
    model.eval()
    for batch in over_rows(examples, device, tokens):
        # Entered anew for each batch: a mode that is left open while a generator waits would leak into the caller.
        with torch.inference_mode():
            features = model.states(batch) if by_unit else model.features(batch)
            where, values = placed(batch, features, examples, by_unit)
            if not np.isfinite(values).all():
                raise features_not_finite(model, batch, by_unit)
        yield batch, where, values


def all_features_of(model: HeadedModel, examples: Examples, device: Device, by_unit: bool = False) -> Array:
    """(n, width) in row order: of all rows, of the parts of each where parts answer, or `by_unit` of their units. Raises
    ModelError for features that are not finite."""
    count = len(examples) if examples.tokens is not None and not by_unit else examples.units
    found = np.zeros((count, model.width), np.float32)
    for _, where, features in features_of(model, examples, device, by_unit=by_unit):
        found[where] = features
    return found


def features_not_finite(model: HeadedModel, batch: Batch, by_unit: bool) -> ModelError:
    """The error for features that are not finite: nothing can be learnt from them, and no check would say so."""
    where = first_not_finite(model, lambda: model.states(batch) if by_unit else model.features(batch))
    return ModelError(
        f"The model's features of {len(batch.rows):,} rows, of which {int(batch.rows[0])} is the first, are not finite numbers"
        f"{f', and what {where} gives is the first that is not' if where else ''}. Some of its weights are far too large: fetch "
        "it again, or choose another model."
    )


def placed(batch: Batch, values: torch.Tensor, examples: Examples, by_unit: bool) -> tuple[Ints, Array]:
    """Numbers of the rows of a batch, or of its units, and what the model gives for them: (n, ...)."""
    texts = examples.flat
    if not by_unit and texts is not None and texts.by_part and len(values) == len(batch.part_of):
        return texts.parts_of(batch.rows), values.cpu().numpy()
    if not by_unit:
        return batch.rows, values.cpu().numpy()
    assert texts is not None, "only texts are made of tokens"
    assert texts.tokens is not None, "tokens answer"
    own = texts.tokens.select(batch.rows, texts.places(batch.rows))
    first = texts.tokens.first_unit
    of_tokens = values[batch.inputs["attention_mask"].bool()].cpu().numpy()
    return runs(first[batch.rows], first[batch.rows + 1] - first[batch.rows]), of_tokens[own.unit]


@dataclass(frozen=True, repr=False)
class Predictions(Sequence[dict[str, Any]]):
    """Answers in row order, each as `luthier predict` writes it."""

    rows: tuple[dict[str, Any], ...]
    answer: str = "label"
    """The key of the answer in each row."""
    unanswered: int = 0
    """Rows that had nothing to read, whose answer is null."""
    beyond: int = 0
    """Rows that were longer than the model reads, with no room for an answer, whose answer is null."""
    told: tuple[str, ...] = ()
    """Sentences on what was asked to be promised of the answers, for who reads standard error."""

    @property
    def labels(self) -> list[Any]:
        """The answers alone: a label per row, or a list of them, or what else the task answers with."""
        return [row[self.answer] for row in self.rows]

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> "Predictions": ...
    def __getitem__(self, at: int | slice) -> "dict[str, Any] | Predictions":
        return Predictions(self.rows[at], self.answer) if isinstance(at, slice) else self.rows[at]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        shown = [
            f"{row[self.answer]} ({sure(row):.2f})" if row.get("probabilities") else str(row[self.answer])
            for row in self.rows[:5]
        ]
        more = f", and {len(self.rows) - 5} more" if len(self.rows) > 5 else ""
        return plain(f"Predictions({', '.join(shown)}{more})")

    def to_json(self) -> list[dict[str, Any]]:
        return [{"row": at, **row} for at, row in enumerate(self.rows)]

    def lines(self) -> str:
        """One JSON object per line, as JSONL."""
        return "".join(json_line(row) + "\n" for row in self.to_json())


def sure(row: dict[str, Any]) -> float:
    """The highest probability of a row."""
    return float(max(row["probabilities"].values()))
