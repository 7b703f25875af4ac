"""The check that tells what was mended in rows before they could be learnt from."""

from collections.abc import Iterator

import numpy as np

from luthier.checks.finding import Evidence, Finding, count_of


def repairs(evidence: Evidence) -> Iterator[Finding]:
    """What had to be mended in rows before they could be learnt from: tags against their scheme, spans beside words."""
    for what, rows in evidence.repairs.items():
        found = np.unique(rows)
        yield Finding(
            check="repairs",
            severity="warn",
            count=len(found),
            share=len(found) / len(evidence.table),
            rows=evidence.shown(found),
            message=f"{count_of(len(found), 'row has', 'rows have')} {what}.",
            matters="What is mended by rule may not be what was meant; it is learnt, and scored, as mended.",
            mend="Look at them, and correct them in the file where the rule is wrong.",
        )
