from collections.abc import Iterator

import numpy as np

from luthier.data.checks.columns import codes, others, told
from luthier.data.checks.finding import Evidence, Finding


def label_column(evidence: Evidence) -> Iterator[Finding]:
    """A column from which the label follows: never to be given to the model, as nobody has it at prediction time."""
    rows = evidence.used
    _, label = np.unique(evidence.label_sets[rows], return_inverse=True)
    for name in others(evidence):
        found = told(codes(evidence, name)[rows], label)
        if found is not None:
            right, known = found
            yield Finding(
                check="label-column",
                severity="warn",
                count=known,
                share=right,
                rows=(),
                message=f"Column {name!r} gives the label away: from it, {right:.1%} of {known:,} rows are known.",
                matters="A model that read it would look right and be of no use where the column is not known. "
                f"Only {evidence.text!r} is read here.",
                mend=f"Leave {name!r} out of the text; if it is the label that is meant, name it with --label.",
            )
