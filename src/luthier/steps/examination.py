"""The checks that look at features: on the way of `tune`, and of `check`."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from luthier.data.checks import FEATURES, examine, ranked
from luthier.data.checks.finding import Array, Evidence, Frozen
from luthier.events import Event, Noted
from luthier.files import write_json
from luthier.steps.rows import Rows
from luthier.steps.run import Run
from luthier.train.second_opinion import second_opinion

LEARNT = ("train", "valid", "calibration")
"""Parts whose labels `tune` may look at before its end."""


def check_features(run: Run) -> Iterator[Event]:
    """Look at all rows but those of the test, whose labels stay sealed; add what is found to the run's findings."""
    ready = run.ready
    rows = np.concatenate([getattr(ready.rows.split, part) for part in LEARNT])
    features = np.concatenate([run.features[part] for part in LEARNT])
    strength = None if run.probe is None else run.probe.strength
    evidence = with_features(ready.evidence, ready.rows, rows, features, strength, run.plan.run.seed)
    found = examine(evidence, FEATURES.values())
    everything = ranked([*ready.findings, *found])
    write_json(run.folder.path / "findings.json", [finding.to_json() for finding in everything])
    for finding in found:
        if finding.severity != "note":
            yield Noted(finding.message, run.clock(), warning=True)


def with_features(
    evidence: Evidence,
    rows_of: Rows,
    rows: Array,
    features: Array,
    strength: float | None,
    seed: int,
) -> Evidence:
    """The evidence, and what the frozen model and the other rows say of some rows."""
    targets, task = rows_of.targets(rows), rows_of.task
    probabilities = second_opinion(
        features, rows_of.texts(rows), targets, evidence.keys[rows], task.outputs, strength, seed
    )
    frozen = Frozen(rows, features, probabilities, targets, tuple(task.labels))
    return replace(evidence, frozen=frozen)
