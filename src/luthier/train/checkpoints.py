"""A run's states on disk: whole, checked before they are believed, and only as many as are needed."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from luthier.errors import InputError, NewerRecord, WorldError
from luthier.files import clear, open_file, whole_file, whole_folder, write_text
from luthier.hashes import hash_file
from luthier.records import Count, Finite, Record, VersionedRecord, checked, stamped
from luthier.train.state import State

SHARE = 0.03
"""Largest share of a run's time that saving may take."""
KEPT = 2
"""How many of the newest states stay: if the last one is damaged, the one before it serves."""
LARGE = 256e6
"""Bytes of the weights that train from which on those of the best validation lie on disk, and take no memory."""
NOW, BEST = "now.safetensors", "best.safetensors"


STEP = re.compile("0|[1-9][0-9]{0,17}")
"""The name of a state's folder."""


class StateRecord(VersionedRecord):
    """state.json of a saved state: its numbers, and the hashes of its files."""

    step: Count
    best_step: Count
    best_score: float
    best_loss: float
    validations_since_best: Count
    tokens: Count
    seconds: Finite
    steps: dict[str, Count]
    moving: list[int]
    files: dict[str, str]


class DecisionRecord(Record):
    """A decision of decisions.json, which holds from its step on."""

    step: Count


class DecisionsRecord(VersionedRecord):
    """The decisions of a training, as decisions.json holds them."""

    decisions: list[DecisionRecord]


