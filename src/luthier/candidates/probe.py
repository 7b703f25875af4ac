"""The probe: a linear head on the frozen features, solved for. From here on there is a model."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from torch import nn

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.candidates.candidate import Candidate, Passes
from luthier.candidates.crossing import folds_of
from luthier.candidates.fewer_rows import with_fewer
from luthier.candidates.half_labelled import kept_way, refined
from luthier.candidates.plain_probe import Solved, artefact, of_strength, plain_probe, probing
from luthier.candidates.pool import UNLABELLED, discriminates, learns_from_pool, learns_of_few, pool_of
from luthier.candidates.run import HELD_OUT, Run
from luthier.candidates.zero_shot import NAMES
from luthier.comparing.fitted import Fitted, Footprint, Weights, tried_rows
from luthier.devices import with_threads
from luthier.events import Event
from luthier.models.headed import new_head
from luthier.prepare.prepare import Prepared
from luthier.tasks.outputs import Outputs
from luthier.train.probe.discriminant import discriminant_seconds
from luthier.train.probe.half_labelled import HalfLabelled, Solve
from luthier.train.probe.probe import MOST_ROWS, Probe, probe_seconds, solve_probe
from luthier.train.probe.worth_taking import comparing_seconds

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
        how, begin, watch = probing(run), run.clock(), run.watch
        plain = plain_probe(run)
        probe, held_out, solved = plain.probe, plain.held_out, plain.solved
        if plain.solve is not None and learns_from_pool(run.ready):
            rows = half_labelled(run, plain.solve, ("train",))
            found = yield from refined(run, rows, how, f"{artefact(run)}-{UNLABELLED}")
            if found is not None:
                probe, held_out, solved = found.probe, found.held_out, partial(found.solved, rows)
        run.probe = probe
        outputs = outputs_of(run, probe, held_out)
        seconds = watch.took["features"] + run.clock() - begin + watch.earlier.get("probe", 0.0)
        weights, footprint = Weights(head=head_of(probe)), footprint_of(run, solved)
        return Fitted(self.name, self.words, seconds, outputs, weights=weights, footprint=footprint)

    def settle(self, run: Run, fitted: Fitted) -> None:
        """Solve for the probe that is kept once more, with the rows that were held out to choose and to calibrate: there is
        nothing left to choose, and in a small set they are a fifth of what there is. Its validation score stays as it was."""
        how, probe, way = probing(run), run.probe, kept_way(run)
        assert probe is not None, "it was solved for before"
        if learns_of_few(run.ready):  # it has learnt from all rows that there are
            super().settle(run, fitted)
            return
        if way is None:
            features = np.concatenate([how.read(run.features[part]) for part in LEARNT_AT_LAST])
            targets = np.concatenate([how.to_learn(run.targets(part)) for part in LEARNT_AT_LAST])
            last = solve_probe(features, targets, how.outputs, probe.strength)
        else:
            rows = half_labelled(run, of_strength(how, probe.strength), LEARNT_AT_LAST)
            last = rows.probe(way.label(rows).labels)
        test = last.logits(how.read(run.features["test"]))
        fitted.outputs["test"] = how.answered(test, run.ready.examples["test"])
        fitted.weights = Weights(head=head_of(last))
        # What it comes to on test rows is a point of its learning curve at all that it has learnt from now.
        if fitted.footprint.smaller:
            learnt = sum(len(run.ready.examples[part]) for part in LEARNT_AT_LAST)
            fitted.footprint = replace(fitted.footprint, learnt=learnt)
        run.keep(fitted)

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        how = ready.rows.task.probe
        assert how is not None, "it competes only where there is a way"
        if discriminates(ready):
            return discriminant_seconds(ready.examples["train"].targets, ready.model.width, how.outputs)
        learnt, pool = how.to_learn(ready.examples["train"].targets), pool_of(ready)
        seconds = probe_seconds(learnt, ready.model.read_width, how.outputs)
        if pool is None:
            return seconds
        return seconds + comparing_seconds(len(learnt), len(pool), ready.model.read_width, how.outputs)


PROBE = ProbeCandidate()


def half_labelled(run: Run, solve: Solve, parts: Sequence[str]) -> HalfLabelled:
    """The rows of some parts beside those without labels."""
    how, own = probing(run), [run.clusters(part) for part in parts]
    clusters = [one for one in own if one is not None]
    return HalfLabelled(
        features=np.concatenate([how.read(run.features[part]) for part in parts]),
        targets=np.concatenate([how.to_learn(run.targets(part)) for part in parts]),
        unlabelled=how.read(run.features[UNLABELLED]),
        outputs=how.outputs,
        solve=solve,
        seed=run.plan.run.seed,
        words=run.features.get(NAMES) if learns_of_few(run.ready) else None,
        clusters=np.concatenate(clusters) if len(clusters) == len(parts) else None,
    )


def outputs_of(run: Run, probe: Probe, held_out: Array | None) -> dict[str, Outputs]:
    """What a head gives for each part: for validation rows, where they are training rows, what heads gave that did not see them.

    held_out: (training rows, outputs) those, nan for rows that are always learnt.
    """
    how, examples, folds = probing(run), run.ready.examples, folds_of(run)
    outputs: dict[str, Outputs] = {
        part: how.answered(probe.logits(how.read(run.features[part])), examples[part]) for part in HELD_OUT
    }
    if held_out is not None and folds is not None:
        outputs["valid"] = how.answered(held_out[folds >= 0].astype(np.float32), examples["valid"])
    return outputs


def footprint_of(run: Run, solved: Solved) -> Footprint:
    """What the probe would come to with fewer rows; where answers are of words, or there is no test, nobody asks."""
    how, train, test = probing(run), run.ready.examples["train"], run.ready.examples["test"]
    if train.tokens is not None or not run.mode.tells_growth or not len(test):
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
