"""A student beside its teacher: how good, how large and how fast both are, measured in the same way on the same rows."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.batches.examples import Examples
from luthier.candidates import CANDIDATES
from luthier.candidates.run import Run
from luthier.candidates.tuned.taught import SHARE
from luthier.comparing.fitted import Fitted
from luthier.comparing.outcome import interval, written
from luthier.folder import nearest, trust
from luthier.models.headed import HeadedModel
from luthier.models.hub.inspect import sums_of
from luthier.prepare.teacher import Teacher
from luthier.scores.intervals import Difference, Estimate
from luthier.scores.metrics import metric_named
from luthier.tasks.task import Task

ROWS = 1_024
"""Test rows that both answer to see how fast they are, at the most."""
TIMES = 3
"""How often they do: the middle time counts."""
BESIDE = (nearest.ARRAYS, trust.ARRAYS)
"""What luthier keeps beside a model, and no answer takes."""


@dataclass(frozen=True)
class Side:
    """A teacher or its student."""

    score: Estimate
    bytes: int
    rows_per_second: float

    def to_json(self) -> dict[str, Any]:
        score, rate = self.score, float(f"{self.rows_per_second:.3g}")
        measured = {"bytes": self.bytes, "rows_per_second": rate}
        return {"score": score.value, "low": score.low, "high": score.high, **measured}


def distillation_record(run: Run, kept: Fitted) -> dict[str, Any] | None:
    """The key `distillation` of the scorecard; None where no teacher was learnt from. Asks the teacher the test rows."""
    ready, task, teacher = run.ready, run.task, run.ready.teacher
    if teacher is None:
        return None
    assert task.teaching is not None, "prepare refuses a teacher for who learns from none"
    targets, groups, seed = run.targets("test"), run.clusters("test"), run.plan.run.seed
    inputs = ready.rows.inputs(ready.rows.split.test)
    asked = teacher.examples(inputs)
    outputs = teacher.task.infer(teacher.model.model.to(ready.device.torch), asked, ready.device)
    answers = teacher.task.answer(outputs, teacher.model.model_record.calibration, asked)
    theirs = task.teaching.as_ours(answers, teacher.task)
    gap = task.difference(kept.answers["test"], theirs, targets, seed, groups=groups)
    of_teacher, of_student = paces(run, teacher, kept, inputs[:ROWS])
    master = Side(
        task.scores(theirs, targets, seed, groups)[task.metric], size_of(teacher.model.model_path), of_teacher
    )
    student = Side(kept.scores["test"], size_of(run.folder.path / "model"), of_student)
    more = 0 if ready.unlabelled is None else len(ready.unlabelled.examples)
    return {
        "run": teacher.name,
        "teacher": master.to_json(),
        "student": student.to_json(),
        **gap.to_json(),
        "share": share_of(task.metric, student.score.value, master.score.value),
        "faster": of_student / of_teacher,
        "smaller": master.bytes / student.bytes,
        "rows": {"labelled": len(ready.rows.split.train), "unlabelled": more},
        "teacher_share": SHARE if CANDIDATES[kept.name].trains else 0.0,
        "seen": teacher.seen.rows if teacher.seen else None,
        "seen_words": teacher.seen.words if teacher.seen else None,
        "words": f"{untaught(kept)}{words(task.metric, student, master, gap)}",
    }


def untaught(kept: Fitted) -> str:
    """A sentence where what was kept has not learnt from the teacher, to go before others; empty where it has."""
    if CANDIDATES[kept.name].trains:
        return ""
    return f"Kept was the {kept.name}, which has learnt nothing from the teacher. "


def words(metric: str, student: Side, teacher: Side, gap: Difference) -> str:
    """A student and its teacher in a sentence."""
    share = share_of(metric, student.score.value, teacher.score.value)
    times, size = student.rows_per_second / teacher.rows_per_second, teacher.bytes / student.bytes
    head = (
        "The student has"
        if share is None
        else f"The student has {100 * share:.1f} % of its teacher's {metric}:"
    )
    speed = f"at {times:.1f} times its speed" if times >= 1 else f"at {times:.2f} times its speed"
    larger = f"in {size:.1f} times fewer bytes" if size >= 1 else f"in {1 / size:.1f} times as many bytes"
    ours, theirs = (written(metric, one.score.value) for one in (student, teacher))
    return (
        f"{head} {ours} against {theirs} ({interval(metric, gap)}), "
        f"{speed} ({student.rows_per_second:,.0f} against {teacher.rows_per_second:,.0f} rows a second), {larger}."
    )


def share_of(metric: str, student: float, teacher: float) -> float | None:
    """The student's score as a share of its teacher's; None where a share would mean nothing."""
    known = metric_named(metric)
    return student / teacher if known.percent and known.higher and teacher > 0 else None


def size_of(folder: Path) -> int:
    """Bytes of the files of a model's folder that its answers take."""
    return sum((folder / name).stat().st_size for name in sums_of(folder) if name not in BESIDE)


# How fast


def paces(run: Run, teacher: Teacher, kept: Fitted, inputs: list[Any]) -> tuple[float, float]:
    """Rows a second of the teacher and of the student, from rows as they stand, answered in batches; in turn, so that whatever
    else the machine does slows both."""
    ready = run.ready
    model = run.model_of(kept)

    def student(some: list[Any]) -> Examples:
        targets = ready.rows.targets(ready.rows.split.test[: len(some)])
        return ready.rows.form.read(ready.base.reader, some, targets, ready.long.way)[0]

    both = Asked(teacher.examples, teacher.task, teacher.model.model), Asked(student, run.task, model)
    seconds: tuple[list[float], list[float]] = ([], [])
    for one in both:
        one.answer(run, inputs[:8])  # which compiles
    for _ in range(TIMES):
        for one, took in zip(both, seconds, strict=True):
            begin = run.clock()
            one.answer(run, inputs)
            took.append(run.clock() - begin)
    of_teacher, of_student = (len(inputs) / max(statistics.median(took), 1e-6) for took in seconds)
    return of_teacher, of_student


@dataclass(frozen=True)
class Asked:
    """A model, with how it reads rows."""

    read: Callable[[list[Any]], Examples]
    task: Task
    model: HeadedModel

    def answer(self, run: Run, inputs: list[Any]) -> None:
        self.task.infer(self.model, self.read(inputs), run.ready.device)
