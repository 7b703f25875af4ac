"""The folder of a run: artefacts that are whole or not there, and know which plan and data they belong to."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from luthier.errors import OtherWork, RunError
from luthier.events import Event
from luthier.files import (
    LEFTOVER,
    locked,
    refuse_link_away,
    refuse_links_away,
    refuse_strange_file,
    sweep,
    telling_disk_errors,
    write_text,
)
from luthier.folder.artefacts import Artefacts
from luthier.folder.in_use import LOCK, in_use
from luthier.folder.run_records import EventRecord, KeyRecord
from luthier.records import read_lines, read_sealed, write_sealed

TRAINING = ("stepped", "validated", "wentback")
"""Events that only a step of training tells, which is not taken twice."""
FILES = ("plan.toml", "table.json", "split.json", "findings.json", "events.jsonl", "scorecard.json", "report.html", "README.md",
         "augmented.jpg", "mistakes.jpg", "state/key.json", "state/lock")  # fmt: skip
FOLDERS = ("state", "model", "predictions", "adapter")
KEY_MEND = "Put back the file that was there, or choose another folder with --out."


class RunFolder(Artefacts):
    """The folder that a run writes into. Steps that an earlier, identical command finished are found again in its `state`."""

    def __init__(self, path: Path, key: str, older_keys: Sequence[str] = ()) -> None:
        """key: hash of plan, data and model.  older_keys: those that older versions gave the same run.

        Raises RunError when the folder holds anything else's work.
        """
        super().__init__(path / "state")
        self.path = path
        self.key, self.older_keys = key, older_keys
        self.older = False
        """Whether it was begun under a key of an older version, which stood on less."""
        self.refuse_other_work()

    def refuse_other_work(self) -> None:
        """Raise RunError when the folder holds anything else's work, InputError where what stands in it is no run's."""
        path = self.path
        if not path.exists():
            return
        if not path.is_dir():
            raise RunError(f"{path}: is a file, not a folder for a run. Choose another folder with --out.")
        refuse_strange(path)
        if not any(path.iterdir()) or hardly_begun(path):
            return
        found = self.key_record(path)
        if found is None:
            raise RunError(
                f"{path}: is not empty and not the folder of a run. Choose another folder with --out."
            )
        self.older = found.key in self.older_keys
        if found.key != self.key and not self.older:
            raise OtherWork(
                f"{path}: holds a run of another plan, other data or another model. "
                "Choose another folder with --out, or delete this one if it is not needed."
            )
        self.unsealed = found.unsealed

    @staticmethod
    def key_record(path: Path) -> KeyRecord | None:
        """What a run's folder says of itself; None where there is nothing. Raises RunError for what cannot be believed."""
        file = path / "state" / "key.json"
        try:
            found, sealed = read_sealed(file, KeyRecord, within=path, mend=KEY_MEND)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found if sealed else found.model_copy(update={"unsealed": True})

    @property
    def finished(self) -> bool:
        """Whether the last thing a run writes is there, and what it is a report of."""
        return all(
            (self.path / name).is_file() for name in ("report.html", "scorecard.json", "model/luthier.json")
        )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Inside, no other command is at work in the folder. Raises RunError where one is."""
        with locked(self.folder / LOCK) as ours:
            if not ours:
                raise in_use(self.path)
            self.refuse_other_work()  # which another command may have begun or ended meanwhile
            yield

    def begin(self, versions: dict[str, str]) -> dict[str, str]:
        """Make the folder, under its key. What an unfinished command had told is told anew, but for its training steps.

        versions: of the libraries that compute.  Returns those that an earlier command of this run had and that differ now.
        """
        known = self.key_record(self.path)
        before = known.versions if known else {}
        # A kill may leave the plan of an older luthier, with names that are found from there.
        unsealed = {"unsealed": True} if self.unsealed else {}
        record = KeyRecord(key=self.key, where=known.where if known else [], versions=versions, **unsealed)
        write_sealed(self.path / "state" / "key.json", record)
        sweep(self.path)
        self.keep_events(lambda event: event.event in TRAINING)
        return {name: found for name, found in before.items() if versions.get(name) != found}

    def forget_steps_after(self, step: int) -> None:
        """Drop the training events that a resumed run is about to tell again: a way back is on record, and not told twice."""
        told_again = ("stepped", "validated")
        self.keep_events(lambda event: event.event not in told_again or (event.step or 0) <= step)

    def keep_events(self, wanted: Callable[[EventRecord], bool]) -> None:
        """Drop the events that are not wanted, and a last line that a kill has torn."""
        path = self.path / "events.jsonl"
        if not path.is_file():
            return
        told = read_lines(path, EventRecord, within=self.path)
        kept = [json.dumps(line, ensure_ascii=False) + "\n" for line, event in told if wanted(event)]
        write_text(path, "".join(kept))

    def events(self) -> list[dict[str, Any]]:
        """What events.jsonl tells, as far as its lines are whole. Raises RunError for a line that is no event."""
        return [line for line, _ in read_lines(self.path / "events.jsonl", EventRecord, within=self.path)]

    def log(self, event: Event) -> None:
        """Add a line to events.jsonl."""
        with telling_disk_errors(self.path), open(self.path / "events.jsonl", "a", encoding="utf-8") as file:
            file.write(event.line())


def refuse_strange(run: Path) -> None:
    """Raise InputError where a pipe, a folder or a link that leaves the run stands in the place of one of its files."""
    for name in FOLDERS:
        folder = run / name
        if folder.is_symlink():
            refuse_link_away(folder, run)
        if folder.exists() and not folder.is_dir():
            raise RunError(f"{folder}: is no folder, as it is in a run. Move it away.")
        refuse_links_away(folder, run)
    for name in FILES:
        refuse_strange_file(run / name, run)


def hardly_begun(folder: Path) -> bool:
    """Whether a run was killed here before its plan was written: nothing of value is there, and any run may begin."""
    if not (folder / "state").is_dir():
        return False
    names = {path.name for place in (folder, folder / "state") for path in place.iterdir()}
    whole = {name for name in names if not LEFTOVER.fullmatch(name)}
    return whole <= {"state", "key.json", "events.jsonl", LOCK}
