"""What a run ends with on the terminal beside its verdict: only what a person should know before using the model."""

from collections.abc import Iterator

from luthier.folder.scorecard_records import ScorecardRecord
from luthier.report.continued import round_words
from luthier.report.numbers import shown
from luthier.report.overfitting_words import claim_words, gap_words
from luthier.report.slices_words import slices_words

MOST = 3
"""The most slices that are told."""


def closing_words(scorecard: ScorecardRecord) -> Iterator[str]:
    """Sentences on a student beside its teacher, on what new labels brought, on slices that differ, on a gap beyond noise, and on
    a validation part that is too small for what it claims."""
    if scorecard.distillation is not None:
        yield scorecard.distillation.words
    yield from round_words(scorecard)
    slices, overfitting = scorecard.slices, scorecard.overfitting
    if slices is not None and any(one.differs for one in slices.slices):
        yield from list(slices_words(slices))[:MOST]
    if overfitting is None:
        return
    gap, claim, where = overfitting.gap, overfitting.claim, scorecard.valid_from
    if gap is not None and gap.low is not None and gap.low > 0:
        yield gap_words(gap, where)
    if claim is not None and claim.too_small:
        yield claim_words(claim, shown(scorecard.metric), where)
