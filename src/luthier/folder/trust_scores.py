"""The records of what a scorecard says of trust in single answers, checked when they are read."""

from luthier.records import Finite, Record


class LimitScores(Record):
    """What is answered at a limit of error, on the calibration rows and on the test rows."""

    error: Finite
    answered: Finite
    above: Finite | None = None
    """Rows of more confidence than this are answered: 0 where all are; None where none is."""
    test_answered: Finite | None = None
    test_wrong: Finite | None = None


class SetScores(Record):
    """Sets of labels on the test rows."""

    wanted: Finite
    coverage: Finite
    mean_size: Finite
    by_label: bool = False
    single: Finite | None = None


class IntervalScores(Record):
    """Intervals around numbers on the test rows."""

    wanted: Finite
    margin: Finite
    coverage: Finite


class AlarmScores(Record):
    """The alarm for rows that are unlike the training rows."""

    level: Finite
    stream: Finite
    rows: Finite
    test_unlike: Finite | None = None


class TrustScores(Record):
    """What is promised of single answers."""

    part: str | None = None
    rows: Finite | None = None
    learnt_since: bool = False
    certainty: Finite | None = None
    limits: list[LimitScores] | None = None
    sets: SetScores | None = None
    intervals: list[IntervalScores] | None = None
    alarm: AlarmScores | None = None
