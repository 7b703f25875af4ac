"""One trial of a search: a run that learns and is scored on the validation rows; its test rows stay sealed."""

import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from luthier.candidates.records import OutcomeRecord
from luthier.candidates.run import Mode, Run, Watch
from luthier.errors import RunError
from luthier.events import Advanced, Chose, Event, Started
from luthier.folder.run_folder import RunFolder
from luthier.machine import peak_bytes
from luthier.plan.plan import Plan
from luthier.prepare.memo import Memo
from luthier.prepare.prepare import Prepared, prepare
from luthier.steps.choosing import chosen_of
from luthier.steps.finish import VERSIONS, write_records
from luthier.steps.tune import features_and_probe, training
from luthier.tasks.answers import Answers
from luthier.tasks.calibration import Calibration
from luthier.tasks.outputs import to_arrays

OUTCOME = "outcome"
"""The artefact that a finished trial leaves in its folder."""


@dataclass(frozen=True)
class Outcome:
    """What a trial came to."""

    score: float
    """Score on the validation rows."""
    candidate: str
    """The name of the candidate whose score this is, such as `probe` or `tuned`."""
    work: float
    """What learning took, in floating-point operations (`LadderUnfreezing.operations`); nothing for a probe."""
    seconds: float
    peak_bytes: int
    calibration: dict[str, Any]
    curve: tuple[tuple[float, float], ...]
    """(epoch, score) at each validation."""
    cut: bool = False
    """Whether its training was ended before it was as long as its plan says: time was over, or the score fell."""


def trial(
    plan: Plan,
    memo: Memo,
    stop: Callable[[], bool] = lambda: False,
    enough: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Outcome]:
    """Learn what a plan says in its folder (`run.out`), and score that on the validation rows.

    A trial that was killed goes on where it was, to the same bytes; a finished one is only read. Raises as `tune` does.
    enough: whether training is to end where it is, and what was best so far to be scored.
    """
    begin = time.monotonic()

    def clock() -> float:
        return time.monotonic() - begin

    yield Started("prepare", clock())
    ready = prepare(plan, memo)
    folder = ready.place.folder()
    found = outcome_of(folder)
    if found is not None:
        return found
    mode = Mode(stop, enough, writes_model=False, wide=memo.wide)
    run = Run(ready, folder, memo.artefacts(ready.features_key, folder), Watch(clock), mode)
    with folder.alone():
        return (yield from ended(run))


def ended(run: Run) -> Generator[Event, None, Outcome]:
    """What a trial comes to, in a folder that nobody else is at."""
    folder, ready, clock = run.folder, run.ready, run.clock
    folder.begin({name: version(name) for name in VERSIONS})
    write_records(folder.path, ready)
    for event in learning(run):
        if not isinstance(event, Advanced):
            folder.log(event)
        yield event
    if run.stop():
        raise run.interrupted()
    chosen, why = chosen_of(run)
    yield Chose(chosen.name, why, clock())
    curve = [(one["epoch"], one["score"]) for one in folder.events() if one["event"] == "validated"]
    trained = run.tuning.get("tuned", {})
    tuned = trained if chosen.name == "tuned" else {}
    outcome = Outcome(
        score=chosen.scores["valid"].value,
        candidate=chosen.name,
        work=run.watch.tokens * tuned["operations"] if tuned else 0.0,
        seconds=clock() + run.watch.earlier.get("train", 0.0),
        peak_bytes=peak_bytes(),
        calibration=chosen.calibration.to_json(),
        curve=tuple(curve),
        cut=trained.get("why") in ("budget", "enough"),
    )
    arrays, outputs = to_arrays({"valid": chosen.outputs["valid"]})
    folder.save(OUTCOME, arrays, OutcomeRecord.of(asdict(outcome) | {"outputs": outputs}))
    return outcome


def learning(run: Run) -> Generator[Event, None, None]:
    """A run's steps as far as the validation rows tell."""
    yield from features_and_probe(run)
    yield from training(run)


def outcome_of(folder: RunFolder) -> Outcome | None:
    """What a finished trial came to; None as long as it is not finished."""
    saved = folder.saved(OUTCOME, OutcomeRecord)
    if saved is None:
        return None
    record = saved[1]
    curve = tuple((epoch, score) for epoch, score in record.curve)
    told = record.told() | {"calibration": record.calibration.told(), "curve": curve}
    del told["outputs"]
    return Outcome(**told)


def answers_of(folder: RunFolder, ready: Prepared) -> Answers:
    """What a finished trial answers to the validation rows. ready: of any trial over the same tokens."""
    saved = folder.saved(OUTCOME, OutcomeRecord)
    if saved is None:
        raise RunError(f"{folder.path}: this trial has no outcome yet.")
    arrays, record = saved
    task, valid = ready.rows.task, ready.examples["valid"]
    outputs = task.saved_outputs("valid", arrays, record.outputs, valid)
    answers: Answers = task.answer(outputs, Calibration.from_json(record.calibration.told()), valid)
    return answers
