"""A run's states on disk: whole, checked before they are believed, and only as many as are needed."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from luthier.files import whole_folder, write_json
from luthier.hashes import hash_file
from luthier.train.state import State

SHARE = 0.03
"""Of a run's time that saving may take."""
KEPT = 2
"""Newest states that stay: if the last one is damaged, the one before it serves."""


class Checkpoints:
    """The folder of a training's states, and the decisions that were made on the way.

    A decision (a smaller rate after a gradient that was not finite, smaller micro-batches after memory ran out) is what
    a run cannot compute anew from its seed: it is written the moment it is made, and holds from its step on.
    """

    def __init__(self, folder: Path, clock: Callable[[], float], every: float | None = None) -> None:
        self.folder, self.clock, self.every = folder, clock, every
        self.saved_at, self.cost = clock(), 0.0
        self.damaged: list[str] = []
        """What was found damaged, in words."""
        self.decisions: list[dict[str, Any]] = []
        if (folder / "decisions.json").is_file():
            self.decisions = json.loads((folder / "decisions.json").read_text(encoding="utf-8"))

    def decide(self, **decision: Any) -> None:
        """Write a decision down."""
        self.decisions.append(decision)
        write_json(self.folder / "decisions.json", self.decisions)

    def due(self) -> bool:
        """Whether it is time to save: as often as `SHARE` allows, or every `every` seconds."""
        pause = max(self.cost / SHARE, 1.0) if self.every is None else self.every
        return self.clock() - self.saved_at >= pause

    def save(self, state: State) -> None:
        """Write a state under its step, and drop the oldest but for the first."""
        begin = self.clock()
        now, best, numbers = state.save()
        path = self.path(state.step)
        older = self.steps()
        if not path.exists():
            with whole_folder(path) as folder:
                save_file(now, folder / "now.safetensors")
                before = self.path(older[-1]) / "best.safetensors" if older else None
                if before is not None and before.exists() and self.best_step(older[-1]) == state.best_step:
                    os.link(before, folder / "best.safetensors")
                elif best:
                    save_file(best, folder / "best.safetensors")
                sums = {file.name: hash_file(file) for file in sorted(folder.glob("*.safetensors"))}
                (folder / "state.json").write_text(sealed({**numbers, "files": sums}), encoding="utf-8")
            for step in older[1 : 1 - KEPT] if len(older) >= KEPT else []:
                shutil.rmtree(self.path(step), ignore_errors=True)
        self.saved_at = self.clock()
        self.cost = max(self.cost, self.saved_at - begin)

    def load(self, state: State, at_most: int | None = None) -> int | None:
        """Bring a state to the newest whole one (of step `at_most` or before); its step, or None when there is none."""
        for step in reversed(self.steps()):
            if at_most is not None and step > at_most:
                continue
            found = self.read(step)
            if found is not None:
                state.load(*found)
                return step
        return None

    def read(self, step: int) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Any]] | None:
        """A state as `State.load` takes it; None, and a word in `damaged`, when it is not what was written."""
        path = self.path(step)
        try:
            numbers = unsealed((path / "state.json").read_text(encoding="utf-8"))
            tensors = {}
            for name, digest in numbers["files"].items():
                if hash_file(path / name) != digest:
                    raise ValueError(f"{name} is not what was written")
                tensors[name] = load_file(path / name)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            self.damaged.append(f"{path}: is damaged ({error}); the state before it is used.")
            return None
        return tensors["now.safetensors"], tensors.get("best.safetensors", {}), numbers

    def best_step(self, step: int) -> int | None:
        try:
            return int(unsealed((self.path(step) / "state.json").read_text(encoding="utf-8"))["best_step"])
        except (OSError, ValueError, KeyError):
            return None

    def steps(self) -> list[int]:
        """Of the states on disk, the oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdigit())

    def path(self, step: int) -> Path:
        return self.folder / str(step)

    def forget(self) -> None:
        """Drop all: the training's outcome stands elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)


def sealed(record: dict[str, Any]) -> str:
    """A record as JSON with its own SHA-256."""
    return json.dumps({"record": record, "sha256": digest_of(record)}, indent=2)


def unsealed(text: str) -> dict[str, Any]:
    """The record of `sealed`. Raises ValueError when it was changed since."""
    whole = json.loads(text)
    record: dict[str, Any] = whole["record"]
    if digest_of(record) != whole["sha256"]:
        raise ValueError("state.json is not what was written")
    return record


def digest_of(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
