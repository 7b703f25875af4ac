"""`tune` as Python calls it: keywords are the plan's fields, progress is shown, the folder is returned."""

from typing import Any

from luthier.folder.model_folder import ModelFolder
from luthier.interrupts import StopWish
from luthier.plan.plan import Plan
from luthier.progress import Progress
from luthier.steps import tune as steps


def tune(data: str, *, quiet: bool = False, **settings: Any) -> ModelFolder:
    """Adapt a pre-trained model to the examples in a file.

    Keywords are the plan's fields, by their name or as `section__field`: `model="all-MiniLM-L6-v2"`, `lr=1e-4`,
    `train__epochs=3`. Raises InputError for a wrong request or wrong data, before anything is written.
    """
    named = {key.replace("__", "."): value for key, value in settings.items()}
    return run_plan(Plan.build({"data.path": str(data), **named}), quiet)


def run_plan(plan: Plan, quiet: bool = False) -> ModelFolder:
    """Run a plan to its end, showing progress; Ctrl-C is granted at the next safe point."""
    with StopWish().listening() as wish, Progress(quiet).showing() as progress:
        events = steps.tune(plan, lambda: wish.asked)
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                folder: ModelFolder = end.value
                return folder
            progress.show(event)
