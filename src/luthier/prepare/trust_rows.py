"""The rows by whose features a finished model tells what is unlike its training rows."""

import numpy as np

from luthier import seeds
from luthier.arrays import Ints
from luthier.prepare.prepare import Prepared
from luthier.scores.unlike import MOST

USUAL = 1_000
"""The most held-out rows that tell how unlike rows of the usual kind are: those that calibrate, then those of validation."""


def reference_rows(ready: Prepared) -> Ints:
    """The training rows that others are compared with."""
    return sample(len(ready.examples["train"]), MOST)


def usual_rows(ready: Prepared) -> list[tuple[str, Ints]]:
    """The held-out rows of the usual kind, by part: all those that calibrate, and those of validation as far as there is room.
    None where no part calibrates."""
    part = ready.rows.split.calibrates
    own = len(ready.examples[part]) if part else 0
    if not own:
        return []
    found = [(part, np.arange(own))]
    more = sample(len(ready.examples["valid"]), max(0, USUAL - own))
    return [*found, ("valid", more)] if part != "valid" and len(more) else found


def sample(rows: int, most: int) -> Ints:
    """Some of so many rows, at most `most`, drawn at random and in their order."""
    chosen: Ints = seeds.generator(0, "trust").permutation(rows)[:most]
    chosen.sort()
    return chosen