class Checkpoints:
    """The folder of a training's states, and the decisions that were made on the way.

    A decision (a smaller rate after a gradient that was not finite, smaller micro-batches after memory ran out) is what
    a run cannot compute anew from its seed: it is written the moment it is made, and holds from its step on.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], float], every: float | None = None, share: float = SHARE
    ) -> None:
        """Open the folder of a training's states.

        every: seconds from one state to the next; where that is None, as often as `share` of the time allows.
        """
        self.folder, self.clock, self.every, self.share = folder, clock, every, share
        self.saved_at, self.cost = clock(), 0.0
        self.damaged: list[str] = []
        """Sentences on the states that were found damaged."""
        self.best_kept = False
        """Whether the file of the best weights beside the states is the one that this training has."""
        self.decisions: list[dict[str, Any]] = []
        if os.path.lexists(folder) and not folder.is_dir():
            self.damaged.append(f"{folder}: is no folder; training begins anew.")
            self.forget()
        decided = folder / "decisions.json"
        if os.path.lexists(decided):
            try:
                record = checked(unsealed(decided), DecisionsRecord, str(decided))
                self.decisions = [one.model_dump() for one in record.decisions]
            except NewerRecord:
                raise  # it is not damaged, and a newer luthier can go on from it
            except (InputError, OSError, ValueError):
                # Which states came of which decision is no longer known.
                self.damaged.append(f"{decided}: is damaged; training begins anew.")
                self.forget()

    def decide(self, step: int, **decision: Any) -> None:
        """Write down a decision, which holds from its step on.

        States after that step came of another decision. They go first: a kill between the two leaves a state from which
        the same decision is come to again, never one that it does not belong to.
        """
        self.drop(later for later in self.steps() if later > step)
        self.decisions.append({"step": step, **decision})
        write_text(
            self.folder / "decisions.json", sealed(stamped({"decisions": self.decisions}, DecisionsRecord))
        )

    def shelve(self, state: State) -> None:
        """Let the weights of a state's best validation lie on disk, where they are large."""
        if state.weights.bytes >= LARGE:
            state.shelf = self.keep_best

    def keep_best(self, best: dict[str, Tensor]) -> dict[str, Tensor]:
        """Write the weights of the best validation beside the states; returns them as they lie there, read when they are used."""
        with whole_file(self.folder / BEST) as path:
            save_file(best, path)
        self.best_kept = True
        return load_file(self.folder / BEST)

    def due(self) -> bool:
        """Whether it is time to save."""
        pause = max(self.cost / self.share, 1.0) if self.every is None else self.every
        return self.clock() - self.saved_at >= pause

    def save(self, state: State, back_to: int = 0) -> None:
        """Write a state under its step, and drop those that are no longer needed.

        back_to: the step a run would go back to: the newest state at or before it stays.
        """
        begin = self.clock()
        now, best, numbers = state.save()
        path = self.path(state.step)
        older = self.steps()
        if not path.exists():
            with whole_folder(path) as folder:
                save_file(now, folder / NOW)
                sums = {NOW: hash_file(folder / NOW)}
                digest = self.best_beside(older[-1], state.best_step) if older else None
                if digest is not None and linked(self.path(older[-1]) / BEST, folder / BEST):
                    sums[BEST] = digest  # as it was written: damage since then is not to be believed
                elif best:
                    if not (self.best_kept and linked(self.folder / BEST, folder / BEST)):
                        save_file(best, folder / BEST)
                    sums[BEST] = hash_file(folder / BEST)
                told = sealed(stamped({**numbers, "files": sums}, StateRecord))
                (folder / "state.json").write_text(told, encoding="utf-8")
            needed = max((step for step in older if step <= back_to), default=0)
            self.drop(step for step in older[: 1 - KEPT] if step != needed)
        self.saved_at = self.clock()
        self.cost = max(self.cost, self.saved_at - begin)

    def load(self, state: State, at_most: int | None = None) -> int | None:
        """Bring a state to the newest whole one; its step, or None when there is none. Damaged ones go.

        at_most: not beyond this step.  Raises WorldError when there is no such state, though there must be one.
        """
        for step in reversed(self.steps()):
            if at_most is not None and step > at_most:
                continue
            found = self.read(step)
            if found is not None:
                state.load(*found)
                self.best_kept = False
                return step
            self.drop([step])
        if at_most is not None:
            raise WorldError(
                f"{self.folder}: no saved state is whole, and training had to go back to step {at_most}. "
                "Give the same command again: it trains anew."
            )
        return None

    def read(self, step: int) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Any]] | None:
        """A state as `State.load` takes it; None, and a sentence in `damaged`, when it is not what was written."""
        path = self.path(step)
        try:
            record = checked(unsealed(path / "state.json"), StateRecord, str(path / "state.json"))
            tensors = {}
            for name, digest in record.files.items():
                if hash_file(path / name) != digest:
                    raise ValueError(f"{name} is not what was written")
                tensors[name] = load_file(path / name)
        except NewerRecord:
            raise
        except (InputError, OSError, ValueError, SafetensorError) as error:
            self.damaged.append(f"{path}: is damaged ({error}); the state before it is used.")
            return None
        return tensors[NOW], tensors.get(BEST, {}), record.told()

    def best_beside(self, step: int, best_step: int) -> str | None:
        """SHA-256 of the best weights beside a saved state, if they are those of `best_step`."""
        try:
            record = checked(unsealed(self.path(step) / "state.json"), StateRecord, "state.json")
        except (InputError, OSError, ValueError):
            return None
        return record.files.get(BEST) if record.best_step == best_step else None

    def steps(self) -> list[int]:
        """The steps of the states on disk, the oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(int(path.name) for path in self.folder.iterdir() if STEP.fullmatch(path.name))

    def path(self, step: int) -> Path:
        return self.folder / str(step)

    def drop(self, steps: Iterable[int]) -> None:
        """Remove states, the newest first."""
        for step in sorted(steps, reverse=True):
            clear(self.path(step))

    def forget(self) -> None:
        """Remove all states: the training's outcome is stored elsewhere."""
        clear(self.folder)


def linked(source: Path, target: Path) -> bool:
    """Whether `target` now is `source` under a second name: not every file system can do that."""
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def sealed(record: dict[str, Any]) -> str:
    """A record as JSON with its own SHA-256."""
    return json.dumps({"record": record, "sha256": digest_of(record)}, indent=2)


def unsealed(path: Path) -> dict[str, Any]:
    """The record of `sealed` in a file. Raises ValueError when it was changed since, InputError for what is no file."""
    with open_file(path, within=path.parent) as file:
        text = file.read()
    try:
        whole = json.loads(text)
        record: dict[str, Any] = whole["record"]
        same = digest_of(record) == whole["sha256"]
    except (ValueError, TypeError, KeyError, RecursionError):
        same = False
    if not same:
        raise ValueError("it is not what was written")
    return record


def digest_of(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
