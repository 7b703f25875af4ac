"""The check for images with hardly any pixels."""

from collections.abc import Iterator

import numpy as np

from luthier.checks.finding import Evidence, Finding, count_of

SMALLEST = 32
"""Fewest pixels of the shorter side: below them most networks see next to nothing."""


def small_images(evidence: Evidence) -> Iterator[Finding]:
    """Images with hardly any pixels, such as thumbnails among photographs."""
    if evidence.images is None:
        return
    images = evidence.images
    side = np.minimum(images.width, images.height)
    rows = images.rows[(side > 0) & (side < SMALLEST)]
    if len(rows):
        yield Finding(
            check="small-images",
            severity="warn",
            count=len(rows),
            share=len(rows) / len(evidence.table),
            rows=evidence.shown(rows, most=None),
            message=f"{count_of(len(rows), 'image is', 'images are')} less than {SMALLEST} pixels high or wide.",
            matters="Models read larger images: these are blown up, and show little.",
            mend="Look for the originals; thumbnails are often saved in their place.",
        )
