"""The check for further columns of text that the model does not read."""

from collections.abc import Iterator

from luthier.checks.finding import Evidence, Finding
from luthier.data.problems import spelt
from luthier.errors import listing


def text_columns(evidence: Evidence) -> Iterator[Finding]:
    """Other columns that hold texts: a title beside a body often belongs to it."""
    if evidence.text_columns:
        one = len(evidence.text_columns) == 1
        joined = ",".join([*evidence.text_columns, evidence.text])
        yield Finding(
            check="text-columns",
            severity="note",
            count=len(evidence.text_columns),
            share=1.0,
            rows=(),
            message=f"{'Column' if one else 'Columns'} {listing(evidence.text_columns)} {'holds' if one else 'hold'} texts too, "
            f"and {'is' if one else 'are'} not read; {evidence.text!r} is.",
            matters="What stands there alone cannot be learnt from.",
            mend=f"--text {spelt(joined)} reads them as one; --text COLUMN reads another in its place.",
        )
