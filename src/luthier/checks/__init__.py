"""The checks there are, by what they look at. A new one is a file and a row here."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from luthier.checks.blank_images import blank_images
from luthier.checks.boilerplate import boilerplate
from luthier.checks.broken_images import broken_images
from luthier.checks.contradictions import contradictions
from luthier.checks.converted_images import converted_images
from luthier.checks.copies import copies
from luthier.checks.empty import empty
from luthier.checks.finding import Evidence, Finding
from luthier.checks.garbage import garbage
from luthier.checks.group_leaks import group_leaks
from luthier.checks.imbalance import imbalance
from luthier.checks.label_column import label_column
from luthier.checks.label_errors import label_errors
from luthier.checks.label_names import label_names
from luthier.checks.label_shift import label_shift
from luthier.checks.leaks import leaks
from luthier.checks.left_out import left_out
from luthier.checks.length import length
from luthier.checks.near_copies import near_copies
from luthier.checks.near_images import near_images
from luthier.checks.one_shot import one_shot
from luthier.checks.outliers import outliers
from luthier.checks.personal_data import personal_data
from luthier.checks.pieces import pieces
from luthier.checks.repairs import repairs
from luthier.checks.shift import shift
from luthier.checks.single import single
from luthier.checks.small_images import small_images
from luthier.checks.text_columns import text_columns
from luthier.checks.unknown_words import unknown_words

Check = Callable[[Evidence], Iterator[Finding]]

TABLE: dict[str, Check] = {
    "leaks": leaks,
    "contradictions": contradictions,
    "copies": copies,
    "near-copies": near_copies,
    "group-leaks": group_leaks,
    "label-column": label_column,
    "label-names": label_names,
    "single-labels": single,
    "one-shot": one_shot,
    "imbalance": imbalance,
    "label-shift": label_shift,
    "left-out": left_out,
    "text-columns": text_columns,
    "empty": empty,
    "repairs": repairs,
    "garbage": garbage,
    "boilerplate": boilerplate,
    "personal-data": personal_data,
}
"""Checks that look at rows and split alone."""

IMAGES: dict[str, Check] = {
    "broken-images": broken_images,
    "blank-images": blank_images,
    "small-images": small_images,
    "near-images": near_images,
    "converted-images": converted_images,
}
"""Checks that look at what was found when the images were decoded."""

TOKENS: dict[str, Check] = {"length": length, "unknown-words": unknown_words, "pieces": pieces}
"""Checks that look at what a model's tokenizer makes of the texts."""

FEATURES: dict[str, Check] = {"label-errors": label_errors, "outliers": outliers, "shift": shift}
"""Checks that look at a frozen model's features, and at the probabilities of a probe on them."""

TABLE |= IMAGES
CHECKS = TABLE | TOKENS | FEATURES
OF_TEXTS = ("near-copies", "garbage", "boilerplate", "personal-data", *TOKENS)
"""Checks that read texts. They are left out where rows are images: they would read the names of files."""

ORDER = ("stop", "warn", "note")


def examine(evidence: Evidence, checks: Mapping[str, Check]) -> tuple[Finding, ...]:
    """The findings of those checks that have something to look at, the gravest first."""
    apt = [check for name, check in checks.items() if evidence.images is None or name not in OF_TEXTS]
    return ranked(finding for check in apt for finding in check(evidence))


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, ordered by severity, then by their share of rows."""
    return tuple(sorted(findings, key=lambda one: (ORDER.index(one.severity), -one.share)))
