"""The frozen prefix of a run: which rungs stand still when, their states found in the cache or computed once."""

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from luthier.batches.examples import FlatExamples
from luthier.batches.text_examples import MULTIPLE, TextExamples
from luthier.candidates.run import Run
from luthier.devices import with_threads
from luthier.events import Event, Noted
from luthier.models.ladder.policies import stages
from luthier.models.ladder.prefix import Prefix, States
from luthier.predict import features_of
from luthier.prepare.prepare import Prepared
from luthier.train.prefix_cache import PrefixCache, default_folder
from luthier.train.unfreezing import LadderUnfreezing

PARTS = ("train", "valid")
"""Parts that training reads again and again."""
SCORED = ("valid", "calibration")
"""Parts that are scored in fp32 when a run's training has ended: of a search, in every trial."""


@dataclass(frozen=True)
class Slot:
    """What is kept of a part's rows: what its lowest `depth` rungs give, as training computes it or in fp32."""

    part: str
    depth: int
    exact: bool = False


@dataclass
class Prefixes:
    """The states that are replayed in the place of frozen rungs."""

    prefix: Prefix
    states: dict[Slot, States] = field(default_factory=dict)
    part: str = "train"
    depth: int = 0
    replay: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def serve(self, depth: int) -> None:
        """From here on replay `depth` rungs, if their states are there."""
        if depth == self.depth:
            return
        self.replay.close()
        self.depth = depth
        if Slot("train", depth) in self.states:
            own = self.prefix.replaying(depth, lambda: self.states[Slot(self.part, depth)])
            self.replay.enter_context(own)

    @contextlib.contextmanager
    def serving(self, part: str) -> Iterator[None]:
        """Inside, the batches are those of another part."""
        before, self.part = self.part, part
        try:
            yield
        finally:
            self.part = before

    @contextlib.contextmanager
    def exactly(self, part: str) -> Iterator[None]:
        """Inside, the batches are those of a part, in fp32. To be entered when nothing else is replayed."""
        own = next((one for one in self.states if one.exact and one.part == part), None)
        if own is None:
            yield
            return
        with self.prefix.replaying(own.depth, lambda: self.states[own]):
            yield


@dataclass(frozen=True)
class Shelf:
    """Which states a run keeps, and where."""

    cache: PrefixCache
    keys: dict[Slot, str]
    bytes_each: int
    """Bytes of the states of one depth that training reads."""
    notes: tuple[str, ...]
    """Why others are not kept."""

    @property
    def depths(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(one.depth for one in self.keys))

    @property
    def full(self) -> bool:
        """Whether an earlier run has left all of them."""
        return all(self.cache.holds(key) for key in self.keys.values())


def shelf_for(
    ready: Prepared, unfreezing: LadderUnfreezing, epochs: int, prefix: Prefix, scored: tuple[str, ...] = ()
) -> Shelf:
    """What can be kept: nothing where no block stands still, or where replaying would change the result.

    scored: parts of which the states are kept in fp32 too, where the same rungs stand still to the end.
    """
    limit, train = ready.plan.run.cache_gb * 1e9, ready.plan.train
    folder = Path(ready.plan.run.cache) if ready.plan.run.cache else default_folder()
    cache = PrefixCache(folder, limit)
    below = len(unfreezing.ladder.rungs) - 1
    passed = stages(unfreezing.policy, below, epochs)
    depths = [depth for depth in passed if depth >= 2]
    texts = {part: flat for part, one in ready.examples.items() if (flat := one.flat) is not None}
    if not depths or limit == 0 or train.replay:  # of general rows no states are kept
        return Shelf(cache, {}, 0, ())
    if not texts or ready.examples["train"].varies:
        note = "Training rows are varied in each epoch, so frozen layers are computed anew in each."
        return Shelf(cache, {}, 0, (note,))
    width, dtype = ready.model.state_width, ready.device.dtype
    with ready.masters.training():
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
    kept = [Slot(part, depth) for part in PARTS for depth in depths[:room]]
    scored = tuple(part for part in scored if len(texts[part]))
    more = sum(cache.size(texts[part], width, torch.float32) for part in scored)
    if len(passed) == len(depths) == 1 and size + more <= limit:
        kept += [Slot(part, depths[0], exact=True) for part in scored]

    def key(one: Slot) -> str:
        device = ready.device
        stands_on = ready.base.fingerprint, str(dtype_of(one, ready)), device.kind, device.threads
        version = TextExamples.budget, MULTIPLE, torch.__version__
        # Blocks that start anew stand still for a while where they are thawed one after the other.
        drawn = (train.reinit, ready.plan.run.seed) if train.reinit else ()
        return cache.key([*stands_on, *version, *drawn], one.depth, texts[one.part])

    return Shelf(cache, {one: key(one) for one in kept}, size, tuple(notes))


def dtype_of(one: Slot, ready: Prepared) -> torch.dtype:
    return torch.float32 if one.exact else ready.device.dtype


def open_prefixes(run: Run, unfreezing: LadderUnfreezing, epochs: int) -> Generator[Event, None, Prefixes]:
    """The run's Prefixes, their states found or computed."""
    ready = run.ready
    found = Prefixes(Prefix(ready.model, unfreezing.ladder))
    ready.model.prefix = found.prefix
    shelf = shelf_for(ready, unfreezing, epochs, found.prefix, () if run.mode.writes_model else SCORED)
    for words in shelf.notes:
        yield Noted(words, run.clock())
    width, cache = ready.model.state_width, shelf.cache
    found_some = False
    try:
        for part, exact in dict.fromkeys((one.part, one.exact) for one in shelf.keys):
            examples, missing = ready.examples[part].flat, {}
            assert examples is not None, "of texts alone states are kept"
            for one in (one for one in shelf.keys if (one.part, one.exact) == (part, exact)):
                dtype = dtype_of(one, ready)
                states = cache.find(shelf.keys[one], examples, width, dtype)
                if states is None:
                    missing[one] = cache.begin(shelf.keys[one], examples, width, dtype)
                    yield from (Noted(words, run.clock(), warning=True) for words in cache.damaged)
                    cache.damaged.clear()
                found_some = found_some or states is not None
                found.states[one] = states or missing[one]
            if missing:
                record(run, found.prefix, examples, {one.depth: into for one, into in missing.items()}, exact)
                for one in missing:
                    cache.finish(shelf.keys[one])
    finally:
        cache.give_up()  # what an interrupt, an error or a full disk has left unfinished
    if found_some:
        yield Noted(f"The states of frozen layers were found in {cache.folder}.", run.clock())
    return found


def record(run: Run, prefix: Prefix, examples: FlatExamples, into: dict[int, States], exact: bool) -> None:
    """One frozen pass over some rows, in the precision of training or in fp32."""
    masters = run.ready.masters
    precision = masters.reporting() if exact else masters.training()
    with precision, prefix.recording(into), with_threads(run.mode.wide):
        for _ in features_of(run.ready.model, examples, run.ready.device):
            if run.stop():
                raise run.interrupted()
