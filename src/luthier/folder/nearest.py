"""Training rows that a finished model keeps to compare with: by their features, where they stand, and their labels. Not what they
say: a model's folder is handed on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from luthier.arrays import Array, Floats
from luthier.errors import RunError
from luthier.files import refuse_link_away
from luthier.folder.beside import text_beside, write_beside
from luthier.folder.model_record import MEND
from luthier.records import Record, complaint
from luthier.scores.unlike import unit_length

ARRAYS = "nearest.safetensors"
"""The file of a model's folder that holds them."""
FEATURES = "features"
NEAREST = "nearest"
"""What is asked for, and the key of a line that tells of them."""
SHOWN = 3
"""Training rows that are shown for a row."""
DECIMALS = 4


class KnownRow(Record):
    """A training row: where it stands, and its label as `predict` writes labels."""

    row: int
    file: str
    line: int
    label: Any = None


class KnownRows(Record):
    """The text beside the features."""

    rows: list[KnownRow]


@dataclass(frozen=True)
class Near:
    """A training row beside a row that is like it."""

    place: int
    """Its place among those that are kept."""
    likeness: float
    """The cosine of their features, 1 at the most."""


@dataclass(frozen=True)
class TrainingRows:
    """Some training rows, as a model sees them."""

    features: Floats
    """(rows, width) of length 1."""
    known: Sequence[KnownRow]

    @staticmethod
    def of(features: Floats, known: Sequence[KnownRow]) -> "TrainingRows":
        """In half precision, as they are saved, so that the nearest are the same before and after."""
        return TrainingRows(unit_length(features).astype(np.float16), known)

    def nearest(self, features: Floats) -> list[list[Near]]:
        """(rows,) the training rows nearest to each row, the nearest first. features: (rows, width)."""
        likeness = unit_length(features) @ self.features.astype(np.float64).T
        order = np.argsort(-likeness, axis=1, kind="stable")[:, :SHOWN]
        return [
            [Near(int(place), round(float(own[place]), DECIMALS)) for place in places]
            for own, places in zip(likeness, order, strict=True)
        ]

    def told(self, near: Near) -> dict[str, Any]:
        """A training row as a line of `predict` tells of it."""
        return {**self.known[near.place].told(), "likeness": near.likeness}


def write_nearest(folder: Path, rows: TrainingRows) -> None:
    """Add training rows to a finished model's folder."""
    arrays: dict[str, Array] = {FEATURES: rows.features}
    text = json.dumps({"rows": [row.told() for row in rows.known]}, ensure_ascii=False)
    write_beside(folder, ARRAYS, arrays, {}, text)


def read_nearest(folder: Path) -> TrainingRows:
    """The training rows that a model's folder keeps. Raises RunError where there are none, or they are damaged."""
    path = folder / ARRAYS
    try:
        refuse_link_away(path, folder)
        features = load_file(path)[FEATURES]
        found = KnownRows.model_validate_json(text_beside(path)).rows
    except FileNotFoundError:
        raise RunError(
            f"{path}: is not there: the model learnt from no rows, or they have no features of their own, or an older luthier "
            "wrote it. Tune again with labelled rows, or leave `nearest` out of --explain."
        ) from None
    except ValidationError as error:
        raise RunError(f"{path}: is damaged ({complaint(error.errors()[0])}). {MEND}") from None
    except (KeyError, OSError, SafetensorError) as error:
        raise RunError(f"{path}: is damaged ({error}). {MEND}") from None
    if features.ndim != 2 or len(features) != len(found) or not len(found):
        raise RunError(f"{path}: is damaged: features and rows do not go together. {MEND}")
    return TrainingRows(features, found)
