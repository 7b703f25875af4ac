"""What a run holds at its peak, what would fit, and what to say of a run that does not."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import nn

from luthier.arrays import Ints
from luthier.batches.examples import Examples
from luthier.candidates.pool import pool_of
from luthier.candidates.tuned.prefixes import Shelf
from luthier.errors import PlanError
from luthier.forecast.outline import Outline, passes, rungs_of, sizes_of
from luthier.forecast.timing import Bench, Held
from luthier.machine import available_bytes, resident_bytes
from luthier.models.kernels.dropout import DICE
from luthier.models.ladder.recompute import can_recompute, recompute
from luthier.plan.method import Lora, Top, parse_method
from luthier.prepare.prepare import Prepared
from luthier.train.checkpoints import LARGE
from luthier.train.probe.probe import MOST_ROWS
from luthier.train.weights import Weights

OUTSIDE = 0.25
"""Share of a micro-batch's activations that lies outside of blocks or is gone when the next one computes, as seen on llamas."""
FINISH_BYTES = 30_000_000
"""Bytes that the libraries take that draw the report."""
LARGE_MODEL = 256_000_000
"""Bytes of fp32 weights from which on it counts that a model is opened again once it is written."""
STEP_OF_TOKENS = 256
"""A number of tokens that a message offers is rounded to a multiple of this."""
COMPILED, COMPILED_BYTES = 1_024, 650_000
"""oneDNN compiles bf16 products for each shape and keeps so many (its primitive cache); bytes of one, as seen on Zen 5."""


def feature_bytes(ready: Prepared) -> int:
    """Bytes of the feature vectors of all rows, which stay in memory to the end."""
    if ready.rows.task.probe is None:
        return 0  # nobody looks at them
    pool = pool_of(ready)
    rows = sum(map(len, ready.examples.values())) + (0 if pool is None else len(pool))
    return rows * ready.model.width * 4


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
    probed = ready.rows.task.probe is not None
    probe = (rows + 2 * min(rows, MOST_ROWS)) * ready.model.read_width * 8 if probed else 0
    work = max(probe, FINISH_BYTES)
    return resident_bytes() + feature_bytes(ready) + compiled_bytes(ready, 0) + work


