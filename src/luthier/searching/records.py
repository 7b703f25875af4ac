"""The notes in a search's `state/`, checked when they are read back."""

from typing import Annotated, Any

from annotated_types import Ge

from luthier.records import Count, Finite, Name, Record, VersionedRecord


class SearchKey(VersionedRecord):
    """key.json: what a folder is the search of."""

    key: Name
    id: Name
    storage: str | None
    where: list[str]


class Settled(VersionedRecord):
    """settled.json: what all trials have in common."""

    run: dict[str, str | int | None]
    vary: list[str]
    recipe: dict[str, Any]
    gpus: Count = 0
    higher: bool = True
    """Whether a higher score is better."""


class RowsNote(VersionedRecord):
    """rows.json: hash of rows, split and model."""

    key: Name


class ModelNote(VersionedRecord):
    """model-HASH.json: a model that is varied, as it was."""

    name: Name
    fingerprint: Name


class ChoiceNote(Record):
    """The choice of the named trial, as named.json holds it."""

    number: Count
    score: float
    words: str


class NamedNote(VersionedRecord):
    """named.json: with which trial the search ends."""

    choice: ChoiceNote
    more: dict[str, Any]


class FailedNote(VersionedRecord):
    """failed-N.json: why a trial comes to nothing on another seed."""

    seed: int
    words: str


class SpentNote(VersionedRecord):
    """spent.json: seconds of all commands."""

    seconds: Annotated[Finite, Ge(0)]


class CrashesNote(VersionedRecord):
    """crashes-N.json: processes that died over a trial."""

    count: Count


class SignNote(VersionedRecord):
    """over.json, stop-TIME.json: says something by being there."""
