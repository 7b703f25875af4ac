"""The dear candidate: a model of which some or all layers were trained."""

import contextlib
import math
from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np
import torch

from luthier.batches.examples import Ints
from luthier.batches.order import steps_per_epoch
from luthier.compare.choice import Candidate
from luthier.events import Event, Noted, Started, Stopped
from luthier.models.ladder.ladder import Ladder, find_ladder
from luthier.models.ladder.policies import (
    AllRungs,
    FrozenEmbeddings,
    HeadRate,
    LayerDecay,
    Policy,
    TopRungs,
)
from luthier.models.ladder.policies import Thaw as ThawPolicy
from luthier.models.ladder.trainable import reinitialise
from luthier.models.lora import add_adapters, is_adapter
from luthier.plan.method import Lora, Thaw, Top, parse_method
from luthier.plan.sections import TrainPlan
from luthier.predict import logits_of
from luthier.steps.candidates import add, last_layer
from luthier.steps.cloze import NAME as CLOZE
from luthier.steps.cloze import learn_cloze, recall
from luthier.steps.pacing import Pacing
from luthier.steps.prefixes import SCORED, Prefixes, open_prefixes
from luthier.steps.records import RateTestRecord, ScoredRecord, TunedRecord
from luthier.steps.run import HELD_OUT, Run
from luthier.steps.spared import ceiling
from luthier.tasks.classification.labels import balanced_weights
from luthier.tasks.classification.task import Classification
from luthier.tasks.task import Array, Calibration, Task
from luthier.train.find_rate import RateTest, find_rate
from luthier.train.loop import TrainSettings, train
from luthier.train.state import State
from luthier.train.unfreezing import LadderUnfreezing
from luthier.train.weights import Weights

SHRUNK = 0.1
"""Share of the probe's weights that a shrunk head starts from (docs/recipes.md)."""


def train_layers(run: Run) -> Iterator[Event]:
    """Train what the method says, from a small head, and keep the state that is best on the validation rows."""
    ready = run.ready
    settings = settings_of(run)
    prefixes: Prefixes | None = None
    saved = run.folder.saved("tuned", TunedRecord)
    if saved is not None:
        yield Started("train", run.clock(), settings.steps(len(ready.examples["train"])))
        arrays, run.tuning["tuned"] = saved[0], saved[1].told()
        run.earlier["train"] = saved[1].seconds
        tested = run.folder.saved("rate_test", RateTestRecord)
        if tested is not None:
            run.tuning["rate_test"] = tested[1].told()
        ready.model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    else:
        prefixes = yield from follow(run, settings)
    # There is no record where time was over, or somebody stopped it, in the midst of cloze questions.
    tuned = run.tuning.get("tuned", {"tokens": 0, "seconds": 0.0, "why": "interrupted"})
    before = recall(run)  # what was learnt before the user's own rows costs time too
    run.tokens = tuned["tokens"] + before.get("tokens", 0)
    run.training_seconds = tuned["seconds"] + before.get("seconds", 0.0)
    ended = tuned["why"] != "interrupted"
    if saved is None and prefixes is not None and ended:
        arrays = {name: tensor.cpu().numpy() for name, tensor in ready.model.state_dict().items()}
        run.folder.save("tuned", arrays, TunedRecord.of(tuned))
    if ended:
        run.checkpoints("training").forget()  # a kill before this goes on from the last of them
    if saved is None and prefixes is None:
        return  # Stopped before the first validation: nothing is known of these weights, and the probe stays.
    if ended:
        run.folder.arrays_path(CLOZE).unlink(missing_ok=True)  # the record of it stays
    known = None if saved is None else run.folder.saved("scored", ScoredRecord)
    logits = {part: scored(run, part, prefixes) for part in SCORED} if known is None else known[0]
    if known is None and ended:
        run.folder.save("scored", logits, ScoredRecord())
    yield from add(run, Candidate("tuned", run.training_seconds, logits), learnt=True)


def scored(run: Run, part: str, prefixes: Prefixes | None) -> Array:
    """Logits of a part as they are reported, in fp32."""
    with contextlib.nullcontext() if prefixes is None else prefixes.exactly(part):
        return logits_of(run.ready.model, run.ready.examples[part], run.ready.device)


