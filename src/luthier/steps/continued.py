"""A round of labelling beside the one before: what the new labels brought, and what the next ones are likely to bring."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from luthier.arrays import Ints
from luthier.candidates.run import Run
from luthier.comparing.outcome import BETTER, SAME, UNSEEN, gained, outcome, signed, written
from luthier.comparing.runs import lines_of
from luthier.folder.continued_records import Brought, Continued, NextRound, Round
from luthier.folder.model_folder import ModelFolder
from luthier.folder.scorecard import Scorecard
from luthier.folder.scorecard_records import ScorecardRecord
from luthier.prepare.continued import TUNED, Earlier
from luthier.scores.intervals import Estimate
from luthier.scores.learning_curve import likely_gain
from luthier.scores.many_looks import confidence_at
from luthier.scores.measures import CONFIDENCE
from luthier.scores.metrics import METRICS, metric_named
from luthier.steps.footprints import curve_of
from luthier.steps.looks import Look

USUAL = 50
"""New labels that a round is foretold for where this one had none."""


def continued_record(run: Run, look: Look) -> dict[str, Any]:
    """The scorecard's `continued`; nothing for a run that goes on from none. predictions/test.jsonl is there."""
    if run.plan.data.continues is None:
        return {}
    earlier = Earlier.of(run.plan.data.continues)
    card, keys = Scorecard.read(earlier.path).card, run.ready.rows.keys()
    own = np.concatenate([keys[part] for part in (*run.ready.rows.split.learnt, "test")])  # each row once
    known = int(np.count_nonzero(earlier.places(own) >= 0))
    before = card.continued
    looks = 1 + (before.looks if before else 0) + looks_beside(look, card)
    brought = what_it_brought(run, earlier, keys["test"], looks)
    forecast = next_round(run, len(own) - known)
    assert run.kept is not None, "a candidate was chosen before"
    rounds = before.rounds if before else [round_of(str(earlier.path), card)]
    this = a_round(str(run.folder.path), len(keys["train"]), run.kept.scores["test"])
    found = Continued(
        run=str(earlier.path),
        round=len(rounds) + 1,
        known=known,
        new=len(own) - known,
        looks=looks,
        rounds=[*rounds, this],
        trained_at=trained_at(run, card),
        brought=brought,
        forecast=forecast,
        words=list(words(run, len(own) - known, brought, forecast, before)),
    )
    return {"continued": found.to_json()}


def looks_beside(look: Look, card: ScorecardRecord) -> int:
    """How many models were scored on the same test rows since the round before that are no round of this loop: one that was done
    over, or any other. card: that of the round before."""
    before = card.looks
    known = 0
    if before is not None and before.contents == look.contents and before.earlier is not None:
        known = before.earlier + 1
    return max(0, (look.earlier or 0) - known)


def round_of(run: str, card: ScorecardRecord) -> Round:
    """A run that is finished, as a round."""
    score = card.test[card.metric]
    return a_round(
        run, (card.rows or {}).get("train", 0), Estimate(score.value, score.low or 0.0, score.high or 0.0)
    )


def a_round(run: str, rows: int, score: Estimate) -> Round:
    return Round(run=run, rows=rows, value=score.value, low=score.low, high=score.high)


def trained_at(run: Run, card: ScorecardRecord) -> int | None:
    """Training rows with which layers were last tuned, in this round or an earlier one; what few-shot learns says little of that,
    and is weighed by itself. card: that of the round before."""
    if any(one.name == TUNED for one in run.candidates):
        return len(run.targets("train"))
    return last_trained_at(card)


def last_trained_at(card: ScorecardRecord) -> int | None:
    """The same, as a finished round tells it."""
    if any(one.name == TUNED for one in card.candidates or []):
        return (card.rows or {}).get("train")
    return None if card.continued is None else card.continued.trained_at


# What the new labels brought


