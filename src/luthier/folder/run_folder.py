"""The folder of a run: artefacts that are whole or not there, and know which plan and data they belong to."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save

from luthier.errors import RunError
from luthier.events import Event
from luthier.files import telling_disk_errors, write_bytes, write_json
from luthier.tasks.task import Array


class RunFolder:
    """Where a run writes. Steps that an earlier, identical command finished are found again here."""

    def __init__(self, path: Path, key: str) -> None:
        """key: hash of plan, data and model. Raises RunError when the folder holds anything else's work."""
        self.path = path
        self.key = key
        if not path.exists():
            return
        if not path.is_dir():
            raise RunError(f"{path}: is a file, not a folder for a run. Choose another folder with --out.")
        if not any(path.iterdir()):
            return
        found = self.record("key")
        if found is None:
            raise RunError(
                f"{path}: is not empty and not the folder of a run. Choose another folder with --out."
            )
        if found["key"] != key:
            raise RunError(
                f"{path}: holds a run of another plan, other data or another model. "
                "Choose another folder with --out, or delete this one if it is not needed."
            )

    @property
    def finished(self) -> bool:
        """Whether the last thing a run writes is there."""
        return (self.path / "report.html").is_file()

    def begin(self) -> None:
        """Make the folder, under its key; what an unfinished command had told is told anew."""
        write_json(self.path / "state" / "key.json", {"key": self.key})
        (self.path / "events.jsonl").unlink(missing_ok=True)

    def log(self, event: Event) -> None:
        """Add a line to events.jsonl."""
        with telling_disk_errors(self.path), open(self.path / "events.jsonl", "a", encoding="utf-8") as file:
            file.write(event.line())

    def record(self, name: str) -> Any | None:
        """A JSON record in `state`; None when there is none (or a torn one, which counts as none)."""
        try:
            return json.loads((self.path / "state" / f"{name}.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def save(self, name: str, arrays: dict[str, Array], record: dict[str, Any]) -> None:
        """Keep the outcome of a step: arrays first, then the record that says they are whole."""
        write_bytes(
            self.arrays_path(name), save({key: np.ascontiguousarray(value) for key, value in arrays.items()})
        )
        write_json(self.path / "state" / f"{name}.json", record)

    def saved(self, name: str) -> tuple[dict[str, Array], dict[str, Any]] | None:
        """The outcome of a step that was finished before, or None."""
        record = self.record(name)
        if record is None or not self.arrays_path(name).is_file():
            return None
        return load_file(self.arrays_path(name)), record

    def forget(self, name: str) -> None:
        """Drop the outcome of a step: its result stands elsewhere by now."""
        (self.path / "state" / f"{name}.json").unlink(missing_ok=True)
        self.arrays_path(name).unlink(missing_ok=True)

    def arrays_path(self, name: str) -> Path:
        return self.path / "state" / f"{name}.safetensors"
