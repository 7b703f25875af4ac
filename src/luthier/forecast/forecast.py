"""What `tune` would take: its steps counted exactly, a few of them timed on this machine, and the sum over all."""

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luthier.batches.examples import Examples
from luthier.batches.order import by_length
from luthier.candidates import competing
from luthier.candidates.keeping.training import replay_of
from luthier.candidates.run import ANSWERED, HELD_OUT
from luthier.candidates.tuned.prefixes import Shelf, shelf_for
from luthier.candidates.tuned.settings import every
from luthier.candidates.zero_shot import compared
from luthier.forecast.keeping import keeping_bytes, keeping_seconds
from luthier.forecast.memory import Memory, frozen_bytes, too_large
from luthier.forecast.outline import Outline, Stage, made_micros, outline, passes, rungs_of, sizes_of
from luthier.forecast.timing import (
    Bench,
    Held,
    Looks,
    Timed,
    bytes_of_model,
    ease,
    leaving_no_trace,
    resident_bytes,
    room_for_copy,
    time_looks,
    time_steps,
)
from luthier.forecast.trusting import trusting_seconds
from luthier.forecast.writing import WritingCost, time_writing, written_bytes
from luthier.machine import Load, available_bytes, peak_bytes
from luthier.models.ladder.policies import AllRungs
from luthier.prepare.prepare import Prepared
from luthier.report.forecast_words import busy_words, time_in_words
from luthier.tasks.calibration import Calibration
from luthier.train.find_rate import STEPS as STEPS_OF_A_RATE_TEST

SAVING = 1.03
"""Training takes so many times longer with checkpoints (train/checkpoints.py, SHARE)."""
FINISH_SECONDS = 2.0
"""Seconds that model, card and report take to be written, most of them for pictures."""
DISK = 300e6
"""Bytes a second at which states are written, with their sums: the first one, and the outcome."""
TINY_SECONDS, FAST = 60.0, 3e11
"""Training that seems shorter is not foretold by `tune` of itself: on a machine of so many operations a second, before any step
is timed it is a third of that; after one was timed, all of it."""
ALLOWED_SECONDS = 1.0
"""Seconds that may be spent on steps that are timed."""
DISTURBED_SPREAD, DISTURBED_SHARE = 1.3, 0.1
"""Beyond them the slowest tries, beside the best, or what others take of the processor tell of a machine that is shared."""


@dataclass(frozen=True)
class Forecast:
    """A forecast of what a run does, and of the most time and memory that it takes."""

    seconds: dict[str, float]
    """Seconds of each step of the path."""
    peak_bytes: int
    parts_bytes: dict[str, int]
    """What the peak is the sum of."""
    outline: Outline | None = None
    rungs: tuple[dict[str, Any], ...] = ()
    idle: int = 0
    """Parameters that are on no rung."""
    note: str | None = None
    slowest: float = 0.0
    """Seconds of all where every step takes as long as the slowest of those that were timed."""
    others: float = 0.0
    """Share of the processor that other processes took meanwhile."""
    recomputes: bool = False
    """Whether it only fits where blocks compute their activations again on the way back."""

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    @property
    def step_seconds(self) -> float | None:
        """What a step takes, validations and all; None where steps differ, as more and more layers move, and where time is over
        before the first of them."""
        if self.outline is None or len(self.outline.stages) != 1 or not self.seconds["train"]:
            return None
        return self.seconds["train"] / self.outline.steps

    def to_json(self) -> dict[str, Any]:
        return {
            "seconds": round(self.total, 2),
            "seconds_if_busy": round(max(self.total, self.slowest), 2),
            "others": round(self.others, 2),
            "peak_bytes": self.peak_bytes,
            "seconds_of": {name: round(value, 3) for name, value in self.seconds.items()},
            "bytes_of": self.parts_bytes,
        }

    def words(self) -> str:
        """
        >>> Forecast({"train": 130.0}, 1_300_000_000, {}).words()
        'at most 2 min 10 s, about 1.3 GB of memory'
        >>> Forecast({"train": 130.0}, 1_300_000_000, {}, slowest=400.0, others=0.52).words()
        'at most 2 min 10 s (6 min 40 s as busy as this machine is now: others take 52 % of it), about 1.3 GB of memory'
        """
        return f"{self.time_words(self.total)}, about {self.peak_bytes / 1e9:.1f} GB of memory"

    def words_after_the_probe(self) -> str:
        """The forecast, in words, of what is left once the probe is done.

        >>> Forecast({"features": 9.0, "train": 130.0, "score": 3.0}, 1_300_000_000, {}).words_after_the_probe()
        'at most 2 min 13 s, about 1.3 GB of memory'
        """
        left = sum(self.seconds[name] for name in ("train", "score"))
        return f"{self.time_words(left)}, about {self.peak_bytes / 1e9:.1f} GB of memory"

    def time_words(self, seconds: float) -> str:
        """So much of the time, and what it may become."""
        busy = busy_words(seconds, self.slowest - self.total + seconds, self.others)
        return f"at most {time_in_words(seconds)}{busy}"