def follow(run: Run, settings: TrainSettings) -> Generator[Event, None, Prefixes | None]:
    """The loop's events, with what the scorecard wants noted on the way. The model ends as it was at the best validation;
    returns what stands in the place of its frozen rungs, or None where there was no validation.
    """
    ready, task = run.ready, run.task
    valid, plain = ready.examples["valid"], Calibration()
    method = parse_method(run.plan.train.method)
    adapters = None
    if isinstance(method, Lora):
        blocks = [name.removeprefix("body.") for name in ready.ladder.blocks]
        adapters = add_adapters(ready.model.body, blocks, method.rank, run.plan.run.seed)
        ready.masters.adopt(ready.model.body)
    unfreezing = unfreezing_of(run, adapters is not None)
    start_head(run)
    if run.plan.train.reinit:
        reinitialise(ready.model, unfreezing.ladder, run.plan.train.reinit, run.plan.run.seed)
    budget = Budget(run)
    if not (yield from learn_cloze(run, settings, unfreezing, budget.over)):
        return None
    yield Started("train", run.clock(), settings.steps(len(ready.examples["train"])))
    parts = unfreezing.parts(math.ceil(settings.epochs))
    per_epoch = steps_per_epoch(len(ready.examples["train"]), settings.batch_rows)
    plan = run.plan.train
    weights = Weights(ready.model, parts, ready.masters, settings.weight_decay, pull=plan.l2_sp, ema=plan.ema)
    state = State(ready.model, weights)
    # Before a saved state is loaded: what stood still in its earlier epochs may have moved since.
    prefixes = yield from open_prefixes(run, unfreezing, math.ceil(settings.epochs))
    unfreezing = replace(unfreezing, serve=prefixes.serve)
    checkpoints = run.checkpoints("training")
    resumed = checkpoints.load(state)
    for words in checkpoints.damaged:
        yield Noted(words, run.clock(), warning=True)
    run.folder.forget_steps_after(resumed or 0)
    if resumed:
        run.earlier["train"] = run.earlier.get("train", 0.0) + state.seconds
        yield Noted(f"Going on from step {resumed:,}, which was saved.", run.clock())

    pacing = Pacing(run.step_seconds, settings.steps(len(ready.examples["train"])))

    def validate() -> tuple[float, float]:
        with prefixes.serving("valid"), budget.timed():
            logits = logits_of(ready.model, valid, ready.device)
        calibration = task.with_thresholds(plain, logits, valid)
        predicted = task.predicted(task.probabilities(logits, plain, valid), calibration, valid)
        return task.score(predicted, valid.targets), task.mean_loss(logits, valid)

    with ready.masters.training():
        if plan.lr == "find":
            test = rate_test(run, state, settings, unfreezing)
            settings = replace(settings, lr=test.lr)
            run.tuning["rate_test"] = test.to_json()
            yield Noted(test.words(), run.clock())
        for event in train(
            state, weighted(run), ready.examples["train"], validate, settings, ready.device, run.plan.run.seed, run.clock,
            unfreezing, over=budget.over, stop=run.stop, checkpoints=checkpoints,
            groups=groups_of(run), ceiling=ceiling(run),
        ):  # fmt: skip
            if isinstance(event, Stopped):
                run.tuning["tuned"] = {"steps": event.step, "best_step": event.best_step, "why": event.why,
                                       "tokens": state.tokens, "seconds": state.seconds,
                                       "operations": unfreezing.operations(event.step / per_epoch)}  # fmt: skip
            yield event
            yield from pacing.notes(event)
    prefixes.serve(0)
    if adapters is not None and state.best:
        adapters.write(run.folder.path / "adapter", run.plan.model.name)
        adapters.merge()
    return prefixes if state.best else None


def rate_test(run: Run, state: State, settings: TrainSettings, unfreezing: LadderUnfreezing) -> RateTest:
    """The range test, or what an earlier command of this run saw in it."""
    saved = run.folder.saved("rate_test", RateTestRecord)
    if saved is not None:
        return RateTest(tuple(saved[1].rates), tuple(saved[1].losses), saved[1].lr)
    examples, seed = run.ready.examples["train"], run.plan.run.seed
    found = find_rate(state, weighted(run), examples, settings, run.ready.device, seed, unfreezing)
    run.folder.save("rate_test", {}, RateTestRecord.of(found.to_json()))
    return found


