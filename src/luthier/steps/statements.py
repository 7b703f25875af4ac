"""What the user should know before anything is computed."""

from luthier.candidates.adapting.lesson import lessons_of
from luthier.candidates.zero_shot import cut_words
from luthier.prepare.prepare import Prepared


def statements(ready: Prepared) -> list[str]:
    """Sentences on model, rows and split."""
    found = [*ready.base.folder.told, *ready.rows.table.guesses, *ready.rows.told, *ready.long.told]
    found += [finding.message for finding in ready.checked.findings if finding.severity != "note"]
    found += [*ready.rows.split.warnings, *cut_words(ready)]
    if ready.plan.train.cloze and ready.made is None:
        found.append("No sentence of the training texts is long enough to make questions of.")
    if ready.unlabelled is not None and ready.rows.task.probe is not None and len(ready.rows.split.train):
        lessons = lessons_of(ready)
        found.append(lessons if isinstance(lessons, str) else lessons.words())
    expected = ready.rows.task.expectation(len(ready.rows.split.train))
    if expected is not None and not ready.model.knows:
        found.append(expected)
    return found
