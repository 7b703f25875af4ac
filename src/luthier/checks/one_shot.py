"""The check for labels that are learnt from a single row."""

from collections.abc import Iterator

import numpy as np

from luthier.checks.finding import Evidence, Finding, count_of
from luthier.errors import listing


def one_shot(evidence: Evidence) -> Iterator[Finding]:
    """Labels with one training row, which is kept: what is learnt of them rests on that row."""
    if not evidence.parts.keeps_single:
        return
    split, answers = evidence.parts.split, evidence.answers
    own = np.unique(np.concatenate([split.train, split.calibration]))
    times: dict[str, list[int]] = {}
    for row in own.tolist():
        for name in answers.labels_of(row):
            times.setdefault(name, []).append(row)
    once = {name: rows[0] for name, rows in times.items() if len(rows) == 1}
    if not once:
        return
    measured = (
        "No test row was given, so nothing is measured of them."
        if not len(split.test)
        else "How well they are found is known from the test rows alone."
    )
    yield Finding(
        check="one-shot",
        severity="warn",
        count=len(once),
        share=len(once) / max(1, len(own)),
        rows=evidence.shown(sorted(once.values())),
        message=f"{count_of(len(once), 'label has', 'labels have')} a single training row, which is kept: "
        f"{listing(sorted(once))}.",
        matters=f"Nothing is left of such a label to validate or to calibrate on. {measured}",
        mend="Add rows with them (luthier suggest names the most useful ones), or describe the labels in words "
        "(--describe FILE).",
    )
