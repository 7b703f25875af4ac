"""The notes in a search's `state/`, checked when they are read back."""

from typing import Annotated, Any

from annotated_types import Ge

from luthier.records import Count, Finite, Name, Record


class SearchKey(Record):
    """key.json: what a folder is the search of."""

    key: Name
    id: Name
    storage: str | None
    where: list[str]


class Settled(Record):
    """settled.json: what all trials have in common."""

    run: dict[str, str | int | None]
    vary: list[str]
    recipe: dict[str, Any]
    gpus: Count = 0


class RowsNote(Record):
    """rows.json: hash of rows, split and model."""

    key: Name


class ModelNote(Record):
    """model-HASH.json: a model that is varied, as it was."""

    name: Name
    fingerprint: Name


class ChoiceNote(Record):
    """The choice of the named trial, as named.json holds it."""

    number: Count
    score: float
    words: str


class NamedNote(Record):
    """named.json: with which trial the search ends."""

    choice: ChoiceNote
    more: dict[str, Any]


class FailedNote(Record):
    """failed-N.json: why a trial comes to nothing on another seed."""

    seed: int
    words: str


class SpentNote(Record):
    """spent.json: seconds of all commands."""

    seconds: Annotated[Finite, Ge(0)]


class CrashesNote(Record):
    """crashes-N.json: processes that died over a trial."""

    count: Count


NOTES: dict[str, type[Record]] = {
    "key": SearchKey,
    "settled": Settled,
    "rows": RowsNote,
    "model": ModelNote,
    "named": NamedNote,
    "failed": FailedNote,
    "spent": SpentNote,
    "crashes": CrashesNote,
}
"""The record of each kind of note, by the first word of its name. Notes of other kinds have no content that is read."""