@dataclass
class Memory:
    """What a run holds at its peak: a real step's memory, and what is known to come on top of it."""

    bench: Bench
    plan: Outline
    shelf: Shelf
    held: Held
    kept: int | None = None
    """Bytes of the activations of the largest micro-batch with all of them kept, where they were found not to fit."""

    @property
    def recomputes(self) -> bool:
        """Whether activations are to be computed again on the way back, as they would not fit otherwise."""
        return self.kept is not None

    @property
    def largest(self) -> int:
        """Padded tokens of the largest micro-batch of the run."""
        train = self.bench.ready.examples["train"]
        return max(int(sizes_of(train, stage.micros).tokens.max()) for stage in self.plan.stages)

    @property
    def moments(self) -> int:
        return 2 * sum(int(flat.master.nbytes) for flat in self.bench.weights.flat)

    def activations(self, tokens: int) -> int:
        """Bytes of a micro-batch's activations, in proportion to the largest that was seen; zero before the first."""
        held = self.held
        if not held.tokens:
            return 0
        if self.kept is not None:
            return self.of_recomputing(self.kept) * tokens // self.largest
        return max(0, held.most - held.before - self.moments) * tokens // held.tokens

    def of_recomputing(self, kept: int) -> int:
        """Bytes of the largest micro-batch's activations where blocks compute theirs again: the inputs of all, one block's with
        their gradients, and what lies outside of blocks. kept: bytes where all are kept."""
        ready, blocks = self.bench.ready, len(self.bench.unfreezing.ladder.blocks)
        inputs = blocks * self.largest * ready.model.state_width * ready.device.dtype.itemsize
        return min(kept, inputs + 2 * kept // max(1, blocks) + int(OUTSIDE * kept))

    @cached_property
    def known(self) -> dict[str, int]:
        """What follows from the plan alone."""
        bench, weights, ready = self.bench, self.bench.weights, self.bench.ready
        rows = vocabulary(ready.examples["train"])
        # One stage's kernels serve the next.
        micros = [rows for stage in self.plan.stages for rows in stage.micros]
        shapes = sizes_of(ready.examples["train"], micros).shapes
        on_disk = weights.bytes >= LARGE
        return {
            "moments": self.moments
            + sum(table_bytes(weights, at, rows) for at in range(len(weights.sparse))),
            "best": 0 if on_disk else best_bytes(weights, rows),
            "features": feature_bytes(ready),
            "states": len(self.shelf.depths) * self.shelf.bytes_each,
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
        if peak > room and not self.recomputes and self.may_recompute("auto"):
            self.kept = self.activations(self.largest)
            recompute(self.bench.ready.model, self.bench.unfreezing.ladder)
            peak = max(before, sum(self.parts().values()))
        if peak > room:
            raise too_large(peak, room, self.mends(room))

    def may_recompute(self, asked: str) -> bool:
        """Whether blocks can compute their activations again, and the plan says so of it."""
        ready = self.bench.ready
        return ready.plan.run.recompute == asked and can_recompute(ready.model, self.bench.unfreezing.ladder)

    def mends(self, room: int) -> list[str]:
        """Settings with which the run would fit."""
        ready, parts = self.bench.ready, self.parts()
        found = []
        fixed = sum(parts.values()) - parts["activations"]
        tokens = (
            (room - fixed) * self.largest // max(1, parts["activations"]) // STEP_OF_TOKENS * STEP_OF_TOKENS
        )
        if int(ready.examples["train"].lengths.max()) <= tokens < self.largest:
            found.append(f"--micro-tokens {tokens}")
        if self.may_recompute("off") and fixed + self.of_recomputing(parts["activations"]) <= room:
            found.append("--recompute on")
        blocks = next((count for count in self.fewer() if self.of_top(count) <= room), None)
        if blocks is not None:
            found.append(f"--method top:{blocks}")
        adapters = parse_method(ready.plan.train.method) if ready.model.writes else Lora()
        if (
            not isinstance(adapters, Lora)
            and fixed + parts["activations"] - parts["moments"] - parts["best"] <= room
        ):
            found.append("--method lora")
        if ready.rows.task.probe is not None and frozen_bytes(ready) - self.bench.copied <= room:
            found.append("--method probe")
        return found

    def fewer(self) -> range:
        """Numbers of blocks to train, fewer than now, the most first."""
        blocks, method = (
            len(self.bench.unfreezing.ladder.blocks),
            parse_method(self.bench.ready.plan.train.method),
        )
        most = method.blocks if isinstance(method, Top) else 0 if isinstance(method, Lora) else blocks
        return range(most - 1, 0, -1)

    def of_top(self, blocks: int) -> int:
        """The peak if the head and so many blocks trained: what is trained, and what backward passes keep, shrink with them."""
        ready, parts = self.bench.ready, dict(self.parts())
        rungs = list(rungs_of(self.bench.unfreezing, self.bench.settings))
        live = sum(rung["trained"] > 0 for rung in rungs)
        share = sum(rung["parameters"] for rung in rungs[: blocks + 1]) / sum(
            rung["trained"] for rung in rungs
        )
        states = sum(ready.examples[part].amount for part in ("train", "valid")) * ready.model.state_width
        parts |= {
            "activations": parts["activations"] * (blocks + 1) // live,
            "moments": int(parts["moments"] * share),
            "best": int(parts["best"] * share),
            "states": max(parts["states"], states * ready.device.dtype.itemsize),
        }
        return sum(parts.values())


def saving_bytes(ready: Prepared) -> int:
    """Bytes that writing the finished model adds: it is opened again beside the one in memory. Weights into which adapters were
    merged stand in the place of those that were read. Nothing for a small model, as `compiled_bytes` counts more than that too
    much."""
    whole = sum(4 * weight.numel() for weight in ready.model.parameters())
    return 0 if whole < LARGE_MODEL else whole


def vocabulary(examples: Examples) -> Ints:
    """The rows of an embedding table that some examples use."""
    return np.unique(np.zeros(0) if examples.flat is None else examples.flat.ids).astype(np.int64)


def table_bytes(weights: Weights, at: int, rows: Ints) -> int:
    """Bytes of a sparse embedding's moments and pre-trained rows: the pages that the rows of the data lie on."""
    table = weights.sparse[at]
    wide = int(table.master.shape[1]) * 4
    pages = np.unique(np.concatenate([rows * wide // 4096, (rows * wide + wide - 1) // 4096]))
    return (3 if weights.averaging is None else 4) * len(pages) * 4096


def best_bytes(weights: Weights, rows: Ints) -> int:
    """Bytes of a copy of all weights that move."""
    tables = sum(len(rows) * table.master.shape[1] * 4 for table in weights.sparse)
    return sum(flat.computed().nbytes for flat in weights.flat) + tables


def dropout_bytes(bench: Bench, plan: Outline) -> int:
    """Bytes of the places that dropout's hash keeps for every length."""
    if not DICE.places:
        return 0
    config: Any = bench.ready.model.body.config
    heads = getattr(config, "num_attention_heads", 0)
    train = bench.ready.examples["train"]
    lengths = np.unique(np.concatenate([sizes_of(train, stage.micros).longest for stage in plan.stages]))
    return int((2 * heads * lengths**2 + 2 * bench.ready.model.state_width * lengths).sum())


def too_large(peak: int, room: int, mends: list[str]) -> PlanError:
    """What to say of a run that needs more memory than there is."""
    mend = f"It would fit with {' or '.join(mends)}." if mends else "Choose a smaller model."
    return PlanError(
        f"This run needs about {peak / 1e6:,.0f} MB of memory, and this machine has {room / 1e6:,.0f} MB for it. {mend}"
    )
