"""The dear candidate: a model of which some or all layers were trained."""

import contextlib
import math
from collections.abc import Generator
from dataclasses import replace

import torch

from luthier.batches.order import steps_per_epoch
from luthier.candidates.candidate import Candidate, Passes
from luthier.candidates.ceiling import ceiling
from luthier.candidates.keeping.impression import BesideBase
from luthier.candidates.keeping.sweep import NAME as KEPT
from luthier.candidates.keeping.sweep import keep_strongly, keeps_between, looks_after_training
from luthier.candidates.keeping.training import distillation, replay_of
from luthier.candidates.probe import last_layer
from luthier.candidates.records import RateTestRecord, ScoredRecord, TunedRecord
from luthier.candidates.run import Run
from luthier.candidates.tuned.budget import Budget
from luthier.candidates.tuned.cloze import NAME as CLOZE
from luthier.candidates.tuned.cloze import learn_cloze, recall
from luthier.candidates.tuned.pacing import Pacing
from luthier.candidates.tuned.prefixes import SCORED, Prefixes, open_prefixes
from luthier.candidates.tuned.settings import (
    design_of,
    groups_of,
    micro_tokens_of,
    settings_of,
    unfreezing_of,
    weighted,
)
from luthier.candidates.tuned.taught import learn_from_teacher
from luthier.candidates.tuned.verified import forget_weights, learn_verified
from luthier.candidates.tuned.verified import recall as recall_verified
from luthier.candidates.tuned.warm import probe_of_now, start_warm
from luthier.comparing.fitted import Fitted, Weights
from luthier.events import Event, Noted, Started, Stopped
from luthier.models.ladder.recompute import recompute
from luthier.models.ladder.trainable import reinitialise
from luthier.models.lora import add_adapters
from luthier.prepare.prepare import Prepared
from luthier.tasks.calibration import Calibration
from luthier.tasks.outputs import Outputs, to_arrays
from luthier.train.find_rate import RateTest, find_rate
from luthier.train.loop import Ending, Lesson, TrainSettings, train
from luthier.train.state import State
from luthier.train.unfreezing import LadderUnfreezing
from luthier.train.weights import Weights as TrainedWeights

SHRUNK = 0.1
"""Share of the probe's weights that a shrunk head starts from (docs/recipes.md)."""


class TunedCandidate(Candidate):
    """The model, with what the plan's method trains of it."""

    name = "tuned"
    words = "the tuned"
    to_beat = False
    trains = True

    def why_not(self, ready: Prepared) -> str:
        method = ready.plan.train.method
        if method in ("probe", "few-shot"):
            return f"{method} was asked for"
        if method == "auto" and not ready.rows.split.validates_apart:
            return "nothing is held out that would say when to stop (--validation held-out)"
        return ""

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        """Train what the method says, from a small head, and keep the state that is best on the validation rows."""
        between = keeps_between(run.plan.train, run.task)
        if between or (run.plan.train.keep == "measure" and run.mode.writes_model):
            BesideBase(run)  # what the base makes of a few rows is kept while its weights are at hand
        run.begin_training(self.name)
        ready, micro_tokens = run.ready, micro_tokens_of(run.plan.run, run.task)
        settings = settings_of(run.plan.train, micro_tokens)
        prefixes: Prefixes | None = None
        saved = run.folder.saved(self.name, TunedRecord)
        if saved is not None:
            yield Started("train", run.clock(), settings.steps(len(ready.examples["train"])))
            arrays, run.tuning["tuned"] = saved[0], saved[1].told()
            run.watch.earlier["train"] = saved[1].seconds
            tested = run.folder.saved("rate_test", RateTestRecord)
            if tested is not None:
                run.tuning["rate_test"] = tested[1].told()
            ready.model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        else:
            run.ready = yield from learn_from_teacher(run)
            try:
                prefixes = yield from follow(run, settings)
            finally:
                run.ready = replace(run.ready, examples=ready.examples)
        # There is no record where time was over, or somebody stopped it, in the midst of cloze questions.
        tuned = run.tuning.get("tuned", {"tokens": 0, "seconds": 0.0, "why": "interrupted"})
        recall_verified(run)
        before = recall(run)  # what was learnt before the user's own rows costs time too
        run.watch.tokens = tuned["tokens"] + before.get("tokens", 0)
        run.watch.training = tuned["seconds"] + before.get("seconds", 0.0)
        ended = tuned["why"] != "interrupted"
        if saved is None and prefixes is not None and ended:
            arrays = {name: tensor.cpu().numpy() for name, tensor in ready.model.state_dict().items()}
            run.folder.save(self.name, arrays, TunedRecord.of(tuned))
        if ended:
            run.checkpoints("training").forget()  # a kill before this goes on from the last of them
        if saved is None and prefixes is None:
            return None  # Stopped before the first validation: nothing is known of these weights, and the probe stays.
        if ended:
            run.folder.arrays_path(CLOZE).unlink(missing_ok=True)  # the record of it stays
            forget_weights(run)
        strongly = ended and between
        if strongly:
            yield from keep_strongly(run)
        outputs = found_again(run) if saved is not None else None
        if outputs is None:
            outputs = {part: scored(run, part, prefixes) for part in SCORED}
            if ended:
                arrays, record = to_arrays(outputs)
                run.folder.save("scored", arrays, ScoredRecord(outputs=record))
        weights = Weights(KEPT if strongly else self.name, hidden=run.plan.model.hidden)
        return Fitted(self.name, self.words, run.watch.training, outputs, weights=weights)

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        return sum(passes(ready.examples[part]) for part in SCORED)


TUNED = TunedCandidate()