def what_it_brought(run: Run, earlier: Earlier, keys: Ints, look: int) -> Brought | None:
    """The model of the round before beside this one on the test rows that both have answered; None where there are none, or the
    task's lines do not tell how right they are.

    keys: (rows,) of the test rows of this round.
    """
    recorded = run.task.recorded
    before, now = same_rows(earlier.keys["test"], keys)
    if recorded is None or not len(now):
        return None
    recorded = recorded.beside(ModelFolder(earlier.path).task)
    ours = lines_at(run.folder.path, now)
    # A label may have been corrected since: both are held against what is right now.
    theirs = [
        {**line, "label": own["label"]}
        for line, own in zip(lines_at(earlier.path, before), ours, strict=True)
    ]
    if recorded.unlike(ours, theirs):
        return None
    metric, clusters, seed = run.task.metric, run.clusters("test"), run.plan.run.seed
    groups = None if clusters is None else clusters[now]
    mine, other = (
        run.task.measures([metric], recorded.evidence(lines), groups)[metric] for lines in (ours, theirs)
    )
    confidence = confidence_at(look) if mine.exact else CONFIDENCE
    gap = mine.minus(other, seed, confidence)
    gap = gap if METRICS[metric].higher else -gap
    said = outcome(gap)
    return Brought(
        rows=len(now),
        answered_differently=sum(
            recorded.answer(one) != recorded.answer(two) for one, two in zip(ours, theirs, strict=True)
        ),
        before=other.value,
        after=mine.value,
        difference=gap.value,
        low=gap.low,
        high=gap.high,
        confidence=confidence,
        any_look=mine.exact,
        look=look,
        outcome=UNSEEN if said == SAME else said,
    )


def same_rows(before: Ints, now: Ints) -> tuple[Ints, Ints]:
    """Places of rows with the same key in both, the first of a key with the first.

    >>> [places.tolist() for places in same_rows(np.array([5, 7, 7]), np.array([7, 9, 5, 7]))]
    [[0, 1, 2], [2, 0, 3]]
    """
    places: dict[int, list[int]] = defaultdict(list)
    for at, key in enumerate(now.tolist()):
        places[key].append(at)
    pairs = [(at, places[key].pop(0)) for at, key in enumerate(before.tolist()) if places.get(key)]
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def lines_at(run: Path, places: Ints) -> list[Mapping[str, Any]]:
    """What a run answers to some of its test rows."""
    lines = list(lines_of(run).values())
    return [lines[at] for at in places.tolist()]


# What the next ones are likely to bring


def next_round(run: Run, new: int) -> NextRound | None:
    """The score that so many more labels are likely to come to, as the score of what is kept has grown with its rows; of the
    probe where it is not known how that one's has. None where nothing is known."""
    assert run.kept is not None, "a candidate was chosen before"
    others = [one for one in run.candidates if one.name == "probe"]
    curve = next((found for one in (run.kept, *others) if (found := curve_of(run, one)) is not None), None)
    if curve is None:
        return None
    labels, now = new or USUAL, len(run.targets("train"))
    gain = likely_gain(curve, now, now + labels)
    score = run.kept.scores["test"].value
    value, low, high = (min(1.0, max(0.0, score + one)) for one in (gain.middle, gain.low, gain.high))
    return NextRound(labels=labels, value=value, low=low, high=high)


# In words


def words(
    run: Run, new: int, brought: Brought | None, forecast: NextRound | None, before: Continued | None
) -> Iterator[str]:
    """What is told of a round, a sentence or two on each thing."""
    metric = run.task.metric
    labels = "The new label" if new == 1 else f"The {new:,} new labels" if new else "What has changed since"
    if brought is None:
        yield f"What {labels[0].lower()}{labels[1:]} brought is not known: no test row has comparable answers of both rounds."
    else:
        yield brought_words(labels, brought, metric)
    if before is not None and before.forecast is not None:
        assert run.kept is not None, "a candidate was chosen before"
        yield (
            f"The round before foretold {written(metric, before.forecast.value)} from {before.forecast.labels:,} more labels "
            f"({written(metric, before.forecast.low)} to {written(metric, before.forecast.high)}); it came to "
            f"{written(metric, run.kept.scores['test'].value)}."
        )
    if forecast is not None:
        yield (
            f"{forecast.labels:,} more labels: expected {written(metric, forecast.value)} {metric_named(metric).words} "
            f"({written(metric, forecast.low)} to {written(metric, forecast.high)}), as the score has grown with rows so far."
        )


def brought_words(labels: str, brought: Brought, metric: str) -> str:
    """What the labels brought, and how sure that is."""
    ends = f"{signed(metric, brought.low)} to {signed(metric, brought.high)}"
    told = (
        f"{labels} brought {metric_named(metric).words} from {written(metric, brought.before)} to "
        f"{written(metric, brought.after)} on the same {brought.rows:,} test rows, {brought.answered_differently:,} of them "
        f"answered differently: {gained(metric, brought.difference)} ({100 * brought.confidence:.3g} % interval {ends})."
    )
    if brought.outcome == UNSEEN:
        told += " That is no difference that these rows can show."
    else:
        told += f" That is {'better' if brought.outcome == BETTER else 'worse'}, beyond noise."
    if brought.any_look:
        return f"{told} It is look {brought.look:,} at these rows: all such intervals together hold with 95 % confidence."
    return (
        f"{told} It is look {brought.look:,} at these rows, and this interval holds for one alone: no test of this metric is "
        "known that stays honest over many."
    )
