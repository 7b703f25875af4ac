"""The checks there are, by what they look at. A new one is a file and a row here."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from luthier.data.checks.blank_images import blank_images
from luthier.data.checks.boilerplate import boilerplate
from luthier.data.checks.broken_images import broken_images
from luthier.data.checks.contradictions import contradictions
from luthier.data.checks.converted_images import converted_images
from luthier.data.checks.copies import copies
from luthier.data.checks.empty import empty
from luthier.data.checks.finding import Evidence, Finding
from luthier.data.checks.garbage import garbage
from luthier.data.checks.group_leaks import group_leaks
from luthier.data.checks.imbalance import imbalance
from luthier.data.checks.label_column import label_column
from luthier.data.checks.label_errors import label_errors
from luthier.data.checks.label_names import label_names
from luthier.data.checks.label_shift import label_shift
from luthier.data.checks.leaks import leaks
from luthier.data.checks.left_out import left_out
from luthier.data.checks.length import length
from luthier.data.checks.near_copies import near_copies
from luthier.data.checks.near_images import near_images
from luthier.data.checks.outliers import outliers
from luthier.data.checks.personal_data import personal_data
from luthier.data.checks.repairs import repairs
from luthier.data.checks.shift import shift
from luthier.data.checks.single import single
from luthier.data.checks.small_images import small_images
from luthier.data.checks.text_columns import text_columns
from luthier.data.checks.unknown_words import unknown_words

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
"""Look at rows and split alone."""

IMAGES: dict[str, Check] = {
    "broken-images": broken_images,
    "blank-images": blank_images,
    "small-images": small_images,
    "near-images": near_images,
    "converted-images": converted_images,
}
"""Look at what was seen of images."""

TOKENS: dict[str, Check] = {"length": length, "unknown-words": unknown_words}
"""Look at what a model's tokenizer makes of the texts."""

FEATURES: dict[str, Check] = {"label-errors": label_errors, "outliers": outliers, "shift": shift}
"""Look at what a frozen model, and a probe on it, make of the rows."""

TABLE |= IMAGES
CHECKS = TABLE | TOKENS | FEATURES
OF_TEXTS = ("near-copies", "garbage", "boilerplate", "personal-data", *TOKENS)
"""Checks that read texts: of images they would read the names of files."""

ORDER = ("stop", "warn", "note")


def examine(evidence: Evidence, checks: Mapping[str, Check]) -> tuple[Finding, ...]:
    """What those of some checks find that have something to look at, the gravest first."""
    apt = [check for name, check in checks.items() if evidence.images is None or name not in OF_TEXTS]
    return ranked(finding for check in apt for finding in check(evidence))


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By severity, then by the share of rows."""
    return tuple(sorted(findings, key=lambda one: (ORDER.index(one.severity), -one.share)))
