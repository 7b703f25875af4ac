"""`search.json`, checked when it is read back."""

import math
from pathlib import Path
from typing import Literal, Self

from pydantic import field_validator, model_validator

from luthier.records import Count, Finite, Name, Record, VersionedRecord, read_sealed

FILE = "search.json"
MEND = "`luthier resume` of this folder writes it anew, once the file is deleted."
Value = str | int | float | bool | list[int] | None


class TrialRecord(Record):
    """A trial of a search."""

    number: Count
    values: dict[str, Value]
    state: Literal["running", "complete", "pruned", "failed"]
    score: float | None = None
    seconds: Finite | None = None
    run: str | None = None
    ended: Finite | None = None
    words: str | None = None
    validations: dict[str, float] | None = None

    @property
    def scored(self) -> float:
        """Its score on the validation rows; not a number where it has none."""
        return math.nan if self.score is None else self.score

    @property
    def minutes(self) -> float:
        """When it ended, in minutes since the search began; not a number where it has not."""
        return math.nan if self.ended is None else self.ended / 60

    @field_validator("values")
    @classmethod
    def settings(cls, values: dict[str, Value]) -> dict[str, Value]:
        """Raises ValueError for what is no setting."""
        if any(key.count(".") != 1 for key in values):
            raise ValueError("settings are named section.key")
        return values

    @field_validator("validations")
    @classmethod
    def ages(cls, scores: dict[str, float] | None) -> dict[str, float] | None:
        """Raises ValueError for a validation without its number."""
        if any(not age.isdecimal() for age in scores or {}):
            raise ValueError("scores are named by the number of their validation")
        return scores


class NamedRecord(Record):
    """The trial that a search ends with."""

    number: Count
    score: float
    values: dict[str, Value] | None = None
    why: str | None = None


class CorrectedRecord(Record):
    """What the named trial will score on new rows."""

    value: float
    low: float
    high: float


class SearchRecord(VersionedRecord):
    """search.json, as docs/search.md describes it."""

    method: Name
    metric: Name
    trials: list[TrialRecord]
    best: NamedRecord | None
    seconds: Finite
    space: list[str] | None = None
    prune: str | None = None
    importance: dict[str, list[Finite]] | None = None
    corrected: CorrectedRecord | None = None
    recipe: float | None = None
    spread: str | None = None
    seeds: dict[str, list[float]] | None = None
    over: bool = False

    @model_validator(mode="after")
    def fits_together(self) -> Self:
        """Raises ValueError for trials out of their order, and shares without their spread."""
        if any(one.number != at for at, one in enumerate(self.trials)):
            raise ValueError("'trials' is to hold each trial once, in order")
        if self.best is not None and self.best.number >= len(self.trials):
            raise ValueError("'best' is to name one of the trials")
        if any(len(shares) != 3 or key.count(".") != 1 for key, shares in (self.importance or {}).items()):
            raise ValueError(
                "'importance' is to have a share and its two ends for each setting, named section.key"
            )
        return self


def read_search(search: Path) -> SearchRecord:
    """search.json of a search's folder. Raises FileNotFoundError where there is none, RunError that names file and field."""
    return read_sealed(search / FILE, SearchRecord, within=search, mend=MEND)[0]
