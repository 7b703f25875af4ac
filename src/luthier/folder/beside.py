"""Arrays that lie beside a finished model's weights, and are known to its luthier.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from luthier.arrays import Array
from luthier.files import whole_file, write_json
from luthier.folder.model_record import FILE, MEND, SavedModelRecord
from luthier.hashes import hash_file
from luthier.records import read_json, sealed, stamped

TEXT = "text"
"""The one key of a file's metadata: of several the order would not be the same in each process."""


def write_beside(
    folder: Path,
    name: str,
    arrays: Mapping[str, Array],
    told: Mapping[str, Any],
    text: str | None = None,
) -> None:
    """Add a file to a finished model's folder, and its hash to luthier.json.

    told: keys of luthier.json that tell of it.  text: what the file holds beside the arrays (`text_beside`).
    """
    record = read_json(folder / FILE, mend=MEND)
    with whole_file(folder / name) as part:
        whole = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
        save_file(whole, part, None if text is None else {TEXT: text})
    files = {**record["files"], name: hash_file(folder / name)}
    more = {**record, **told, "files": dict(sorted(files.items()))}
    write_json(folder / FILE, sealed(stamped(json.loads(json.dumps(more)), SavedModelRecord)))


def text_beside(path: Path) -> str:
    """The text that a file holds beside its arrays. Raises KeyError where it has none."""
    with safe_open(path, "numpy") as file:
        return str((file.metadata() or {})[TEXT])