def forecast(
    ready: Prepared, elapsed: float, briefly: float | None = None, spend: bool = False
) -> Forecast | None:
    """Compute a little on a copy of the model, and tell what all of it takes; `ready` and all dice stay as they are.

    elapsed: seconds the command has taken so far.  briefly: None is told of a run shorter than so many seconds, and the
    forecast of a longer one takes 3 % of it at the most.  spend: whether nobody needs the model afterwards, so that it may take
    the steps itself where there is no room for a copy; else None is told then.  Raises PlanError where this machine has too
    little memory, with settings that would fit.
    """
    begin, load = time.perf_counter(), Load.now()
    before = peak_bytes()
    if ready.plan.train.method == "probe":
        with leaving_no_trace():
            costs = Costs(ready, time_looks(ready), {})
        seconds = {
            "prepare": elapsed,
            **frozen_seconds(costs),
        }
        parts = {"frozen": frozen_bytes(ready)}
        peak, others = max(before, parts["frozen"]), load.others_since()
        found = Forecast(budgeted(ready, seconds), peak, parts, others=others)
        room = available_bytes() + resident_bytes()
        if found.peak_bytes > room:
            raise too_large(found.peak_bytes, room, [])
        return found
    if briefly is not None and operations(ready) / FAST < briefly / 3:
        return None
    copies = room_for_copy(ready)
    if not copies and not spend:
        return None
    with leaving_no_trace():
        return of_training(ready, elapsed, briefly, begin, before, load, copies)


def refuse_what_does_not_fit(ready: Prepared) -> bool:
    """One step of the middle size, and what follows from it of the largest. Raises PlanError as `forecast` does, in a part of the
    time: for who is to know before anything is written, and foretells later. Returns whether it fits only where blocks compute
    their activations again."""
    if operations(ready) / FAST < TINY_SECONDS / 3 or not room_for_copy(ready):
        return False
    before = peak_bytes()
    with leaving_no_trace():
        memory, stages = opened(ready, copies=True)
        time_steps(memory.bench, stages[0], (0.5,), memory.held, lambda place, tokens: place == 0, rounds=0)
        memory.check(before)
        return memory.recomputes


def opened(ready: Prepared, copies: bool) -> tuple[Memory, list[Stage]]:
    """A model that is ready to take steps, a copy or the run's own, with what its run holds; and the run's stages, the dearest
    first."""
    bench = Bench.of(ready, copies)
    shelf = shelf_for(bench.ready, bench.unfreezing, math.ceil(bench.settings.epochs), bench.prefix)
    plan = outline(bench.ready, bench.unfreezing, bench.settings, set(shelf.depths))
    memory = Memory(bench, plan, shelf, Held(resident_bytes(), resident_bytes()))
    return memory, sorted(plan.stages, key=lambda stage: stage.depth)