def unfreezing_of(run: Run, adapted: bool) -> LadderUnfreezing:
    """The plan's method and rates over the model's own ladder; `adapted` where it now has LoRA's adapters."""
    ready = run.ready
    ladder = ready.ladder
    if adapted:
        few = ready.examples["train"].batch(np.zeros(1, np.int64)).to(ready.device.torch)
        ladder = find_ladder(ready.model, lambda: ready.model(few))
    inside = is_adapter if adapted else every
    live = run.plan.train.batch_norm == "live"
    return LadderUnfreezing(ready.model, ladder, policy_of(run.plan.train, ladder), live, inside=inside)


def every(name: str) -> bool:
    return True


def policy_of(plan: TrainPlan, ladder: Ladder) -> Policy:
    """The policy that a plan describes."""
    method = parse_method(plan.method)
    depth = len(ladder.rungs) - 1
    policy: Policy = AllRungs()
    if isinstance(method, Top):
        policy = TopRungs(method.blocks)
    elif isinstance(method, Thaw):
        policy = ThawPolicy(method.every)
    if plan.layer_decay not in (None, 1.0):
        policy = LayerDecay(policy, plan.layer_decay)
    if plan.head_rate != 1.0:
        policy = HeadRate(policy, plan.head_rate)
    if plan.embeddings == "frozen":
        policy = FrozenEmbeddings(policy, depth)
    return policy


def weighted(run: Run) -> Task:
    """The task with the training loss that the plan wants."""
    plan, task = run.plan.train, run.task
    if not isinstance(task, Classification):
        return task  # prepare has refused settings that it does not know
    weights = balanced_weights(run.targets("train"), task.outputs) if plan.balance == "loss" else ()
    return replace(task, label_smoothing=plan.label_smoothing, label_weights=weights)


def groups_of(run: Run) -> Ints | None:
    """The label of each training row, where the plan wants labels drawn alike often."""
    if run.plan.train.balance != "rows":
        return None
    labels: Ints = run.targets("train")
    return labels


def start_head(run: Run) -> None:
    """Where the head begins: new_head's small random weights, or a share of the probe's."""
    share = {"fresh": 0.0, "shrunk": SHRUNK, "probe": 1.0}[run.plan.train.head]
    if share:
        assert run.probe is not None, "the probe comes before tuning"
        run.probe.start(last_layer(run.ready.model.head), share)


def settings_of(run: Run) -> TrainSettings:
    """The resolved plan as the loop wants it."""
    plan = run.plan.train
    assert plan.batch_rows is not None, "a resolved plan leaves nothing open"
    assert plan.epochs is not None, "a resolved plan leaves nothing open"
    assert plan.patience is not None, "a resolved plan leaves nothing open"
    assert plan.weight_decay is not None, "a resolved plan leaves nothing open"
    assert plan.warmup is not None, "a resolved plan leaves nothing open"
    return TrainSettings(
        lr=plan.lr if isinstance(plan.lr, float) else math.nan,  # find_rate gives it its number
        batch_rows=plan.batch_rows,
        epochs=plan.epochs,
        weight_decay=plan.weight_decay,
        warmup=plan.warmup,
        max_norm=plan.max_norm,
        validations=plan.validations,
        patience=plan.patience,
        micro_tokens=run.plan.run.micro_tokens,
        schedule=plan.schedule,
    )


WRITING = 5.0
"""Seconds that files take after training."""
WRITING_OF_TRIAL = 1.0


class Budget:
    """When training must end for the whole command to keep its time: all rows but those of train are scored after it, of a
    search's trial only those that it is scored and calibrated on."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.longest = 0.0
        """Seconds of a validation."""

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """A validation."""
        begin = self.run.clock()
        yield
        self.longest = max(self.longest, self.run.clock() - begin)

    def over(self) -> str:
        """Why training is to end where it is, as `Stopped` tells it; empty: it goes on."""
        run, examples = self.run, self.run.ready.examples
        if run.enough():
            return "enough"
        if run.plan.budget_seconds is None:
            return ""
        held = sum(len(examples[part]) for part in (HELD_OUT if run.keeps else SCORED))
        frozen = run.took["features"]  # of all rows; a trial's end looks at few of them
        if not run.keeps:
            frozen *= held / max(1, sum(len(rows) for rows in examples.values()))
        scoring = max(1.5 * frozen, self.longest * held / max(1, len(examples["valid"])))
        writing = WRITING if run.keeps else WRITING_OF_TRIAL
        return "budget" if run.clock() > run.plan.budget_seconds - scoring - writing else ""
