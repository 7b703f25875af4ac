"""What happens during a run, as plain records: told once, read by the bar, the log file, the report.

A new listener iterates over the same events; nobody registers anything.
"""

import dataclasses
import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Happening = TypeVar("Happening")
Result = TypeVar("Result")


class Work(Iterator[Happening], Generic[Happening, Result]):
    """A generator in a `for`, and what it returned: `result`, once the loop has come to its end.

    >>> def counted():
    ...     yield "one"
    ...     yield "two"
    ...     return 2
    >>> work = Work(counted())
    >>> list(work), work.result
    (['one', 'two'], 2)
    """

    def __init__(self, generator: Generator[Happening, None, Result]) -> None:
        self.generator = generator
        self.returned: tuple[Result, ...] = ()
        """What the generator returned; empty until it has."""

    def __next__(self) -> Happening:
        try:
            return next(self.generator)
        except StopIteration as end:
            if not self.returned:  # who asks again after the end is told None
                self.returned = (end.value,)
            raise

    @property
    def result(self) -> Result:
        """What the generator returned. Raises RuntimeError where it has not come to its end."""
        if not self.returned:
            raise RuntimeError("The work has not come to its end: it has no result yet.")
        return self.returned[0]


def result_of(generator: Generator[Any, None, Result]) -> Result:
    """Return what a generator returns; what it yields on the way is let go."""
    work = Work(generator)
    for _ in work:
        pass
    return work.result


@dataclass(frozen=True)
class Event:
    """Something that happened. Its JSON form is one line of `events.jsonl`."""

    def to_json(self) -> dict[str, Any]:
        return {"event": type(self).__name__.lower(), **dataclasses.asdict(self)}

    def line(self) -> str:
        return json.dumps(self.to_json(), ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Started(Event):
    """A step of the path began."""

    step_name: str
    seconds: float
    """Seconds since the command began, as in all events."""
    expects: int = 0
    """How many units of work the step will report through `Advanced` or `Stepped`; 0 when it does not say."""


@dataclass(frozen=True)
class Advanced(Event):
    """Progress within a long step without optimizer steps, such as reading. It is shown, not logged."""

    done: int
    seconds: float


@dataclass(frozen=True)
class Ended(Event):
    """A step of the path is done and its artefact is on disk."""

    step_name: str
    seconds: float
    took: float


@dataclass(frozen=True)
class Noted(Event):
    """Something the user should know: a guess, a count of rows left out, a fallback."""

    text: str
    seconds: float
    warning: bool = False


@dataclass(frozen=True)
class Doubted(Event):
    """Something that is used may not be what luthier wrote: told also to who wants no progress."""

    text: str
    seconds: float


@dataclass(frozen=True)
class Stepped(Event):
    """One optimizer step."""

    candidate: str
    step: int
    epoch: float
    loss: float
    """Weighted mean over the rows of the step."""
    lr: float
    norm: float
    """Norm of the gradient before clipping."""
    rows: int
    tokens: int
    """Real tokens, without padding."""
    seconds: float


@dataclass(frozen=True)
class Validated(Event):
    """The validation part was scored during training."""

    candidate: str
    step: int
    epoch: float
    metric: str
    score: float
    loss: float
    best: bool
    seconds: float


@dataclass(frozen=True)
class WentBack(Event):
    """A loss or gradient was not finite: training returned to an earlier step, and goes on with a smaller rate."""

    candidate: str
    step: int
    """The optimizer step that could not be taken."""
    back_to: int
    what: str
    """`loss` or `gradient`."""
    rows: list[int]
    """The training rows of that step."""
    rate: float
    """Multiplier of the learning rate from here on."""
    seconds: float


@dataclass(frozen=True)
class Stopped(Event):
    """Training ended, and why: `epochs`, `patience`, `ceiling`, `budget`, `enough` or `interrupted`."""

    candidate: str
    step: int
    why: str
    best_step: int
    seconds: float


@dataclass(frozen=True)
class CandidateReady(Event):
    """A candidate is ready: its score on the validation part."""

    name: str
    metric: str
    valid: float
    took: float
    seconds: float
    valid_from: str | None = None
    """What that score is of, as a scorecard tells it; None where rows are held out."""


@dataclass(frozen=True)
class Chose(Event):
    """The candidate that is kept, and why."""

    name: str
    words: str
    seconds: float


@dataclass(frozen=True)
class TrialBegan(Event):
    """A search runs a trial, or goes on with it."""

    number: int
    values: Mapping[str, Any]
    """The values it varies, by setting; empty for the recipe where its values are not among those searched."""
    seconds: float


@dataclass(frozen=True)
class TrialEnded(Event):
    """A trial is over: `complete`, `pruned` or `failed`."""

    number: int
    state: str
    score: float | None
    """Score on the validation rows; for a pruned trial, the last that was seen."""
    best: bool
    """Whether it is the best of the search so far."""
    words: str
    """Why it failed, or whose score it shares."""
    took: float
    seconds: float
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Named(Event):
    """The trial whose settings a search ends with, and why."""

    number: int
    words: str
    seconds: float


KINDS: dict[str, type[Event]] = {
    kind.__name__.lower(): kind
    for kind in (
        Started, Advanced, Ended, Noted, Doubted, Stepped, Validated, WentBack, Stopped, CandidateReady, Chose,
        TrialBegan, TrialEnded, Named,
    )
}  # fmt: skip


def read_event(record: Mapping[str, Any]) -> Event:
    """The event of a line that another process wrote."""
    told = {key: value for key, value in record.items() if key != "event"}
    return KINDS[record["event"]](**told)