def of_training(
    ready: Prepared,
    elapsed: float,
    briefly: float | None,
    begin: float,
    before: int,
    load: Load,
    copies: bool,
) -> Forecast | None:
    """`forecast` where layers train. copies: whether a copy of the model takes the steps."""
    memory, stages = opened(ready, copies)
    bench, plan, shelf = memory.bench, memory.plan, memory.shelf
    setting_up = time.perf_counter() - begin + 2 * bytes_of_model(ready) / DISK

    def bearable(place: int, tokens: int) -> bool:
        memory.check(before)
        return place == 0

    rough = time_steps(bench, stages[0], (0.5,), memory.held, bearable)
    seen = sizes_of(ready.examples["train"], stages[0].micros)
    expected = rough.micro.of(seen) / stages[0].share + rough.end * plan.steps
    if ready.made is not None:
        count, micros = made_micros(bench.ready, bench.settings)
        expected += rough.micro.of(sizes_of(ready.made, micros)) + rough.end * count
    if briefly is not None and expected < briefly:
        return None
    allowed = ALLOWED_SECONDS if briefly is None else min(ALLOWED_SECONDS, 0.03 * expected)
    until = time.perf_counter() + allowed

    def wanted(place: int, tokens: int) -> bool:
        memory.check(before)
        return place < 3 or time.perf_counter() < until

    timed = Timed()
    for stage in dict.fromkeys([0, len(stages) - 1, len(stages) // 2]):
        quantiles = (0.5, 1.0, 0.1, 0.8, 0.3, 0.9, 0.2) if stage == 0 else (0.5, 0.9)
        found = time_steps(bench, stages[stage], quantiles, memory.held, wanted, until)
        timed.steps[stages[stage].depth] = found
    costs = Costs(ready, time_looks(ready), time_writing(ready))
    dearest, others = timed.of(stages[0].depth), load.others_since()
    disturbed = dearest.spread > DISTURBED_SPREAD or others > DISTURBED_SHARE
    by = ease(bench, stages[0], dearest, memory.held) if disturbed else 1.0
    timed = Timed({depth: steps.eased(by) for depth, steps in timed.steps.items()})
    costs = costs.eased(by)
    training = train_seconds(bench, plan, shelf, timed, costs) + scratch_seconds(bench, plan, timed, costs)
    frozen = frozen_seconds(costs)
    scoring = frozen.pop("score")
    parts = memory.parts()
    scored = sum(one.forecast(ready, costs.answers) for one in competing(ready, trains=True))
    keeping = keeping_seconds(ready, costs.reading, costs.answers)
    trusting = trusting_seconds(ready, costs.reading)
    seconds = {
        "prepare": elapsed,
        **frozen,
        "train": setting_up + training + scored + keeping["train"],
        "score": scoring + costs.answers(ready.examples["test"]) + keeping["score"] + trusting,
        "forecast": 0.0 if expected < TINY_SECONDS else time.perf_counter() - begin,
    }
    parts["writing"] = max(0, written_bytes(ready) - parts["activations"])  # never both at once
    freed = sum(parts[name] for name in ("moments", "best", "activations", "writing"))
    parts["keeping"] = max(0, keeping_bytes(ready) - freed)  # training is over by then
    peak = max(before, sum(parts.values()), frozen_bytes(ready) - bench.copied)
    memory.check(before)
    ladder, named = bench.unfreezing.ladder, dict(bench.ready.model.named_parameters())
    idle = sum(named[name].numel() for name in ladder.idle)
    rungs = tuple(rungs_of(bench.unfreezing, bench.settings))
    slowest = sum(budgeted(ready, seconds | {"train": seconds["train"] * dearest.spread / by}).values())
    planned = budgeted(ready, seconds)
    return Forecast(planned, peak, parts, plan, rungs, idle, ladder.note, slowest, others, memory.recomputes)


def budgeted(ready: Prepared, seconds: dict[str, float]) -> dict[str, float]:
    """With a budget, training ends in time."""
    budget = ready.plan.budget_seconds
    over = 0.0 if budget is None else max(0.0, sum(seconds.values()) - budget)
    return {name: value - min(over, value) if name == "train" else value for name, value in seconds.items()}


# Time


def operations(ready: Prepared) -> float:
    """Floating-point operations of all epochs, roughly: six for each token and each weight of the blocks (arXiv:2001.08361,
    section 2.1)."""
    named = dict(ready.model.named_parameters())
    weights = sum(
        named[name].numel() for rung in ready.ladder.rungs if rung.module for name in rung.parameters
    )
    made = 0.0 if ready.made is None else ready.made.amount
    return 6 * weights * (ready.examples["train"].amount * (ready.plan.train.epochs or 0.0) + made)


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
        sizes = sizes_of(examples, by_length(examples.lengths, examples.budget))
        return self.looks[precision].again.of(sizes)

    def answers(self, examples: Examples, precision: str = "exact", untouched: bool = False) -> float:
        """Seconds of a model's answers to some rows, which are as long as the right ones; those of a model that is `untouched`,
        as nobody told it how to end, of as many tokens as they may have."""
        writing, reading = self.ready.rows.task.writing(examples), self.reading(examples, precision)
        if writing is None or not self.writing:
            return reading
        lengths = np.full(len(writing.prompts), writing.most) if untouched else writing.usual
        return reading + self.writing[precision].seconds(writing, lengths)

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
    """Features, the candidates that train no layers, scores and writing: what every method does."""
    ready, looks = costs.ready, costs.looks
    cheap = sum(one.forecast(ready, costs.first_answers) for one in competing(ready, trains=False))
    of_all_parts = looks["fast"].first.of(passes(ready, "train"))
    of_all_parts += sum(costs.reading(ready.examples[part]) for part in HELD_OUT)
    features = 0.0
    if ready.rows.task.probe is not None:  # nobody else looks at frozen features
        features = of_all_parts + sum(costs.reading(texts) for texts in compared(ready, ANSWERED).values())
    reference = {} if ready.rows.task.reference is None else {"reference": of_all_parts}
    return {**reference, "features": features, "probe": cheap, "score": score_seconds(ready) + FINISH_SECONDS}


def score_seconds(ready: Prepared) -> float:
    """The intervals of every candidate, on validation and on test rows, and of two differences."""
    task, valid = ready.rows.task, ready.examples["valid"]
    answers: Any = task.flawless(valid.targets)
    if not ready.model.writes:
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
