from collections.abc import Iterator

import numpy as np

from luthier.data.checks.empty import count_of
from luthier.data.checks.finding import Evidence, Finding


def copies(evidence: Evidence) -> Iterator[Finding]:
    """Texts that occur again in the training rows, but for case and white space. They are kept on one side of the split."""
    rows = np.sort(np.concatenate([evidence.split.train, evidence.split.valid, evidence.split.calibration]))
    _, first = np.unique(evidence.keys[rows], return_index=True)
    again = np.delete(rows, first)
    if len(again):
        yield Finding(
            check="copies",
            severity="warn" if len(again) > 0.01 * len(rows) else "note",
            count=len(again),
            share=len(again) / len(rows),
            rows=evidence.shown(again),
            message=f"{count_of(len(again), 'row repeats', 'rows repeat')} the text of an earlier row. "
            "Copies count double in training; they are kept on one side of every split made here.",
            mend="Delete the copies, unless the repetition is meant.",
        )
