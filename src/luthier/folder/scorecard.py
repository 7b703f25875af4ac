"""`scorecard.json` as an object."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.errors import RunError, listing
from luthier.folder.artefacts import run_inside
from luthier.scores.intervals import Estimate

NEEDED = ("metric", "test", "chosen", "verdict")


@dataclass(frozen=True, repr=False)
class Scorecard:
    """What a run measured. `record` is the whole of scorecard.json; the rest are its most wanted parts."""

    record: dict[str, Any]

    @property
    def metric(self) -> str:
        """The metric that chose, stopped and decided."""
        return str(self.record["metric"])

    @property
    def test(self) -> dict[str, Estimate]:
        """Every metric on the test rows, with its 95 % interval."""
        return {name: Estimate(**values) for name, values in self.record["test"].items()}

    @property
    def chosen(self) -> str:
        """The candidate that was kept."""
        return str(self.record["chosen"])

    @property
    def ship(self) -> bool:
        """Whether the chosen candidate is better, beyond noise, than the best for which nothing was trained."""
        return bool(self.record["verdict"]["ship"])

    def __repr__(self) -> str:
        return f"Scorecard({self.chosen}, {self.metric} {self.test[self.metric]})"

    def to_json(self) -> dict[str, Any]:
        return self.record

    @staticmethod
    def read(run: Path) -> "Scorecard":
        """The scorecard of a run's folder, or of a search's best run. Raises RunError when there is none."""
        path = run_inside(run) / "scorecard.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            what = "is not finished" if (run / "plan.toml").is_file() else "is not the folder of a run"
            raise RunError(
                f"{run}: {what}: it holds no scorecard.json. `luthier tune` writes it at its end."
            ) from None
        except ValueError as error:
            raise RunError(
                f"{path}: is not valid JSON ({error}). Delete it and give the command of the run again."
            ) from error
        missing = [key for key in NEEDED if key not in record]
        if missing:
            raise RunError(
                f"{path}: lacks {listing(missing)}. Delete it and give the command of the run again."
            )
        return Scorecard(record)
