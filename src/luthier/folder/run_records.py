"""The records of a run's folder that say what it is and what has happened, checked when they are read."""

from typing import Any

from pydantic import Field, model_validator

from luthier.records import Name, VersionedRecord

OF_STEPS = ("stepped", "validated", "wentback")
"""Events that tell of a step by its number."""


class KeyRecord(VersionedRecord):
    """state/key.json: which plan, data and model a folder belongs to."""

    key: Name
    where: list[str] = Field(default_factory=list)
    """Folders from which names in plan.toml are found, in runs from before these were recorded absolute."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of the libraries that compute."""
    unsealed: bool = False
    """Whether the run began before its artefacts were sealed."""


class EventRecord(VersionedRecord):
    """A line of events.jsonl."""

    event: Name
    candidate: str | None = None
    step: int | None = None
    epoch: float | None = None
    loss: float | None = None
    lr: float | None = None
    norm: float | None = None
    score: float | None = None
    valid: float | None = None
    rate: float | None = None
    seconds: float | None = None
    took: float | None = None
    metric: str | None = None
    text: str | None = None
    rows: int | list[int] | None = None
    best: bool | None = None

    @property
    def at(self) -> int:
        """The step that it tells of."""
        assert self.step is not None, f"{self.event} is an event of a step"
        return self.step

    @model_validator(mode="before")
    @classmethod
    def has_its_step(cls, value: Any) -> Any:
        """Raises ValueError for an event of a step that does not say which."""
        if (
            isinstance(value, dict)
            and value.get("event") in OF_STEPS
            and not isinstance(value.get("step"), int)
        ):
            raise ValueError("'step' is missing, or no whole number")
        return value
