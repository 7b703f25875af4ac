"""A few real batches and steps, timed and weighed on this machine, on a copy of the model."""

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch

from luthier.arrays import Ints
from luthier.batches.examples import Examples, Variation
from luthier.candidates.tuned.settings import design_of, micro_tokens_of, settings_of, unfreezing_of, weighted
from luthier.candidates.tuned.taught import as_many
from luthier.devices import with_threads
from luthier.forecast.looks import LONG_SECONDS, Cost, at_quantiles, look
from luthier.forecast.outline import Stage, sizes_of
from luthier.machine import available_bytes, peak_bytes, resident_bytes
from luthier.models.kernels.dropout import DICE
from luthier.models.ladder.prefix import Prefix, States
from luthier.models.ladder.recompute import recompute
from luthier.models.lora import add_adapters
from luthier.models.master_weights import MasterWeights
from luthier.prepare.prepare import Prepared
from luthier.tasks.task import Task
from luthier.train.loop import TrainSettings
from luthier.train.unfreezing import LadderUnfreezing
from luthier.train.weights import Weights

VERY_LONG_SECONDS = 30.0
"""A step of the middle size that takes longer is not timed again either, though its tries tell what all others should take."""
GRADIENT_AND_MOMENTS = 3
"""Numbers that training holds for each weight, beside the weight itself."""
ROUNDS = 4
"""How often each size is timed again, at the most. In rounds: a busy moment does not fall on all tries of a size."""


def bytes_of_model(ready: Prepared) -> int:
    """Bytes of a model, in all the precisions that it is held in; what several parts of it share counts once."""
    held = [*ready.model.parameters(), *ready.model.buffers()]
    held += [*ready.masters.exact.values(), *ready.masters.fast.values()]
    return sum({tensor.data_ptr(): tensor.nbytes for tensor in held}.values())


def room_for_copy(ready: Prepared) -> bool:
    """Whether a copy of the model can stand beside it and take steps, with the gradients and moments of what trains."""
    whole = bytes_of_model(ready)
    adapted = design_of(ready.plan.train) is not None
    trained = 0 if adapted else GRADIENT_AND_MOMENTS * whole
    return whole + trained <= available_bytes()


@dataclass
class Bench:
    """A copy of the model that takes real steps, and leaves the real one as it is; or that one itself, where nobody needs it any
    more and there is no room for a copy."""

    ready: Prepared
    unfreezing: LadderUnfreezing
    settings: TrainSettings
    task: Task
    prefix: Prefix
    weights: Weights
    copies: bool = True

    @staticmethod
    def of(ready: Prepared, copies: bool = True) -> "Bench":
        """copies: whether `ready` stays as it is."""
        model, masters = ready.model, ready.masters
        if copies:
            model = copy.deepcopy(ready.model)
            masters = MasterWeights(model.body, ready.device.dtype)
        copied = replace(as_many(ready), model=model, masters=masters)
        plan, design = ready.plan.train, design_of(ready.plan.train)
        if design is not None:
            blocks = [name.removeprefix("body.") for name in ready.ladder.blocks]
            add_adapters(model.body, blocks, design, ready.plan.run.seed)
            masters.adopt(model.body)
        unfreezing, settings = (
            unfreezing_of(copied, design is not None),
            settings_of(plan, micro_tokens_of(ready.plan.run, ready.rows.task)),
        )
        if ready.plan.run.recompute == "on":
            recompute(model, unfreezing.ladder)
        model.prefix = prefix = Prefix(model, unfreezing.ladder)
        parts = unfreezing.parts(int(np.ceil(settings.epochs)))
        weights = Weights(model, parts, masters, settings.weight_decay, pull=plan.l2_sp, ema=plan.ema)
        return Bench(copied, unfreezing, settings, weighted(copied), prefix, weights, copies)

    @property
    def copied(self) -> int:
        """Bytes of the copy, which the run itself will not have."""
        return bytes_of_model(self.ready) if self.copies else 0

    def step(
        self, examples: Examples, rows: Ints, epoch: int, clock: Callable[[], float] = time.perf_counter
    ) -> tuple[float, float]:
        """Seconds of a micro-batch, and of the end of its step; at rate zero nothing moves."""
        ready = self.ready
        begin = clock()
        batch = examples.batch(rows, Variation(self.ready.plan.run.seed, epoch)).to(ready.device.torch)
        DICE.throw(self.ready.plan.run.seed, 0, batch)
        self.weights.begin()
        found = self.task.loss(ready.model, batch)
        found.total.backward()
        float(found.total.detach())
        middle = clock()
        norm = self.weights.norm(found.weight)
        self.weights.step(0.0, self.unfreezing.scales(epoch), found.weight, norm, self.settings.max_norm)
        if ready.device.kind == "cuda":
            torch.cuda.synchronize()
        return middle - begin, clock() - middle

    @contextlib.contextmanager
    def replaying(self, stage: Stage, few: Examples) -> Iterator[None]:
        """Inside, what stands still is replayed, if the run will do so."""
        flat = few.flat
        if not stage.replayed or flat is None:
            yield
            return
        ready = self.ready
        kept = torch.zeros(len(flat.ids), ready.model.state_width, dtype=ready.device.dtype)
        states = States(flat, kept)
        with ready.masters.training(), self.prefix.recording({stage.depth: states}):
            for rows in few.by_length():
                look(ready, few, rows)
        with self.prefix.replaying(stage.depth, lambda: states):
            yield


