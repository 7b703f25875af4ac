"""What the model that is kept may be trusted with: measured on rows that it has not learnt from, and written beside it."""

from typing import Any

import numpy as np

from luthier.arrays import Array, Bools, Floats
from luthier.batches.examples import Examples
from luthier.candidates.run import Run
from luthier.comparing.fitted import Fitted
from luthier.folder.trust import Trust, alarm_of, write_trust
from luthier.predict import all_features_of, logits_and_features_of
from luthier.prepare.trust_rows import usual_rows
from luthier.scores.stream import THRESHOLD
from luthier.scores.unlike import LEVEL
from luthier.steps.seen import Seen, frozen
from luthier.tasks.trusting import Trusting


def open_test(run: Run, kept: Fitted) -> Array | None:
    """The kept model's features of the test rows; None where the task promises nothing. Where the model was not asked these rows
    before, its logits are kept too, as both come from one pass: they are those of `Run.infer`."""
    if run.task.trusting is None:
        return None
    if frozen(run, kept):
        return run.features["test"]
    examples = run.ready.examples["test"]
    logits, features = logits_and_features_of(run.model_of(kept), examples, run.ready.device)
    kept.outputs.setdefault("test", run.task.of_logits(logits, examples))
    return features


def add_trust(run: Run, kept: Fitted, tested: Array | None, seen: Seen) -> dict[str, Any]:
    """Write beside the kept model what it needs to say which of its answers may be trusted; return the scorecard's `trust`.

    tested: features of the test rows, as `open_test` gave them.  seen: training rows, as the kept model sees them.  Nothing where
    the task promises nothing, or without rows.
    """
    how, part = run.task.trusting, run.ready.rows.split.calibrates
    if how is None or tested is None or not part or not len(run.targets(part)):
        return {}
    trust = trust_of(run, kept, how, part, seen)
    p = None if trust.alarm is None else trust.alarm.p_values(trust.alarm.scores(tested))
    targets = run.targets("test")
    told: dict[str, Any] = {
        "part": part,
        "rows": len(run.targets(part)),
        "learnt_since": kept.name == "probe" or run.ready.rows.split.crossed,
        **how.measured(
            trust.known, kept.outputs["test"], kept.answers["test"], targets, unlike_rows(p, len(targets))
        ),
        "alarm": alarm_record(trust, p),
    }
    write_trust(run.folder.path / "model", trust, {key: told[key] for key in told if key in KEPT})
    return {"trust": told}


KEPT = ("part", "rows", "learnt_since", "certainty", "alarm")
"""Keys of the scorecard's `trust` that luthier.json has too; the rest is measured on the test rows."""


def trust_of(run: Run, kept: Fitted, how: Trusting[Any, Any], part: str, seen: Seen) -> Trust:
    """What the kept model showed on held-out rows. part: the one that calibrates.  seen: training rows, as it sees them."""
    targets, examples = run.targets(part), run.ready.examples
    assert seen.features is not None, "what promises anything has features of rows"
    alarm = None
    if run.ready.rows.split.validates_apart:  # rows that were learnt from are like themselves
        labels = how.labels(run.targets("train")[seen.rows])
        usual = np.concatenate([features_at(run, kept, *one) for one in usual_rows(run.ready)])
        alarm = alarm_of(seen.features, labels, usual)
    p = None if alarm is None else alarm.own(len(targets))
    outputs = kept.outputs[part]
    answers = run.task.answer(outputs, kept.calibration, examples[part])
    return Trust(how.known(outputs, answers, targets, unlike_rows(p, len(targets))), alarm)


def features_at(run: Run, kept: Fitted, part: str, rows: Array) -> Array:
    """(rows, width) features of some rows of a part, as the kept model has them."""
    if frozen(run, kept):
        return run.features[part][rows]
    examples: Examples = run.ready.examples[part].select(rows)
    return all_features_of(run.model_of(kept), examples, run.ready.device)


def unlike_rows(p: Floats | None, rows: int) -> Bools:
    """(rows,) which rows are called unlike."""
    return np.zeros(rows, bool) if p is None else p <= LEVEL


def alarm_record(trust: Trust, p: Floats | None) -> dict[str, Any] | None:
    """What the scorecard tells of the alarm; None where there is none. p: p-values of the test rows."""
    if trust.alarm is None or p is None:
        return None
    return {
        "level": LEVEL,
        "stream": 1 / THRESHOLD,
        "rows": len(trust.alarm.usual),
        "references": len(trust.alarm.detector.reference),
        "test_unlike": float((p <= LEVEL).mean()),
    }
