"""The JSON records of a run's folder, read once for the report. What is missing is None, or empty."""

import heapq
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from luthier.errors import RunError
from luthier.files import open_file
from luthier.folder.run_records import EventRecord
from luthier.folder.scorecard import Scorecard, read_scorecard
from luthier.folder.scorecard_records import CandidateScores, Score, ScorecardRecord
from luthier.records import LARGEST, read_lines
from luthier.report.run_records import (
    FileRecord,
    FindingRecord,
    PredictionRecord,
    SplitRecord,
    TableRecord,
    read_findings,
    read_optional,
)
from luthier.scores.answers import exact_match

Row = Mapping[str, Any]
"""A line of the predictions: what it holds beside the answer is the task's."""

NEEDED = ("metric", "test", "candidates", "chosen")
"""Keys of the scorecard without which there is no report. Every other record may be missing."""

MEND = "`luthier tune DATA` makes it; a run that was interrupted is finished by the same command again."

AUGMENTED = "augmented.jpg"
"""The name of the picture of some training images as training saw them."""
HEAT = "mistakes.jpg"
"""The name of the picture of which regions of images mistakes rest on."""
MISTAKES = 20
"""The most wrong answers that are kept of `predictions/test.jsonl`."""


@dataclass(frozen=True)
class Mistake:
    """A test row answered wrongly, and how sure the model was."""

    row: Row
    confidence: float


@dataclass(frozen=True)
class Records:
    """All that the report and the model card are written from."""

    scorecard: ScorecardRecord
    tuning: Mapping[str, Any]
    """Settings that moved the weights, and how training went, by their names and in the order in which they were told."""
    table: TableRecord | None
    split: SplitRecord | None
    findings: tuple[FindingRecord, ...] | None
    plan: str | None
    steps: tuple[EventRecord, ...]
    """`stepped` events of the candidate that is shown, one per step, in their order."""
    validations: tuple[EventRecord, ...]
    mistakes: tuple[Mistake, ...]
    """The surest wrong answers, the surest first."""
    wrong: int | None
    """Number of wrong answers among the test rows; None without predictions."""
    augmented: bytes | None
    """The bytes of a JPEG of varied training images; None where images were not varied in training."""
    heat: bytes | None = None
    """The bytes of a JPEG of the images that were mistaken, and the regions that this rests on; None where rows are no images."""

    @property
    def dataset(self) -> str | None:
        """Names of the files the rows came from, each once: an archive may hold several parts."""
        return ", ".join(dict.fromkeys(file.name for file in self.files)) or None

    @property
    def files(self) -> list[FileRecord]:
        """The files the rows came from."""
        return (self.table.files if self.table else None) or []

    @property
    def model(self) -> str:
        """The pre-trained model; of a folder its own name."""
        name = self.scorecard.model or "Model"
        return PurePath(name).name if PurePath(name).is_absolute() else name

    @property
    def candidates(self) -> list[CandidateScores]:
        return self.scorecard.candidates or []

    @property
    def scores(self) -> dict[str, Score]:
        """Scores of the test rows by metric."""
        return self.scorecard.test

    @property
    def measured(self) -> bool:
        """Whether there were test rows."""
        return self.scorecard.measured

    @property
    def alone(self) -> bool:
        """Whether each test row stands by itself, so that the interval of a share of some of them has a closed form."""
        return self.scorecard.clusters is None

    @property
    def compared(self) -> bool:
        """Whether the verdict compares two models: one that was kept as it was has nothing to beat."""
        verdict = self.scorecard.verdict
        return verdict is None or verdict.against != self.scorecard.chosen


def read_records(run: Path) -> Records:
    """Read a run's folder. Raises RunError when there is no scorecard to speak of, or a record cannot be used."""
    whole = read_whole_scorecard(run)
    scorecard = whole.card
    steps, validations = read_curves(run, scorecard.chosen)
    mistakes, wrong = read_mistakes(run, scorecard.language or "en")
    plan = read_bytes(run / "plan.toml", run)
    return Records(
        scorecard=scorecard,
        tuning=whole.record.get("tuning") or {},
        table=read_optional(run / "table.json", TableRecord, run),
        split=read_optional(run / "split.json", SplitRecord, run),
        findings=read_findings(run / "findings.json", run),
        plan=None if plan is None else plan.decode("utf-8", "replace"),
        steps=steps,
        validations=validations,
        mistakes=mistakes,
        wrong=wrong,
        augmented=read_bytes(run / AUGMENTED, run),
        heat=read_bytes(run / HEAT, run),
    )


def read_bytes(path: Path, within: Path) -> bytes | None:
    """A file that a run may lack, and that is no record."""
    try:
        with open_file(path, within) as file:
            return file.read(LARGEST)
    except FileNotFoundError:
        return None


