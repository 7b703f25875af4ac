"""The candidates, from cheap to dear: majority, zero-shot, probe, tuned."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from luthier.batches.examples import Examples
from luthier.compare.baselines import majority_logits, readable, zero_shot_logits
from luthier.compare.choice import UNLABELLED, Candidate, choose
from luthier.events import Advanced, CandidateReady, Chose, Event, Started, Stepped, Stopped
from luthier.models.classifier import new_head
from luthier.predict import features_of, logits_of
from luthier.steps.prepare import Prepared
from luthier.steps.run import HELD_OUT, Run
from luthier.tasks.task import Array, Calibration
from luthier.train.loop import Pace, train
from luthier.train.probe import Probe, fit_probe
from luthier.train.state import State, new_state

SHRUNK = 0.1
"""Share of the probe's weights that a shrunk head starts from (docs/recipes.md)."""


def compute_features(run: Run) -> Iterator[Event]:
    """One frozen pass over all rows: training rows in the fast precision, those that are reported on in fp32."""
    ready = run.ready
    parts = {**ready.examples, "labels": label_examples(ready)}
    yield Started("features", run.clock(), sum(len(examples) for examples in parts.values()))
    saved = run.folder.saved("features")
    if saved is not None:
        run.features = saved[0]
        return
    done = 0
    model = ready.model.to(ready.device.torch)
    for part, examples in parts.items():
        found = np.zeros((len(examples), model.width), np.float32)
        for batch, features in features_of(model, examples, ready.device, exact=part != "train"):
            found[batch.rows] = features
            done += len(batch.rows)
            yield Advanced(done, run.clock())
            if run.stop():
                raise run.interrupted()
        run.features[part] = found
    run.folder.save("features", run.features, {"precision": ready.device.precision})


def label_examples(ready: Prepared) -> Examples:
    """The labels' names as texts, for zero-shot."""
    names = [readable(label) for label in ready.rows.task.labels]
    return ready.texts.examples(names, np.zeros(len(names), np.int64))[0]


def probe_and_baselines(run: Run) -> Iterator[Event]:
    """The candidates that leave the body as it is. The probe's model is saved: from here on there is one."""
    ready, task = run.ready, run.ready.rows.task
    yield Started("probe", run.clock())
    targets, features = run.targets("train"), run.features
    majority = {part: majority_logits(targets, task.outputs, len(features[part])) for part in HELD_OUT}
    zero_shot = {part: zero_shot_logits(features[part], features["labels"], task.many) for part in HELD_OUT}
    yield from add(run, Candidate("majority", 0.0, majority), learnt=False)
    yield from add(run, Candidate("zero-shot", run.took["features"], zero_shot), learnt=False)

    begin = run.clock()
    run.probe = probe = fit_or_reuse(run, targets)
    run.tuning["probe"] = probe_record(probe)
    logits = {part: probe.logits(features[part]) for part in HELD_OUT}
    yield from add(run, Candidate("probe", run.took["features"] + run.clock() - begin, logits), learnt=True)
    head = new_head(ready.model.width, (), task.outputs, 0.0)
    probe.start(last_layer(head))
    run.keep(run.candidates[-1], head, hidden=())


def fit_or_reuse(run: Run, targets: Array) -> Probe:
    """The probe, solved for, or as an earlier command left it."""
    task, saved = run.ready.rows.task, run.folder.saved("probe")
    if saved is not None:
        arrays, record = saved
        scores = {float(strength): score for strength, score in record["cross_validated"].items()}
        return Probe(arrays["weight"], arrays["bias"], record["strength"], scores)

    def score(logits: Array, truth: Array) -> float:
        return task.score(task.predicted(task.probabilities(logits, Calibration()), Calibration()), truth)

    probe = fit_probe(run.features["train"], targets, task.outputs, score, run.plan.run.seed)
    run.folder.save("probe", {"weight": probe.weight, "bias": probe.bias}, probe_record(probe))
    return probe


def probe_record(probe: Probe) -> dict[str, Any]:
    """The probe's strength and how it was found, as JSON."""
    return {
        "strength": probe.strength,
        "cross_validated": {str(c): score for c, score in probe.cross_validated.items()},
    }


