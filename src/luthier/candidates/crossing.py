"""Cross-validation of candidates: where nothing is held out, each training row is answered by what did not learn from it."""

from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np

from luthier.arrays import Bools, Ints
from luthier.batches.examples import Examples
from luthier.candidates.candidate import Candidate, Passes
from luthier.candidates.run import Run
from luthier.comparing.fitted import Fitted
from luthier.events import Event, Noted
from luthier.prepare.prepare import Prepared
from luthier.tasks.outputs import Outputs
from luthier.tasks.task import Task
from luthier.train.probe.centred import FOLDS, folds_for


def folds_of(run: Run) -> Ints | None:
    """(training rows,) the fold in which each is held out, -1 for rows that never are; None where others are held out, or none
    can be."""
    if not run.ready.rows.split.crossed:
        return None
    return folds_for(run.targets("train"), run.plan.run.seed, run.clusters("train"))


def learnt_by(candidate: Candidate, run: Run) -> Generator[Event, None, Fitted | None]:
    """A candidate that has learnt. Where nothing is held out it learns once more without each fold, and what it then gives for
    the rows of the fold stands in the place of its answers to validation rows; None where nothing came of one of them."""
    fitted = yield from candidate.fit(run)
    folds = folds_of(run)
    if fitted is None or folds is None or candidate.crosses_itself:
        return fitted
    found, order = [], []
    for fold in range(int(folds.max()) + 1):
        held = folds == fold
        once_more = silently(candidate.fit(without(run, held)), run)
        if once_more is None:  # its answers would be those of rows that it has learnt from
            words = f"Nothing came of {candidate.name} without a part of the rows, so it is not among the candidates."
            yield Noted(words, run.clock(), warning=True)
            return None
        found.append(once_more.outputs["valid"])
        order.append(np.flatnonzero(held))
    places = np.searchsorted(np.flatnonzero(folds >= 0), np.concatenate(order))
    fitted.outputs["valid"] = put_together(run.task, found, places, run.ready.examples["valid"])
    return fitted


def foretold(candidate: Candidate, ready: Prepared, passes: Passes) -> float:
    """Seconds that `learnt_by` takes at the most, as `Candidate.forecast` tells those of `fit`."""
    once_more = ready.rows.split.crossed and not candidate.crosses_itself
    return candidate.forecast(ready, passes) * (1 + FOLDS * once_more)


def silently(learning: Generator[Event, None, Fitted | None], run: Run) -> Fitted | None:
    """What comes of learning whose events nobody needs: they were told when all rows were learnt."""
    while True:
        if run.stop():
            raise run.interrupted()
        try:
            next(learning)
        except StopIteration as end:
            found: Fitted | None = end.value
            return found


def without(run: Run, held: Bools) -> Run:
    """The run as it would be without some training rows, which are asked in the place of all others. held: (training rows,)"""
    learnt, asked = np.flatnonzero(~held), np.flatnonzero(held)
    ready = without_rows(run.ready, learnt, asked)
    train = run.features.get("train")
    features = dict(run.features)
    if train is not None:
        # Those that are asked are read as precisely as training rows are: the probe's choice hangs on no other digit.
        nothing = train[:0]
        features |= {
            "train": train[learnt],
            "valid": train[asked],
            "calibration": nothing,
            "test": train[asked],
        }
    mode = replace(run.mode, writes_model=False)
    return replace(run, ready=ready, features=features, mode=mode, tuning={}, candidates=[], kept=None)


def without_rows(ready: Prepared, learnt: Ints, asked: Ints) -> Prepared:
    """Some of the training rows in the place of all, and others in that of every part that is asked."""
    rows, train, own = ready.rows, ready.examples["train"], ready.rows.split.train
    parts = {"train": learnt, "valid": asked, "calibration": asked[:0], "test": asked}
    split = replace(rows.split, crossed=False, **{part: own[chosen] for part, chosen in parts.items()})
    examples: dict[str, Examples] = {part: train.select(chosen) for part, chosen in parts.items()}
    return replace(ready, rows=replace(rows, split=split), examples=examples)


def put_together(task: Task, found: Sequence[Outputs], order: Ints, examples: Examples) -> Outputs:
    """What was given for rows piece by piece, as one. order: where each row of the pieces, one behind the other, stands among
    `examples`, which are all of them."""
    arrays = {name: np.concatenate([one.arrays()[name] for one in found]) for name in found[0].arrays()}
    whole: Outputs = task.read_outputs(arrays, found[0].record(), examples.select(order))
    return whole.select(np.argsort(order))
