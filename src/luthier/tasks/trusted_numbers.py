"""What is promised of numbers: intervals that hold the truth as often as is asked."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from luthier.arrays import Array, Bools
from luthier.scores.conformal import conformal_bound, fewest_rows
from luthier.scores.regression import mae_per_row
from luthier.tasks.outputs import Logits
from luthier.tasks.trusting import LIMITS, Promise, Trusting

if TYPE_CHECKING:
    from luthier.tasks.regression import Numbers


class TrustedNumbers(Trusting["Logits", "Numbers"]):
    """Intervals of one width: every number is answered. Where nothing is asked, they hold 90 % (`Calibration.margin`)."""

    def known(self, outputs: Logits, answers: "Numbers", targets: Array, unlike: Bools) -> dict[str, Array]:
        return {"distance": mae_per_row(targets, answers.values)}

    def promise(
        self, known: Mapping[str, Array], outputs: Logits, answers: "Numbers", error: float
    ) -> Promise:
        margin, rows = conformal_bound(known["distance"], error), len(answers)
        sure = np.ones(rows, bool)
        if math.isinf(margin):
            return Promise(
                sure,
                [{"low": None, "high": None}] * rows,
                (no_interval_words(error, len(known["distance"])),),
            )
        values = answers.values.astype(np.float64)
        ends = zip((values - margin).tolist(), (values + margin).tolist(), strict=True)
        return Promise(sure, [{"low": round(low, 6), "high": round(high, 6)} for low, high in ends])

    def measured(
        self,
        known: Mapping[str, Array],
        outputs: Logits,
        answers: "Numbers",
        targets: Array,
        unlike: Bools,
    ) -> dict[str, Any]:
        distance = mae_per_row(targets, answers.values)
        margins = {error: conformal_bound(known["distance"], error) for error in LIMITS}
        return {
            "intervals": [
                {"wanted": 1 - error, "margin": margin, "coverage": float((distance <= margin).mean())}
                for error, margin in margins.items()
                if math.isfinite(margin)
            ]
        }


def no_interval_words(error: float, rows: int) -> str:
    """Why there are no intervals at a limit of error, and what to do."""
    return (
        f"--error {error:g}: there are no intervals: it takes {fewest_rows(error):,} calibration rows at the least, and this "
        f"model has {rows:,}. Allow more errors, or tune again with more calibration rows (--calibration-share)."
    )
