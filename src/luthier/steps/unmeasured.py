"""The end of a run without test rows: nothing is measured, and all that it leaves says so."""

from collections.abc import Iterator
from typing import Any

from luthier.candidates.keeping.forgetting import forgetting
from luthier.candidates.run import Run
from luthier.devices import with_threads
from luthier.events import Event, Noted, Started
from luthier.files import whole_folder
from luthier.steps.finish import forget_training, make_scorecard, prediction_lines, write_finished
from luthier.steps.mistaken import write_training_rows
from luthier.steps.seen import training_rows_seen

WORDS = "Nothing was measured, as there are no test rows: --test FILE names some."


def write_unmeasured(run: Run) -> Iterator[Event]:
    """Write what a finished run leaves, without a score."""
    yield Started("score", run.clock())
    yield Noted(WORDS, run.clock(), warning=True)
    assert run.kept is not None, "a candidate was chosen before"
    learnt = bool(len(run.targets("train")))
    with with_threads(run.mode.wide):
        if learnt:
            write_training_rows(run, training_rows_seen(run, run.kept), run.folder.path / "model")
        forgot = forgetting(run, run.kept)
    with whole_folder(run.folder.path / "predictions") as folder:
        if len(run.targets("valid")):
            lines = prediction_lines(run, run.kept, "valid")
            (folder / "valid.jsonl").write_text(lines, encoding="utf-8")
    card: dict[str, Any] = make_scorecard(run, run.kept, forgot)
    write_finished(run, card)
    forget_training(run)
