"""The candidates, from cheap to dear: majority, a rule of thumb, zero-shot, probe, tuned."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import nn

from luthier.compare.choice import Candidate, choose
from luthier.devices import with_threads
from luthier.errors import WorldError
from luthier.events import Advanced, CandidateReady, Chose, Event, Started
from luthier.models.headed import new_head
from luthier.predict import features_of, logits_of
from luthier.steps.records import FeaturesRecord, ProbeRecord
from luthier.steps.run import ANSWERED, HELD_OUT, Run
from luthier.steps.zero_shot import compared, reader_of, zero_shot_logits
from luthier.tasks.task import Array
from luthier.train.probe.probe import Probe, fit_probe, solve_probe


def compute_features(run: Run) -> Iterator[Event]:
    """One frozen pass over all rows: training rows in the fast precision, those that are reported on in fp32."""
    ready = run.ready
    if not ready.rows.task.probed:
        return  # nobody would read them but checks, and long texts take minutes
    parts = {**ready.examples, **compared(ready, ANSWERED)}
    yield Started("features", run.clock(), sum(len(examples) for examples in parts.values()))
    saved = run.shared.saved("features", FeaturesRecord)
    shapes = {part: (examples.units, reader_of(ready, part).width) for part, examples in parts.items()}
    if saved is not None and {part: vectors.shape for part, vectors in saved[0].items()} == shapes:
        run.features, run.earlier["features"] = saved[0], saved[1].seconds
        return
    done, begin = 0, run.clock()
    for part, examples in parts.items():
        by_unit = examples.tokens is not None
        model = reader_of(ready, part)
        found = np.zeros((examples.units, model.width), np.float32)
        precision = ready.masters.training() if part == "train" else ready.masters.reporting()
        with precision, with_threads(run.wide):
            for batch, where, features in features_of(model, examples, ready.device, by_unit=by_unit):
                found[where] = features
                done += len(batch.rows)
                yield Advanced(done, run.clock())
                if run.stop():
                    raise run.interrupted()
        run.features[part] = found
    run.shared.save("features", run.features, FeaturesRecord(seconds=run.clock() - begin))


def probe_and_baselines(run: Run) -> Iterator[Event]:
    """The candidates that leave the body as it is. The probe's model is saved: from here on there is one."""
    ready, task = run.ready, run.task
    yield Started("probe", run.clock())
    targets, features = run.targets("train"), run.features
    if task.majority:
        most = {part: task.majority_logits(targets, ready.examples[part]) for part in ANSWERED}
        yield from add(run, Candidate(task.majority, 0.0, most), learnt=False)
    else:
        yield from as_it_is(run)
    if task.rule:
        begin = run.clock()
        learnt = ready.examples["train"]
        by_rule = {part: task.rule_logits(learnt, ready.examples[part]) for part in ANSWERED}
        yield from add(run, Candidate(task.rule, run.clock() - begin, by_rule), learnt=False)
    zero_shot = {part: zero_shot_logits(ready, features, part) for part in ANSWERED}
    told = {part: logits for part, logits in zero_shot.items() if logits is not None}
    if told:
        yield from add(run, Candidate("zero-shot", run.took["features"], told), learnt=False)
    if not task.probed:
        return

    begin = run.clock()
    run.probe = probe = fit_or_reuse(run, targets)
    seconds = run.took["features"] + run.clock() - begin + run.earlier.get("probe", 0.0)
    run.tuning["probe"] = probe_record(probe)
    logits = {part: probe.logits(task.read_by_head(features[part])) for part in HELD_OUT}
    yield from add(run, Candidate("probe", seconds, logits), learnt=True)
    run.keep_at_first(run.candidates[-1], head_of(probe))


def as_it_is(run: Run) -> Iterator[Event]:
    """The pre-trained model, where what it gives is an answer already: kept until there is a better one."""
    ready, begin = run.ready, run.clock()
    logits = {part: logits_of(ready.model, ready.examples[part], ready.device) for part in ANSWERED}
    yield from add(run, Candidate("zero-shot", run.clock() - begin, logits), learnt=False)
    run.keep_at_first(run.candidates[-1], ready.model.head)


