"""How far the probabilities of a judged model can be believed, and what a temperature would make of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from luthier.arrays import Ints
from luthier.batches.examples import Examples
from luthier.candidates.run import Run
from luthier.comparing.fitted import Fitted
from luthier.prepare.tuned_model import TunedModel
from luthier.tasks.calibration import Calibrating, Calibration
from luthier.tasks.outputs import Outputs


def judged_trust(
    run: Run, kept: Fitted, tuned: TunedModel, folds: Sequence[tuple[Ints, Ints]]
) -> dict[str, Any]:
    """Keys of the scorecard on calibration. The scores and the predictions are the model's own; this tells what a calibration
    that was fitted on other rows would make of them.

    folds: rows to learn from and rows to be asked, as places among the rows of `--train` and those that are judged.
    """
    how, examples = run.task.calibrating, run.ready.examples
    if how is None:
        return {"calibration": {"part": "", "rows": 0}}
    if tuned.calibration is not None:
        return told(run, how, kept, tuned.calibration, {"part": "run", "rows": 0})
    if len(examples["train"]):
        learnt = fitted(how, kept, kept.outputs["train"], examples["train"])
        return told(run, how, kept, learnt, {"part": "train", "rows": len(examples["train"])})
    rows = len(examples["test"])
    whole = told(
        run,
        how,
        kept,
        fitted(how, kept, kept.outputs["test"], examples["test"]),
        {"part": "test", "rows": rows},
    )
    return cross_fitted(run, how, kept, folds, whole) if folds else whole


def fitted(how: Calibrating, kept: Fitted, outputs: Outputs, examples: Examples) -> Calibration:
    """A calibration on some rows, with the thresholds that the model answers by."""
    return replace(how.fit(outputs, examples), thresholds=kept.calibration.thresholds)


def told(
    run: Run,
    how: Calibrating,
    kept: Fitted,
    calibration: Calibration,
    on: Mapping[str, Any],
    rows: Ints | None = None,
) -> dict[str, Any]:
    """What a calibration makes of the test rows, or of some of them. on: the part that it was fitted on."""
    examples, outputs = run.ready.examples["test"], kept.outputs["test"]
    if rows is not None:
        examples, outputs = examples.select(rows), outputs.select(rows)
    plain = run.task.answer(outputs, how.unchanged(run.ready.examples["test"]), examples)
    calibrated = run.task.answer(outputs, calibration, examples)
    found = how.trust(plain, calibrated, examples.targets, calibration)
    found["calibration"] |= on
    return found


def cross_fitted(
    run: Run, how: Calibrating, kept: Fitted, folds: Sequence[tuple[Ints, Ints]], whole: dict[str, Any]
) -> dict[str, Any]:
    """What is told of all rows, with what comes of each row by a calibration that was fitted on the others.

    Bins of a reliability diagram have fixed ends, so those of folds add up to those of all rows, and the expected calibration
    error is that of the sums; of intervals the share of rows they hold is the mean over rows.
    """
    examples, outputs = run.ready.examples["test"], kept.outputs["test"]
    parts = []
    for learnt, asked in folds:
        own = fitted(how, kept, outputs.select(learnt), examples.select(learnt))
        parts.append((len(asked), told(run, how, kept, own, {}, asked)))
    found = {**whole, "calibration": {**whole["calibration"], "folds": len(folds)}}
    if "reliability" in whole:
        after = pooled([part["reliability"]["after"] for _, part in parts])
        found["reliability"] = {**whole["reliability"], "after": after}
        found["calibration"]["ece_after"] = calibration_error(after)
    if whole["calibration"].get("coverage") is not None:
        held = [(rows, part["calibration"]["coverage"]) for rows, part in parts]
        found["calibration"]["coverage"] = mean_share(held)
    return found


def mean_share(held: Sequence[tuple[int, float | None]]) -> float | None:
    """The share of the rows that intervals hold, over the folds that have intervals; None where none has, as the rows of a fold
    are fewer than all of them.

    held: by fold, how many rows were asked, and the share of them.

    >>> mean_share([(3, 1.0), (1, 0.0), (2, None)]), mean_share([(2, None)])
    (0.75, None)
    """
    known = [(rows, share) for rows, share in held if share is not None]
    if not known:
        return None
    return sum(rows * share for rows, share in known) / sum(rows for rows, _ in known)


def pooled(diagrams: Sequence[Sequence[Mapping[str, float]]]) -> list[dict[str, float]]:
    """The bins of several reliability diagrams as those of one, over all their rows."""
    found = []
    for bins in zip(*diagrams, strict=True):
        counts = np.array([one["count"] for one in bins], float)
        total = counts.sum()

        def mean(key: str, bins: Any = bins, counts: Any = counts, total: float = total) -> float:
            return float((np.array([one[key] for one in bins]) * counts).sum() / total) if total else 0.0

        found.append(
            {**bins[0], "count": int(total), "confidence": mean("confidence"), "accuracy": mean("accuracy")}
        )
    return found


def calibration_error(bins: Sequence[Mapping[str, float]]) -> float:
    """The mean gap between confidence and accuracy, weighted by the rows of each bin (arXiv:1706.04599, eq. 3).

    >>> calibration_error([{"count": 3, "confidence": 0.5, "accuracy": 0.5}, {"count": 1, "confidence": 0.9, "accuracy": 0.5}])
    0.1
    """
    total = sum(one["count"] for one in bins)
    gaps = sum(one["count"] * abs(one["confidence"] - one["accuracy"]) for one in bins)
    return float(gaps / total) if total else 0.0
