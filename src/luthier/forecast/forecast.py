"""What `tune` would take: its steps counted exactly, a few of them timed on this machine, and the sum over all."""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.batches.order import by_length
from luthier.candidates import competing
from luthier.candidates.run import ANSWERED, HELD_OUT
from luthier.candidates.tuned.prefixes import Shelf, shelf_for
from luthier.candidates.zero_shot import compared
from luthier.forecast.memory import Memory, frozen_bytes, too_large
from luthier.forecast.outline import Outline, Stage, made_micros, outline, passes, rungs_of, sizes_of
from luthier.forecast.timing import (
    Bench,
    Held,
    Looks,
    Timed,
    ease,
    leaving_no_trace,
    resident_bytes,
    time_looks,
    time_steps,
)
from luthier.machine import Load, available_bytes, peak_bytes
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

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    @property
    def step_seconds(self) -> float | None:
        """What a step takes, validations and all; None where steps differ, as more and more layers move."""
        if self.outline is None or len(self.outline.stages) != 1:
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


def forecast(ready: Prepared, elapsed: float, briefly: float | None = None) -> Forecast | None:
    """Compute a little on a copy of the model, and tell what all of it takes; `ready` and all dice stay as they are.

    elapsed: seconds the command has taken so far.  briefly: None is told of a run shorter than so many seconds, and the
    forecast of a longer one takes 3 % of it at the most.  Raises PlanError where this machine has too little memory, with
    settings that would fit.
    """
    begin, load = time.perf_counter(), Load.now()
    before = peak_bytes()
    if ready.plan.train.method == "probe":
        with leaving_no_trace():
            looks = time_looks(ready)
        seconds = {
            "prepare": elapsed,
            **frozen_seconds(ready, looks),
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
    with leaving_no_trace():
        return of_training(ready, elapsed, briefly, begin, before, load)


def refuse_what_does_not_fit(ready: Prepared) -> None:
    """One step of the middle size, and what follows from it of the largest. Raises PlanError as `forecast` does, in a part of the
    time: for who is to know before anything is written, and foretells later."""
    if operations(ready) / FAST < TINY_SECONDS / 3:
        return
    before = peak_bytes()
    with leaving_no_trace():
        memory, stages = opened(ready)
        time_steps(memory.bench, stages[0], (0.5,), memory.held, lambda place, tokens: place == 0, rounds=0)
        memory.check(before)


def opened(ready: Prepared) -> tuple[Memory, list[Stage]]:
    """A copy of the model that is ready to take steps, with what its run holds; and the run's stages, the dearest first."""
    bench = Bench.of(ready)
    shelf = shelf_for(bench.ready, bench.unfreezing, math.ceil(bench.settings.epochs), bench.prefix)
    plan = outline(bench.ready, bench.unfreezing, bench.settings, set(shelf.depths))
    memory = Memory(bench, plan, shelf, Held(resident_bytes(), resident_bytes()))
    return memory, sorted(plan.stages, key=lambda stage: stage.depth)


def of_training(
    ready: Prepared, elapsed: float, briefly: float | None, begin: float, before: int, load: Load
) -> Forecast | None:
    """`forecast` where layers train."""
    memory, stages = opened(ready)
    bench, plan, shelf = memory.bench, memory.plan, memory.shelf
    setting_up = time.perf_counter() - begin + 2 * bench.copied / DISK

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
    looks = time_looks(ready)
    dearest, others = timed.of(stages[0].depth), load.others_since()
    disturbed = dearest.spread > DISTURBED_SPREAD or others > DISTURBED_SHARE
    by = ease(bench, stages[0], dearest, memory.held) if disturbed else 1.0
    timed = Timed({depth: steps.eased(by) for depth, steps in timed.steps.items()})
    looks = {name: look.eased(by) for name, look in looks.items()}
    training = train_seconds(bench, plan, shelf, timed, looks)
    frozen = frozen_seconds(ready, looks)
    scoring = frozen.pop("score")
    parts = memory.parts()
    exact = {part: looks["exact"].again.of(passes(ready, part)) for part in HELD_OUT}
    scored = sum(one.forecast(ready, exact.__getitem__) for one in competing(ready, trains=True))
    seconds = {
        "prepare": elapsed,
        **frozen,
        "train": setting_up + training + scored,
        "score": scoring + exact["test"] + exact["valid"],
        "forecast": 0.0 if expected < TINY_SECONDS else time.perf_counter() - begin,
    }
    peak = max(before, sum(parts.values()), frozen_bytes(ready) - bench.copied)
    memory.check(before)
    ladder, named = bench.unfreezing.ladder, dict(bench.ready.model.named_parameters())
    idle = sum(named[name].numel() for name in ladder.idle)
    rungs = tuple(rungs_of(bench.unfreezing, bench.settings))
    slowest = sum(budgeted(ready, seconds | {"train": seconds["train"] * dearest.spread / by}).values())
    planned = budgeted(ready, seconds)
    return Forecast(planned, peak, parts, plan, rungs, idle, ladder.note, slowest, others)


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


def frozen_seconds(ready: Prepared, looks: dict[str, Looks]) -> dict[str, float]:
    """Features, the candidates that train no layers, scores and writing: what every method does."""

    def exact(part: str) -> float:
        return looks["exact"].again.of(passes(ready, part))

    cheap = sum(one.forecast(ready, exact) for one in competing(ready, trains=False))
    of_all_parts = looks["fast"].first.of(passes(ready, "train")) + sum(exact(part) for part in HELD_OUT)
    features = 0.0
    if ready.rows.task.probe is not None:  # nobody else looks at frozen features
        features = of_all_parts
        features += sum(
            looks["exact"].again.of(sizes_of(texts, by_length(texts.lengths, texts.budget)))
            for texts in compared(ready, ANSWERED).values()
        )
    reference = {} if ready.rows.task.reference is None else {"reference": of_all_parts}
    return {**reference, "features": features, "probe": cheap, "score": score_seconds(ready) + FINISH_SECONDS}


def score_seconds(ready: Prepared) -> float:
    """The intervals of every candidate, on validation and on test rows, and of two differences."""
    task, valid = ready.rows.task, ready.examples["valid"]
    logits = np.random.default_rng(0).standard_normal((valid.units, ready.model.outputs)).astype(np.float32)
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


def train_seconds(bench: Bench, plan: Outline, shelf: Shelf, timed: Timed, looks: dict[str, Looks]) -> float:
    """All steps and validations, and the pass that records what is replayed."""
    ready = bench.ready
    top = len(bench.unfreezing.ladder.rungs) - 1
    valid = looks["fast"].again.of(passes(ready, "valid"))
    total = 0.0
    for stage in plan.stages:
        sizes, steps = sizes_of(ready.examples["train"], stage.micros), timed.of(stage.depth)
        total += steps.micro.of(sizes) / stage.share + steps.end * stage.steps
        total += steps.compiling * sizes.shapes
        total += stage.validations * valid * (1 - stage.depth / (top + 1) if stage.replayed else 1.0)
    total += made_seconds(bench, plan, timed)
    if ready.plan.train.lr == "find":
        total *= 1 + STEPS_OF_A_RATE_TEST / plan.steps
    if shelf.depths and not shelf.full:
        total += looks["fast"].first.of(passes(ready, "train")) + looks["fast"].first.of(
            passes(ready, "valid")
        )
    return total * SAVING
