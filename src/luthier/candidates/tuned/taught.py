"""What a teacher answers to the rows that are learnt from, computed once and kept; and the rows with that to learn."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.candidates.records import TeacherRecord
from luthier.candidates.run import Run
from luthier.events import Advanced, Event, Started
from luthier.hashes import hash_json
from luthier.prepare.prepare import Prepared, variety_of
from luthier.prepare.teacher import Teacher
from luthier.tasks.outputs import to_arrays

NAME = "teacher"
"""The beginning of the artefacts' names, and the key of what is told of it."""
SHARE = 0.5
"""How much of what is learnt of a row with a label is the teacher's answer: docs/distillation.md has the measurement."""
AT_ONCE = 2_000
"""Rows that are answered before a wish to stop is granted."""


def learn_from_teacher(run: Run) -> Generator[Event, None, Prepared]:
    """The run as it was prepared, its training rows with what the teacher makes of them, and those without labels behind them."""
    ready, teacher = run.ready, run.ready.teacher
    if teacher is None:
        return ready
    more = () if ready.unlabelled is None else ready.unlabelled.inputs
    inputs = [*ready.rows.inputs(ready.rows.split.train), *more]
    answers = yield from answers_of(run, teacher, inputs)
    return taught(ready, teacher, inputs, answers)


def taught(ready: Prepared, teacher: Teacher, inputs: Sequence[Any], answers: Any) -> Prepared:
    """The rows with labels learn half of the label and half of the teacher's answer, the others the answer alone.

    inputs: the training rows, and behind them those without labels.  answers: of the teacher, to all of them.
    """
    how, own = ready.rows.task.teaching, ready.examples["train"]
    assert how is not None, "prepare refuses a teacher for who learns from none"
    ours = how.as_ours(answers, teacher.task)
    numbers = np.arange(len(inputs))
    with_labels, without = numbers[: len(own)], numbers[len(own) :]
    targets = np.concatenate(
        [how.mixed(own.targets, ours.select(with_labels), SHARE), how.targets(ours.select(without))]
    )
    return replace(ready, examples={**ready.examples, "train": lesson_rows(ready, inputs, targets)})


def as_many(ready: Prepared) -> Prepared:
    """As `taught`, for who counts rows and steps before the teacher has answered anything: the targets mean nothing."""
    if ready.teacher is None or ready.unlabelled is None:
        return ready
    inputs = [*ready.rows.inputs(ready.rows.split.train), *ready.unlabelled.inputs]
    known = ready.examples["train"].targets
    targets = np.concatenate([known, np.zeros((len(inputs) - len(known), *known.shape[1:]), known.dtype)])
    return replace(ready, examples={**ready.examples, "train": lesson_rows(ready, inputs, targets)})


def lesson_rows(ready: Prepared, inputs: Sequence[Any], targets: Array) -> Examples:
    """Training rows and rows without labels, as the student reads them in training."""
    form = ready.rows.form
    examples, _ = form.read(ready.base.reader, inputs, targets, ready.long.way)
    return form.varied(form.thinned(examples), variety_of(ready.plan, ready.rows.task))


def answers_of(run: Run, teacher: Teacher, inputs: Sequence[Any]) -> Generator[Event, None, Any]:
    """The teacher's calibrated answers to some rows; those that an earlier command left are not computed anew."""
    more = run.ready.unlabelled
    name = f"{NAME}-{hash_json([teacher.fingerprint, None if more is None else more.fingerprint])[:8]}"
    examples, saved = teacher.examples(list(inputs)), run.shared.saved(name, TeacherRecord)
    if saved is not None:
        arrays, seconds = saved[0], saved[1].seconds
    else:
        begin = run.clock()
        yield Started(NAME, begin, len(inputs))
        arrays = yield from outputs_of(run, teacher, examples)
        seconds = run.clock() - begin
        run.shared.save(name, arrays, TeacherRecord(seconds=seconds))
    run.tuning[NAME] = {"rows": len(inputs), "seconds": seconds}
    outputs = teacher.task.saved_outputs(NAME, arrays, {}, examples)
    return teacher.task.answer(outputs, teacher.model.model_record.calibration, examples)


def outputs_of(run: Run, teacher: Teacher, examples: Examples) -> Generator[Event, None, dict[str, Array]]:
    """What the teacher's model gives for some rows, as it is saved."""
    model, parts = teacher.model.model.to(run.ready.device.torch), []
    for begin in range(0, len(examples), AT_ONCE):
        rows = np.arange(begin, min(begin + AT_ONCE, len(examples)))
        found = teacher.task.infer(model, examples.select(rows), run.ready.device)
        parts.append(to_arrays({NAME: found})[0])
        yield Advanced(int(rows[-1]) + 1, run.clock())
        if run.stop():
            raise run.interrupted()
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
