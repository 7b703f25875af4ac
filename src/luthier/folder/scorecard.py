"""The scorecard of a run: `scorecard.json`, checked, and as an object."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from luthier.errors import RunError, listing
from luthier.folder.artefacts import run_inside
from luthier.folder.scorecard_records import Score, ScorecardRecord
from luthier.records import (
    migrated,
    read_json,
    refuse_broken_seal,
    validated,
)
from luthier.scores.intervals import Estimate

NEEDED = ("metric", "test", "chosen", "verdict")
FILE = "scorecard.json"
MEND = "Delete it and give the command of the run again."


@dataclass(frozen=True, repr=False)
class Scorecard:
    """What a run measured: scorecard.json, and its most wanted parts."""

    record: dict[str, Any]
    """All of it, as JSON."""

    @cached_property
    def card(self) -> ScorecardRecord:
        """The record under the names that are known today."""
        return ScorecardRecord.model_validate(self.record)

    @property
    def metric(self) -> str:
        """The metric that chose, stopped and decided."""
        return self.card.metric

    @property
    def test(self) -> dict[str, Estimate]:
        """Every metric on the test rows, with its 95 % interval."""
        return {name: estimate(one) for name, one in self.card.test.items()}

    @property
    def chosen(self) -> str:
        """The candidate that was kept."""
        return self.card.chosen

    @property
    def ship(self) -> bool:
        """Whether the chosen candidate is better, beyond noise, than the best for which nothing was trained."""
        return self.card.ship

    @property
    def words(self) -> str:
        """The verdict as a sentence."""
        return self.card.verdict_words

    @property
    def looks_words(self) -> str:
        """What is told where other models were scored on the same test rows before; empty where none was."""
        return self.card.looks_words

    def __repr__(self) -> str:
        told = f"{self.metric} {self.test[self.metric]}" if self.card.measured else "nothing measured"
        return f"Scorecard({self.chosen}, {told})"

    def to_json(self) -> dict[str, Any]:
        return self.record

    @staticmethod
    def read(run: Path) -> "Scorecard":
        """The scorecard of a run's folder, or of a search's best run. Raises RunError when there is none."""
        inside = run_inside(run)
        try:
            return read_scorecard(inside, NEEDED, MEND)
        except (FileNotFoundError, NotADirectoryError):
            what = "is not finished" if (run / "plan.toml").is_file() else "is not the folder of a run"
            raise RunError(
                f"{run}: {what}: it holds no scorecard.json. `luthier tune` writes it at its end."
            ) from None


def read_scorecard(run: Path, needed: Sequence[str], mend: str) -> Scorecard:
    """scorecard.json of a run, of the right types and as it was written. needed: keys without which it says nothing.

    Raises FileNotFoundError where there is none, RunError that names the file and the field.
    """
    path = run / FILE
    value = read_json(path, within=run, mend=mend)
    record = migrated(value, ScorecardRecord, str(path), mend)
    if missing := [key for key in needed if not record.get(key) and not (key == "test" and key in record)]:
        raise RunError(f"{path}: lacks {listing(missing)}. {mend}")
    found = validated(record, ScorecardRecord, str(path), mend)
    if found.metric not in found.test and found.measured:
        raise RunError(f"{path}: 'test' has no value of the metric {found.metric!r}. {mend}")
    if not refuse_broken_seal(value, path, mend, ", so its numbers cannot be believed"):
        tell_unsealed(path)
    return Scorecard(record)


def estimate(score: Score) -> Estimate:
    """A score with its interval; where that was not measured, with none."""
    low, high = (math.nan if end is None else end for end in (score.low, score.high))
    return Estimate(score.value, low, high)


def tell_unsealed(path: Path) -> None:
    """One line for records of luthier from before they were sealed."""
    print(
        f"{path}: was written before luthier sealed its records, so that a change could not be told: it is believed as it is.",
        file=sys.stderr,
    )
