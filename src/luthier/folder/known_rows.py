"""What a run leaves of its rows for a next round of labelling: which part each was in, and what its model has read of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from luthier.arrays import Array, Ints
from luthier.folder.artefacts import Artefacts
from luthier.records import Name, VersionedRecord

ROWS, READ = "rows", "read"
"""Names of the two artefacts in a run's state."""
HASHES, ENDS = "hashes of ", "ends of "
MOST_ROWS = 50_000
"""Rows of which it is recorded what was read, at the most: nobody labels more by hand, and to hash them takes a while."""


class RowsRecord(VersionedRecord):
    """Beside the keys of the rows of each part, in their order."""

    task: Name
    base_fingerprint: Name
    trained: str | None = None
    """The candidate whose model was kept, where that has layers of its own; None where they are the pre-trained ones."""


class ReadRecord(VersionedRecord):
    """Beside the hashes of what the model has read, of the rows whose features lie beside them."""

    reading: Name
    """Hash of all but the rows that decides their features."""


def save_rows(state: Artefacts, keys: Mapping[str, Ints], record: RowsRecord) -> None:
    """keys: (rows,) of each part, equal where what the rows hold is the same but for case and white space."""
    state.save(ROWS, {part: np.asarray(own, np.int64) for part, own in keys.items()}, record)


@dataclass(frozen=True)
class WhatWasRead:
    """The rows behind an array of features."""

    hashes: list[bytes]
    """(rows,) of what was read of each."""
    ends: Ints
    """(rows + 1,) where the features of each begin, and the last ones end."""


def save_read(state: Artefacts, read: Mapping[str, WhatWasRead], reading: str) -> None:
    """read: by the name of the features.  reading: hash of how they were made."""
    arrays = {HASHES + name: as_array(own.hashes) for name, own in read.items()}
    arrays |= {ENDS + name: own.ends for name, own in read.items()}
    state.save(READ, arrays, ReadRecord(reading=reading))


def read_in(saved: Mapping[str, Array]) -> dict[str, WhatWasRead]:
    """What was read, by the name of the features, as `save_read` took it."""
    names = [key.removeprefix(HASHES) for key in saved if key.startswith(HASHES)]
    return {
        name: WhatWasRead([row.tobytes() for row in saved[HASHES + name]], saved[ENDS + name])
        for name in names
    }


def as_array(hashes: list[bytes]) -> Array:
    """(rows, 16) bytes."""
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), 16)
