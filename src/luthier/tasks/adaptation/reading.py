"""What adapting to texts by their tokens has in common, whichever tokens a model is asked for."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from luthier.arrays import Array
from luthier.scores.evidence import Generated
from luthier.tasks.chat.likelihood import BY_LIKELIHOOD, LikelihoodTask, firmness_of_loss
from luthier.tasks.chat.recorded import RecordedTexts
from luthier.tasks.chat.replies import Replies, Spoken
from luthier.tasks.chat.task import nothing_written
from luthier.tasks.recorded import Recorded

NAME = "adaptation"


@dataclass(frozen=True)
class Reading(LikelihoodTask, ABC):
    """A row is a text; there is nothing to answer. Targets say which rows are copies of each other."""

    metric: str = "loss"

    name: ClassVar[str] = NAME  # type: ignore[misc]
    answer_key: ClassVar[str] = "loss"
    long: ClassVar[str] = "windows"

    @property
    def recorded(self) -> Recorded[Replies]:
        return RecordedTexts(self.metric)

    @property
    def config_labels(self) -> dict[str, Any]:
        return {}

    def firmness(self, rows: int) -> str:
        return firmness_of_loss(rows)

    def lines(self, answers: Replies, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The mean surprise at a token of each text, in nats, and how many tokens were asked for."""
        spoken = answers.spoken
        return [
            {"loss": float(loss / max(1, count)), "tokens": int(count)}
            for loss, count in zip(spoken.losses, spoken.counts, strict=True)
        ]

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return [None] * len(targets)

    def flawless(self, targets: Array) -> Replies:
        rows = len(targets)
        return Replies(Spoken(np.zeros(rows), np.ones(rows, np.int64), nothing_written()))

    def evidence(self, answers: Replies, targets: Array) -> Generated:
        return Generated(answers.spoken.losses, answers.spoken.counts)

    def reported(self, targets: Array) -> tuple[str, ...]:
        return BY_LIKELIHOOD

    def details(self, answers: Replies, targets: Array) -> dict[str, Any]:
        return {}

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "reads": self.reads, "metric": self.metric}
