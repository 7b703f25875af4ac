from collections.abc import Iterator

import numpy as np

from luthier.data.checks.empty import count_of
from luthier.data.checks.finding import Evidence, Finding


def leaks(evidence: Evidence) -> Iterator[Finding]:
    """Test or validation rows whose text also stands in the training rows: a score on them is too good."""
    split = evidence.split
    learnt = np.concatenate([split.train, split.calibration])
    for name, rows, seen in (
        ("test", split.test, np.concatenate([learnt, split.valid])),
        ("validation", split.valid, learnt),
    ):
        found = rows[np.isin(evidence.keys[rows], evidence.keys[seen])]
        if len(found):
            yield Finding(
                check="leaks",
                severity="warn",
                count=len(found),
                share=len(found) / len(rows),
                rows=evidence.shown(found, most=None),
                message=f"{count_of(len(found), 'row', 'rows')} of the {len(rows):,} {name} rows also "
                f"{'stands' if len(found) == 1 else 'stand'} in the training data. Their answers are known, so the score "
                "is too good by up to their share.",
                mend=f"Delete them from the {name} rows or from the training rows.",
            )
