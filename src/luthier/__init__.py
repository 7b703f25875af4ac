"""luthier: adapt a pre-trained model to your own examples.

    import luthier
    run = luthier.tune("reviews.csv", model="all-MiniLM-L6-v2")
    run.predict(["great sound, flimsy case"])

The names below are the whole public face; everything heavy is imported when it is first used.
"""

from typing import TYPE_CHECKING, Any

from luthier.errors import (
    DataError,
    InputError,
    Interrupted,
    LuthierError,
    ModelError,
    PlanError,
    RunError,
    WorldError,
)

if TYPE_CHECKING:
    from luthier.folder.model_folder import ModelFolder, load
    from luthier.plan.plan import Plan
    from luthier.predict import Predictions
    from luthier.session.comparing import compare
    from luthier.session.judging import judge
    from luthier.session.runs import check, tune
    from luthier.session.searches import search

__all__ = [
    "DataError",
    "InputError",
    "Interrupted",
    "LuthierError",
    "ModelError",
    "ModelFolder",
    "Plan",
    "PlanError",
    "Predictions",
    "RunError",
    "WorldError",
    "check",
    "compare",
    "judge",
    "load",
    "search",
    "tune",
]

HOMES = {
    "ModelFolder": "luthier.folder.model_folder",
    "load": "luthier.folder.model_folder",
    "Plan": "luthier.plan.plan",
    "Predictions": "luthier.predict",
    "check": "luthier.session.runs",
    "compare": "luthier.session.comparing",
    "judge": "luthier.session.judging",
    "search": "luthier.session.searches",
    "tune": "luthier.session.runs",
}
"""Where the heavy names live (PEP 562): `import luthier` takes milliseconds."""


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'luthier' has no attribute {name!r}")
    from importlib import import_module

    from luthier.models.telemetry import disable_telemetry

    disable_telemetry()
    return getattr(import_module(HOMES[name]), name)
