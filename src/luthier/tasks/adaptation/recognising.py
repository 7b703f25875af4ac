"""Adaptation of what makes vectors: a row is known again, among the others of a step, though it was changed.

Hidden words, by which other encoders are adapted, would break a sentence encoder (Chen et al. 2023, AdaSent, arXiv:2311.00408,
section 5): what it learnt of whole texts is not what finding words needs.
"""

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from luthier.arrays import Array, Floats, Ints
from luthier.batches.examples import Examples
from luthier.scores.evidence import Generated
from luthier.tasks.adaptation.reading import NAME
from luthier.tasks.answers import Answers
from luthier.tasks.calibration import Calibration
from luthier.tasks.chat.likelihood import firmness_of_loss
from luthier.tasks.embedding.task import SHARPNESS
from luthier.tasks.outputs import Outputs
from luthier.tasks.recorded import Line, Recorded
from luthier.tasks.task import Learning, Task

TOGETHER = 64
"""Rows of a step, of which each is told from the others (Gao et al. 2021, SimCSE, arXiv:2104.08821, appendix A)."""
RATE = 0.3
"""Learning rate as a multiple of the recipe's, which is for labels: 3e-5 for a small encoder, as in the same appendix."""
MOST_EPOCHS = 3
"""What belongs together is known after few looks at a text; more of them teach the texts themselves."""


@dataclass(frozen=True)
class Recognised(Outputs):
    """The vector of each row, and how surprised a model is at which row is which."""

    vectors: Array
    """(rows, width)"""
    losses: Floats
    """(rows,) in nats."""

    def __len__(self) -> int:
        return len(self.losses)

    def select(self, rows: Ints) -> "Recognised":
        return Recognised(self.vectors[rows], self.losses[rows])

    def arrays(self) -> dict[str, Array]:
        return {"vectors": self.vectors, "losses": self.losses}


@dataclass(frozen=True)
class Known(Answers):
    """The vectors of some rows."""

    recognised: Recognised

    def __len__(self) -> int:
        return len(self.recognised)

    def select(self, rows: Ints) -> "Known":
        return Known(self.recognised.select(rows))


@dataclass(frozen=True)
class Recognising(Task[Recognised, Known], ABC):
    """A row is to be known again; there is nothing to answer but its vector."""

    metric: str = "loss"

    name: ClassVar[str] = NAME  # type: ignore[misc]
    outputs: ClassVar[int] = 0  # type: ignore[misc]  # as wide as the model's own vectors
    answer_key: ClassVar[str] = "vector"
    speaks: ClassVar[bool] = True

    @property
    def learning(self) -> Learning:
        return Learning(
            rows_per_step=TOGETHER, compares_rows=True, rate=RATE, most_epochs=MOST_EPOCHS, interpolated=True
        )

    @property
    def recorded(self) -> Recorded[Known]:
        return RecordedRecognition()

    @property
    def config_labels(self) -> dict[str, Any]:
        return {}

    @property
    def gap_metric(self) -> None:
        """None: it depends on which rows stand together."""
        return

    def firmness(self, rows: int) -> str:
        return firmness_of_loss(rows)

    def mean_loss(self, outputs: Recognised, examples: Examples) -> float:
        return float(outputs.losses.mean()) if len(outputs) else 0.0

    def of_logits(self, values: Array, examples: Examples) -> Recognised:
        raise NotImplementedError("rows are known again by their vectors, not by logits")

    def read_outputs(
        self, arrays: Mapping[str, Array], record: Mapping[str, Any], examples: Examples
    ) -> Recognised:
        return Recognised(arrays["vectors"], arrays["losses"])

    def answer(self, outputs: Recognised, calibration: Calibration, examples: Examples) -> Known:
        return Known(outputs)

    def lines(self, answers: Known, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        return [
            {"vector": np.round(one.astype(np.float64), 6).tolist()} for one in answers.recognised.vectors
        ]

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return [None] * len(targets)

    def flawless(self, targets: Array) -> Known:
        return Known(Recognised(np.zeros((len(targets), 1), np.float32), np.zeros(len(targets))))

    def evidence(self, answers: Known, targets: Array) -> Generated:
        return Generated(answers.recognised.losses, np.ones(len(answers), np.int64))

    def reported(self, targets: Array) -> tuple[str, ...]:
        return ("loss",)

    def details(self, answers: Known, targets: Array) -> dict[str, Any]:
        return {}

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "reads": self.reads, "metric": self.metric}


@dataclass(frozen=True)
class RecordedRecognition(Recorded[Known]):
    """How surprised a model was at which row is which."""

    def more(self, answers: Known, targets: Array) -> list[dict[str, Any]]:
        return [{"loss": float(loss)} for loss in answers.recognised.losses]

    def evidence(self, lines: Sequence[Line]) -> Generated:
        return Generated(
            np.array([line["loss"] for line in lines], np.float64), np.ones(len(lines), np.int64)
        )

    def answer(self, line: Line) -> Any:
        return line["loss"]


def surprises(changed: Tensor, whole: Tensor, numbers: Tensor | None) -> Tensor:
    """(rows,) cross-entropy in nats of which of the vectors of whole rows belongs to a row that was changed: the loss of SimCSE
    (arXiv:2104.08821, eq. 1), with the changed row in the place of the same one under other dropout.

    changed, whole: (rows, width).  numbers: (rows,) equal for copies, of which none is a wrong answer for another; None where all
    rows differ.
    """
    logits = functional.normalize(changed, dim=1) @ functional.normalize(whole, dim=1).T * SHARPNESS
    if numbers is not None:
        same = numbers[:, None] == numbers[None, :]
        same.fill_diagonal_(False)
        logits = logits.masked_fill(same, -torch.inf)
    return functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device), reduction="none")


def surprises_of(changed: Array, whole: Array, numbers: Array | None) -> Floats:
    """The same over many rows: each is told from those that stand with it, `TOGETHER` at a time."""
    found = np.zeros(len(changed))
    for begin in range(0, len(changed), TOGETHER):
        rows = slice(begin, begin + TOGETHER)
        own = None if numbers is None else torch.from_numpy(numbers[rows])
        losses = surprises(torch.from_numpy(changed[rows]), torch.from_numpy(whole[rows]), own)
        found[rows] = losses.double().numpy()
    return found
