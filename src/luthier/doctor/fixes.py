"""The kinds of `--fix`: which rows each deletes, and which values it changes. Nothing is written here."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from luthier.arrays import Ints
from luthier.checks.copies import repeats
from luthier.checks.finding import Evidence
from luthier.checks.garbage import MARKUP, decoded, is_misread, without_markup
from luthier.checks.label_names import misspelt
from luthier.checks.near_copies import found_pairs
from luthier.checks.personal_data import held
from luthier.doctor.patch_file import CHANGE, DELETE, Edit, What
from luthier.errors import PlanError, did_you_mean

Deletion = Callable[[Evidence], Ints]
Rewriting = Callable[[str], str]


def same_label(evidence: Evidence, rows: Ints) -> Ints:
    """Those of `rows` whose text has the same label wherever it stands: between two labels a person decides."""
    used = evidence.used
    pairs = np.unique(np.stack([evidence.keys[used], evidence.answers.label_sets[used]]), axis=1)
    keys, times = np.unique(pairs[0], return_counts=True)
    found: Ints = rows[~np.isin(evidence.keys[rows], keys[times > 1])]
    return found


def copied(evidence: Evidence) -> Ints:
    return same_label(evidence, repeats(evidence))


def leaked(evidence: Evidence) -> Ints:
    """Rows of the training file whose text stands in the test or validation file: those stay as they are."""
    file_of, used = evidence.table.file_of, evidence.used
    own, others = used[file_of[used] == 0], used[file_of[used] > 0]
    found: Ints = own[np.isin(evidence.keys[own], evidence.keys[others])]
    return found


def nearly_copied(evidence: Evidence) -> Ints:
    """The later row of each pair of near copies with one label, or the row in the training file."""
    pairs = found_pairs(evidence)
    pairs = pairs[evidence.answers.label_sets[pairs[:, 0]] == evidence.answers.label_sets[pairs[:, 1]]]
    across = evidence.table.file_of[pairs[:, 0]] != evidence.table.file_of[pairs[:, 1]]
    found: Ints = np.unique(np.where(across, pairs[:, 0], pairs[:, 1]))
    return found


def empty_rows(evidence: Evidence) -> Ints:
    without = evidence.left_out.rows
    return np.concatenate([without.empty_input, without.empty_label, *without.others.values()])


def labelled_as(evidence: Evidence, names: Mapping[str, str]) -> list[int]:
    """Rows with one of some labels. (Where answers are no labels, their numbers are of no names.)"""
    if not names:
        return []
    odd = np.array([any(name in names for name in own) for own in evidence.answers.set_names], bool)
    return np.flatnonzero(odd[evidence.answers.label_sets]).tolist()


def clean(text: str) -> str:
    """A text decoded as it was meant, without markup."""
    if is_misread(text):
        text = decoded(text)
    if ("<" in text or "&" in text) and MARKUP.search(text):
        text = without_markup(text)
    return text


def masked(text: str) -> str:
    """
    >>> masked("Write to a.b@example.org")
    'Write to [e-mail]'
    """
    for kind, begin, end in sorted(held(text), key=lambda found: -found[1]):
        text = f"{text[:begin]}[{kind}]{text[end:]}"
    return text


DELETIONS: dict[str, Deletion] = {
    "copies": copied,
    "leaks": leaked,
    "near-copies": nearly_copied,
    "empty": empty_rows,
}
REWRITINGS: dict[str, Rewriting] = {"garbage": clean, "personal-data": masked}
KINDS = (*DELETIONS, *REWRITINGS, "label-names", "labels:review")
"""The kinds that `--fix` takes."""


def checked_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """The kinds, checked. Raises PlanError for an unknown one."""
    for kind in kinds:
        if kind not in KINDS:
            raise PlanError(
                f"--fix {kind}: is not a kind of fix.{did_you_mean(kind, KINDS)} There are {', '.join(KINDS)}; "
                "several are named with commas between them."
            )
    return tuple(dict.fromkeys(kinds))


def edits_for(
    evidence: Evidence, kinds: Sequence[str], relabelled: Mapping[int, str], dropped: Ints
) -> Iterator[tuple[int, Edit]]:
    """The file and the edit of each change. relabelled, dropped: a person's decisions, by row."""
    gone: dict[int, str] = {}
    for kind in kinds:
        rows = dropped if kind == "labels:review" else DELETIONS[kind](evidence) if kind in DELETIONS else ()
        for at in rows:
            gone.setdefault(int(at), kind.split(":")[0])
    table = evidence.table

    def edit(row: int, what: What, column: str, old: str, new: str, reason: str) -> tuple[int, Edit]:
        return int(table.file_of[row]), Edit(int(table.line_of[row]), what, column, old, new, reason)

    for (row, kind), text in zip(gone.items(), table.texts(evidence.columns.text, list(gone)), strict=True):
        yield edit(row, DELETE, "", text, "", kind)
    rewritings = [kind for kind in kinds if kind in REWRITINGS]
    if rewritings and evidence.columns.text not in evidence.columns.used:
        raise PlanError(
            f"--fix {rewritings[0]}: rewrites the column of texts, and these rows are made of several columns. "
            "Leave it out."
        )
    if rewritings:
        for row, text in evidence.texts():
            reasons, new = [], text
            for kind in rewritings:
                after = REWRITINGS[kind](new)
                if after != new:
                    reasons.append(kind)
                    new = after
            if reasons and row not in gone:
                yield edit(row, CHANGE, evidence.columns.text, text, new, " ".join(reasons))
    names = misspelt(evidence) if "label-names" in kinds and evidence.labelled else {}
    labels = relabelled if "labels:review" in kinds else {}
    for row in sorted({*labelled_as(evidence, names), *labels} - set(gone)):
        own = evidence.answers.labels_of(row)
        new = labels.get(row, "|".join(names.get(name, name) for name in own))
        reason = "labels" if row in labels else "label-names"
        yield edit(row, CHANGE, evidence.columns.label, "|".join(own), new, reason)