def tune_all_layers(run: Run) -> Iterator[Event]:
    """Train every layer from a small head, and keep the state that is best on the validation rows."""
    ready = run.ready
    pace = pace_of(run)
    yield Started("train", run.clock(), pace.steps(len(ready.examples["train"])))
    saved = run.folder.saved("tuned")
    if saved is not None:
        arrays, run.tuning["tuned"] = saved
        run.tokens, run.training_seconds = saved[1]["tokens"], saved[1]["seconds"]
        ready.model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    else:
        start_head(run)
        state = new_state(ready.model.to(ready.device.torch), pace.lr, pace.weight_decay)
        yield from follow(run, state, pace)
        if not state.best_weights:
            return  # Stopped before the first validation: nothing is known of these weights, and the probe stays.
    tuned = run.tuning["tuned"]
    if saved is None and tuned["why"] != "interrupted":
        arrays = {name: tensor.cpu().numpy() for name, tensor in ready.model.state_dict().items()}
        run.folder.save("tuned", arrays, tuned)
    logits = {
        part: logits_of(ready.model, ready.examples[part], ready.device) for part in ("valid", "calibration")
    }
    yield from add(run, Candidate("tuned", tuned["seconds"], logits), learnt=True)


def decide(run: Run) -> Iterator[Event]:
    """Choose between the trained candidates, and leave the chosen one's model in model/."""
    trained = [candidate for candidate in run.candidates if candidate.name not in UNLABELLED]
    asked = {"probe": "probe", "full": "tuned"}.get(run.plan.train.method)
    found = [candidate for candidate in trained if candidate.name == asked]
    if found:
        chosen, why = found[0], f"{asked}, the method that was asked for"
    elif len(trained) == 1:
        chosen, why = trained[0], f"{trained[0].name}: tuning ended before its first validation"
    else:
        chosen, why = choose(trained, run.standard_error)
    yield Chose(chosen.name, why, run.clock())
    if chosen is not run.kept:
        run.keep(chosen, run.ready.model.head, run.plan.model.hidden)


def start_head(run: Run) -> None:
    """Where the head begins: new_head's small random weights, or a share of the probe's."""
    share = {"fresh": 0.0, "shrunk": SHRUNK, "probe": 1.0}[run.plan.train.head]
    if share:
        assert run.probe is not None, "the probe comes before tuning"
        run.probe.start(last_layer(run.ready.model.head), share)


def last_layer(head: nn.Sequential) -> nn.Linear:
    layer = head[-1]
    assert isinstance(layer, nn.Linear), "a head ends in its linear layer"
    return layer


def pace_of(run: Run) -> Pace:
    """The resolved plan as the loop wants it."""
    plan = run.plan.train
    assert plan.lr is not None, "a resolved plan leaves nothing open"
    assert plan.batch_rows is not None, "a resolved plan leaves nothing open"
    assert plan.epochs is not None, "a resolved plan leaves nothing open"
    assert plan.patience is not None, "a resolved plan leaves nothing open"
    assert plan.weight_decay is not None, "a resolved plan leaves nothing open"
    assert plan.warmup is not None, "a resolved plan leaves nothing open"
    return Pace(
        lr=plan.lr,
        batch_rows=plan.batch_rows,
        epochs=plan.epochs,
        weight_decay=plan.weight_decay,
        warmup=plan.warmup,
        max_norm=plan.max_norm,
        validations=plan.validations,
        patience=plan.patience,
    )


def deadline(run: Run) -> float:
    """When training must end for the whole command to keep its budget: scoring costs another pass in fp32, and writing."""
    budget = run.plan.budget_seconds
    return math.inf if budget is None else budget - 1.5 * run.took["features"] - 5.0


def follow(run: Run, state: State, pace: Pace) -> Iterator[Event]:
    """The loop's events, with the sums that the scorecard wants taken on the way."""
    ready, task = run.ready, run.ready.rows.task
    valid, plain = ready.examples["valid"], Calibration()

    def validate() -> tuple[float, float]:
        logits = logits_of(state.model, valid, ready.device, exact=False)
        calibration = task.with_thresholds(plain, logits, valid.targets)
        return task.score(
            task.predicted(task.probabilities(logits, plain), calibration), valid.targets
        ), task.mean_loss(logits, valid.targets)

    begin = run.clock()
    for event in train(
        state,
        task,
        ready.examples["train"],
        validate,
        pace,
        ready.device,
        run.plan.run.seed,
        run.clock,
        deadline(run),
        run.stop,
    ):
        if isinstance(event, Stepped):
            run.tokens += event.tokens
        if isinstance(event, Stopped):
            run.training_seconds = run.clock() - begin
            run.tuning["tuned"] = {"steps": event.step, "best_step": event.best_step, "why": event.why,
                                   "tokens": run.tokens, "seconds": run.training_seconds}  # fmt: skip
        yield event


def add(run: Run, candidate: Candidate, learnt: bool) -> Iterator[Event]:
    """Score a candidate and tell of it."""
    run.add(candidate, learnt)
    score = candidate.scores["valid"].value
    yield CandidateReady(candidate.name, run.plan.task.metric, score, candidate.seconds, run.clock())
