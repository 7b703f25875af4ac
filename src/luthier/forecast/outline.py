"""All that a run will compute, known before it begins: the order of every epoch is a pure function."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.batches.order import epoch_order, steps_per_epoch
from luthier.candidates.tuned.cloze import seed_of_cloze, settings_of_cloze
from luthier.candidates.tuned.settings import groups_of
from luthier.prepare.prepare import Prepared
from luthier.train.loop import TrainSettings, validation_steps
from luthier.train.unfreezing import LadderUnfreezing

COUNTED_ROWS = 200_000
"""Rows whose order is looked at: on larger data the first epochs stand for the others."""


@dataclass(frozen=True)
class Sizes:
    """Batches by their padded size."""

    tokens: Ints
    longest: Ints

    @property
    def shapes(self) -> int:
        """Number of distinct shapes."""
        return len(np.unique(np.stack([self.tokens, self.longest]), axis=1).T)

    def terms(self) -> Array:
        """(batches, 3) what the time of a batch is a sum of: itself, its tokens, and attention's tokens x tokens."""
        return np.stack([np.ones(len(self.tokens)), self.tokens, self.tokens * self.longest], axis=1)


def sizes_of(examples: Examples, batches: list[Ints]) -> Sizes:
    """The sizes of batches as `Examples.batch` pads them."""
    return Sizes(*examples.shapes(batches))


def passes(ready: Prepared, part: str) -> Sizes:
    """The batches of one frozen pass over a part."""
    examples = ready.examples[part]
    return sizes_of(examples, examples.by_length())


@dataclass(frozen=True)
class Stage:
    """The steps of a run in which the same rungs stand still."""

    epoch: int
    """The first epoch of the stage."""
    depth: int
    """Rungs, from the embeddings up, that stand still."""
    replayed: bool
    """Whether they are computed once and replayed."""
    steps: int
    validations: int
    micros: list[Ints]
    """The rows of each micro-batch; where the data is large, of some of them."""
    share: float
    """Micro-batches that are listed, of those there are."""


@dataclass(frozen=True)
class Outline:
    """All steps of a run, known before it begins."""

    steps: int
    validations: int
    stages: tuple[Stage, ...]


def outline(
    ready: Prepared, unfreezing: LadderUnfreezing, settings: TrainSettings, replayed: set[int]
) -> Outline:
    """The order of all epochs is a pure function: what each step will hold is known now. replayed: depths."""
    examples = ready.examples["train"]
    rows, lengths = len(examples), examples.lengths
    per_epoch, steps = steps_per_epoch(rows, settings.batch_rows), settings.steps(rows)
    marks = validation_steps(steps, per_epoch, settings.validations)
    listed = max(1, COUNTED_ROWS // max(1, rows))
    stages: dict[int, Stage] = {}
    for epoch in range(math.ceil(steps / per_epoch)):
        begin, end = epoch * per_epoch, min(steps, (epoch + 1) * per_epoch)
        depth = unfreezing.frozen(epoch)
        found = stages.get(depth) or Stage(epoch, depth, depth in replayed, 0, 0, [], 1.0)
        micros = []
        if epoch < listed or not found.micros:
            seed, groups = ready.plan.run.seed, groups_of(ready)
            order = epoch_order(examples.padded_lengths, settings.batch_rows, seed, epoch, groups)
            for chosen in order[: end - begin]:
                micros += examples.cut(chosen, lengths, settings.micro_tokens)
        held = found.steps * found.share + (end - begin if micros else 0)
        stages[depth] = replace(
            found,
            steps=found.steps + end - begin,
            validations=found.validations + sum(begin < mark <= end for mark in marks),
            micros=found.micros + micros,
            share=held / (found.steps + end - begin),
        )
    return Outline(steps, len(marks), tuple(stages.values()))


def made_micros(ready: Prepared, settings: TrainSettings) -> tuple[int, list[Ints]]:
    """The steps on rows that were made, and their micro-batches."""
    examples = ready.made
    if examples is None:
        return 0, []
    own = settings_of_cloze(ready, settings)
    order = epoch_order(examples.padded_lengths, own.batch_rows, seed_of_cloze(ready), 0)
    return len(order), [
        part for one in order for part in examples.cut(one, examples.lengths, own.micro_tokens)
    ]


def rungs_of(unfreezing: LadderUnfreezing, settings: TrainSettings) -> list[dict[str, Any]]:
    """What trains, from the head down, at which multiplier of the rate, from which epoch (the first is 1)."""
    named = dict(unfreezing.model.named_parameters())
    epochs = range(math.ceil(settings.epochs))
    found = []
    for at, rung in reversed(list(enumerate(unfreezing.ladder.rungs))):
        scales = [unfreezing.scales(epoch)[at] for epoch in epochs]
        first = next((epoch for epoch in epochs if scales[epoch] > 0), None)
        moving = [name for name in rung.parameters if first is not None and unfreezing.moves(at, name)]
        multiplier = 0.0 if first is None or not moving else scales[first]
        found.append({
            "name": rung.name,
            "parameters": sum(named[name].numel() for name in rung.parameters),
            "trained": sum(named[name].numel() for name in moving),
            "multiplier": multiplier,
            "lr": None if math.isnan(settings.lr) else multiplier * settings.lr,
            "from_epoch": first + 1 if first is not None and moving else None,
        })  # fmt: skip
    return found
