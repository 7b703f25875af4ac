"""What scorecard.json says of a student and its teacher."""

from luthier.records import Finite, Name, Record


class DistilledSide(Record):
    """A teacher or its student: how good, how large, how fast."""

    score: float
    low: float | None = None
    high: float | None = None
    bytes: int | None = None
    rows_per_second: Finite | None = None


class Distillation(Record):
    """A student beside its teacher, on the same test rows."""

    run: Name
    teacher: DistilledSide
    student: DistilledSide
    difference: float
    low: float
    high: float
    share: float | None = None
    faster: Finite | None = None
    smaller: Finite | None = None
    rows: dict[str, int] | None = None
    teacher_share: float | None = None
    seen: int | None = None
    seen_words: str | None = None
    words: str
