"""The check for texts that nearly repeat another one."""

from collections.abc import Iterator

import numpy as np

from luthier.arrays import Array, Ints
from luthier.checks.boilerplate import without_boilerplate
from luthier.checks.finding import Evidence, Finding, count_of
from luthier.checks.leaks import across, held_out
from luthier.checks.near import NEIGHBOURS, Pairs, near_pairs, sketched

COSINE, RELATED = 0.95, 0.35
"""Two rows are near copies, too, if the cosine of their features and the resemblance of their letters are at least these: words
in another order, one word of a short text for another. Letters must agree: some models give all texts nearly one direction."""
AT_ONCE = 250
"""Rows compared with all others at once."""


def near_copies(evidence: Evidence) -> Iterator[Finding]:
    """Texts that differ in a word or a few letters from another one."""
    pairs = found_pairs(evidence)
    if not len(pairs):
        return
    for name, rows, seen in held_out(evidence):
        if evidence.table.file_of[rows].max(initial=0) == 0:
            continue  # a split made here: told below
        found = across(pairs, rows, seen)
        if len(found):
            yield Finding(
                check="near-copies",
                severity="warn",
                count=len(found),
                share=len(found) / len(rows),
                rows=evidence.shown(found, most=None),
                message=f"{count_of(len(found), 'row', 'rows')} of the {len(rows):,} {name} rows nearly "
                f"{'repeats' if len(found) == 1 else 'repeat'} a training row.",
                matters="What is nearly known is easily answered: the score is too good by up to their share.",
                mend="Look at them; delete them from the training rows (luthier check --fix near-copies) where they say the "
                "same.",
            )
    file_of = evidence.table.file_of
    later = np.unique(pairs[file_of[pairs[:, 0]] == file_of[pairs[:, 1]], 1])
    if len(later):
        yield Finding(
            check="near-copies",
            severity="note",
            count=len(later),
            share=len(later) / len(evidence.used),
            rows=evidence.shown(later, most=None),
            message=f"{count_of(len(later), 'row nearly repeats', 'rows nearly repeat')} an earlier row of the same file.",
            matters="Near copies count nearly double in training, and on both sides of a split they make the score too good.",
            mend="Look at them; luthier check --fix near-copies deletes the later ones.",
        )


def found_pairs(evidence: Evidence) -> Pairs:
    """(pairs, 2) rows that are nearly, but not wholly, the same text; the earlier one first."""
    rows = first_of_each(evidence)
    is_first = np.zeros(len(evidence.table), bool)
    is_first[rows] = True

    # What many conversations begin with, such as an instruction, makes no two of them alike.
    all_texts = without_boilerplate(evidence) if evidence.form.answers_vary else evidence.texts()
    texts = (text for row, text in all_texts if is_first[row])
    pairs = rows[near_pairs(texts, evidence.table.file_of[rows])]
    if evidence.frozen is not None:
        own = np.flatnonzero(is_first[evidence.frozen.rows])
        close = evidence.frozen.rows[own][close_pairs(evidence.frozen.features[own])]
        pairs = np.unique(np.concatenate([pairs, related(evidence, close)]), axis=0)
    if evidence.form.alike_in_groups:
        for group in evidence.parts.groups:
            pairs = pairs[group[pairs[:, 0]] == group[pairs[:, 1]]]
    # The same text in two files is a leak.
    differ: Pairs = pairs[evidence.keys[pairs[:, 0]] != evidence.keys[pairs[:, 1]]]
    return differ


def first_of_each(evidence: Evidence) -> Ints:
    """One row of each text in each file, in table order: copies are told by other checks."""
    rows = evidence.used
    both = np.stack([evidence.table.file_of[rows], evidence.keys[rows]])
    _, first = np.unique(both, axis=1, return_index=True)
    found: Ints = np.sort(rows[first])
    return found


def related(evidence: Evidence, pairs: Pairs) -> Pairs:
    """Those of the given pairs of rows whose texts share letters too."""
    rows = np.unique(pairs)
    sketches = sketched(evidence.table.texts(evidence.columns.text, rows))
    found: Pairs = pairs[sketches.resemblance(np.searchsorted(rows, pairs), fewest=1) >= RELATED]
    return found


def close_pairs(features: Array) -> Pairs:
    """(pairs, 2) positions of features whose cosine is at least `COSINE`, the smaller one first; at most a few pairs a row."""
    features = features - features.mean(0)
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    unit = unit.astype(np.float32)
    found = []
    for begin in range(0, len(unit), AT_ONCE):
        near = unit[begin : begin + AT_ONCE] @ unit[begin:].T
        one, two = np.nonzero(near >= COSINE)
        after = two > one  # not the row itself, nor a pair that was met
        one, two = one[after], two[after]
        few = np.arange(len(one)) - np.searchsorted(one, one) < NEIGHBOURS
        found.append(np.stack([one[few] + begin, two[few] + begin], axis=1))
    return np.concatenate([*found, np.zeros((0, 2), np.int64)])
