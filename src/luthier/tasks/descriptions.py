"""Labels described in words: which description stands for which label, and names that say nothing by themselves."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from luthier.errors import DataError, counted, did_you_mean, listing
from luthier.tasks.baselines import readable

EMPTY_NAME = re.compile(
    r"(?:(?:label|class|category|cat|cluster|group|topic|type|target|tag|[a-z])[\s_.-]*)?[+-]?\d+(?:\.\d+)?",
    re.IGNORECASE,
)
"""A number, or a word that names any label and a number behind it."""
ENDS = (".", "!", "?", ";", ":")


@dataclass(frozen=True)
class Descriptions:
    """What a file says of labels, in its order."""

    file: str
    """The file's name, for messages."""
    rows: tuple[tuple[str, str], ...]
    """Pairs of a label, as the file spells it, and one description of it."""
    told: tuple[str, ...] = ()
    """Sentences on how the file was read."""
    header: str | None = None
    """What the file's first line calls the column of labels, where that is none of the usual names."""
    otherwise: "Descriptions | None" = None
    """The file with its two columns the other way round, where only the length of what they hold says which is which."""

    def meant(self, labels: Sequence[str]) -> "Descriptions":
        """The file as its columns are meant: the labels' own is the one that holds more of them."""
        if self.otherwise is None:
            return self
        return max((self, self.otherwise), key=lambda one: one.labels_named(labels))

    def labels_named(self, labels: Sequence[str]) -> int:
        """How many labels stand in the column of labels, its first line among them."""
        names = [name for name, _ in self.rows] + ([] if self.header is None else [self.header])
        return len({matched(name, labels) for name in names} - {None})


@dataclass(frozen=True)
class Described:
    """Labels with their words."""

    words: tuple[str, ...]
    """What texts are compared with, one for each label."""
    told: tuple[str, ...]


def describe(labels: Sequence[str], found: Descriptions) -> Described:
    """The words of each label: its descriptions, joined in the order of the file, or its name as words where it has none.

    Labels are matched by name, then without case and separators. Raises DataError where no label is described, where two labels
    are described alike, and where a name looks like a slip of a label that is left without a description.
    """
    found = found.meant(labels)
    by_label: dict[str, list[str]] = {}
    strange: list[str] = []
    for name, description in found.rows:
        label = matched(name, labels)
        if label is None:
            strange.append(name)
        else:
            by_label.setdefault(label, []).append(description)
    strange = list(dict.fromkeys(strange))
    without = [label for label in labels if label not in by_label]
    refuse_a_row_for_header(found, without)
    refuse_slips(found.file, strange, without, labels)
    words = tuple(joined(by_label[label]) if label in by_label else readable(label) for label in labels)
    refuse_alike(found.file, labels, words)
    return Described(words, (*found.told, *told_of(found.file, strange, without, len(labels))))


def matched(name: str, labels: Sequence[str]) -> str | None:
    """The label that a name means; None where it means none, or one of several.

    >>> matched("Card arrival", ["card_arrival", "refund"]), matched("1.0", ["0", "1"]), matched("card", ["card_arrival"])
    ('card_arrival', '1', None)
    """
    if name in labels:
        return name
    whole = re.fullmatch(r"\s*([+-]?\d+)\.0+\s*", name)
    if whole is not None and whole[1] in labels:
        return whole[1]
    alike = [label for label in labels if readable(label) == readable(name)]
    return alike[0] if len(alike) == 1 else None


def joined(several: Sequence[str]) -> str:
    """Descriptions of one label as one text; one that is there twice counts once.

    >>> joined(["asks where a card is", "asks when it comes.", "asks where a card is"])
    'asks where a card is. asks when it comes.'
    """
    own = list(dict.fromkeys(" ".join(one.split()) for one in several))
    return " ".join(one if one.endswith(ENDS) or one is own[-1] else f"{one}." for one in own)


def refuse_a_row_for_header(found: Descriptions, without: Sequence[str]) -> None:
    """Raise DataError where the first line, which is taken for the columns' names, describes a label."""
    meant = None if found.header is None else matched(found.header, without)
    if meant is not None:
        raise DataError(
            f"{found.file}: its first line is taken for the names of the columns, and {found.header!r} there is the label "
            f"{meant!r}, which has no description. Put a line above it: label,description"
        )


def refuse_slips(file: str, strange: Sequence[str], without: Sequence[str], labels: Sequence[str]) -> None:
    """Raise DataError where a described name is none of the labels, and looks like one that has no description."""
    if len(without) == len(labels):
        raise DataError(
            f"{file}: describes {listing(strange)}, and none of the labels, which are {listing(labels)}. Write the labels there "
            "as the rows have them."
        )
    for name in strange:
        meant = did_you_mean(name, without)
        if meant:
            raise DataError(
                f"{file}: describes {name!r}, which is none of the labels, and has no description of {listing(without)}.{meant} "
                "Write it as the rows do, or leave it out."
            )


def refuse_alike(file: str, labels: Sequence[str], words: Sequence[str]) -> None:
    """Raise DataError where two labels have the same words."""
    first: dict[str, str] = {}
    for label, own in zip(labels, words, strict=True):
        other = first.setdefault(own.casefold(), label)
        if other != label:
            raise DataError(
                f"{file}: {other!r} and {label!r} are described by the same words, {own!r}, which tell neither from the other. "
                "Describe what is different (--describe FILE)."
            )


def told_of(file: str, strange: Sequence[str], without: Sequence[str], labels: int) -> list[str]:
    """Sentences on what the file describes, and what it leaves out."""
    told = [
        f"{file}: describes {counted(labels - len(without), 'label')} of {labels:,}, whose words stand for the names."
    ]
    if without:
        told.append(f"{file}: has no description of {listing(without)}: the name stands for each.")
    if strange:
        none = "which is none" if len(strange) == 1 else "which are none"
        told.append(f"{file}: describes {listing(strange)}, {none} of the labels.")
    return told


def says_nothing(name: str) -> bool:
    """Whether a label's name says nothing of what the label means: a number, or class_3.

    >>> [says_nothing(name) for name in ("0", "class_3", "LABEL_2", "refund", "B2B", "5 stars")]
    [True, True, True, False, False, False]
    """
    return EMPTY_NAME.fullmatch(name.strip()) is not None


def told_of_names(labels: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """A sentence where names that say nothing are all that texts can be compared with. words: of the labels; empty where their
    names stand for them."""
    empty = [
        label
        for label, own in zip(labels, words or map(readable, labels), strict=True)
        if says_nothing(label) and own == readable(label)
    ]
    if not empty:
        return ()
    one = len(empty) == 1
    return (
        f"{'The name of a label' if one else f'The names of {len(empty):,} labels'} ({listing(empty, 3)}) "
        f"{'says' if one else 'say'} nothing of what {'it means' if one else 'they mean'}, so zero-shot, which compares texts "
        "with the names, means little; --describe FILE (columns label and description) says it in words.",
    )
