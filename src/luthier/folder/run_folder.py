"""The folder of a run: artefacts that are whole or not there, and know which plan and data they belong to."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from luthier.errors import RunError
from luthier.events import Event
from luthier.files import telling_disk_errors, write_json, write_text
from luthier.folder.artefacts import Artefacts

TRAINING = ("stepped", "validated", "wentback")
"""Events that only a step of training tells, which is not taken twice."""


class RunFolder(Artefacts):
    """Where a run writes. Steps that an earlier, identical command finished are found again in its `state`."""

    def __init__(self, path: Path, key: str) -> None:
        """key: hash of plan, data and model. Raises RunError when the folder holds anything else's work."""
        super().__init__(path / "state")
        self.path = path
        self.key = key
        if not path.exists():
            return
        if not path.is_dir():
            raise RunError(f"{path}: is a file, not a folder for a run. Choose another folder with --out.")
        if not any(path.iterdir()) or hardly_begun(path):
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

    @staticmethod
    def key_record(path: Path) -> dict[str, Any] | None:
        """What a run's folder says of itself; None where there is nothing."""
        try:
            found: dict[str, Any] = json.loads((path / "state" / "key.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return found

    @property
    def finished(self) -> bool:
        """Whether the last thing a run writes is there, and what it is a report of."""
        return all(
            (self.path / name).is_file() for name in ("report.html", "scorecard.json", "model/luthier.json")
        )

    def begin(self, versions: dict[str, str]) -> dict[str, str]:
        """Make the folder, under its key. What an unfinished command had told is told anew, but for its training steps.

        versions: of the libraries that compute.  Returns those that an earlier command of this run had and that differ now.
        """
        known = self.record("key") or {}
        before = known.get("versions", {})
        # Also where earlier commands stood: a kill may leave the plan of one of them, with names that are found from there.
        where = list(dict.fromkeys([os.getcwd(), *known.get("where", [])]))
        write_json(self.path / "state" / "key.json", {"key": self.key, "where": where, "versions": versions})
        sweep(self.path)
        self.keep_events(lambda event: event["event"] in TRAINING)
        return {name: found for name, found in before.items() if versions.get(name) != found}

    def forget_steps_after(self, step: int) -> None:
        """Drop the training events that a resumed run is about to tell again: a way back is on record, and not told twice."""
        told_again = ("stepped", "validated")
        self.keep_events(lambda event: event["event"] not in told_again or event["step"] <= step)

    def keep_events(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Drop the events that are not wanted, and a last line that a kill has torn."""
        path = self.path / "events.jsonl"
        if not path.is_file():
            return
        kept = [json.dumps(event, ensure_ascii=False) + "\n" for event in self.events() if wanted(event)]
        write_text(path, "".join(kept))

    def events(self) -> list[dict[str, Any]]:
        """What events.jsonl tells, as far as its lines are whole."""
        path = self.path / "events.jsonl"
        found = []
        for line in path.read_bytes().split(b"\n") if path.is_file() else []:
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def log(self, event: Event) -> None:
        """Add a line to events.jsonl."""
        with telling_disk_errors(self.path), open(self.path / "events.jsonl", "a", encoding="utf-8") as file:
            file.write(event.line())


LEFTOVER = re.compile(r"\..+\.\d+\.(part|old)")
"""Names of what was being written, or about to go, when a command was killed (files.py)."""


def sweep(folder: Path) -> None:
    """Remove what killed commands have left half written."""
    for path in [path for path in folder.rglob(".*") if LEFTOVER.fullmatch(path.name)]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def hardly_begun(folder: Path) -> bool:
    """Whether a run was killed here before its plan was written: nothing of value is there, and any run may begin."""
    if not (folder / "state").is_dir():
        return False
    names = {path.name for place in (folder, folder / "state") for path in place.iterdir()}
    whole = {name for name in names if not LEFTOVER.fullmatch(name)}
    return whole <= {"state", "key.json", "events.jsonl"}
