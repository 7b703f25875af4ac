"""What the user should know before anything is computed."""

from pathlib import Path

from luthier.candidates.adapting.lesson import adapts, lessons_of
from luthier.candidates.pool import words_on_pool
from luthier.candidates.zero_shot import cut_words
from luthier.folder.artefacts import run_inside
from luthier.plan.plan import read_plan
from luthier.prepare.prepare import Prepared


def statements(ready: Prepared) -> list[str]:
    """Sentences on model, rows and split."""
    found = [*ready.base.folder.told, *ready.rows.table.guesses, *ready.rows.told, *ready.long.told]
    found += [finding.message for finding in ready.checked.findings if finding.severity != "note"]
    found += [*ready.rows.split.warnings, *cut_words(ready)]
    if ready.teacher is not None and ready.teacher.seen is not None and ready.teacher.seen.rows != 0:
        found.append(ready.teacher.seen.words)
    if ready.plan.train.cloze and ready.made is None:
        found.append("No sentence of the training texts is long enough to make questions of.")
    found += left_teacher(ready)
    if adapts(ready):
        lessons = lessons_of(ready)
        found.append(lessons if isinstance(lessons, str) else lessons.words())
        found += words_on_pool(ready)
    expected = ready.rows.task.expectation(len(ready.rows.split.train))
    if expected is not None and not ready.model.knows:
        found.append(expected)
    return found


def left_teacher(ready: Prepared) -> list[str]:
    """A sentence where the run that is gone on from had a teacher and this one has none; none elsewhere."""
    run = ready.plan.data.continues
    if run is None or ready.teacher is not None:
        return []
    teacher = read_plan(run_inside(Path(run)) / "plan.toml").get("train.teacher")
    if teacher is None:
        return []
    return [
        f"{run} learnt from the teacher {teacher}, and this round does not: --teacher {teacher} goes on with it."
    ]
