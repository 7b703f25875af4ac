"""What the steps of a run cost: passes and answers, scores, training, summed over all rows."""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luthier.batches.examples import Examples
from luthier.candidates import competing
from luthier.candidates.adapting.lesson import adapts
from luthier.candidates.crossing import foretold
from luthier.candidates.features import parts_read
from luthier.candidates.keeping.training import replay_of
from luthier.candidates.pool import UNLABELLED
from luthier.candidates.run import HELD_OUT
from luthier.candidates.tuned.prefixes import Shelf
from luthier.candidates.tuned.settings import every
from luthier.forecast.adapting import adapting_seconds
from luthier.forecast.looks import Looks
from luthier.forecast.outline import Outline, made_micros, passes, sizes_of
from luthier.forecast.timing import Bench, Timed
from luthier.forecast.writing import WritingCost
from luthier.models.ladder.policies import AllRungs
from luthier.prepare.prepare import Prepared
from luthier.tasks.calibration import Calibration
from luthier.train.find_rate import STEPS as STEPS_OF_A_RATE_TEST

SAVING = 1.03
"""Training takes so many times longer with checkpoints (train/checkpoints.py, SHARE)."""
FINISH_SECONDS = 2.0
"""Seconds that model, card and report take to be written, most of them for pictures."""


@dataclass(frozen=True)
class Costs:
    """What a model's answers to rows cost: reading these, and writing where something is written."""

    ready: Prepared
    looks: dict[str, Looks]
    writing: dict[str, WritingCost]
    """By precision, as `looks`; nothing where nothing is written."""

    def eased(self, by: float) -> "Costs":
        """As they would be if all took `by` times as long."""
        looks = {name: look.eased(by) for name, look in self.looks.items()}
        return Costs(self.ready, looks, {name: cost.eased(by) for name, cost in self.writing.items()})

    def reading(self, examples: Examples, precision: str = "exact") -> float:
        """Seconds of one pass over some rows."""
        sizes = sizes_of(examples, examples.by_length())
        return self.looks[precision].again.of(sizes)

    def answers(self, examples: Examples, precision: str = "exact", untouched: bool = False) -> float:
        """Seconds of a model's answers to some rows, which are as long as the right ones; those of a model that is `untouched`,
        as nobody told it how to end, as long as a few that it was heard to write."""
        writing, reading = self.ready.rows.task.writing(examples), self.reading(examples, precision)
        if writing is None or not self.writing:
            return reading
        cost = self.writing[precision]
        return reading + cost.seconds(writing, cost.first_lengths(writing) if untouched else writing.usual)

    def first_answers(self, examples: Examples) -> float:
        """Seconds of the answers of the model as it came."""
        return self.answers(examples, untouched=True)

    def own_answers(self) -> float:
        """Seconds of the answers that a model learns from itself, in all rounds."""
        how, plan = self.ready.rows.task.checkable, self.ready.plan.train
        if how is None or not self.writing:
            return 0.0
        writing = how.writing(self.ready.examples["train"])
        each = self.writing["exact"].seconds(writing, writing.usual)
        return plan.rounds * plan.samples * each


def frozen_seconds(costs: Costs) -> dict[str, float]:
    """Features, what rows without labels teach, candidates that train no layers, scores and writing: what every method does."""
    ready, looks = costs.ready, costs.looks
    cheap = sum(
        foretold(one, ready, costs.answers if one.is_shown else costs.first_answers)
        for one in competing(ready, trains=False)
    )
    of_training = looks["fast"].first.of(passes(ready, "train"))
    of_all_parts = of_training + sum(costs.reading(ready.examples[part]) for part in HELD_OUT)
    features, adapting = 0.0, {}
    if ready.rows.task.probe is not None:  # nobody else looks at frozen features
        read, crossed = parts_read(ready), ready.rows.split.crossed
        features = costs.reading(read["train"]) if crossed else of_training
        for part, examples in read.items():
            fast = part == UNLABELLED and not crossed
            features += 0.0 if part == "train" else costs.reading(examples, "fast" if fast else "exact")
    if adapts(ready):
        adapting = {"adapt": adapting_seconds(ready, features)}
    reference = {} if ready.rows.task.reference is None else {"reference": of_all_parts}
    scoring = score_seconds(ready) + FINISH_SECONDS
    return {**reference, "features": features, **adapting, "probe": cheap, "score": scoring}


