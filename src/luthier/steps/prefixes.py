"""The frozen prefix of a run: which rungs stand still when, their states found in the cache or computed once."""

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from luthier.batches.text_examples import MULTIPLE, TextExamples
from luthier.devices import with_threads
from luthier.events import Event, Noted
from luthier.models.policies import stages
from luthier.models.prefix import Prefix, States
from luthier.predict import features_of
from luthier.steps.prepare import Prepared
from luthier.steps.run import Run
from luthier.train.movement import LadderMovement
from luthier.train.prefix_cache import PrefixCache, default_folder

PARTS = ("train", "valid")
"""Parts that training reads again and again."""


@dataclass
class Prefixes:
    """What is replayed in the place of frozen rungs: by part and depth, the number of rungs that stand still."""

    prefix: Prefix
    states: dict[tuple[str, int], States] = field(default_factory=dict)
    part: str = "train"
    depth: int = 0
    replay: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def serve(self, depth: int) -> None:
        """From here on replay `depth` rungs, if their states are there."""
        if depth == self.depth:
            return
        self.replay.close()
        self.depth = depth
        if ("train", depth) in self.states:
            self.replay.enter_context(self.prefix.replaying(depth, lambda: self.states[self.part, depth]))

    @contextlib.contextmanager
    def serving(self, part: str) -> Iterator[None]:
        """Inside, the batches are those of another part."""
        before, self.part = self.part, part
        try:
            yield
        finally:
            self.part = before


@dataclass(frozen=True)
class Shelf:
    """Which states a run keeps, and where."""

    cache: PrefixCache
    keys: dict[tuple[str, int], str]
    """By part and depth."""
    bytes_each: int
    """Of the states of one depth."""
    notes: tuple[str, ...]
    """Why others are not kept."""

    @property
    def depths(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(depth for _, depth in self.keys))

    @property
    def full(self) -> bool:
        """Whether an earlier run has left all of them."""
        return all(self.cache.holds(key) for key in self.keys.values())


def shelf_for(ready: Prepared, movement: LadderMovement, epochs: int, prefix: Prefix) -> Shelf:
    """What can be kept: nothing where no block stands still, or where replaying would change the result."""
    limit = ready.plan.run.cache_gb * 1e9
    folder = Path(ready.plan.run.cache) if ready.plan.run.cache else default_folder()
    cache = PrefixCache(folder, limit)
    below = len(movement.ladder.rungs) - 1
    depths = [depth for depth in stages(movement.policy, below, epochs) if depth >= 2]
    texts = {part: one for part, one in ready.examples.items() if isinstance(one, TextExamples)}
    if not depths or limit == 0:
        return Shelf(cache, {}, 0, ())
    if not texts or ready.examples["train"].varies:
        note = "Training rows are varied in each epoch, so frozen layers are computed anew in each."
        return Shelf(cache, {}, 0, (note,))
    width, dtype = ready.model.state_width, ready.device.dtype
    with ready.twin.training():
        ready.model.eval()
        few = texts["train"]
        reasons = {depth: prefix.why_not(depth, few, ready.model.features, width) for depth in depths}
    told = dict.fromkeys(reason for reason in reasons.values() if reason)
    notes = [f"Frozen layers are computed anew in each epoch: {reason}." for reason in told]
    depths = [depth for depth in depths if reasons[depth] is None]
    size = sum(cache.size(texts[part], width, dtype) for part in PARTS)
    room = int(limit // size) if size else len(depths)
    if room < len(depths):
        notes.append(
            f"The states of frozen layers take {size / 1e9:.2f} GB a stage, and run.cache_gb {ready.plan.run.cache_gb:g} has "
            f"room for {room} of {len(depths)}: the others are computed anew in each epoch. A larger --cache-gb makes them "
            "faster."
        )
    device = ready.device
    stands_on: list[object] = [ready.base_fingerprint, str(dtype), device.kind, device.threads]
    stands_on += [TextExamples.budget, MULTIPLE, torch.__version__]
    keys = {
        (part, depth): cache.key(stands_on, depth, texts[part]) for part in PARTS for depth in depths[:room]
    }
    return Shelf(cache, keys, size, tuple(notes))


def open_prefixes(run: Run, movement: LadderMovement, epochs: int) -> Generator[Event, None, Prefixes]:
    """The run's Prefixes, their states found or computed."""
    ready = run.ready
    found = Prefixes(Prefix(ready.model, movement.ladder))
    ready.model.prefix = found.prefix
    shelf = shelf_for(ready, movement, epochs, found.prefix)
    for words in shelf.notes:
        yield Noted(words, run.clock())
    width, dtype, cache = ready.model.state_width, ready.device.dtype, shelf.cache
    kept = 0
    try:
        for part in PARTS:
            examples = ready.examples[part]
            if not isinstance(examples, TextExamples):
                continue
            missing = {}
            for depth in shelf.depths:
                states = cache.find(shelf.keys[part, depth], examples, width, dtype)
                kept += states is not None
                if states is None:
                    missing[depth] = cache.begin(shelf.keys[part, depth], examples, width, dtype)
                found.states[part, depth] = states or missing[depth]
            if missing:
                record(run, found.prefix, examples, missing)
                for depth in missing:
                    cache.finish(shelf.keys[part, depth])
    finally:
        cache.give_up()  # what an interrupt, an error or a full disk has left unfinished
    if kept:
        yield Noted(f"The states of frozen layers were found in {cache.folder}.", run.clock())
    return found


def record(run: Run, prefix: Prefix, examples: TextExamples, into: dict[int, States]) -> None:
    """One frozen pass over some rows, in the precision of training."""
    with run.ready.twin.training(), prefix.recording(into), with_threads(run.wide):
        for _ in features_of(run.ready.model, examples, run.ready.device):
            if run.stop():
                raise run.interrupted()
