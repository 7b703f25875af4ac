"""Preference: a model learns which of two answers is the better one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from luthier.arrays import Array
from luthier.batches.examples import Batch, Examples
from luthier.batches.sequences import Sequences
from luthier.devices import Device
from luthier.models.headed import HeadedModel
from luthier.models.heads.language_model import LanguageModel
from luthier.predict import over_rows
from luthier.scores.metrics import Preferred
from luthier.tasks.calibration import Calibration
from luthier.tasks.chat.replies import written_lines
from luthier.tasks.chat.task import written_to
from luthier.tasks.preference.objectives import bradley_terry, dpo, drift_of, kto, orpo
from luthier.tasks.preference.rewards import Likelihoods, Rewards
from luthier.tasks.records import PreferenceRecord
from luthier.tasks.reference import Reference
from luthier.tasks.task import Learning, Loss, Model, Task

NAME = "preference"
COMPARED = ("dpo", "kto")
"""Objectives that compare the model with what it was before it learnt."""
PAIR = 2
"""Answers of a row: the chosen one, and the rejected one."""


@dataclass(frozen=True)
class Preference(Task[Likelihoods, Rewards]):
    """A row is a prompt with a chosen and a rejected answer, each a sequence of its own.

    Targets are (rows, sequences): log-probabilities of the answers under the model as it came, where the objective compares with
    these, else zeros. For KTO two more sequences follow: the same prompt with the chosen and the rejected answer of another row.
    """

    objective: str = "dpo"
    beta: float = 0.1
    """How much a difference counts: beta of DPO and KTO, lambda of ORPO."""
    metric: str = "reward_accuracy"
    system: str | None = None
    """What is said in a first turn to prompts that have no such turn."""

    name: ClassVar[str] = NAME  # type: ignore[misc]
    reads: ClassVar[str] = "preference"  # type: ignore[misc]
    outputs: ClassVar[int] = 1  # type: ignore[misc]
    answer_key: ClassVar[str] = "text"

    @property
    def head(self) -> str:  # type: ignore[override]
        return "reward" if self.objective == "reward" else "language"

    @property
    def talks(self) -> bool:  # type: ignore[override]
        return self.head == "language"

    @property
    def mismatched(self) -> bool:
        """Whether the answers of another row follow a row's own."""
        return self.objective == "kto"

    @property
    def learning(self) -> Learning:
        """The drift of KTO is one number of a whole step."""
        return Learning(micro_tokens=1_024, compares_rows=self.mismatched)

    @property
    def reference(self) -> Reference | None:
        return Before() if self.objective in COMPARED else None

    # Learning

    def loss(self, model: Model, batch: Batch) -> Loss:
        values, tokens = sums(model(batch), batch)
        total = self.losses(values, tokens, batch.targets.to(values.dtype)).sum()
        return Loss(total, len(batch.rows))

    def losses(self, values: Tensor, tokens: Tensor, reference: Tensor) -> Tensor:
        """(rows,) the loss of each row. values, tokens, reference: (rows, sequences)."""
        pair = values[:, :PAIR]
        if self.objective == "dpo":
            return dpo(pair, reference[:, :PAIR], self.beta)
        if self.objective == "orpo":
            return orpo(pair, tokens[:, :PAIR], self.beta)
        if self.objective == "reward":
            return bradley_terry(pair)
        ratios = values - reference
        good = torch.tensor([True, False], device=values.device).expand(len(pair), PAIR)
        drift = drift_of(ratios[:, PAIR:].reshape(-1))
        return kto(ratios[:, :PAIR], good, drift, self.beta, (1.0, 1.0)).sum(1)

    def mean_loss(self, outputs: Likelihoods, examples: Examples) -> float:
        values, tokens, reference = (
            torch.from_numpy(array).double() for array in (outputs.values, outputs.counts, examples.targets)
        )
        return float(self.losses(values, tokens, reference).mean())

    # Answering

    @torch.inference_mode()
    def infer(self, model: HeadedModel, examples: Examples, device: Device) -> Likelihoods:
        assert isinstance(examples, Sequences), "answers are sequences"
        if not examples.trained.any():  # prompts alone, that are to be answered
            assert isinstance(model, LanguageModel), "a language model answers"
            nothing = np.zeros((len(examples), PAIR))
            return Likelihoods(nothing, nothing.astype(np.int64), written_to(model, examples, device))
        columns = int(np.diff(examples.first_part).max(initial=PAIR))
        values = np.zeros((len(examples), columns))
        counts = np.zeros((len(examples), columns), np.int64)
        model.eval()
        for batch in over_rows(examples, device):
            found, tokens = sums(model(batch), batch)
            values[batch.rows] = found.double().cpu().numpy()
            counts[batch.rows] = tokens.cpu().numpy()
        return Likelihoods(values, counts)

    def of_logits(self, values: Array, examples: Examples) -> Likelihoods:
        raise NotImplementedError("the likelihoods of answers are no logits of rows")

    def read_outputs(
        self, arrays: Mapping[str, Array], record: Mapping[str, Any], examples: Examples
    ) -> Likelihoods:
        return Likelihoods.read(arrays)

    def answer(self, outputs: Likelihoods, calibration: Calibration, examples: Examples) -> Rewards:
        """The implicit rewards of DPO (arXiv:2305.18290, section 4), mean log-probabilities for ORPO, a reward model's scores."""
        pair = outputs.values[:, :PAIR]
        if outputs.written is not None:
            return Rewards(pair, outputs.written)
        if self.objective in COMPARED:
            return Rewards(self.beta * (pair - examples.targets[:, :PAIR]))
        if self.objective == "orpo":
            return Rewards(pair / np.maximum(1, outputs.counts[:, :PAIR]))
        return Rewards(pair)

    def lines(self, answers: Rewards, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Which of two answers is preferred, and the rewards of both; or what was written to a prompt that has no answers."""
        if answers.written is not None:
            return written_lines(answers.written, len(answers))
        return [
            {
                "text": "chosen" if chosen > rejected else "rejected" if rejected > chosen else None,
                "rewards": {"chosen": float(chosen), "rejected": float(rejected)},
            }
            for chosen, rejected in answers.values
        ]

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return ["chosen"] * len(targets)

    def flawless(self, targets: Array) -> Rewards:
        return Rewards(np.tile([1.0, 0.0], (len(targets), 1)))

    # Scores

    def evidence(self, answers: Rewards, targets: Array) -> Preferred:
        return Preferred(answers.margins)

    def reported(self, targets: Array) -> tuple[str, ...]:
        return ("reward_accuracy",)

    def details(self, answers: Rewards, targets: Array) -> dict[str, Any]:
        margins = answers.margins
        return {"margins": {"mean": float(margins.mean()), "median": float(np.median(margins))}}

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "reads": self.reads,
            "metric": self.metric,
            "objective": self.objective,
            "beta": self.beta,
            "system": self.system,
        }

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Preference":
        told = PreferenceRecord.model_validate(record)
        return Preference(told.objective, told.beta, told.metric, told.system)


class Before(Reference):
    """Log-probabilities of the answers under the model as it came: computed once, and kept."""

    def told(self, task: Task[Any, Any], model: HeadedModel, examples: Examples, device: Device) -> Array:
        found: Array = task.infer(model, examples, device).values
        return found

    def given(self, examples: Examples, values: Array) -> Examples:
        assert isinstance(examples, Sequences), "answers are sequences"
        return replace(examples, targets=values)


def sums(found: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """(rows, sequences) each: sums over the predictions of a sequence, or scores of sequences as they are; and its tokens."""
    assert batch.packed is not None, "sequences are packed"
    sequences, rows = len(batch.packed.paths), len(batch.rows)
    of = batch.packed.predictions.sequence
    tokens = torch.bincount(of, minlength=sequences).view(rows, -1)
    if len(found) == sequences and len(found) != len(of):
        return found.view(rows, -1), tokens
    return found.new_zeros(sequences).index_add(0, of, found).view(rows, -1), tokens
