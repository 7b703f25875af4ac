"""Preference: a model learns which answers are the better ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from luthier.arrays import Array, Floats
from luthier.batches.examples import Batch, Examples
from luthier.batches.sequences import Sequences
from luthier.devices import Device
from luthier.models.headed import HeadedModel
from luthier.models.heads.language_model import LanguageModel
from luthier.predict import over_rows
from luthier.scores.evidence import Preferred
from luthier.tasks.calibration import Calibration
from luthier.tasks.chat.replies import written_lines
from luthier.tasks.chat.task import written_to
from luthier.tasks.config_labels import number
from luthier.tasks.preference.before import Before
from luthier.tasks.preference.lengths import BY_LENGTH, by_length, lengths_of
from luthier.tasks.preference.objectives import bradley_terry, dpo, drift_of, kto, orpo, weights_of
from luthier.tasks.preference.rewards import Likelihoods, Rewards
from luthier.tasks.preference.sums import sums_of
from luthier.tasks.recorded import Line, Recorded
from luthier.tasks.records import PreferenceRecord
from luthier.tasks.reference import Reference
from luthier.tasks.task import Baseline, Learning, Loss, Model, Task

NAME = "preference"
COMPARED = ("dpo", "kto")
"""Objectives that compare the model with what it was before it learnt."""
GOOD, BAD = "good", "bad"
"""What is said of a judged answer."""


@dataclass(frozen=True)
class Preference(Task[Likelihoods, Rewards]):
    """A row is a prompt with a chosen and a rejected answer, or with one that was judged; each is a sequence of its own.

    Targets are (rows, sequences): log-probabilities of the answers under the model as it came, where the objective compares with
    these, else zeros. Of judged answers one more column tells by 1 which of them are good. For KTO as many sequences follow the
    row's own: the same prompt with the answers of another row.
    """

    objective: str = "dpo"
    beta: float = 0.1
    """How much a difference counts: beta of DPO and KTO, lambda of ORPO."""
    metric: str = "reward_accuracy"
    system: str | None = None
    """What is said in a first turn to prompts that have no such turn."""
    judged: bool = False
    """Whether a row is one answer that was found good or bad."""
    weights: tuple[float, float] = (1.0, 1.0)
    """How much good and bad answers count in KTO."""

    name: ClassVar[str] = NAME  # type: ignore[misc]
    reads: ClassVar[str] = "preference"  # type: ignore[misc]
    outputs: ClassVar[int] = 1  # type: ignore[misc]
    answer_key: ClassVar[str] = "text"

    @property
    def head(self) -> str:  # type: ignore[override]
        return "score" if self.scores_answers else "language"

    @property
    def scores_answers(self) -> bool:
        """Whether the model writes nothing, and gives a number for an answer."""
        return self.objective == "reward"

    @property
    def speaks(self) -> bool:  # type: ignore[override]
        return not self.scores_answers

    @property
    def answers(self) -> int:
        """Answers of a row, which are its first sequences."""
        return 1 if self.judged else 2

    @property
    def mismatched(self) -> bool:
        """Whether the answers of another row follow a row's own."""
        return self.objective == "kto"

    @property
    def sequences(self) -> int:
        """Sequences of a row."""
        return self.answers * (2 if self.mismatched else 1)

    @property
    def learning(self) -> Learning:
        """The drift of KTO is one number of a whole step."""
        return Learning(micro_tokens=1_024, compares_rows=self.mismatched)

    @property
    def reference(self) -> Reference | None:
        return Before() if self.objective in COMPARED else None

    @property
    def config_labels(self) -> dict[str, Any]:
        """A score is a number; of a model that writes nothing is to be said."""
        return number() if self.scores_answers else {}

    @property
    def recorded(self) -> Recorded[Rewards]:
        return RecordedRewards(self.judged)

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        return {BY_LENGTH: by_length(self)}

    def having_seen(self, targets: Array) -> "Preference":
        if not self.judged:
            return self
        good = int(self.good(targets).sum())
        return replace(self, weights=weights_of(good, len(targets) - good))

    def good(self, targets: Array) -> Array:
        """(rows,) whether judged answers are good."""
        found: Array = targets[:, -1] == 1
        return found

    # Learning

    def loss(self, model: Model, batch: Batch) -> Loss:
        values, tokens = sums_of(model, batch)
        total = self.losses(values, tokens, batch.targets.to(values.dtype)).sum()
        return Loss(total, len(batch.rows))

    def losses(self, values: Tensor, tokens: Tensor, targets: Tensor) -> Tensor:
        """(rows,) the loss of each row. values, tokens: (rows, sequences)."""
        if self.objective == "dpo":
            return dpo(values, targets, self.beta)
        if self.objective == "orpo":
            return orpo(values, tokens, self.beta)
        if self.objective == "reward":
            return bradley_terry(values)
        ratios = values - targets[:, : self.sequences]
        own, others = ratios[:, : self.answers], ratios[:, self.answers :]
        pair = torch.tensor([True, False], device=values.device)
        good = targets[:, -1:] == 1 if self.judged else pair.expand(own.shape)
        return kto(own, good, drift_of(others), self.beta, self.weights).mean(1)

    def mean_loss(self, outputs: Likelihoods, examples: Examples) -> float:
        values, tokens, targets = (
            torch.from_numpy(array).double() for array in (outputs.values, outputs.counts, examples.targets)
        )
        return float(self.losses(values, tokens, targets).mean())

    # Answering

    @torch.inference_mode()
    def infer(self, model: HeadedModel, examples: Examples, device: Device) -> Likelihoods:
        assert isinstance(examples, Sequences), "answers are sequences"
        model.eval()
        if isinstance(model, LanguageModel) and not examples.trained.any():  # prompts that wait for an answer
            nothing = np.zeros((len(examples), self.answers))
            return Likelihoods(nothing, nothing.astype(np.int64), written=written_to(model, examples, device))
        sequences = int(np.diff(examples.first_part).max(initial=1))
        values = np.zeros((len(examples), sequences))
        counts = np.zeros((len(examples), sequences), np.int64)
        for batch in over_rows(examples, device):
            found, tokens = sums_of(model, batch)
            values[batch.rows] = found.double().cpu().numpy()
            counts[batch.rows] = tokens.cpu().numpy()
        return Likelihoods(values, lengths_of(examples, sequences) if self.scores_answers else counts)

    def of_logits(self, values: Array, examples: Examples) -> Likelihoods:
        """Scores of answers, which are all of one length."""
        shape = len(examples), self.sequences
        scores = np.resize(np.asarray(values, np.float64), shape)
        return Likelihoods(scores, np.ones(shape, np.int64))

    def read_outputs(
        self, arrays: Mapping[str, Array], record: Mapping[str, Any], examples: Examples
    ) -> Likelihoods:
        return Likelihoods.read(arrays, record)

    def untouched(self, outputs: Likelihoods) -> Likelihoods:
        """Its difference to itself is nothing for all answers: it rewards what it finds likely, token by token."""
        return replace(outputs, values=outputs.means, final=True)

    def answer(self, outputs: Likelihoods, calibration: Calibration, examples: Examples) -> Rewards:
        return Rewards(self.rewards(outputs, examples.targets), outputs.written)

    def rewards(self, outputs: Likelihoods, targets: Array) -> Floats:
        """(rows, answers) the implicit rewards of DPO and KTO (arXiv:2305.18290, section 4), mean log-probabilities for ORPO, a
        reward model's scores."""
        own = slice(0, self.answers)
        if self.scores_answers and not outputs.final:
            return np.where(outputs.counts[:, own] > 0, outputs.values[:, own], np.nan)
        if outputs.final or outputs.written is not None:
            return outputs.values[:, own]
        if self.objective in COMPARED:
            compared: Floats = self.beta * (outputs.values[:, own] - targets[:, own])
            return compared
        return outputs.means[:, own]

    def lines(self, answers: Rewards, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Which of two answers is preferred, and the rewards of both; the reward of one; or what was written to a prompt."""
        if answers.written is not None:
            return written_lines(answers.written, len(answers))
        if answers.values.shape[1] == 1:
            return [
                {"text": None, "score": None if np.isnan(score) else float(score)}
                for (score,) in answers.values
            ]
        return [
            {
                "text": "chosen" if chosen > rejected else "rejected" if rejected > chosen else None,
                "rewards": {"chosen": float(chosen), "rejected": float(rejected)},
            }
            for chosen, rejected in answers.values
        ]

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        if self.judged:
            return [GOOD if good else BAD for good in self.good(targets)]
        return ["chosen"] * len(targets)

    def flawless(self, targets: Array) -> Rewards:
        if self.judged:
            return Rewards(self.good(targets)[:, None].astype(np.float64))
        return Rewards(np.tile([1.0, 0.0], (len(targets), 1)))

    # Scores

    def evidence(self, answers: Rewards, targets: Array) -> Preferred:
        if self.judged:
            return Preferred(answers.values[:, 0], self.good(targets))
        return Preferred(answers.margins)

    def reported(self, targets: Array) -> tuple[str, ...]:
        return ("reward_accuracy",)

    def details(self, answers: Rewards, targets: Array) -> dict[str, Any]:
        """By how much the better answers are rewarded more."""
        if self.judged:
            rewards, good = answers.values[:, 0], self.good(targets)
            both = ((GOOD, rewards[good]), (BAD, rewards[~good]))
            return {"rewards": {name: float(some.mean()) for name, some in both if len(some)}}
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
            "judged": self.judged,
            "weights": list(self.weights),
        }

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Preference":
        told = PreferenceRecord.model_validate(record)
        good, bad = told.weights
        return Preference(told.objective, told.beta, told.metric, told.system, told.judged, (good, bad))


@dataclass(frozen=True)
class RecordedRewards(Recorded[Rewards]):
    """The rewards of both answers, or the score of one that was judged."""

    judged: bool

    def evidence(self, lines: Sequence[Line]) -> Preferred:
        if self.judged:
            scores = np.array([float(line["score"]) for line in lines])
            return Preferred(scores, np.array([line["label"] == GOOD for line in lines]))
        pairs = [line["rewards"] for line in lines]
        return Preferred(np.array([float(one["chosen"]) - float(one["rejected"]) for one in pairs]))

    def answer(self, line: Line) -> Any:
        return line["score" if self.judged else "prediction"]