def read_whole_scorecard(run: Path) -> Scorecard:
    """The scorecard with all that a report stands on."""
    if not run.is_dir():
        raise RunError(
            f"{run}: there is no such folder. Give the folder of a run; `luthier tune DATA` makes one."
        )
    try:
        return read_scorecard(run, NEEDED, MEND)
    except FileNotFoundError:
        raise RunError(
            f"{run}: scorecard.json is missing, so there is nothing to report yet. {MEND}"
        ) from None


def read_curves(run: Path, chosen: str) -> tuple[tuple[EventRecord, ...], tuple[EventRecord, ...]]:
    """Steps and validations of the chosen candidate or, where that took no steps, of the last one that did.

    A resumed run tells some steps twice; the later telling counts.
    """
    steps: dict[str, dict[int, EventRecord]] = {}
    validations: dict[str, dict[int, EventRecord]] = {}
    for _, event in read_lines(run / "events.jsonl", EventRecord, within=run):
        kind = {"stepped": steps, "validated": validations}.get(event.event)
        if kind is not None:
            kind.setdefault(event.candidate or "", {})[event.at] = event
    if not steps:
        return (), ()
    shown = chosen if chosen in steps else list(steps)[-1]
    of_steps, of_validations = steps[shown], validations.get(shown, {})
    return (
        tuple(of_steps[step] for step in sorted(of_steps)),
        tuple(of_validations[step] for step in sorted(of_validations)),
    )


def read_mistakes(run: Path, language: str) -> tuple[tuple[Mistake, ...], int | None]:
    """The surest wrong answers, and how many wrong answers there are in all. language: the language of the
    texts, by which answers to questions are compared."""
    path = run / "predictions" / "test.jsonl"
    if not os.path.lexists(path):
        return (), None
    wrong, judged = 0, False
    surest: list[tuple[float, int, Row]] = []  # a heap; the count breaks ties, so rows are never compared
    for row, _ in read_lines(path, PredictionRecord, within=run):
        confidence = surety_of_error(row, language)
        judged = judged or can_be_judged(row)
        if confidence is None:
            continue
        wrong += 1
        keep = heapq.heappush if len(surest) < MISTAKES else heapq.heappushpop
        keep(surest, (confidence, -wrong, row))
    return tuple(
        Mistake(row, confidence) for confidence, _, row in sorted(surest, key=lambda one: one[:2])[::-1]
    ), wrong if judged else None


def can_be_judged(row: Row) -> bool:
    """Whether an answer is right or wrong, rather than near or far."""
    return isinstance(row.get("probabilities"), dict) or "probability" in row or holds_entities(row)


def holds_entities(row: Row) -> bool:
    return all(
        isinstance(row.get(key), list) and all(isinstance(one, dict) for one in row[key])
        for key in ("label", "prediction")
    )


def surety_of_entities(row: Row) -> float | None:
    """Probability of the surest entity that is not there, or 0.5 where only some were missed; None where all are right.

    >>> one = {"start": 0, "end": 4, "label": "who"}
    >>> surety_of_entities({"label": [], "prediction": [one | {"probability": 0.9}]})
    0.9
    >>> surety_of_entities({"label": [one], "prediction": []})
    0.5
    """

    def place(entity: Row) -> tuple[Any, ...]:
        return entity.get("start"), entity.get("end"), entity.get("label")

    there = {place(entity) for entity in row["label"]}
    said = {place(entity) for entity in row["prediction"]}
    if there == said:
        return None
    return max(
        (float(one.get("probability", 0.5)) for one in row["prediction"] if place(one) not in there),
        default=0.5,
    )


def surety_of_error(row: Row, language: str = "en") -> float | None:
    """How sure the model was of a wrong answer, in [0, 1]; None when the answer is right or cannot be judged.

    With several labels a row, that of its surest error: p for a label too many, 1 - p for one missed. An answer that was
    asked for is right as the scores have it: without articles, case and punctuation.

    >>> surety_of_error({"label": "a", "prediction": "b", "probabilities": {"a": 0.2, "b": 0.8}})
    0.8
    >>> surety_of_error({"label": ["The Hay Wain"], "prediction": "Hay Wain", "probability": 0.9})
    """
    given, said, probabilities = row.get("label"), row.get("prediction"), row.get("probabilities")
    if holds_entities(row):
        return surety_of_entities(row)
    if isinstance(given, list) and isinstance(said, str) and "probability" in row:
        return None if exact_match(said, given, language) else float(row["probability"])
    if given is None or said is None or not isinstance(probabilities, dict):
        return None
    if isinstance(given, list) and isinstance(said, list):
        sureties = [probabilities.get(label, 0.0) for label in said if label not in given]
        sureties += [1 - probabilities.get(label, 1.0) for label in given if label not in said]
        return max(sureties, default=None)
    return None if given == said else float(probabilities.get(said, 0.0))
