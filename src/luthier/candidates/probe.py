"""The probe: a linear head on the frozen features, solved for. From here on there is a model."""

from collections.abc import Callable, Generator
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
from luthier.tasks.probing import Probing
from luthier.train.probe.centred import fit_centred
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
        if pulled_to_words(run):
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
        if pulled_to_words(run):  # it has learnt from all rows that there are
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
        how = ready.rows.task.probe
        assert how is not None, "it competes only where there is a way"
        learnt = how.to_learn(ready.examples["train"].targets)
        return probe_seconds(learnt, ready.model.read_width, how.outputs)


PROBE = ProbeCandidate()


def pulled_to_words(run: Run) -> bool:
    """Whether rows are so few that the probe is pulled to what the labels' words say."""
    return not run.ready.rows.split.validates_apart and run.task.contrasting is not None


def of_few_rows(run: Run) -> Fitted:
    """The probe of few rows (train/probe/centred.py), with what it gives for rows that were held out in cross-validation."""
    how, begin, targets = probing(run), run.clock(), run.targets("train")
    folds, words = folds_of(run), run.features.get(NAMES)
    with with_threads(run.mode.wide):
        found = fit_centred(run.features["train"], targets, words, how.outputs, folds)
    seconds = run.watch.took["features"] + run.clock() - begin
    run.probe, setting = found.probe, found.setting
    run.tuning["probe"] = {"strength": setting.strength, "sharpness": setting.sharpness}
    examples = run.ready.examples
    outputs = {
        part: how.answered(found.probe.logits(run.features[part]), examples[part]) for part in HELD_OUT
    }
    if found.held_out is not None and folds is not None:
        outputs["valid"] = how.answered(found.held_out[folds >= 0].astype(np.float32), examples["valid"])

    def solved(features: Array, targets: Array) -> Probe:
        return fit_centred(features, targets, words, how.outputs, None, found.setting).probe

    return Fitted(
        PROBE.name,
        PROBE.words,
        seconds,
        {**outputs},
        weights=Weights(head=head_of(found.probe)),
        footprint=footprint_of(run, solved),
    )


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


def footprint_of(run: Run, solved: Callable[[Array, Array], Probe]) -> Footprint:
    """What the probe would come to with fewer rows; where answers are of words, there is no test, or in a trial of a search,
    nobody asks. solved: the probe of some features, and of what is learnt there."""
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
