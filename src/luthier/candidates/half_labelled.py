"""The probe learns from rows without labels too, where cross-validation says beyond noise that this helps."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luthier.arrays import Array
from luthier.candidates.records import ProbeUnlabelledRecord
from luthier.candidates.run import Run
from luthier.devices import with_threads
from luthier.events import Advanced, Event, Noted, Started
from luthier.folder.unlabelled_records import ProbeUnlabelled, ScoreChange, SharesCompared, WayTried
from luthier.tasks.probing import Probing
from luthier.train.probe.half_labelled import HalfLabelled, weights_of
from luthier.train.probe.probe import Probe
from luthier.train.probe.pseudo_labels import WAYS, Labelled, Shares, Threshold, Way
from luthier.train.probe.worth_taking import Judged, best, judged, one_fold, seeds_of

TELLING = 0.01
"""Chance below which labels that are answered otherwise to rows without labels are told of."""
SHOWN = 3
"""Labels whose shares are told, those that differ most."""


@dataclass(frozen=True)
class Refined:
    """A probe that has learnt from rows without labels too."""

    probe: Probe
    way: Way
    held_out: Array
    """(training rows, outputs) its logits of rows that it did not see, nan for rows that are always learnt."""

    def solved(self, rows: HalfLabelled, features: Array, targets: Array) -> Probe:
        """The probe of other labelled rows, and of the same ones without labels. rows: with these."""
        others = replace(rows, features=features, targets=targets, clusters=None)
        return others.probe(self.way.label(others).labels)


def refined(run: Run, rows: HalfLabelled, how: Probing, name: str) -> Generator[Event, None, Refined | None]:
    """The probe of all rows, where that is better beyond noise; None where it stays as it was. name: of the artefact."""
    saved = run.shared.saved(name, ProbeUnlabelledRecord)
    if saved is None:
        begin = run.clock()
        told, found = yield from tried(run, rows, how)
        record = ProbeUnlabelledRecord(learnt=told.model_copy(update={"seconds": run.clock() - begin}))
        arrays = {} if found is None else arrays_of(found)
        run.shared.save(name, arrays, record)
    else:
        arrays, record = saved
        found = read_back(arrays, record.learnt)
        run.watch.earlier["probe"] = run.watch.earlier.get("probe", 0.0) + record.learnt.seconds
    nothing = {"rows": len(rows.unlabelled), "kept": False}
    run.tuning.setdefault("unlabelled", nothing)["probe"] = record.learnt.told()
    yield from events_of(run, record.learnt)
    return found


def tried(
    run: Run, rows: HalfLabelled, how: Probing
) -> Generator[Event, None, tuple[ProbeUnlabelled, Refined | None]]:
    """What the ways come to, and the one that is kept."""
    with with_threads(run.mode.wide):
        labelled = {name: way.label(rows) for name, way in WAYS.items()}
    refused = {name: why_refused(one, rows) for name, one in labelled.items()}
    found = yield from compared(run, rows, [way for name, way in WAYS.items() if not refused[name]], how)
    kept = best(found)
    ways = [told_of(name, one, refused[name], found.get(name), kept) for name, one in labelled.items()]
    shares = shares_of(run, rows)
    told = ProbeUnlabelled(
        rows=len(rows.unlabelled),
        kept=kept,
        ways=ways,
        words=words_of(ways, kept, shares),
        shares=shares,
    )
    if kept is None:
        return told, None
    with with_threads(run.mode.wide):
        probe = rows.probe(labelled[kept].labels)
    return told, Refined(probe, WAYS[kept], found[kept].held_out)


def compared(
    run: Run, rows: HalfLabelled, ways: list[Way], how: Probing
) -> Generator[Event, None, dict[str, Judged]]:
    """What each way comes to on training rows that were held out. Raises Interrupted where somebody asked to stop."""
    folds, seeds = [], seeds_of(rows) if ways else []
    yield Started("unlabelled", run.clock(), len(seeds))
    for done, seed in enumerate(seeds):
        if run.stop():
            raise run.interrupted()
        with with_threads(run.mode.wide):
            folds.append(one_fold(rows, ways, seed))
        yield Advanced(done + 1, run.clock())
    return judged(rows, [one for one in folds if one is not None], how)


def why_refused(one: Labelled, rows: HalfLabelled) -> str:
    """Why rows that were given labels are not learnt from, in words; empty where they can be."""
    if not one.taken:
        return "no row was given a label"
    if weights_of(one.labels, rows.targets, rows.outputs) is None:
        return "labels that training rows have are hardly among them"
    return ""


def told_of(name: str, one: Labelled, refused: str, found: Judged | None, kept: str | None) -> WayTried:
    """The record of a way."""
    nothing = "training rows are too few to tell whether that helps" if found is None else None
    threshold = one.threshold or Threshold(None)
    gain = None if found is None else found.gain
    return WayTried(
        way=name,
        taken=one.taken,
        kept=name == kept,
        score=None if gain is None else ScoreChange(before=gain.before, after=gain.after, error=gain.error),
        above=threshold.above,
        answers=threshold.answers or None,
        right=threshold.right if threshold.answers else None,
        why_not=refused or nothing,
    )


def shares_of(run: Run, rows: HalfLabelled) -> SharesCompared | None:
    """How labels are answered to rows without labels, beside training rows; None where these are too few."""
    if rows.crossed is None:
        return None
    found = Shares.of(rows.crossed, rows.targets, rows.seed)
    asked = set(rows.targets[rows.crossed.asked].tolist())
    both = zip(run.task.known_labels, found.labelled.tolist(), found.unlabelled.tolist(), strict=True)
    labels = {name: [one, other] for at, (name, one, other) in enumerate(both) if at in asked}
    return SharesCompared(p=found.p, differ=found.p < TELLING, labels=labels)


def arrays_of(found: Refined) -> dict[str, Array]:
    """What is saved of a probe that is kept."""
    return {"weight": found.probe.weight, "bias": found.probe.bias, "held_out": found.held_out,
            "strength": np.array([found.probe.strength])}  # fmt: skip


def read_back(arrays: dict[str, Array], told: ProbeUnlabelled) -> Refined | None:
    """The probe as an earlier command has left it."""
    if told.kept is None:
        return None
    probe = Probe(arrays["weight"], arrays["bias"], float(arrays["strength"][0]), {})
    return Refined(probe, WAYS[told.kept], arrays["held_out"])


def kept_way(run: Run) -> Way | None:
    """The way in which rows without labels were given labels, where the probe of a run has learnt from them."""
    told: dict[str, Any] = run.tuning.get("unlabelled", {}).get("probe", {})
    name = told.get("kept")
    return None if name is None else WAYS[name]


# What is told


def events_of(run: Run, told: ProbeUnlabelled) -> Iterator[Event]:
    """What came of it; that labels are answered otherwise is a warning, as it concerns what the model will meet."""
    yield Noted(told.words, run.clock(), warning=told.shares is not None and told.shares.differ)


def words_of(ways: list[WayTried], kept: str | None, shares: SharesCompared | None) -> str:
    """A sentence or two on what was tried."""
    unlike = shares_words(shares)
    chosen = next((one for one in ways if one.way == kept), None)
    if chosen is not None and chosen.score is not None:
        return (
            f"The probe learnt from {chosen.taken:,} rows without labels too, which were given some {WAYS[chosen.way].words}"
            f"{answers_words(chosen)}: in cross-validation over the training rows it comes to {chosen.score.before:.3f} without "
            f"and {chosen.score.after:.3f} with them, {gain_words(chosen.score)}. It is kept.{unlike}"
        )
    each = "; ".join(f"{WAYS[one.way].words}{answers_words(one)}, {outcome_words(one)}" for one in ways)
    return f"The probe stays as it is without rows that have no labels. Given labels {each}.{unlike}"


def gain_words(score: ScoreChange) -> str:
    return f"{score.after - score.before:+.3f} with a standard error of {score.error:.3f}"


def answers_words(one: WayTried) -> str:
    """Which answers were taken, and how often such are right; nothing of a way that takes all rows."""
    if one.above is None or not one.answers:
        return ""
    return (
        f" (confidence above {one.above:.2f}, where {one.right:,} of {one.answers:,} answers to training rows that were not seen "
        "are right)"
    )


def outcome_words(one: WayTried) -> str:
    """What came of a way that is not kept."""
    if one.score is None:
        return f"{one.why_not}"
    return f"{one.taken:,} of them bring {gain_words(one.score)} in cross-validation over the training rows"


def shares_words(shares: SharesCompared | None) -> str:
    """That labels are answered otherwise to rows without labels; empty where that may be chance."""
    if shares is None or not shares.differ:
        return ""
    apart = sorted(shares.labels, key=lambda name: -abs(shares.labels[name][0] - shares.labels[name][1]))
    listed = ", ".join(
        f"{name} {100 * shares.labels[name][1]:.0f} % there and {100 * shares.labels[name][0]:.0f} % here"
        for name in apart[:SHOWN]
    )
    return (
        f" Labels are answered otherwise to rows without labels than to training rows, beyond chance (p {shares.p:.4f}): "
        f"{listed}. What was given labels is weighted to the shares of the training rows; if rows to come are like those without "
        "labels, label some of them as they come."
    )
