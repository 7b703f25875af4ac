"""The check for images that cannot be opened."""

from collections.abc import Iterator

import numpy as np

from luthier.checks.finding import Evidence, Finding, count_of


def broken_images(evidence: Evidence) -> Iterator[Finding]:
    """Image files that are missing, cut off, or no images. Their rows are left out, and counted."""
    if evidence.images is None:
        return
    broken = np.array([reason is not None for reason in evidence.images.broken], bool)
    rows = evidence.images.rows[broken]
    if len(rows):
        reasons = [reason for reason in evidence.images.broken if reason is not None]
        yield Finding(
            check="broken-images",
            severity="warn",
            count=len(rows),
            share=len(rows) / len(evidence.table),
            rows=evidence.shown(rows, most=None),
            message=f"{count_of(len(rows), 'image cannot', 'images cannot')} be read: {' '.join(reasons[:3])}"
            + (f" And {len(reasons) - 3:,} more." if len(reasons) > 3 else ""),
            matters="They are left out: nothing is learnt from them, and nothing is tested on them.",
            mend="Fetch or copy them anew, or delete them.",
        )
