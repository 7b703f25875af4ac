"""The check for images on which nothing is to be seen."""

from collections.abc import Iterator

from luthier.checks.finding import Evidence, Finding, count_of


def blank_images(evidence: Evidence) -> Iterator[Finding]:
    """Images of nearly one brightness, on which nothing is to be seen."""
    if evidence.images is None:
        return
    rows = evidence.images.rows[evidence.images.blank]
    if len(rows):
        yield Finding(
            check="blank-images",
            severity="warn",
            count=len(rows),
            share=len(rows) / len(evidence.table),
            rows=evidence.shown(rows, most=None),
            message=f"{count_of(len(rows), 'image is', 'images are')} nearly of one brightness.",
            matters="Where nothing is to be seen, a label can only be learnt by heart.",
            mend="Look at them, and delete those that were taken or saved by mistake.",
        )
