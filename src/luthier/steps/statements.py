"""What the user should know before anything is computed."""

from luthier.candidates.adapting.lesson import adapts, lessons_of
from luthier.candidates.pool import words_on_pool
from luthier.candidates.zero_shot import cut_words
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
    if adapts(ready):
        lessons = lessons_of(ready)
        found.append(lessons if isinstance(lessons, str) else lessons.words())
        found += words_on_pool(ready)
    expected = ready.rows.task.expectation(len(ready.rows.split.train))
    if expected is not None and not ready.model.knows:
        found.append(expected)
    return found
