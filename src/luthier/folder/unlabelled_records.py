"""The records of what rows without labels taught, as docs/scorecard.md describes them under `unlabelled`."""

from luthier.records import Count, Finite, Record


class Change(Record):
    """A number before and after."""

    before: Finite
    after: Finite


class ScoreChange(Change):
    """A score before and after."""

    error: Finite
    """Standard error of the difference."""


class WayTried(Record):
    """A way to give rows labels, and what the probe comes to that learns from them too."""

    way: str
    taken: Count
    """Rows that were given a label."""
    kept: bool
    score: ScoreChange | None = None
    """In cross-validation over the training rows, without and with these rows; higher is better."""
    above: Finite | None = None
    """The confidence above which answers were taken; None where that was no question, or none were."""
    answers: Count | None = None
    """Training rows answered above it by heads that did not see them."""
    right: Count | None = None
    """How many of these answers are right."""
    why_not: str | None = None
    """Why the rows were not learnt from, where that was not up to the score."""


class SharesCompared(Record):
    """How often labels are answered to training rows and to rows without labels."""

    p: Finite
    """How often chance alone would part them as much."""
    differ: bool
    labels: dict[str, list[Finite]]
    """By label its share of the answers to training rows, and of those to rows without labels; of labels of which a training row
    was answered by a head that had not seen it."""


class ProbeUnlabelled(Record):
    """What the probe learnt from rows without labels."""

    rows: Count
    """Rows without labels that it could learn from."""
    kept: str | None
    """The way that was kept; None where the probe stays as it was."""
    ways: list[WayTried]
    words: str
    seconds: Finite = 0.0
    shares: SharesCompared | None = None


class LearntUnlabelled(Record):
    """What the body learnt from rows without labels, and whether that was kept; and what the probe did."""

    rows: int
    kept: bool
    held_out: int | None = None
    steps: int | None = None
    why: str | None = None
    tokens: int | None = None
    seconds: Finite | None = None
    share: Finite | None = None
    loss: Change | None = None
    score: ScoreChange | None = None
    words: str | None = None
    probe: ProbeUnlabelled | None = None

    @property
    def sentences(self) -> list[str]:
        """What came of it, of the body and of the probe."""
        return [words for words in (self.words, self.probe.words if self.probe else None) if words]
