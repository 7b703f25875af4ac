"""What being better costs, beside each score: rows a second, bytes on disk, and the rows that a cheaper candidate would take."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.arrays import Ints
from luthier.candidates.run import Run
from luthier.comparing.fitted import Fitted, tried_rows
from luthier.models.heads import HEADS
from luthier.scores.learning_curve import FARTHEST, Curve, likely_rows
from luthier.scores.metrics import metric_named

LONG_ENOUGH = 0.2
"""Seconds that some rows have to take for their pace to be believed."""
FIRST, MOST = 8, 256
"""Rows that are answered first, and at the most, to see how fast that is."""
SPARE = 1.25
"""So many times the rows that would take that long by the pace of fewer, which is slower."""


@dataclass(frozen=True)
class Costs:
    """What the answers of a candidate cost, and how many rows it would take to be as good as the dearest."""

    rows_per_second: float | None
    """Test rows that it answers in a second, from rows as they stand; None where there are none."""
    bytes: int | None
    """Bytes that it would need on disk, numbers in fp32; None where they were not counted."""
    rows_to_reach: int | None
    """Training rows it would likely take to score as the dearest does; None where that is not foretold, or it would never."""

    def to_json(self) -> dict[str, Any]:
        rate = None if self.rows_per_second is None else float(f"{self.rows_per_second:.3g}")
        return {"rows_per_second": rate, "bytes": self.bytes, "rows_to_reach": self.rows_to_reach}


def costs_of(run: Run, dearest: Fitted) -> dict[str, Costs]:
    """What each candidate costs, by its name. All of them have answered the test rows, and the dearest is the one to reach."""
    asks = any(one.footprint.asks_model for one in run.candidates)
    rate, of_model = (pace_of_model(run) if asks else None), bytes_of_model(run)
    return {
        one.name: Costs(
            rows_per_second=rows_per_second(one, len(run.targets("test")), rate),
            bytes=bytes_on_disk(one, of_model),
            rows_to_reach=rows_to_reach(run, one, dearest),
        )
        for one in run.candidates
    }


# How fast


def rows_per_second(one: Fitted, rows: int, rate: float | None) -> float | None:
    """The pace of a candidate over all test rows: its own seconds, and those of a pass of the model where it takes one.

    rate: rows a second of such a pass.
    """
    if one.footprint.asks_model and rate is None:
        return None
    seconds = one.footprint.seconds + (rows / rate if one.footprint.asks_model and rate else 0.0)
    return rows / max(seconds, 1e-6) if rows else None


def pace_of_model(run: Run) -> float:
    """Rows a second that the model reads and answers, rows as they stand in the file: as many test rows as take long enough to be
    believed. All candidates that ask a model ask one of this architecture."""
    ready = run.ready
    there, count = ready.rows.split.test, FIRST
    answer_anew(run, there[:1])  # which compiles
    while True:
        begin = run.clock()
        answer_anew(run, there[:count])
        seconds = run.clock() - begin
        if seconds >= LONG_ENOUGH or count >= min(MOST, len(there)):
            return min(count, len(there)) / max(seconds, 1e-6)
        enough = math.ceil(SPARE * count * LONG_ENOUGH / max(seconds, 1e-6))
        count = min(max(enough, 2 * count), MOST, len(there))


def answer_anew(run: Run, numbers: Ints) -> None:
    """Read some rows of the table as the model does, and ask it."""
    ready = run.ready
    targets = ready.rows.targets(numbers)
    examples, _ = ready.rows.form.read(ready.base.reader, ready.rows.inputs(numbers), targets, ready.long.way)
    run.task.infer(ready.model, examples, ready.device)


# How large


def bytes_of_model(run: Run) -> int:
    """Bytes of the weights that are saved of a model, in fp32."""
    model = run.ready.model
    saved = HEADS[run.task.head].saved_weights(model, model.head)
    return 4 * sum({id(one): one.numel() for one in saved.parameters()}.values())


def bytes_on_disk(one: Fitted, of_model: int) -> int | None:
    own = one.footprint.bytes
    return own if own is None else own + of_model * one.footprint.with_model


# How far behind


def rows_to_reach(run: Run, one: Fitted, dearest: Fitted) -> int | None:
    """Training rows with which a candidate would likely come to the test score of the dearest; None where nothing is known of
    how it grows, or more than `FARTHEST` times the rows at hand would be needed."""
    curve = curve_of(run, one)
    if curve is None or one is dearest:
        return None
    at_hand = int(curve.rows[-1])
    needed = likely_rows(curve, score_on_tried(run, dearest), at_hand)
    return math.ceil(needed) if needed <= FARTHEST * at_hand else None


def curve_of(run: Run, one: Fitted) -> Curve | None:
    """How the score of a candidate on the test rows grows with the rows it learns from; None where that was not seen, or the
    metric has no values between 0 and 1."""
    if not one.footprint.smaller or not metric_named(run.task.metric).higher:
        return None
    few = tried_rows(len(run.targets("test")))
    examples = run.ready.examples["test"].select(few)
    by_size: dict[int, list[float]] = {}
    for smaller in one.footprint.smaller:
        answers = run.task.answer(smaller.outputs, one.calibration, examples)
        by_size.setdefault(smaller.learnt, []).append(run.task.score(answers, run.targets("test")[few]))
    by_size[one.footprint.learnt] = [score_on_tried(run, one)]
    scores = np.array([np.mean(scores) for scores in by_size.values()])
    if not (np.isfinite(scores).all() and (scores >= 0).all() and (scores <= 1).all()) or len(scores) < 3:
        return None
    sizes = np.array(list(by_size), float)
    return Curve(sizes, scores, np.full(len(sizes), float(len(few))))


def score_on_tried(run: Run, one: Fitted) -> float:
    """The score of a candidate, having learnt from all rows, on the test rows that smaller ones answer."""
    few = tried_rows(len(run.targets("test")))
    return run.task.score(one.answers["test"].select(few), run.targets("test")[few])


RESTS_ON = (
    "Rows to reach: what a candidate would likely take to score as the {dearest} candidate does, by its scores on the same test "
    "rows after learning from an eighth, a quarter, half and all of the training rows, carried on by power laws; none is given "
    f"beyond {FARTHEST:g} times the rows at hand."
)
"""What `rows_to_reach` of a scorecard rests on."""
