"""The probe: a linear head on the frozen features, solved for. From here on there is a model."""

from collections.abc import Callable, Generator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from torch import nn

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.candidates.candidate import Candidate, Passes
from luthier.candidates.crossing import folds_of
from luthier.candidates.fewer_rows import with_fewer
from luthier.candidates.records import ProbeRecord
from luthier.candidates.run import HELD_OUT, Run
from luthier.candidates.zero_shot import NAMES
from luthier.comparing.fitted import Fitted, Footprint, Weights, tried_rows
from luthier.devices import with_threads
from luthier.events import Event
from luthier.models.headed import new_head
from luthier.prepare.prepare import Prepared
from luthier.tasks.outputs import Outputs
from luthier.tasks.probing import Probing
from luthier.train.probe.centred import Centred, fit_centred
from luthier.train.probe.discriminant import (
    DISCRIMINANTS,
    Discriminant,
    Family,
    discriminant_seconds,
    fit_discriminant,
)
from luthier.train.probe.probe import MOST_ROWS, Probe, fit_probe, probe_seconds, solve_probe

LEARNT_AT_LAST = ("train", "valid", "calibration")
"""Parts that the probe is solved for with once it is chosen."""


class ProbeCandidate(Candidate):
    """A linear head on the frozen features."""

    name = "probe"
    words = "the probe"
    to_beat = False
    crosses_itself = True

    def why_not(self, ready: Prepared) -> str:
        task = ready.rows.task
        return "" if task.probe is not None else f"no linear head on frozen features does {task.name}"

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        yield from ()  # a generator, as every `fit` is
        how, begin, watch = probing(run), run.clock(), run.watch
        if learns_of_few(run.ready):
            return of_few_rows(run)
        run.probe = probe = fit_or_reuse(run, how, run.targets("train"))
        seconds = watch.took["features"] + run.clock() - begin + watch.earlier.get("probe", 0.0)
        run.tuning["probe"] = probe_record(probe)
        outputs = {
            part: how.answered(probe.logits(how.read(run.features[part])), run.ready.examples[part])
            for part in HELD_OUT
        }
        weights = Weights(head=head_of(probe))

        def solved(features: Array, targets: Array) -> Probe:
            return solve_probe(features, targets, how.outputs, probe.strength)

        return Fitted(
            self.name, self.words, seconds, {**outputs}, weights=weights, footprint=footprint_of(run, solved)
        )

    def settle(self, run: Run, fitted: Fitted) -> None:
        """Solve for the probe that is kept once more, with the rows that were held out to choose and to calibrate: there is
        nothing left to choose, and in a small set they are a fifth of what there is. Its validation score stays as it was."""
        how, probe = probing(run), run.probe
        assert probe is not None, "it was solved for before"
        if learns_of_few(run.ready):  # it has learnt from all rows that there are
            super().settle(run, fitted)
            return
        features = np.concatenate([how.read(run.features[part]) for part in LEARNT_AT_LAST])
        targets = np.concatenate([how.to_learn(run.targets(part)) for part in LEARNT_AT_LAST])
        last = solve_probe(features, targets, how.outputs, probe.strength)
        test = last.logits(how.read(run.features["test"]))
        fitted.outputs["test"] = how.answered(test, run.ready.examples["test"])
        fitted.weights = Weights(head=head_of(last))
        run.keep(fitted)

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        task, how = ready.rows.task, ready.rows.task.probe
        assert how is not None, "it competes only where there is a way"
        if learns_of_few(ready) and task.contrasting is None:
            return discriminant_seconds(ready.examples["train"].targets, ready.model.width, how.outputs)
        learnt = how.to_learn(ready.examples["train"].targets)
        return probe_seconds(learnt, ready.model.read_width, how.outputs)


PROBE = ProbeCandidate()


def learns_of_few(ready: Prepared) -> bool:
    """Whether rows are so few that none are held out: the probe is then another one, and has learnt from all of them at once."""
    return not ready.rows.split.validates_apart and ready.rows.task.crosses


def of_few_rows(run: Run) -> Fitted:
    """The probe of few rows, with what it gives for rows that were held out in cross-validation: pulled to the labels' words
    (train/probe/centred.py), or a discriminant where labels are no texts that could be compared with rows
    (train/probe/discriminant.py)."""
    how, begin, targets, folds = probing(run), run.clock(), run.targets("train"), folds_of(run)
    train = run.features["train"]
    found: Centred | Discriminant
    with with_threads(run.mode.wide):
        if run.task.contrasting is None:
            found = fit_discriminant(train, targets, how.outputs, folds)
            solved = discriminant_as(replace(DISCRIMINANTS, usual=found.setting), how.outputs)
        else:
            words = run.features.get(NAMES)
            found = fit_centred(train, targets, words, how.outputs, folds)
            solved = centred_as(found, words, how.outputs)
    seconds = run.watch.took["features"] + run.clock() - begin
    run.probe = found.probe
    run.tuning["probe"] = asdict(found.setting)
    return Fitted(
        PROBE.name,
        PROBE.words,
        seconds,
        outputs_of_few(run, found, folds),
        weights=Weights(head=head_of(found.probe)),
        footprint=footprint_of(run, solved),
    )