def found_again(run: Run) -> dict[str, Outputs] | None:
    """What the tuned model gave for the parts that an earlier command scored; None where there is none."""
    saved = run.folder.saved("scored", ScoredRecord)
    if saved is None:
        return None
    arrays, records, examples = saved[0], saved[1].outputs, run.ready.examples
    return {part: run.task.saved_outputs(part, arrays, records, examples[part]) for part in SCORED}


def scored(run: Run, part: str, prefixes: Prefixes | None) -> Outputs:
    """What the tuned model gives for a part's rows, as it is reported, in fp32."""
    with contextlib.nullcontext() if prefixes is None else prefixes.exactly(part):
        return run.infer(run.ready.model, part)


def validated(run: Run, outputs: Outputs) -> tuple[float, float]:
    """The score and the loss of what a model gives for the validation rows, uncalibrated."""
    task, valid, plain = run.task, run.ready.examples["valid"], Calibration()
    decided = plain if task.calibrating is None else task.calibrating.decide(plain, outputs, valid)
    answers = task.answer(outputs, decided, valid)
    return task.score(answers, valid.targets), task.mean_loss(outputs, valid)


def follow(run: Run, settings: TrainSettings) -> Generator[Event, None, Prefixes | None]:
    """The loop's events, with what the scorecard wants noted on the way. The model ends as it was at the best validation;
    returns what stands in the place of its frozen rungs, or None where there was no validation.
    """
    ready = run.ready
    design, adapters = design_of(run.plan.train), None
    if design is not None:
        blocks = [name.removeprefix("body.") for name in ready.ladder.blocks]
        adapters = add_adapters(ready.model.body, blocks, design, run.plan.run.seed)
        ready.masters.adopt(ready.model.body)
    unfreezing = unfreezing_of(ready, adapters is not None)
    if run.plan.run.recompute == "on":
        recompute(ready.model, unfreezing.ladder)
    start_head(run, warm=start_warm(run))
    if run.plan.train.reinit:
        reinitialise(ready.model, unfreezing.ladder, run.plan.train.reinit, run.plan.run.seed)
    budget = Budget(run, looks_after_training(run.plan.train, run.task))
    if not (yield from learn_cloze(run, settings, unfreezing, budget.over)):
        return None
    if not (yield from learn_verified(run, settings, unfreezing, budget.over)):
        return None
    ready = run.ready
    yield Started("train", run.clock(), settings.steps(len(ready.examples["train"])))
    parts = unfreezing.parts(math.ceil(settings.epochs))
    per_epoch = steps_per_epoch(len(ready.examples["train"]), settings.batch_rows)
    plan = run.plan.train
    weights = TrainedWeights(
        ready.model, parts, ready.masters, settings.weight_decay, pull=plan.l2_sp, ema=plan.ema
    )
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
        run.watch.earlier["train"] = run.watch.earlier.get("train", 0.0) + state.seconds
        yield Noted(f"Going on from step {resumed:,}, which was saved.", run.clock())

    pacing = Pacing(run.outlook.step_seconds, settings.steps(len(ready.examples["train"])), end=budget.end)

    def validate() -> tuple[float, float]:
        with prefixes.serving("valid"), budget.timed():
            outputs = run.infer(ready.model, "valid")
        return validated(run, outputs)

    with ready.masters.training(), distillation(run) as distilled:
        if plan.lr == "find":
            test = rate_test(run, state, settings, unfreezing)
            settings = replace(settings, lr=test.lr)
            run.tuning["rate_test"] = test.to_json()
            yield Noted(test.words(), run.clock())
        seed, groups = run.plan.run.seed, groups_of(ready)
        lesson = Lesson(
            weighted(ready), ready.examples["train"], validate, seed, groups,
            beside=None if distilled is None else distilled.loss, replay=replay_of(ready),
        )  # fmt: skip
        ending = Ending(budget.over, run.stop, ceiling(run), lonely=not run.learnt)
        for event in train(state, lesson, settings, unfreezing, ready.device, run.clock, ending, checkpoints):
            if isinstance(event, Stopped):
                run.tuning["tuned"] = {"steps": event.step, "best_step": event.best_step, "why": event.why,
                                       "tokens": state.tokens, "seconds": state.seconds,
                                       "operations": unfreezing.operations(event.step / per_epoch),
                                       "per_epoch": per_epoch}  # fmt: skip
            yield event
            yield from pacing.notes(event)
    prefixes.serve(0)
    if adapters is not None and state.best:
        adapters.write(run.folder.path / "adapter", run.plan.model.name)
        adapters.merge()
        ready.masters.reread()
    return prefixes if state.best else None


def rate_test(run: Run, state: State, settings: TrainSettings, unfreezing: LadderUnfreezing) -> RateTest:
    """The range test, or what an earlier command of this run saw in it."""
    saved = run.folder.saved("rate_test", RateTestRecord)
    if saved is not None:
        return RateTest(tuple(saved[1].rates), tuple(saved[1].losses), saved[1].lr)
    examples, seed = run.ready.examples["train"], run.plan.run.seed
    found = find_rate(state, weighted(run.ready), examples, settings, run.ready.device, seed, unfreezing)
    run.folder.save("rate_test", {}, RateTestRecord.of(found.to_json()))
    return found


def start_head(run: Run, warm: bool) -> None:
    """Where the head begins: new_head's small random weights, or a share of the probe's; or as it came with the model.

    warm: whether the layers below are those of an earlier round, so that a probe is to be solved on them.
    """
    share = {"auto": 0.0, "fresh": 0.0, "shrunk": SHRUNK, "probe": 1.0}[run.plan.train.head]
    if share:
        probe = probe_of_now(run) if warm else run.probe
        assert probe is not None, "the probe comes before tuning"
        probe.start(last_layer(run.ready.model.head), share)
