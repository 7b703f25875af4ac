"""What `tune` would take: its steps counted exactly, a few of them timed on this machine, and the sum over all."""

import math
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from luthier.batches.examples import Ints
from luthier.batches.order import by_length
from luthier.devices import peak_bytes
from luthier.errors import PlanError
from luthier.models.dropout import DICE
from luthier.models.inspect import available_bytes
from luthier.models.policies import frozen_prefix
from luthier.plan.method import Lora, Top, parse_method
from luthier.predict import TOKENS
from luthier.report.forecast_words import time_in_words
from luthier.steps.candidates import label_examples
from luthier.steps.outline import Outline, Sizes, outline, rungs_of, sizes_of
from luthier.steps.prepare import Prepared
from luthier.steps.run import HELD_OUT
from luthier.steps.timing import (
    Bench,
    Held,
    Looks,
    Timed,
    leaving_no_trace,
    resident_bytes,
    time_looks,
    time_steps,
)
from luthier.train.find_rate import STEPS as STEPS_OF_A_RATE_TEST
from luthier.train.prefix_cache import PrefixCache, default_folder
from luthier.train.probe import MOST_ROWS, Regression
from luthier.train.weights import Weights

SAVING = 1.03
"""Checkpoints take this much more (train/checkpoints.py, SHARE)."""
PROBE_LOSSES = 300
"""Evaluations of the loss on all rows that the probe takes, cross-validation included."""
FINISH_SECONDS = 2.0
"""To write model, card and report, most of it pictures."""
FINISH_BYTES = 30_000_000
"""Of the libraries that draw."""
DISK = 300e6
"""Bytes a second at which states are written, with their sums: the first one, and the outcome."""
TINY_SECONDS, FAST = 60.0, 3e11
"""Training that seems shorter is not foretold by `tune`: on a machine of so many operations a second, before any step is
timed it is a third of that; after one was timed, all of it."""
ALLOWED_SECONDS = 1.0
"""For steps that are timed."""
STEP_OF_TOKENS = 256
"""To which a number of tokens is rounded that is offered."""
COMPILED, COMPILED_BYTES = 1_024, 650_000
"""oneDNN compiles bf16 products for each shape and keeps so many (its primitive cache); bytes of one, as seen on Zen 5."""


@dataclass(frozen=True)
class Replay:
    """The depths whose states will be kept (steps/prefixes.py)."""

    depths: tuple[int, ...] = ()
    bytes_each: int = 0
    recorded: bool = False
    """Whether they are in the cache already."""


@dataclass(frozen=True)
class Forecast:
    """What a run does, and what it takes at the most."""

    seconds: dict[str, float]
    """By the steps of the path."""
    peak_bytes: int
    parts_bytes: dict[str, int]
    """What the peak is the sum of."""
    outline: Outline | None = None
    rungs: tuple[dict[str, Any], ...] = ()
    idle: int = 0
    """Parameters that are on no rung."""
    note: str | None = None

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    def to_json(self) -> dict[str, Any]:
        return {
            "seconds": round(self.total, 2),
            "peak_bytes": self.peak_bytes,
            "seconds_of": {name: round(value, 3) for name, value in self.seconds.items()},
            "bytes_of": self.parts_bytes,
        }

    def words(self) -> str:
        """
        >>> Forecast({"train": 130.0}, 1_300_000_000, {}).words()
        'at most 2 min 10 s, about 1.3 GB of memory'
        """
        return f"at most {time_in_words(self.total)}, about {self.peak_bytes / 1e9:.1f} GB of memory"


