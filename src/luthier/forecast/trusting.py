"""What it takes to see which rows are unlike those that a model was tuned on."""

from collections.abc import Callable

from luthier.batches.examples import Examples
from luthier.prepare.prepare import Prepared
from luthier.prepare.trust_rows import reference_rows, usual_rows


def trusting_seconds(ready: Prepared, reading: Callable[[Examples], float]) -> float:
    """Seconds of the passes over training and held-out rows, whose features are others once layers have moved. Those of the test
    rows come with their answers.

    reading: seconds of one pass over some rows.
    """
    usual = usual_rows(ready)
    if ready.rows.task.trusting is None or not usual:
        return 0.0
    examples = ready.examples
    return sum(
        reading(examples[part].select(rows)) for part, rows in [("train", reference_rows(ready)), *usual]
    )
