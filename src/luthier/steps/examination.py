"""The checks that look at features: on the way of `tune`, and of `check`."""

from collections.abc import Iterator

import numpy as np

from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.candidates.run import Run
from luthier.checks import FEATURES, examine, ranked
from luthier.doctor.evidence import with_features
from luthier.events import Event, Noted
from luthier.report.run_records import write_findings


def check_features(run: Run) -> Iterator[Event]:
    """Look at all rows but those of the test, whose labels stay sealed; add what is found to the run's findings."""
    ready = run.ready
    if not run.features:
        return
    split = ready.rows.split
    rows = np.concatenate([getattr(split, part) for part in split.learnt])
    features = np.concatenate(
        [row_features(ready.examples[part], run.features[part]) for part in split.learnt]
    )
    # That of a probe which is pulled to the labels' words is none of the plain one.
    strength = None if run.probe is None or not split.validates_apart else run.probe.strength
    evidence = with_features(ready.checked.evidence, ready.rows, rows, features, strength, run.plan.run.seed)
    found = examine(evidence, FEATURES)
    everything = ranked([*ready.checked.findings, *found])
    write_findings(run.folder.path, [finding.to_json() for finding in everything])
    for finding in found:
        if finding.severity != "note":
            yield Noted(finding.message, run.clock(), warning=True)


def row_features(examples: Examples, features: Array) -> Array:
    """(rows, width): where units answer, the mean of those of a row."""
    if examples.tokens is None:
        return features
    first = examples.tokens.first_unit
    sums = np.add.reduceat(np.concatenate([features, np.zeros_like(features[:1])]), first[:-1], axis=0)
    counts = np.diff(first)[:, None]
    found: Array = np.where(counts > 0, sums / np.maximum(counts, 1), 0.0).astype(np.float32)
    return found
