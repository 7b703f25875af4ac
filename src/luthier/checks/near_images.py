"""The check for images that nearly repeat another one."""

from collections.abc import Iterator

import numpy as np

from luthier.checks.finding import Evidence, Finding, count_of
from luthier.checks.leaks import across, held_out
from luthier.data.images import perceptual


def near_images(evidence: Evidence) -> Iterator[Finding]:
    """Images that show what another one shows: scaled, compressed, lit or cut a little otherwise."""
    images = evidence.images
    if images is None:
        return
    whole = np.array([reason is None for reason in images.broken], bool)
    used = whole & np.isin(images.rows, evidence.used)
    rows = images.rows[used]
    seen = perceptual.Looks(images.looks.hashes[used], images.looks.thumbs[used])
    pairs = rows[perceptual.near_images(seen, evidence.table.file_of[rows])]
    pairs = pairs[
        evidence.keys[pairs[:, 0]] != evidence.keys[pairs[:, 1]]
    ]  # wholly the same ones are told as copies
    for name, held, learnt in held_out(evidence):
        found = across(pairs, held, learnt)
        if len(found):
            yield Finding(
                check="near-images",
                severity="warn",
                count=len(found),
                share=len(found) / len(held),
                rows=evidence.shown(found, most=None),
                message=f"{count_of(len(found), 'image', 'images')} of the {len(held):,} {name} rows nearly "
                f"{'repeats' if len(found) == 1 else 'repeat'} a training image.",
                matters="What is nearly known is easily answered: the score is too good by up to their share.",
                mend="Look at them; delete them from the training rows where they show the same, or group them with --group.",
            )
    later = np.unique(pairs[:, 1])
    if len(later):
        yield Finding(
            check="near-images",
            severity="note",
            count=len(later),
            share=len(later) / max(1, len(rows)),
            rows=evidence.shown(later, most=None),
            message=f"{count_of(len(later), 'image nearly repeats', 'images nearly repeat')} another one.",
            matters="Near copies count nearly double in training, and on both sides of a split they make the score too good.",
            mend="Look at them, and delete what is there twice.",
        )
