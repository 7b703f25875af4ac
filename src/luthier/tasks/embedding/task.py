"""Vectors as answers: texts whose nearness means what the rows say it means."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from luthier.arrays import Array, Ints
from luthier.batches.examples import Batch, Examples
from luthier.scores import retrieval
from luthier.scores.evidence import Estimated, Retrieved
from luthier.tasks.answers import Answers
from luthier.tasks.baselines import unit
from luthier.tasks.calibration import Calibration
from luthier.tasks.outputs import Logits
from luthier.tasks.recorded import Line, Recorded
from luthier.tasks.records import EmbeddingRecord
from luthier.tasks.task import Learning, Loss, Model, Task
from luthier.tasks.zero_shot import AsItIs, ZeroShot

NAME = "embedding"
REPORTED = {
    "scores": ("spearman", "pearson"),
    "pairs": ("mrr", "recall_at_1", "recall_at_10"),
    "labels": ("mrr", "recall_at_1", "recall_at_10"),
}
"""Metrics of the scorecard, by what rows tell."""
SHARPNESS = 20.0
"""Cosines times this are logits: the inverse of the temperature 0.05 (Gao et al. 2021, SimCSE, arXiv:2104.08821, section 3)."""


@dataclass(frozen=True)
class Vectors(Answers):
    """The vectors of each row's texts."""

    values: Array
    """The vectors of each row's texts, (rows, texts of a row, width)."""

    def __len__(self) -> int:
        return len(self.values)

    def select(self, rows: Ints) -> "Vectors":
        return Vectors(self.values[rows])


