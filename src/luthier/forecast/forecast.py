"""What `tune` would take: its steps counted exactly, a few of them timed on this machine, and the sum over all."""

import math
import time
from dataclasses import dataclass
from typing import Any

from luthier.candidates import competing, tunes
from luthier.candidates.tuned.prefixes import shelf_for
from luthier.forecast.costs import Costs, frozen_seconds, scratch_seconds, train_seconds
from luthier.forecast.keeping import keeping_bytes, keeping_seconds
from luthier.forecast.looks import leaving_no_trace, time_looks
from luthier.forecast.memory import Memory, frozen_bytes, saving_bytes, too_large
from luthier.forecast.outline import Outline, Stage, made_micros, outline, rungs_of, sizes_of
from luthier.forecast.teaching import teacher_seconds
from luthier.forecast.timing import (
    Bench,
    Held,
    Timed,
    bytes_of_model,
    ease,
    room_for_copy,
    time_steps,
)
from luthier.forecast.trusting import trusting_seconds
from luthier.forecast.writing import time_writing, written_bytes
from luthier.machine import Load, available_bytes, peak_bytes, resident_bytes
from luthier.prepare.prepare import Prepared
from luthier.report.forecast_words import busy_words, time_in_words

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
    unbounded: float | None = None
    """Seconds of all steps of training, also of those for which a budget leaves no time; None: as in `seconds`."""

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    @property
    def step_seconds(self) -> float | None:
        """What a step takes, validations and all, whether or not a budget leaves time for every one of them; None where steps
        differ, as more and more layers move, and where time is over before the first of them."""
        if self.outline is None or len(self.outline.stages) != 1 or not self.seconds["train"]:
            return None
        return (self.unbounded or self.seconds["train"]) / self.outline.steps

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
    if not tunes(ready):
        with leaving_no_trace():
            costs = Costs(ready, time_looks(ready), {})
        seconds = {
            "prepare": elapsed,
            **frozen_seconds(costs),
        }
        few = sum(one.forecast(ready, costs.first_answers) for one in competing(ready, trains=True))
        seconds |= {"train": few} if few else {}
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
    seen = sizes_of(bench.ready.examples["train"], stages[0].micros)
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
        "train": setting_up + teacher_seconds(bench.ready) + training + scored + keeping["train"],
        "score": scoring + costs.answers(ready.examples["test"]) + keeping["score"] + trusting,
        "forecast": 0.0 if expected < TINY_SECONDS else time.perf_counter() - begin,
    }
    parts["writing"] = max(0, written_bytes(ready) - parts["activations"])  # never both at once
    freed = sum(parts[name] for name in ("moments", "best", "activations", "writing"))
    parts["keeping"] = max(0, keeping_bytes(ready) - freed)  # training is over by then
    parts["saving"] = max(0, saving_bytes(ready) - freed - parts["keeping"])
    peak = max(before, sum(parts.values()), frozen_bytes(ready) - bench.copied)
    memory.check(before)
    ladder, named = bench.unfreezing.ladder, dict(bench.ready.model.named_parameters())
    idle = sum(named[name].numel() for name in ladder.idle)
    rungs = tuple(rungs_of(bench.unfreezing, bench.settings))
    slowest = sum(budgeted(ready, seconds | {"train": seconds["train"] * dearest.spread / by}).values())
    planned = budgeted(ready, seconds)
    return Forecast(
        planned,
        peak,
        parts,
        plan,
        rungs,
        idle,
        ladder.note,
        slowest,
        others,
        memory.recomputes,
        seconds["train"],
    )


def budgeted(ready: Prepared, seconds: dict[str, float]) -> dict[str, float]:
    """With a budget, training ends in time."""
    budget = ready.plan.budget_seconds
    over = 0.0 if budget is None else max(0.0, sum(seconds.values()) - budget)
    return {name: value - min(over, value) if name == "train" else value for name, value in seconds.items()}


def operations(ready: Prepared) -> float:
    """Floating-point operations of all epochs, roughly: six for each token and each weight of the blocks (arXiv:2001.08361,
    section 2.1)."""
    named = dict(ready.model.named_parameters())
    weights = sum(
        named[name].numel() for rung in ready.ladder.rungs if rung.module for name in rung.parameters
    )
    made = 0.0 if ready.made is None else ready.made.amount
    return 6 * weights * (ready.examples["train"].amount * (ready.plan.train.epochs or 0.0) + made)