def forecast(ready: Prepared, elapsed: float, briefly: bool = False) -> Forecast | None:
    """Compute a little on a copy of the model, and tell what all of it takes; `ready` and all dice stay as they are.

    elapsed: seconds the command has taken so far. With `briefly`, None for a run of a few seconds, and 3 % of a longer one
    at the most. Raises PlanError where this machine has too little memory, with settings that would fit.
    """
    begin = time.perf_counter()
    before = peak_bytes()
    if ready.plan.train.method == "probe":
        with leaving_no_trace():
            looks = time_looks(ready)
        seconds = {
            "prepare": elapsed,
            **frozen_seconds(ready, looks),
        }
        parts = {"frozen": frozen_bytes(ready)}
        found = Forecast(budgeted(ready, seconds), max(before, parts["frozen"]), parts)
        room = available_bytes() + resident_bytes()
        if found.peak_bytes > room:
            raise too_large(found.peak_bytes, room, [])
        return found
    if briefly and operations(ready) / FAST < TINY_SECONDS / 3:
        return None
    with leaving_no_trace():
        return of_training(ready, elapsed, briefly, begin, before)


def of_training(ready: Prepared, elapsed: float, briefly: bool, begin: float, before: int) -> Forecast | None:
    """`forecast` where layers train."""
    bench = Bench.of(ready)
    setting_up = time.perf_counter() - begin + 2 * bench.copied / DISK
    replay = replay_of(bench)
    plan = outline(bench.run, bench.movement, bench.pace, set(replay.depths))
    stages = sorted(plan.stages, key=lambda stage: stage.depth)  # the dearest first
    memory = Memory(bench, plan, replay, Held(resident_bytes(), resident_bytes()))

    def bearable(place: int, tokens: int) -> bool:
        memory.check(before)
        return place == 0

    rough = time_steps(bench, stages[0], (0.5,), memory.held, bearable)
    seen = sizes_of(ready.examples["train"], stages[0].micros)
    expected = rough.micro.of(seen) / stages[0].share + rough.end * plan.steps
    if briefly and expected < TINY_SECONDS:
        return None
    allowed = min(ALLOWED_SECONDS, 0.03 * expected) if briefly else ALLOWED_SECONDS
    until = time.perf_counter() + allowed

    def wanted(place: int, tokens: int) -> bool:
        memory.check(before)
        return place < 3 or time.perf_counter() < until

    timed = Timed()
    for stage in dict.fromkeys([0, len(stages) - 1, len(stages) // 2]):
        quantiles = (0.5, 1.0, 0.1, 0.8, 0.3, 0.9, 0.2) if stage == 0 else (0.5, 0.9)
        found = time_steps(bench, stages[stage], quantiles, memory.held, wanted)
        timed.steps[stages[stage].depth] = found
    looks = time_looks(ready)
    training = train_seconds(bench, plan, replay, timed, looks)
    frozen = frozen_seconds(ready, looks)
    scoring = frozen.pop("score")
    parts = memory.parts()
    exact = {part: looks["exact"].again.of(passes(ready, part)) for part in HELD_OUT}
    seconds = {
        "prepare": elapsed,
        **frozen,
        "train": setting_up + training + exact["valid"] + exact["calibration"],
        "score": scoring + exact["test"] + exact["valid"],
        "forecast": 0.0 if expected < TINY_SECONDS else time.perf_counter() - begin,
    }
    peak = max(before, sum(parts.values()), frozen_bytes(ready) - bench.copied)
    memory.check(before)
    ladder, named = bench.movement.ladder, dict(bench.run.ready.model.named_parameters())
    idle = sum(named[name].numel() for name in ladder.idle)
    rungs = tuple(rungs_of(bench.movement, bench.pace))
    return Forecast(budgeted(ready, seconds), peak, parts, plan, rungs, idle, ladder.note)


def budgeted(ready: Prepared, seconds: dict[str, float]) -> dict[str, float]:
    """With a budget, training ends in time."""
    budget = ready.plan.budget_seconds
    over = 0.0 if budget is None else max(0.0, sum(seconds.values()) - budget)
    return {name: value - min(over, value) if name == "train" else value for name, value in seconds.items()}


# Time


def operations(ready: Prepared) -> float:
    """Of all epochs, roughly: six for each token and each weight of the blocks (arXiv:2001.08361, section 2.1)."""
    named = dict(ready.model.named_parameters())
    weights = sum(
        named[name].numel() for rung in ready.ladder.rungs if rung.module for name in rung.parameters
    )
    return 6 * weights * len(ready.examples["train"].ids) * (ready.plan.train.epochs or 0.0)


def passes(ready: Prepared, part: str) -> Sizes:
    """The batches of one frozen pass over a part."""
    examples = ready.examples[part]
    return sizes_of(examples, by_length(examples.lengths, TOKENS))


def frozen_seconds(ready: Prepared, looks: dict[str, Looks]) -> dict[str, float]:
    """Features, probe, scores and writing: what every method does."""
    names = label_examples(ready)
    features = looks["fast"].first.of(passes(ready, "train"))
    features += sum(looks["exact"].again.of(passes(ready, part)) for part in HELD_OUT)
    features += looks["exact"].again.of(sizes_of(names, by_length(names.lengths, TOKENS)))
    scoring = score_seconds(ready)
    return {"features": features, "probe": probe_seconds(ready), "score": scoring + FINISH_SECONDS}


def probe_seconds(ready: Prepared) -> float:
    """One evaluation of its loss on some rows, timed, for all that are needed."""
    examples = ready.examples["train"]
    rows = min(len(examples), 2_000)
    outputs, width = ready.rows.task.outputs, ready.model.width
    made = np.random.default_rng(0).standard_normal((rows, width))
    regression = Regression(made, examples.targets[:rows], outputs)
    regression.loss(regression.at, 1.0)
    begin = time.perf_counter()
    regression.loss(regression.at, 1.0)
    return PROBE_LOSSES * (time.perf_counter() - begin) * min(len(examples), MOST_ROWS) / max(1, rows)


def score_seconds(ready: Prepared) -> float:
    """The intervals of every candidate, on validation and on test rows, and of two differences."""
    task, valid = ready.rows.task, ready.examples["valid"]
    even = np.full((len(valid), task.outputs), 1 / task.outputs, np.float32)
    answer = valid.targets
    begin = time.perf_counter()
    task.scores(even, answer, valid.targets, 0)
    one = time.perf_counter() - begin
    return one * (4 + 6 * len(ready.examples["test"]) / max(1, len(valid)))


def train_seconds(
    bench: Bench, plan: Outline, replay: Replay, timed: Timed, looks: dict[str, Looks]
) -> float:
    """All steps and validations, and the pass that records what is replayed."""
    ready = bench.run.ready
    top = len(bench.movement.ladder.rungs) - 1
    valid = looks["fast"].again.of(passes(ready, "valid"))
    total, compiled = 0.0, 0
    for stage in plan.stages:
        sizes, steps = sizes_of(ready.examples["train"], stage.micros), timed.of(stage.depth)
        total += steps.micro.of(sizes) / stage.share + steps.end * stage.steps
        total += steps.compiling * sizes.shapes
        compiled += sizes.shapes
        total += stage.validations * valid * (1 - stage.depth / (top + 1) if stage.replayed else 1.0)
    if ready.plan.train.lr == "find":
        total *= 1 + STEPS_OF_A_RATE_TEST / plan.steps
    if replay.depths and not replay.recorded:
        total += looks["fast"].first.of(passes(ready, "train")) + looks["fast"].first.of(
            passes(ready, "valid")
        )
    return total * SAVING


def replay_of(bench: Bench) -> Replay:
    """What steps/prefixes.py will find and make, without making it."""
    run, ready, movement = bench.run, bench.run.ready, bench.movement
    limit = run.plan.run.cache_gb * 1e9
    top = len(movement.ladder.rungs) - 1
    epochs = range(math.ceil(bench.pace.epochs))
    depths = dict.fromkeys(frozen_prefix(movement.policy, top, epoch) for epoch in epochs)
    depths = {depth: None for depth in depths if depth >= 2}
    if not depths or not limit:
        return Replay()
    width, dtype, few = ready.model.state_width, ready.device.dtype, ready.examples["train"]
    with ready.twin.training():
        ready.model.eval()
        fitting = [
            depth for depth in depths if bench.prefix.why_not(depth, few, ready.model.features, width) is None
        ]
    cache = PrefixCache(Path(run.plan.run.cache) if run.plan.run.cache else default_folder(), limit)
    size = sum(cache.size(ready.examples[part], width, dtype) for part in ("train", "valid"))
    kept = tuple(fitting[: int(limit // size)] if size else fitting)
    stands_on: list[object] = [
        ready.base_fingerprint, str(dtype), ready.device.kind, ready.device.threads, TOKENS, torch.__version__,
    ]  # fmt: skip
    keys = [
        cache.key(stands_on, depth, ready.examples[part]) for part in ("train", "valid") for depth in kept
    ]
    return Replay(kept, size, all((cache.folder / f"{key}.states").is_file() for key in keys))


# Memory


def feature_bytes(ready: Prepared) -> int:
    """Of the feature vectors of all rows, which stay to the end."""
    return sum(len(examples) for examples in ready.examples.values()) * ready.model.width * 4


def compiled_bytes(ready: Prepared, shapes: int) -> int:
    """What oneDNN keeps of `shapes` training shapes, and of those of the frozen pass."""
    if ready.device.precision != "bf16" or ready.device.kind != "cpu":
        return 0
    linears = {module.weight.shape for module in ready.model.modules() if isinstance(module, nn.Linear)}
    looked = sum(passes(ready, part).shapes for part in ("train", "valid"))
    wanted = shapes * (3 * len(linears) + 4) + looked * (len(linears) + 2)
    return min(COMPILED, wanted) * COMPILED_BYTES


def frozen_bytes(ready: Prepared) -> int:
    """The peak of a run that trains no layer: the probe's double-precision features, whole and in folds."""
    rows = len(ready.examples["train"])
    probe = (rows + 2 * min(rows, MOST_ROWS)) * ready.model.width * 8
    work = max(probe, FINISH_BYTES)
    return resident_bytes() + feature_bytes(ready) + compiled_bytes(ready, 0) + work


@dataclass
class Memory:
    """What a run holds at its peak: a real step's memory, and what is known to come on top of it."""

    bench: Bench
    plan: Outline
    replay: Replay
    held: Held

    @property
    def largest(self) -> int:
        """Padded tokens of the largest micro-batch of the run."""
        train = self.bench.run.ready.examples["train"]
        return max(int(sizes_of(train, stage.micros).tokens.max()) for stage in self.plan.stages)

    @property
    def moments(self) -> int:
        return 2 * sum(int(slab.master.nbytes) for slab in self.bench.weights.slabs)

    def activations(self, tokens: int) -> int:
        """Of a micro-batch, in proportion to the largest that was seen; nothing is known before the first."""
        held = self.held
        if not held.tokens:
            return 0
        return max(0, held.most - held.before - self.moments) * tokens // held.tokens

    @cached_property
    def known(self) -> dict[str, int]:
        """What follows from the plan alone."""
        bench, weights, ready = self.bench, self.bench.weights, self.bench.run.ready
        rows = np.unique(ready.examples["train"].ids).astype(np.int64)
        shapes = sum(sizes_of(ready.examples["train"], stage.micros).shapes for stage in self.plan.stages)
        copies = 2 if self.plan.validations > 1 else 1  # a new best is copied while the old one is held
        return {
            "moments": self.moments
            + sum(table_bytes(weights, at, rows) for at in range(len(weights.tables))),
            "best": copies * best_bytes(weights, rows),
            "features": feature_bytes(ready),
            "states": len(self.replay.depths) * self.replay.bytes_each,
            "compiled": compiled_bytes(ready, shapes),
            "dropout": dropout_bytes(bench, self.plan),
        }

    def parts(self) -> dict[str, int]:
        """The peak, part by part."""
        before = self.held.before - self.bench.copied
        return {"before": before, "activations": self.activations(self.largest), **self.known}

    def check(self, before: int) -> None:
        """Refuse what would not fit, before a larger micro-batch is tried. before: the most this process has held."""
        if not self.held.tokens:
            return
        room = available_bytes() + resident_bytes()
        peak = max(before, sum(self.parts().values()))
        if peak > room:
            raise too_large(peak, room, self.mends(room))

    def mends(self, room: int) -> list[str]:
        """Settings with which the run would fit."""
        ready, parts = self.bench.run.ready, self.parts()
        found = []
        fixed = sum(parts.values()) - parts["activations"]
        tokens = (
            (room - fixed) * self.largest // max(1, parts["activations"]) // STEP_OF_TOKENS * STEP_OF_TOKENS
        )
        if int(ready.examples["train"].lengths.max()) <= tokens < self.largest:
            found.append(f"--micro-tokens {tokens}")
        blocks = next((count for count in self.fewer() if self.of_top(count) <= room), None)
        if blocks is not None:
            found.append(f"--method top:{blocks}")
        if frozen_bytes(ready) - self.bench.copied <= room:
            found.append("--method probe")
        return found

    def fewer(self) -> range:
        """Numbers of blocks to train, fewer than now, the most first."""
        blocks, method = (
            len(self.bench.movement.ladder.blocks),
            parse_method(self.bench.run.plan.train.method),
        )
        most = method.blocks if isinstance(method, Top) else 0 if isinstance(method, Lora) else blocks
        return range(most - 1, 0, -1)

    def of_top(self, blocks: int) -> int:
        """The peak if the head and so many blocks trained: what is trained, and what backward passes keep, shrink with them."""
        ready, parts = self.bench.run.ready, dict(self.parts())
        rungs = list(rungs_of(self.bench.movement, self.bench.pace))
        live = sum(rung["trained"] > 0 for rung in rungs)
        share = sum(rung["parameters"] for rung in rungs[: blocks + 1]) / sum(
            rung["trained"] for rung in rungs
        )
        states = sum(len(ready.examples[part].ids) for part in ("train", "valid")) * ready.model.state_width
        parts |= {
            "activations": parts["activations"] * (blocks + 1) // live,
            "moments": int(parts["moments"] * share),
            "best": int(parts["best"] * share),
            "states": max(parts["states"], states * ready.device.dtype.itemsize),
        }
        return sum(parts.values())


def table_bytes(weights: Weights, at: int, rows: Ints) -> int:
    """Of an embedding's moments and origin: the pages that the rows of the data lie on."""
    table = weights.tables[at]
    wide = int(table.master.shape[1]) * 4
    pages = np.unique(np.concatenate([rows * wide // 4096, (rows * wide + wide - 1) // 4096]))
    return (3 if weights.averaging is None else 4) * len(pages) * 4096


def best_bytes(weights: Weights, rows: Ints) -> int:
    """Of a copy of all that moves."""
    tables = sum(len(rows) * table.master.shape[1] * 4 for table in weights.tables)
    return sum(int(slab.master.nbytes) for slab in weights.slabs) + tables


def dropout_bytes(bench: Bench, plan: Outline) -> int:
    """Of the places that dropout's hash keeps for every length."""
    if not DICE.places:
        return 0
    config: Any = bench.run.ready.model.body.config
    heads = getattr(config, "num_attention_heads", 0)
    train = bench.run.ready.examples["train"]
    lengths = np.unique(np.concatenate([sizes_of(train, stage.micros).longest for stage in plan.stages]))
    return int((2 * heads * lengths**2 + 2 * bench.run.ready.model.state_width * lengths).sum())


def too_large(peak: int, room: int, mends: list[str]) -> PlanError:
    """What to say of a run that needs more memory than there is."""
    mend = f"It would fit with {' or '.join(mends)}." if mends else "Choose a smaller model."
    return PlanError(
        f"This run needs about {peak / 1e6:,.0f} MB of memory, and this machine has {room / 1e6:,.0f} MB for it. {mend}"
    )