@dataclass(frozen=True)
class Embedding(Task[Logits, Vectors]):
    """A row is one, two or three texts; units are texts, and logits their vectors: (texts, width).

    goal `scores`: two texts and how near they are. `pairs`: two texts that belong together,
    and perhaps a third that does not. `labels`: one text with a label, which it shares with those it belongs to. Targets are
    (rows,): the score, the number of the second text, the number of the label.
    """

    goal: str
    metric: str = "spearman"
    low: float = 0.0
    high: float = 1.0
    """Ends of the scores of the training rows: cosines of 0 and 1 are to stand for them."""

    name: ClassVar[str] = NAME  # type: ignore[misc]
    reads: ClassVar[str] = "texts"  # type: ignore[misc]
    head: ClassVar[str] = "vector"
    outputs: ClassVar[int] = 0  # type: ignore[misc]  # as wide as the model's own vectors
    answer_key: ClassVar[str] = "vector"

    @property
    def recorded(self) -> Recorded[Vectors]:
        return RecordedNearness(self)

    @property
    def zero_shot(self) -> ZeroShot:
        return AsItIs()

    @property
    def gap_metric(self) -> str | None:
        """A rank depends on how many there are to be found among."""
        return self.metric if self.goal == "scores" else None

    @property
    def learning(self) -> Learning:
        """Rows per step: a row is told from the other rows of its step, so that more of them teach more."""
        told_apart = self.goal != "scores"
        return Learning(rows_per_step=64 if told_apart else None, compares_rows=told_apart)

    def loss(self, model: Model, batch: Batch) -> Loss:
        vectors = functional.normalize(model(batch), dim=1)
        rows = len(batch.rows)
        texts = vectors.reshape(rows, -1, vectors.shape[1])
        if self.goal == "scores":
            near = (texts[:, 0] * texts[:, 1]).sum(1)
            wanted = (batch.targets - self.low) / (self.high - self.low)
            return Loss(functional.mse_loss(near, wanted, reduction="sum"), rows)
        if self.goal == "pairs":
            return Loss(belonging(texts, batch.targets), rows)
        total, anchors = alike(texts[:, 0], batch.targets)
        return Loss(total, max(1, anchors))

    def mean_loss(self, outputs: Logits, examples: Examples) -> float:
        """Where scores are learnt the squared error of the cosines; else one less the metric, as the loss of a step depends on
        which rows are in it."""
        vectors = self.answer(outputs, Calibration(), examples)
        if self.goal != "scores":
            return 1 - self.score(vectors, examples.targets)
        wanted = (examples.targets - self.low) / (self.high - self.low)
        return float(((cosines(vectors.values) - wanted) ** 2).mean())

    def answer(self, outputs: Logits, calibration: Calibration, examples: Examples) -> Vectors:
        rows, values = len(examples), outputs.values
        return Vectors(values.reshape(rows, len(values) // max(1, rows) or 1, values.shape[1]))

    def ranks(self, predicted: Array, targets: Array) -> Array:
        """(rows,) the place, from 1, of the first text that a row belongs to among all that there are."""
        if self.goal == "pairs":
            _, first, own = np.unique(targets, return_index=True, return_inverse=True)
            return retrieval.ranks(predicted[:, 0], predicted[first, 1], own)
        return ranks_by_label(predicted[:, 0], targets)

    def evidence(self, answers: Vectors, targets: Array) -> Estimated | Retrieved:
        if self.goal == "scores":
            return Estimated(targets, cosines(answers.values))
        return Retrieved(self.ranks(answers.values, targets))

    def reported(self, targets: Array) -> tuple[str, ...]:
        return REPORTED[self.goal]

    def flawless(self, targets: Array) -> Vectors:
        """Directions in a plane: the cosine of a row's two texts is its score; or what belongs together points the same way."""
        if self.goal == "scores":
            scaled = (targets - targets.min()) / (np.ptp(targets) or 1.0)
            angles = np.stack([np.zeros(len(targets)), np.arccos(scaled)], axis=1)
        else:
            places = np.unique(targets, return_inverse=True)[1]
            angles = np.repeat(np.pi * places[:, None] / (places.max() + 1), 2, axis=1)
        return Vectors(np.stack([np.cos(angles), np.sin(angles)], axis=2))

    def details(self, answers: Vectors, targets: Array) -> dict[str, Any]:
        if self.goal != "scores":
            return {}
        order = np.argsort(targets, kind="stable")
        few = order[np.linspace(0, len(order) - 1, min(500, len(order))).astype(np.int64)]
        points = np.stack([targets[few], cosines(answers.values)[few]], axis=1)
        return {"scatter": np.round(points.astype(np.float64), 6).tolist()}

    def lines(self, answers: Vectors, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The vector of a text; of a row of several, how near the first two are."""
        if answers.values.shape[1] == 1:
            return [{"vector": np.round(one[0].astype(np.float64), 6).tolist()} for one in answers.values]
        return [{"vector": None, "similarity": round(float(near), 6)} for near in cosines(answers.values)]

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return list(targets.tolist())

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "reads": self.reads,
            "goal": self.goal,
            "metric": self.metric,
            "low": self.low,
            "high": self.high,
        }

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Embedding":
        told = EmbeddingRecord.model_validate(record)
        return Embedding(told.goal, told.metric, told.low, told.high)


@dataclass(frozen=True)
class RecordedNearness(Recorded[Vectors]):
    """How near the texts of a row are; or the rank of what belongs to it, which hangs on all the other rows."""

    task: Embedding

    @property
    def ranked(self) -> bool:
        return self.task.goal != "scores"

    def more(self, answers: Vectors, targets: Array) -> list[dict[str, Any]]:
        if not self.ranked:
            return super().more(answers, targets)
        return [{"rank": int(rank)} for rank in self.task.ranks(answers.values, targets)]

    def evidence(self, lines: Sequence[Line]) -> Estimated | Retrieved:
        if self.ranked:
            return Retrieved(np.array([line["rank"] for line in lines], np.int64))
        targets, near = ([float(line[key]) for line in lines] for key in ("label", "similarity"))
        return Estimated(np.array(targets), np.array(near))

    def answer(self, line: Line) -> Any:
        return line["rank" if self.ranked else "similarity"]


def belonging(texts: Tensor, numbers: Tensor) -> Tensor:
    """Cross-entropy, summed over rows, of which second text a first one belongs to, among all of the step and the third ones.

    texts: (rows, 2 or 3, width), of length 1.  numbers: (rows,) equal where second texts are the same.
    Henderson et al. 2017, arXiv:1705.00652, section 4.4.
    """
    rows = len(texts)
    candidates = torch.cat([texts[:, at] for at in range(1, texts.shape[1])])
    logits = texts[:, 0] @ candidates.T * SHARPNESS
    same = numbers[:, None] == numbers[None, :]
    same.fill_diagonal_(False)
    # The same text in another row is no wrong answer.
    logits[:, :rows] = logits[:, :rows].masked_fill(same, -torch.inf)
    return functional.cross_entropy(logits, torch.arange(rows, device=logits.device), reduction="sum")


def alike(vectors: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """Contrastive loss that rows with the same label are nearer than all others, summed over rows that share theirs
    with another row of the step; and the number of these rows.

    vectors: (rows, width), of length 1.  Khosla et al. 2020, arXiv:2004.11362, eq. 2.
    """
    rows = len(vectors)
    itself = torch.eye(rows, dtype=torch.bool, device=vectors.device)
    logits = (vectors @ vectors.T * SHARPNESS).masked_fill(itself, -torch.inf)
    logs = logits.log_softmax(1).masked_fill(itself, 0.0)
    likes = (labels[:, None] == labels[None, :]) & ~itself
    counts = likes.sum(1)
    total = -((logs * likes).sum(1) / counts.clamp(min=1))[counts > 0].sum()
    return total, int((counts > 0).sum())


def cosines(texts: Array) -> Array:
    """Cosines of the first two texts of each row, (rows,)."""
    found: Array = (unit(texts[:, 0]) * unit(texts[:, 1])).sum(axis=1)
    return found


def ranks_by_label(vectors: Array, labels: Array, at_once: int = 1_000) -> Array:
    """(rows,) the place, from 1, of the nearest other row with the same label; ties count against it."""
    scaled = unit(vectors)
    found = np.full(len(scaled), len(scaled), np.int64)
    for begin in range(0, len(scaled), at_once):
        near = scaled[begin : begin + at_once] @ scaled.T
        own = np.arange(len(near))
        near[own, begin + own] = -np.inf
        same = labels[begin : begin + at_once, None] == labels[None, :]
        same[own, begin + own] = False
        best = np.where(same, near, -np.inf).max(axis=1)
        found[begin : begin + at_once] = 1 + ((near >= best[:, None]) & ~same & np.isfinite(near)).sum(axis=1)
    return found