Solved = Callable[[Array, Array], Probe]
"""The probe of some features, and of what is learnt there."""


def discriminant_as(family: Family, outputs: int) -> Solved:
    """Discriminants of other rows in a family's usual setting."""

    def solved(features: Array, targets: Array) -> Probe:
        return fit_discriminant(features, targets, outputs, None, family).probe

    return solved


def centred_as(found: Centred, words: Array | None, outputs: int) -> Solved:
    """Probes of other rows that are pulled to the same words as much as one that was found."""

    def solved(features: Array, targets: Array) -> Probe:
        return fit_centred(features, targets, words, outputs, None, found.setting).probe

    return solved


def outputs_of_few(run: Run, found: Centred | Discriminant, folds: Ints | None) -> dict[str, Outputs]:
    """What a head of few rows gives for each part: for validation rows, where they are training rows, what heads gave that did
    not see them."""
    how, examples = probing(run), run.ready.examples
    outputs: dict[str, Outputs] = {
        part: how.answered(found.probe.logits(run.features[part]), examples[part]) for part in HELD_OUT
    }
    if found.held_out is not None and folds is not None:
        outputs["valid"] = how.answered(found.held_out[folds >= 0].astype(np.float32), examples["valid"])
    return outputs


def probing(run: Run) -> Probing:
    """How the run's task is learnt by a linear head."""
    assert run.task.probe is not None, "it competes only where there is a way"
    return run.task.probe


def fit_or_reuse(run: Run, how: Probing, targets: Array) -> Probe:
    """The probe, solved for, or as an earlier command left it."""
    saved = run.shared.saved(artefact(run), ProbeRecord)
    if saved is not None and saved[0].keys() == {"weight", "bias"}:
        arrays, known = saved
        run.watch.earlier["probe"] = known.seconds
        scores = {float(strength): score for strength, score in known.cross_validated.items()}
        return Probe(arrays["weight"], arrays["bias"], known.strength, scores)

    begin = run.clock()
    to_learn, features = how.to_learn(targets), how.read(run.features["train"])
    with with_threads(run.mode.wide):
        probe = fit_probe(features, to_learn, how.outputs, how.fit_score, run.plan.run.seed)
    record = ProbeRecord.of(probe_record(probe) | {"seconds": run.clock() - begin})
    run.shared.save(artefact(run), {"weight": probe.weight, "bias": probe.bias}, record)
    return probe


def footprint_of(run: Run, solved: Solved) -> Footprint:
    """What the probe would come to with fewer rows; where answers are of words, there is no test, or in a trial of a search,
    nobody asks."""
    how, train, test = probing(run), run.ready.examples["train"], run.ready.examples["test"]
    if train.tokens is not None or not run.mode.writes_model or not len(test):
        return Footprint()
    seed, few = run.plan.run.seed, tried_rows(len(test))
    chosen = seeds.generator(seed, "fewer rows").permutation(len(train))[:MOST_ROWS]
    features, targets = how.read(run.features["train"][chosen]), how.to_learn(run.targets("train"))[chosen]
    asked = how.read(run.features["test"][few])

    def again(rows: Ints) -> Array:
        return solved(features[rows], targets[rows]).logits(asked)

    with with_threads(run.mode.wide):
        smaller = with_fewer(again, how, test.select(few), len(chosen), seed)
    return Footprint(learnt=len(train), smaller=smaller)


def artefact(run: Run) -> str:
    """The name of the probe's artefact. Its folds are drawn with the seed."""
    return f"probe-{run.plan.run.seed}"


def probe_record(probe: Probe) -> dict[str, Any]:
    """The probe's strength and how it was found, as JSON."""
    return {
        "strength": probe.strength,
        "cross_validated": {str(c): score for c, score in probe.cross_validated.items()},
    }


def head_of(probe: Probe) -> nn.Sequential:
    """A probe as a model's head."""
    outputs, width = probe.weight.shape
    head = new_head(width, (), outputs, 0.0)
    probe.start(last_layer(head))
    return head


def last_layer(head: nn.Sequential) -> nn.Linear:
    """The linear layer that a head ends in."""
    layer = head[-1]
    assert isinstance(layer, nn.Linear), "a head ends in its linear layer"
    return layer
