"""What tasks have in common whose causal language model learns to find texts likely."""

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar

from luthier.arrays import Array
from luthier.batches.examples import Batch, Examples
from luthier.tasks.calibration import Calibration
from luthier.tasks.chat.replies import Replies, Spoken
from luthier.tasks.task import Learning, Loss, Model, Task

BY_LIKELIHOOD = ("loss", "perplexity")
"""Metrics for which nothing is written."""
MICRO_TOKENS = 1_024
"""Tokens that go through a language model at once in training: more are no faster, and take memory."""


class LikelihoodTask(Task[Spoken, Replies], ABC):
    """A task of which each token that is learnt counts alike. Its models' log-probabilities are its loss."""

    head: ClassVar[str] = "language"
    outputs: ClassVar[int] = 1  # type: ignore[misc]
    speaks: ClassVar[bool] = True
    replays: ClassVar[bool] = True

    @property
    def learning(self) -> Learning:
        return Learning(micro_tokens=MICRO_TOKENS)

    def loss(self, model: Model, batch: Batch) -> Loss:
        found = model(batch)
        return Loss(-found.sum(), len(found))

    def mean_loss(self, outputs: Spoken, examples: Examples) -> float:
        return float(outputs.losses.sum() / max(1, outputs.counts.sum()))

    def of_logits(self, values: Array, examples: Examples) -> Spoken:
        raise NotImplementedError("what a language model says is no logits of rows")

    def read_outputs(
        self, arrays: Mapping[str, Array], record: Mapping[str, Any], examples: Examples
    ) -> Spoken:
        return Spoken.read(arrays, record)

    def answer(self, outputs: Spoken, calibration: Calibration, examples: Examples) -> Replies:
        return Replies(outputs)


def firmness_of_loss(rows: int) -> str:
    """How well a mean loss of so many rows is known, in words.

    >>> firmness_of_loss(16)
    'where the losses of rows differ by a third of their mean, it would be known to about 16 % either way'
    """
    margin = 100 * 1.96 / 3 / max(1, rows) ** 0.5
    return f"where the losses of rows differ by a third of their mean, it would be known to about {margin:.0f} % either way"