def fit_or_reuse(run: Run, targets: Array) -> Probe:
    """The probe, solved for, or as an earlier command left it."""
    task, saved = run.task, run.shared.saved(probe_name(run), ProbeRecord)
    if saved is not None and saved[0].keys() == {"weight", "bias"}:
        arrays, known = saved
        run.earlier["probe"] = known.seconds
        scores = {float(strength): score for strength, score in known.cross_validated.items()}
        return Probe(arrays["weight"], arrays["bias"], known.strength, scores)

    begin = run.clock()
    to_learn = task.to_learn(targets)
    features, seed = task.read_by_head(run.features["train"]), run.plan.run.seed
    with with_threads(run.wide):
        probe = fit_probe(features, to_learn, task.outputs, task.fit_score, seed)
    record = ProbeRecord.of(probe_record(probe) | {"seconds": run.clock() - begin})
    run.shared.save(probe_name(run), {"weight": probe.weight, "bias": probe.bias}, record)
    return probe


def probe_name(run: Run) -> str:
    """Of the probe's artefact. Its folds are drawn with the seed."""
    return f"probe-{run.plan.run.seed}"


def probe_record(probe: Probe) -> dict[str, Any]:
    """The probe's strength and how it was found, as JSON."""
    return {
        "strength": probe.strength,
        "cross_validated": {str(c): score for c, score in probe.cross_validated.items()},
    }


def decide(run: Run) -> Iterator[Event]:
    """Choose between the trained candidates, and leave the chosen one's model in model/."""
    chosen, why = chosen_of(run)
    yield Chose(chosen.name, why, run.clock())
    if chosen.name == "probe":
        learn_from_all(run, chosen)
    elif chosen is not run.kept:
        # One that learnt no layers was not written again beside a stopped training's model, and that training has moved them.
        model = run.ready.model if chosen.name == "tuned" else run.ready.untrained()
        run.keep(chosen, model.head, run.plan.model.hidden, model=model)


def chosen_of(run: Run) -> tuple[Candidate, str]:
    """The trained candidate that the plan names or validation favours, and why."""
    trained = run.learnt
    if not trained and run.stop():
        raise run.interrupted()
    if not trained:
        raise WorldError(
            "Time was over before the first validation, so there is no model yet. Give it more: --budget, or fewer --epochs."
        )
    method = run.plan.train.method
    asked = {"auto": None, "probe": "probe"}.get(method, "tuned")
    found = [candidate for candidate in trained if candidate.name == asked]
    if found:
        return found[0], f"{method}, the method that was asked for"
    if run.spared:
        best, _ = choose(trained, run.standard_error)
        return (
            best,
            f"{best.name}: no dearer one could be kept, or be shown to be better, with these validation rows",
        )
    if len(trained) == 1 and run.task.majority:
        only = (
            "the only one that learns" if not run.task.probed else "tuning ended before its first validation"
        )
        return trained[0], f"{trained[0].name}: {only}"
    return choose(trained, run.standard_error)


LEARNT_AT_LAST = ("train", "valid", "calibration")


def learn_from_all(run: Run, chosen: Candidate) -> None:
    """Solve for the probe that is kept once more, with the rows that were held out to choose and to calibrate: there is
    nothing left to choose, and in a small set they are a fifth of what there is. Its validation score stays as it was."""
    task, probe = run.task, run.probe
    assert probe is not None, "it was solved for before"
    features = np.concatenate([task.read_by_head(run.features[part]) for part in LEARNT_AT_LAST])
    targets = np.concatenate([task.to_learn(run.targets(part)) for part in LEARNT_AT_LAST])
    last = solve_probe(features, targets, task.outputs, probe.strength)
    chosen.logits["test"] = last.logits(task.read_by_head(run.features["test"]))
    # Tuning has moved the layers since the probe's features were computed.
    as_it_was = run.plan.train.method == "probe" or bool(run.spared)
    untouched = None if as_it_was else run.ready.untrained()
    run.keep(chosen, head_of(last), hidden=(), model=untouched)


def head_of(probe: Probe) -> nn.Sequential:
    """A probe as a model's head."""
    outputs, width = probe.weight.shape
    head = new_head(width, (), outputs, 0.0)
    probe.start(last_layer(head))
    return head


def last_layer(head: nn.Sequential) -> nn.Linear:
    layer = head[-1]
    assert isinstance(layer, nn.Linear), "a head ends in its linear layer"
    return layer


def add(run: Run, candidate: Candidate, learnt: bool) -> Iterator[Event]:
    """Score a candidate and tell of it."""
    run.add(candidate, learnt)
    score = candidate.scores["valid"].value
    yield CandidateReady(candidate.name, run.task.metric, score, candidate.seconds, run.clock())
