"""What a teacher's answers to the rows that are learnt from will take."""

import time

import numpy as np

from luthier.prepare.prepare import Prepared

TRIED = 64
"""Training rows that the teacher answers to see how fast it is."""


def teacher_seconds(ready: Prepared) -> float:
    """Seconds until the teacher has answered all rows; nothing where none teaches. ready: with all rows that are learnt from."""
    teacher, rows = ready.teacher, len(ready.examples["train"])
    if teacher is None:
        return 0.0
    few = teacher.examples(ready.rows.inputs(ready.rows.split.train[:TRIED]))
    model = teacher.model.model.to(ready.device.torch)
    teacher.task.infer(model, few.select(np.arange(min(8, len(few)))), ready.device)  # which compiles
    begin = time.perf_counter()
    teacher.task.infer(model, few, ready.device)
    return (time.perf_counter() - begin) * rows / len(few)
