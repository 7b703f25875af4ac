"""The check for two spellings of one label."""

import re
from collections.abc import Iterator, Mapping

import numpy as np

from luthier.checks.finding import Evidence, Finding, count_of


def label_names(evidence: Evidence) -> Iterator[Finding]:
    """Labels that differ only in case, blanks, hyphens or underscores: most likely one label, misspelt."""
    names = misspelt(evidence) if evidence.labelled else {}
    if names:
        odd = np.array([any(name in names for name in labels) for labels in evidence.answers.set_names])
        rows = np.flatnonzero(odd[evidence.answers.label_sets])
        pairs = [f"{wrong!r} and {right!r}" for wrong, right in sorted(names.items())]
        yield Finding(
            check="label-names",
            severity="warn",
            count=len(rows),
            share=len(rows) / len(evidence.table),
            rows=evidence.shown(rows),
            message=f"{count_of(len(names), 'label differs', 'labels differ')} from another only in case, blanks or hyphens: "
            f"{', '.join(pairs[:8])}{'' if len(pairs) <= 8 else f' and {len(pairs) - 8:,} more'}.",
            matters="They are learnt as different labels, and each counts as an error of the other.",
            mend="Write them alike (luthier check --fix label-names writes the more frequent one).",
        )


def misspelt(evidence: Evidence) -> dict[str, str]:
    """Each rarer spelling of a label, and the most frequent spelling of the same."""
    times: dict[str, int] = {}
    for at, count in zip(*np.unique(evidence.answers.label_sets, return_counts=True), strict=True):
        for name in evidence.answers.set_names[at]:
            times[name] = times.get(name, 0) + int(count)
    return rarer_spellings(times)


def rarer_spellings(times: Mapping[str, int]) -> dict[str, str]:
    """
    >>> rarer_spellings({"Card arrival": 9, "card_arrival": 2, "lost": 4, "lost ": 1})
    {'card_arrival': 'Card arrival', 'lost ': 'lost'}
    """
    alike: dict[str, list[str]] = {}
    for name in times:
        alike.setdefault(re.sub(r"[\s_-]+", " ", name.strip().casefold()), []).append(name)
    best = {key: max(names, key=lambda name: (times[name], name)) for key, names in alike.items()}
    return {name: best[key] for key, names in alike.items() for name in names if name != best[key]}