@dataclass(frozen=True)
class Steps:
    """Seconds of the steps of a stage, by their size."""

    micro: Cost
    end: float
    """Seconds of the norm and the optimizer."""
    compiling: float
    """More seconds that a shape takes when it comes for the first time."""
    spread: float = 1.0
    """How many times longer the slowest tries took than the best."""

    def mixed(self, other: "Steps", share: float) -> "Steps":
        def mean(one: float, two: float) -> float:
            return (1 - share) * one + share * two

        micro = self.micro.mixed(other.micro, share)
        return Steps(
            micro,
            mean(self.end, other.end),
            mean(self.compiling, other.compiling),
            mean(self.spread, other.spread),
        )

    def eased(self, by: float) -> "Steps":
        """As they would be if all took `by` times as long."""
        return Steps(Cost(by * self.micro.terms), by * self.end, by * self.compiling, self.spread)


@dataclass
class Held:
    """Bytes, as the steps that were timed held them."""

    before: int
    """Bytes with the weights set up, before a first step."""
    most: int
    """Bytes at the largest micro-batch so far."""
    tokens: int = 0
    """Padded tokens of that micro-batch."""


@dataclass
class Tries:
    """Seconds of a micro-batch and of the end of its step, each time it was taken."""

    first: tuple[float, float]
    """Its shape is compiled in it."""
    again: list[tuple[float, float]] = field(default_factory=list)

    @property
    def micro(self) -> float:
        """The best: whatever disturbs a step makes it longer."""
        return min(one for one, _ in self.again or [self.first])

    @property
    def end(self) -> float:
        return min(one for _, one in [self.first, *self.again])

    @property
    def slowest(self) -> float:
        return max(one for one, _ in self.again or [self.first])

    def wanted_again(self, likely: float, until: float) -> bool:
        """Whether it is to be timed once more.  likely: what it should take, by the tries of the middle size.  until: when the
        time that steps may take is over."""
        expected = min(self.micro, likely)
        if not self.again and expected < LONG_SECONDS:
            return True
        return time.perf_counter() + expected < until


def time_steps(
    bench: Bench,
    stage: Stage,
    quantiles: tuple[float, ...],
    held: Held,
    wanted: Callable[[int, int], bool],
    until: float = 0.0,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> Steps:
    """Time real steps of a stage at some quantiles of its sizes, the first of them the middle one.

    wanted(place, tokens): asked before each, by its place among the quantiles.  until: when no more tries are to begin.
    rounds: of further tries.
    """
    examples = bench.ready.examples["train"]
    sizes = sizes_of(examples, stage.micros)
    chosen = at_quantiles(sizes, quantiles)
    rows = [stage.micros[at] for at in chosen]
    few = examples.select(np.concatenate(rows))
    ends = np.cumsum([0, *(len(one) for one in rows)])
    own = [np.arange(begin, end) for begin, end in pairwise(ends)]
    tried: list[Tries] = []
    with bench.replaying(stage, few), bench.ready.masters.training():
        bench.unfreezing.enter(stage.epoch)
        for place, at in enumerate(chosen):
            tokens = int(sizes.tokens[at])
            if not wanted(place, tokens):
                break
            before = peak_bytes()
            tried.append(Tries(bench.step(few, own[place], stage.epoch, clock)))
            if tokens > held.tokens:
                after = peak_bytes()
                held.most = max(held.most, after if after > before else resident_bytes())
                held.tokens = tokens
        for turn in range(rounds):
            for place, one in enumerate(tried):
                likely = tried[0].micro * sizes.tokens[chosen[place]] / sizes.tokens[chosen[0]]
                needed = place == 0 and turn < 2 and one.micro < VERY_LONG_SECONDS
                if needed or one.wanted_again(float(likely), until):
                    one.again.append(bench.step(few, own[place], stage.epoch, clock))
    of = sizes_of(examples, rows[: len(tried)])
    more = [one.first[0] - one.micro for one in tried[1:] if one.again]
    compiling = max(0.0, float(np.median(more))) if more else 0.0
    spread = sum(one.slowest for one in tried) / sum(one.micro for one in tried)
    ends_of = float(np.mean([one.end for one in tried]))
    return Steps(Cost.fit(of, [one.micro for one in tried]), ends_of, compiling, spread)


def ease(bench: Bench, stage: Stage, steps: Steps, held: Held) -> float:
    """What to multiply measured times with where others disturb them, at most 1.

    Several threads that wait for each other can take ten times as long then. One thread waits for nobody, and its processor time
    counts no moment that others had: a step takes no less of it than it would take on several threads that nobody disturbs.
    """
    if bench.ready.device.kind != "cpu" or bench.ready.device.threads == 1:
        return 1.0
    with with_threads(1):
        alone = time_steps(bench, stage, (0.5,), held, lambda place, tokens: True, clock=time.process_time)
    sizes = sizes_of(bench.ready.examples["train"], stage.micros)
    middle = sizes_of(bench.ready.examples["train"], [stage.micros[at_quantiles(sizes, (0.5,))[0]]])
    return min(1.0, (alone.micro.of(middle) + alone.end) / (steps.micro.of(middle) + steps.end))


@dataclass
class Timed:
    """The steps of all stages: some timed, the others between them."""

    steps: dict[int, Steps] = field(default_factory=dict)
    """By depth, the number of rungs that stand still."""

    def of(self, depth: int) -> Steps:
        """Between two depths that were timed, in proportion to the rungs that stand still."""
        if depth in self.steps:
            return self.steps[depth]
        below, above = (
            max(at for at in self.steps if at < depth),
            min(at for at in self.steps if at > depth),
        )
        return self.steps[below].mixed(self.steps[above], (depth - below) / (above - below))
