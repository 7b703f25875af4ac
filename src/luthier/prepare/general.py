"""General rows, which have nothing to do with the task: what a model should still be able to read once it is tuned."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from luthier.arrays import Ints
from luthier.data.column_names import normal
from luthier.data.read import read
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.errors import DataError, listing

OWN = Path(__file__).parent / "general.csv"
"""200 sentences in eight topics, written for luthier: cooking, weather, sport, music, medicine, travel, computing, gardening."""
LABELS = ("label", "labels", "topic", "class", "category")
"""Names of the column that says what a general text is about."""
MOST = 5_000
"""The most rows that are read of a file: measuring takes far fewer."""


@dataclass(frozen=True)
class General:
    """General texts."""

    words: str
    """What they are, as a sentence calls them."""
    texts: tuple[str, ...]
    labels: tuple[int, ...] | None
    """The number of each text's label; None where nobody says what the texts are about."""
    fingerprint: str
    """Hash of the file's rows."""

    @property
    def targets(self) -> Ints:
        """(rows,) the labels' numbers; noughts where there are none."""
        return np.array(self.labels if self.labels is not None else [0] * len(self.texts), np.int64)

    @property
    def topics(self) -> int:
        """Number of different labels."""
        return 0 if self.labels is None else len(set(self.labels))


def read_general(file: str | None) -> General:
    """The general texts of a file, or luthier's own where none is named. Raises DataError for a file that has none."""
    return own() if file is None else general_of(Path(file), None)


@cache
def own() -> General:
    """The sentences that come with luthier."""
    return general_of(OWN, "200 general sentences of luthier's own")


def general_of(path: Path, words: str | None) -> General:
    """The general texts of a file. words: what they are called; None: by their number and the file's name."""
    table = read(path, Writing())
    names = {normal(name): name for name in reversed(table.names)}
    label = next((names[name] for name in LABELS if name in names), None)
    text = text_column(table, names.get("text"), label)
    rows = [row for row, value in enumerate(table.texts(text)) if value.strip()][:MOST]
    if not rows:
        raise DataError(f"{table.files[0]}: column {text!r} holds no text. Name another file with --general.")
    known = None if label is None else table.texts(label, rows)
    numbers = {name: at for at, name in enumerate(sorted(set(known or [])))}
    return General(
        words=words or f"{len(rows):,} texts of {path.name}",
        texts=tuple(table.texts(text, rows)),
        labels=None if known is None or len(numbers) < 2 else tuple(numbers[name] for name in known),
        fingerprint=table.fingerprint,
    )


def text_column(table: Table, named: str | None, label: str | None) -> str:
    """The column of the texts, by its name or by what it holds. Raises DataError where there is none."""
    if named is not None:
        return named
    columns = [
        one for one in table.facts() if one.name != label and pa.types.is_string(one.kind) and one.wordy > 0.5
    ]
    if not columns:
        raise DataError(
            f"{table.files[0]}: has no column of texts; its columns: {listing(table.names)}. --general takes a file with one, "
            "called text."
        )
    return max(columns, key=lambda one: one.characters * one.filled).name