def score_seconds(ready: Prepared) -> float:
    """The intervals of every candidate, on validation and on test rows, and of two differences."""
    task, valid = ready.rows.task, ready.examples["valid"]
    answers: Any = task.flawless(valid.targets)
    if not (ready.model.writes or task.speaks):  # else it answers with other things than logits
        dice = np.random.default_rng(0)
        logits = dice.standard_normal((valid.units, ready.model.outputs)).astype(np.float32)
        answers = task.answer(task.of_logits(logits, valid), Calibration(), valid)
    begin = time.perf_counter()
    task.scores(answers, valid.targets, 0)
    one = time.perf_counter() - begin
    return one * (4 + 6 * len(ready.examples["test"]) / max(1, len(valid)))


def made_seconds(bench: Bench, plan: Outline, timed: Timed) -> float:
    """The steps on rows that were made, in which nothing is replayed."""
    examples = bench.ready.made
    if examples is None:
        return 0.0
    count, micros = made_micros(bench.ready, bench.settings)
    stage, sizes = min(plan.stages, key=lambda one: one.depth), sizes_of(examples, micros)
    steps, rungs = timed.of(stage.depth), len(bench.unfreezing.ladder.rungs)
    replayed = stage.depth / rungs if stage.replayed else 0.0
    return steps.micro.of(sizes) / (1 - replayed) + steps.end * count + steps.compiling * sizes.shapes


def rounds_seconds(bench: Bench, plan: Outline, timed: Timed, costs: Costs) -> float:
    """The rounds in which a model learns from its own answers: these, and an epoch of each round but the last."""
    ready = bench.ready
    if ready.rows.task.checkable is None:
        return 0.0
    stage = min(plan.stages, key=lambda one: one.depth)
    sizes, steps = sizes_of(ready.examples["train"], stage.micros), timed.of(stage.depth)
    every = steps.micro.of(sizes) / stage.share + steps.end * stage.steps
    epochs = ready.plan.train.epochs or 1.0
    return costs.own_answers() + (ready.plan.train.rounds - 1) * every / epochs


def scratch_seconds(bench: Bench, plan: Outline, timed: Timed, costs: Costs) -> float:
    """The steps of the same architecture from random weights, where it is asked for: as many as those that were timed, with all
    layers moving."""
    ready, epochs = bench.ready, bench.settings.epochs
    if ready.plan.compare.scratch == "off":
        return 0.0
    whole = replace(bench.unfreezing, policy=AllRungs(), inside=every)
    dearer = whole.operations(epochs) / max(1.0, bench.unfreezing.operations(epochs))
    total = plan.validations * costs.reading(ready.examples["valid"], "fast")
    for stage in plan.stages:
        sizes, steps = sizes_of(ready.examples["train"], stage.micros), timed.of(stage.depth)
        total += dearer * (steps.micro.of(sizes) / stage.share + steps.end * stage.steps)
    return total * SAVING


def train_seconds(bench: Bench, plan: Outline, shelf: Shelf, timed: Timed, costs: Costs) -> float:
    """All steps and validations, and the pass that records what is replayed."""
    ready, looks = bench.ready, costs.looks
    top = len(bench.unfreezing.ladder.rungs) - 1
    read = costs.reading(ready.examples["valid"], "fast")
    written = costs.answers(ready.examples["valid"], "fast") - read  # with all layers, replayed or not
    total, replay = rounds_seconds(bench, plan, timed, costs), replay_of(ready)
    for stage in plan.stages:
        sizes, steps = sizes_of(ready.examples["train"], stage.micros), timed.of(stage.depth)
        total += steps.micro.of(sizes) / stage.share + steps.end * stage.steps
        total += steps.compiling * sizes.shapes
        if replay is not None:
            few = replay.of_step(0, bench.settings.micro_tokens)
            total += steps.micro.of(sizes_of(replay.examples, few)) * stage.steps
        own = 1 - stage.depth / (top + 1) if stage.replayed else 1.0
        total += stage.validations * (read * own + written)
    total += made_seconds(bench, plan, timed)
    if ready.plan.train.lr == "find":
        total *= 1 + STEPS_OF_A_RATE_TEST / plan.steps
    if shelf.depths and not shelf.full:
        total += looks["fast"].first.of(passes(ready, "train")) + looks["fast"].first.of(
            passes(ready, "valid")
        )
    return total * SAVING
