"""The check for texts that occur more than once in a file."""

from collections.abc import Iterator

import numpy as np

from luthier.arrays import Ints
from luthier.checks.finding import Evidence, Finding, count_of


def copies(evidence: Evidence) -> Iterator[Finding]:
    """Texts that occur again in the same file, compared without case and white space. (Between files, they are leaks.)"""
    rows, again = evidence.used, repeats(evidence)
    if len(again):
        yield Finding(
            check="copies",
            severity="warn" if len(again) > 0.01 * len(rows) else "note",
            count=len(again),
            share=len(again) / len(rows),
            rows=evidence.shown(again),
            message=f"{count_of(len(again), 'row repeats', 'rows repeat')} the {evidence.thing} of an earlier row.",
            matters="Copies count double in training. They are kept on one side of every split made here.",
            mend="Delete the copies (luthier check --fix copies), unless the repetition is meant.",
        )


def repeats(evidence: Evidence) -> Ints:
    """Rows whose text stands in an earlier row of the same file; with the same answer, where a text may have several."""
    rows = evidence.used
    file_of = evidence.table.file_of[rows]
    by_file = [rows[file_of == file] for file in np.unique(file_of)]
    sets = evidence.answers.label_sets if evidence.form.answers_vary else np.zeros_like(evidence.keys)
    both = np.stack([evidence.keys, sets])
    firsts = [np.unique(both[:, own], axis=1, return_index=True)[1] for own in by_file]
    return np.concatenate([np.delete(own, first) for own, first in zip(by_file, firsts, strict=True)])
