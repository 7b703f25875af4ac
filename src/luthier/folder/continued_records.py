"""The scorecard's `continued`: a round of labelling beside the one before, checked when it is read."""

from luthier.records import Count, Finite, Name, Record


class Brought(Record):
    """What new labels brought: the model of the round before and the new one on the same test rows."""

    rows: Count
    answered_differently: Count
    before: float
    after: float
    difference: float
    low: float
    high: float
    confidence: Finite
    """Confidence of the interval."""
    any_look: bool
    """Whether the intervals of all looks together hold with 95 % confidence; else this one holds alone."""
    look: Count
    outcome: str | None = None


class NextRound(Record):
    """What a next round is likely to bring."""

    labels: Count
    """New labels that it is foretold for."""
    value: Finite
    low: Finite
    high: Finite


class Round(Record):
    """A round: the rows that were learnt from, and the score on the test rows."""

    run: str
    rows: Count
    value: float
    low: float | None = None
    high: float | None = None


class Continued(Record):
    """A round of labelling that went on from a run."""

    run: Name
    round: Count
    known: Count
    """Rows that the run before had."""
    new: Count
    looks: Count
    """Looks at these test rows that compared a round with the one before."""
    rounds: list[Round]
    trained_at: Count | None = None
    """Training rows with which layers were last trained; None where no round has."""
    brought: Brought | None = None
    forecast: NextRound | None = None
    words: list[str]
