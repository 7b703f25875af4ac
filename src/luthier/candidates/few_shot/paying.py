"""Whether bringing rows of a label together is going to pay, foretold from how the probe does on rows that it did not see."""

from dataclasses import asdict, dataclass
from typing import Any

from luthier.candidates.run import Run

MENDED = 0.2
"""Share of the probe's errors that the few-shot model is expected to mend: about the least over the sets of
benchmarks/few/few_labels.py, which tells how often it foretells rightly."""
FEWEST = 10
"""Rows in cross-validation of which fewer foretell nothing: two that the probe has right say little of the others."""
WORTH = 0.02
"""The least gain that is worth its time, as a share of the rows."""


@dataclass(frozen=True)
class Paying:
    """What is expected of the few-shot candidate."""

    probe: float
    """Share of the rows that the probe answers rightly in cross-validation."""
    gain: float
    """By how much the few-shot model is expected to be better, at the least."""

    @property
    def pays(self) -> bool:
        return self.gain >= WORTH

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "pays": self.pays}

    def words(self) -> str:
        """Why it is not tried."""
        return (
            f"The few-shot model is not tried: in cross-validation the probe has {100 * self.probe:.1f} % of the rows right, and "
            f"about {100 * MENDED:.0f} % of its errors are mended as a rule, here less than {100 * WORTH:.0f} points. "
            "--method few-shot tries it all the same."
        )


def expected(run: Run) -> Paying | None:
    """What is expected of it; None where nobody asks, as it was named, or nobody can say, as too few rows were held out from the
    probe."""
    split = run.ready.rows.split
    if run.plan.train.method != "auto" or not split.crossed or len(split.valid) < FEWEST:
        return None
    probe = next(one for one in run.candidates if one.name == "probe")
    evidence = run.task.evidence(probe.answers["valid"], run.targets("valid"))
    right = run.task.measures(["accuracy"], evidence)["accuracy"].value
    return Paying(right, MENDED * (1 - right))
