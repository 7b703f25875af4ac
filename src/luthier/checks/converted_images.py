"""The check for images that had to be converted to plain RGB."""

from collections.abc import Iterator

from luthier.checks.finding import Evidence, Finding


def converted_images(evidence: Evidence) -> Iterator[Finding]:
    """Images that are something else than plain RGB of 8 bits, and how they were read."""
    if evidence.images is None or not evidence.images.converted:
        return
    kinds = evidence.images.converted
    count = sum(kinds.values())
    named = [f"{kind} ({number:,})" for kind, number in kinds.items()]
    yield Finding(
        check="converted-images",
        severity="note",
        count=count,
        share=count / len(evidence.table),
        rows=(),
        message=f"Read as RGB of 8 bits though they were saved otherwise: {', '.join(named)}.",
        matters="Models read colours of 8 bits: what an image held beyond that is not seen, and transparency becomes white.",
        mend="Nothing, if they look right; else convert them yourself, so that what matters stays visible.",
    )
