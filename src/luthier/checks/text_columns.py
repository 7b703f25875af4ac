"""The check for further columns of text that the model does not read."""

from collections.abc import Iterator

from luthier.checks.finding import Evidence, Finding
from luthier.errors import listing, spelt


def text_columns(evidence: Evidence) -> Iterator[Finding]:
    """Other columns that hold texts: a title beside a body often belongs to it."""
    text, others = evidence.columns.text, evidence.columns.other_texts
    if others:
        one = len(others) == 1
        joined = ",".join([*others, text])
        yield Finding(
            check="text-columns",
            severity="note",
            count=len(others),
            share=1.0,
            rows=(),
            message=f"{'Column' if one else 'Columns'} {listing(others)} {'holds' if one else 'hold'} texts too, "
            f"and {'is' if one else 'are'} not read; {text!r} is.",
            matters="What stands there alone cannot be learnt from.",
            mend=f"--text {spelt(joined)} reads them as one; --text COLUMN reads another in its place.",
        )
