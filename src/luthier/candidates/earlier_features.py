"""Features that the run which is gone on from has computed: what it has read does not go through the model again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.batches.tokens import runs
from luthier.candidates.pool import UNLABELLED
from luthier.candidates.records import FeaturesRecord
from luthier.folder.artefacts import Artefacts, run_inside
from luthier.folder.known_rows import READ, ReadRecord, WhatWasRead, read_in
from luthier.folder.run_folder import RunFolder

LEARNT = ("train", UNLABELLED)
"""Features of rows that are learnt from: nothing is reported on them."""
Place = tuple[str, int, int]
"""The features of a row: the name of the array that they are in, their first line, and the one behind the last."""


@dataclass(frozen=True)
class KnownFeatures:
    """Features by what was read."""

    vectors: Mapping[str, Array] = field(default_factory=dict)
    """(units, width) by name."""
    places: Mapping[tuple[str, bytes], Place] = field(default_factory=dict)
    """Where the features of a row are, by the way in which it was read and the hash of what was."""

    @staticmethod
    def of(run: Path, reading: str) -> "KnownFeatures":
        """Those of a run; none where it read in another way, or left none that can be believed."""
        path = run_inside(run)
        key = RunFolder.key_record(path)
        state = Artefacts(path / "state", unsealed=key is not None and key.unsealed)
        features, read = state.saved("features", FeaturesRecord), state.saved(READ, ReadRecord)
        if features is None or read is None or read[1].reading != reading:
            return KnownFeatures()
        places: dict[tuple[str, bytes], Place] = {}
        for name, rows in read_in(read[0]).items():
            vectors, ends = features[0].get(name), rows.ends.tolist()
            if vectors is not None and len(vectors) == ends[-1]:
                for at, one in enumerate(rows.hashes):
                    places[way(name), one] = name, ends[at], ends[at + 1]
        return KnownFeatures(features[0], places)

    def filled(self, name: str, rows: WhatWasRead, found: Array) -> Ints:
        """Write what is known of some rows into `found`, (units, width); the places of the rows of which nothing is."""
        ends, left = rows.ends.tolist(), []
        for row, one in enumerate(rows.hashes):
            place = self.places.get((way(name), one))
            if place is None or place[2] - place[1] != ends[row + 1] - ends[row]:
                left.append(row)
            else:
                found[ends[row] : ends[row + 1]] = self.vectors[place[0]][place[1] : place[2]]
        return np.array(left, np.int64)


def way(name: str) -> str:
    """How features are computed: rows that are learnt from in the fast precision, single texts of pairs by the body alone."""
    return "train" if name in LEARNT else "text" if ", text " in name else "reported"


def rows_read(examples: Examples) -> WhatWasRead:
    """What a model reads of some rows."""
    ends = examples.unit_ends
    every = np.arange(len(examples) + 1) if ends is None else ends
    return WhatWasRead(examples.fingerprints(), every)


def units_of(rows: WhatWasRead, some: Ints) -> Ints:
    """Where the features of some rows are, one row after the other."""
    return runs(rows.ends[some], rows.ends[some + 1] - rows.ends[some])
