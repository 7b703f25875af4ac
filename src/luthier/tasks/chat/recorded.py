"""What the lines of a run say of texts: how likely the right ones were to the model, and what it wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.arrays import Array
from luthier.scores.evidence import Generated
from luthier.scores.generated import LIKENESSES, text_scores
from luthier.tasks.chat.likelihood import BY_LIKELIHOOD
from luthier.tasks.chat.replies import Replies
from luthier.tasks.recorded import Line, Recorded


@dataclass(frozen=True)
class RecordedTexts(Recorded[Replies]):
    """Losses with their tokens; and texts that were written, each with the right one, where these are judged."""

    metric: str
    written: tuple[str, ...] = ()
    """Scores of what is written, beside its likeness to the right answer."""
    pattern: str | None = None

    def more(self, answers: Replies, targets: Array) -> list[dict[str, Any]]:
        """The mean surprise at a token of the right answer, in nats, and how many tokens it has."""
        spoken = answers.spoken
        means = spoken.losses / np.maximum(1, spoken.counts)
        return [
            {"loss": float(mean), "tokens": int(count)}
            for mean, count in zip(means, spoken.counts, strict=True)
        ]

    def evidence(self, lines: Sequence[Line]) -> Generated:
        tokens = np.array([line["tokens"] for line in lines], np.int64)
        losses = np.array([line["loss"] for line in lines], np.float64) * tokens
        if self.metric in BY_LIKELIHOOD:
            return Generated(losses, tokens)
        rows = places(lines)
        texts, right = ([lines[row][key] for row in rows] for key in ("prediction", "label"))
        scores = text_scores(texts, right, (*self.written, *LIKENESSES), self.pattern)
        return Generated(losses, tokens, scores, np.array(rows, np.int64))

    def answer(self, line: Line) -> Any:
        return line["loss" if self.metric in BY_LIKELIHOOD else "prediction"]

    def unlike(self, ours: Sequence[Line], theirs: Sequence[Line]) -> str:
        if self.metric not in BY_LIKELIHOOD:
            return self.unlike_places(places(ours), places(theirs))
        if [one["tokens"] for one in ours] == [one["tokens"] for one in theirs]:
            return ""
        return (
            f"Their models cut the texts into different tokens, and {self.metric} is counted by the token. Compare them by what "
            "they write: tune both with --metric exact_match, chrf or the like."
        )

    def unlike_places(self, ours: list[int], theirs: list[int]) -> str:
        """ours, theirs: the rows that each has written something to."""
        if ours == theirs:
            return ""
        return (
            f"They wrote answers to {len(ours):,} and {len(theirs):,} of the test rows, and not to the same ones. Tune both with "
            f"--metric {self.metric}."
        )


def places(lines: Sequence[Line]) -> list[int]:
    """The rows that something was written to."""
    return [row for row, line in enumerate(lines) if line["prediction"] is not None]
