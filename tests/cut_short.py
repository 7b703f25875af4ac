"""Runs that are left before the model is tested, where a test asks for no more than what was learnt: half of their time."""

from collections.abc import Iterator

from luthier.events import Event, Started
from luthier.plan.plan import Plan
from luthier.steps.tune import tune

LEARNT = "score"
"""The step that begins once the model is written, which is then tested and reported on."""
DIVIDED = "features"
"""The step that begins once the rows are divided, and what is known of them is written."""


def until(step: str, plan: Plan) -> Iterator[Event]:
    """The events of a run up to the beginning of a step, at which it is left."""
    for event in tune(plan):
        yield event
        if isinstance(event, Started) and event.step_name == step:
            return
    raise AssertionError(f"the run has no step {step}")
