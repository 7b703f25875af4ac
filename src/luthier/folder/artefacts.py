"""Outcomes of steps in a folder: arrays and a record, whole or not there, and believed only as they were written."""

from pathlib import Path
from typing import TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from luthier.arrays import Array
from luthier.errors import InputError, LuthierError, NewerRecord
from luthier.files import clear, refuse_link_away, whole_file, write_json
from luthier.hashes import hash_file
from luthier.records import Record, VersionedRecord, checked, read_json, seal_holds, sealed, stamped

ARRAYS = "arrays_sha256"
"""The key of a record under which the hash of its arrays stands."""

Kind = TypeVar("Kind", bound=Record)


def run_inside(path: Path) -> Path:
    """The run that a folder means: itself, or the best one of a search."""
    best = path / "best"
    if not (best / "model").is_dir() or (path / "model").exists():
        return path
    refuse_link_away(best, path)
    return best


class Artefacts:
    """A folder of arrays (safetensors) and records (JSON), each by its name."""

    def __init__(self, folder: Path, unsealed: bool = False) -> None:
        """unsealed: whether what has no seal may be believed, as in the folder of a run from before there were seals."""
        self.folder, self.unsealed = folder, unsealed
        self.damaged: list[str] = []
        """Sentences on what is no longer what was written."""

    def record(self, name: str, kind: type[Kind]) -> Kind | None:
        """A sealed JSON record; None when there is none, or it is not what was written. Raises NewerRecord for a newer one."""
        path = self.record_path(name)
        try:
            refuse_link_away(path, self.folder)
            value = read_json(path)
            found = checked(value, kind, str(path))
        except FileNotFoundError:
            return None
        except NewerRecord:
            raise  # it is not damaged, and a newer luthier can go on with it
        except (LuthierError, OSError) as error:
            self.doubt(str(error))
            return None
        holds = seal_holds(value)
        if holds is False or (holds is None and not self.unsealed):
            self.doubt(f"{path}: is not what was written")
            return None
        return found

    def save(self, name: str, arrays: dict[str, Array], record: VersionedRecord) -> None:
        """Keep the outcome of a step: arrays first, then the record that says they are whole, with their hash."""
        path = self.arrays_path(name)
        for place in (path, self.record_path(name)):
            if place.is_dir():
                clear(place)
        with whole_file(path) as part:
            save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, part)
            digest = hash_file(part)
        told = stamped({**record.to_json(), ARRAYS: digest}, type(record))
        write_json(self.record_path(name), sealed(told))

    def saved(self, name: str, kind: type[Kind]) -> tuple[dict[str, Array], Kind] | None:
        """The outcome of a step that was finished before; None where there is none, or where it is not what was written."""
        record, path = self.record(name, kind), self.arrays_path(name)
        if record is None:
            return None
        written = (record.model_extra or {}).get(ARRAYS)
        try:
            refuse_link_away(path, self.folder)
            if written is not None and hash_file(path) != written:
                self.doubt(f"{path}: is not what was written")
                return None
            return load_file(path), record
        except FileNotFoundError:
            return None
        except (InputError, OSError, SafetensorError) as error:
            self.doubt(f"{path}: is damaged ({error})")
            return None

    def doubt(self, words: str) -> None:
        """Note that an outcome is not believed."""
        self.damaged.append(f"{words.rstrip('.')}: it is computed again.")

    def forget(self, name: str) -> None:
        """Drop the outcome of a step: its result stands elsewhere by now."""
        clear(self.record_path(name))
        clear(self.arrays_path(name))

    def record_path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def arrays_path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"
