"""What a run knows of overfitting: training rows beside validation rows, the course of training, and what validation can show."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from luthier.batches.order import steps_per_epoch
from luthier.candidates.run import Run
from luthier.comparing.choice import next_cheaper
from luthier.comparing.fitted import Fitted
from luthier.comparing.outcome import measured
from luthier.prepare.trust_rows import sample
from luthier.scores.measures import Measure
from luthier.scores.metrics import metric_named
from luthier.scores.slices import FEWEST
from luthier.steps.seen import Seen

TUNED = "tuned"
"""The candidate whose course is told: the one that trains layers, and may be kept."""
MOST_POINTS = 60
"""The most validations that are told of a training: the first, the last, the best, and others evenly between."""


def overfitting_record(run: Run, kept: Fitted, seen: Seen) -> dict[str, Any] | None:
    """The scorecard's `overfitting`; None where nothing is known of it."""
    found = {"gap": gap_record(run, kept, seen), "course": course_record(run), "claim": claim_record(run)}
    return found if any(one is not None for one in found.values()) else None


# Training rows beside validation rows


def gap_record(run: Run, kept: Fitted, seen: Seen) -> dict[str, Any] | None:
    """How much better the kept model is on rows that it has learnt from than on validation rows; None where that is not measured.

    At most as many training rows as there are validation rows are taken: more would make the interval hardly narrower.
    """
    name, valid = run.task.gap_metric, len(run.targets("valid"))
    if name is None or seen.outputs is None or not run.ready.rows.split.validates:
        return None
    few = sample(len(seen.rows), valid)
    if min(len(few), valid) < FEWEST:
        return None
    rows, seed = seen.rows[few], run.plan.run.seed
    examples = run.ready.examples["train"].select(rows)
    answers = run.task.answer(seen.outputs.select(few), kept.calibration, examples)
    groups = run.clusters("train")
    ours = measure_of(run, name, answers, examples.targets, None if groups is None else groups[rows])
    theirs = measure_of(run, name, kept.answers["valid"], run.targets("valid"), run.clusters("valid"))
    apart = ours.apart(theirs, seed)
    gap = (apart if metric_named(name).higher else -apart).gap
    if not np.isfinite([gap.value, gap.low, gap.high]).all():
        return None
    return {
        "metric": name,
        "train": {"rows": len(rows), **ours.estimate(seed).to_json()},
        "valid": {"rows": valid, **theirs.estimate(seed).to_json()},
        **gap.to_json(),
    }


def measure_of(run: Run, name: str, answers: Any, targets: Any, groups: Any) -> Measure:
    return run.task.measures([name], run.task.evidence(answers, targets), groups)[name]


# The course of training


def course_record(run: Run) -> dict[str, Any] | None:
    """How training went; None where no layers were trained, or training ended before its first validation."""
    told = run.tuning.get(TUNED)
    if not told or not told["best_step"]:
        return None
    epochs, per_epoch = run.plan.train.epochs, per_epoch_of(run)
    assert epochs is not None, "the recipe gave it before a step was taken"
    curve = curve_of(run.folder.events())
    return {
        "candidate": TUNED,
        "steps": told["steps"],
        "planned": max(1, int(np.ceil(epochs * per_epoch))),
        "best_step": told["best_step"],
        "why": told["why"],
        "epochs": told["steps"] / per_epoch,
        "planned_epochs": epochs,
        "best_epoch": told["best_step"] / per_epoch,
        "curve": thinned(curve),
    }


def per_epoch_of(run: Run) -> int:
    """Steps of an epoch of the training that is over, on the rows that were learnt at last: a model that learnt from its own
    answers had others than the user's."""
    told: int | None = run.tuning["tuned"].get("per_epoch")
    batch_rows = run.plan.train.batch_rows
    assert batch_rows is not None, "the recipe gave it before a step was taken"
    return told or steps_per_epoch(len(run.ready.examples["train"]), batch_rows)


def curve_of(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The validations of a training, each with the mean loss of the steps since the one before. events: as they were told; a
    resumed run tells some steps twice, and the later telling counts."""
    steps: dict[int, float] = {}
    validations: dict[int, Mapping[str, Any]] = {}
    for event in events:
        if event.get("candidate") == TUNED and event.get("event") == "stepped":
            steps[event["step"]] = event["loss"]
        if event.get("candidate") == TUNED and event.get("event") == "validated":
            validations[event["step"]] = event
    return list(points(steps, validations))


def points(
    steps: Mapping[int, float], validations: Mapping[int, Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    before = 0
    for step, event in sorted(validations.items()):
        losses = [loss for at in range(before + 1, step + 1) if (loss := steps.get(at)) is not None]
        yield {
            "step": step,
            "epoch": event["epoch"],
            "score": event["score"],
            "loss": event["loss"],
            "train_loss": float(np.mean(losses)) if losses else None,
            "best": event["best"],
        }
        before = step


def thinned(curve: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most `MOST_POINTS` of a curve, the first, the last and the best among them."""
    if len(curve) <= MOST_POINTS:
        return list(curve)
    best = max((at for at, one in enumerate(curve) if one["best"]), default=0)
    kept = {*np.linspace(0, len(curve) - 1, MOST_POINTS - 1).astype(int).tolist(), best}
    return [curve[at] for at in sorted(kept)]


# What validation can show


def claim_record(run: Run) -> dict[str, Any] | None:
    """The difference on validation rows that tuning is chosen or left for, and how small a one these rows would show; None where
    there is nothing to compare."""
    counted = [candidate for candidate in run.candidates if candidate.counts]
    if len(counted) < 2 or not run.ready.rows.split.validates:
        return None
    dearer, cheaper = counted[-1], next_cheaper(counted, run.task.metric)
    if cheaper is None:
        return None
    gap = run.difference(dearer, cheaper, "valid")
    seen = gap.detectable
    return {
        "dearer": dearer.name,
        "cheaper": cheaper.name,
        "rows": len(run.targets("valid")),
        **measured(gap),
        "too_small": bool(gap.value > 0 and gap.low <= 0 and seen is not None and gap.value < seen),
    }
