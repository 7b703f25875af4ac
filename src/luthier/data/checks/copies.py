from collections.abc import Iterator

import numpy as np

from luthier.data.checks.empty import count_of
from luthier.data.checks.finding import Evidence, Finding


def copies(evidence: Evidence) -> Iterator[Finding]:
    """Texts that occur again in the same file, but for case and white space. (From file to file, they are leaks.)"""
    split = evidence.split
    rows = np.sort(np.concatenate([split.train, split.valid, split.calibration, split.test]))
    file_of = evidence.table.file_of[rows]
    by_file = [rows[file_of == file] for file in np.unique(file_of)]
    firsts = [np.unique(evidence.keys[own], return_index=True)[1] for own in by_file]
    again = np.concatenate([np.delete(own, first) for own, first in zip(by_file, firsts, strict=True)])
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
