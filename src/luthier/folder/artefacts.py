"""Outcomes of steps in a folder: arrays and a record, whole or not there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from luthier.files import whole_file, write_json

Array = np.ndarray[Any, np.dtype[Any]]


def run_inside(path: Path) -> Path:
    """The run that a folder means: itself, or the best one of a search."""
    best = path / "best"
    return best if (best / "model").is_dir() and not (path / "model").exists() else path


class Artefacts:
    """A folder of arrays (safetensors) and records (JSON), each by its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def record(self, name: str) -> Any | None:
        """A JSON record; None when there is none (or a torn one, which counts as none)."""
        try:
            return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def save(self, name: str, arrays: dict[str, Array], record: dict[str, Any]) -> None:
        """Keep the outcome of a step: arrays first, then the record that says they are whole."""
        with whole_file(self.arrays_path(name)) as part:
            save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, part)
        write_json(self.folder / f"{name}.json", record)

    def saved(self, name: str) -> tuple[dict[str, Array], dict[str, Any]] | None:
        """The outcome of a step that was finished before, or None."""
        record = self.record(name)
        if record is None or not self.arrays_path(name).is_file():
            return None
        return load_file(self.arrays_path(name)), record

    def forget(self, name: str) -> None:
        """Drop the outcome of a step: its result stands elsewhere by now."""
        (self.folder / f"{name}.json").unlink(missing_ok=True)
        self.arrays_path(name).unlink(missing_ok=True)

    def arrays_path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"
