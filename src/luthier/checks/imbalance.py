"""The check for rare labels, and for one label that hides the others."""

from collections.abc import Iterator

import numpy as np

from luthier.checks.finding import Evidence, Finding, count_of
from luthier.errors import listing

FEWEST = 10
"""Training rows below which a label is hardly learnt."""
RATIO = 10
"""The largest label may be so many times as frequent as the smallest before that is reported."""
FREQUENT = 0.8
"""A label with this share of all rows hides the others: always guessing it scores well."""


def imbalance(evidence: Evidence) -> Iterator[Finding]:
    """Labels with very few rows, and labels that are much rarer than others."""
    if not evidence.labelled:
        return
    counts, train = training_counts(evidence), evidence.parts.split.train
    few = sorted((name for name in counts if counts[name] < FEWEST), key=lambda name: counts[name])
    if few:
        of_few = np.array([any(name in few for name in names) for names in evidence.answers.set_names])
        rows = train[of_few[evidence.answers.label_sets[train]]]
        named = [f"{name} ({counts[name]})" for name in few]
        yield Finding(
            check="imbalance",
            severity="warn",
            count=len(rows),
            share=len(rows) / len(train),
            rows=evidence.shown(rows),
            message=f"{count_of(len(few), 'label has', 'labels have')} fewer than {FEWEST} training rows: {listing(named)}.",
            matters="So few are hardly learnt, and how well they are found is hardly known.",
            mend="Add rows with them (luthier suggest names the most useful ones), or join labels that mean nearly the same.",
        )
    largest, smallest = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    share = counts[largest] / len(train)
    if counts[largest] > RATIO * counts[smallest] or share > FREQUENT:
        yield Finding(
            check="imbalance",
            severity="warn" if share > FREQUENT else "note",
            count=counts[largest],
            share=share,
            rows=(),
            message=f"{largest!r} has {counts[largest]:,} training rows, {smallest!r} {counts[smallest]:,}.",
            matters=f"A model that always says {largest!r} is right in {share:.0%}: accuracy says little of the rare labels.",
            mend="--balance loss lets rare labels count more; --metric macro_f1 scores all labels alike.",
        )


def training_counts(evidence: Evidence) -> dict[str, int]:
    """Training rows of each label."""
    counts: dict[str, int] = {}
    found = np.unique(evidence.answers.label_sets[evidence.parts.split.train], return_counts=True)
    for at, count in zip(*found, strict=True):
        for name in evidence.answers.set_names[at]:
            counts[name] = counts.get(name, 0) + int(count)
    return counts
