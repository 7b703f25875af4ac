"""The paths of files that a plan names, recorded so that they are found again from any folder."""

import os
from pathlib import Path

from luthier.plan.plan import Plan, fields

NAMED = tuple(
    key
    for key in (
        "data.path", "data.valid", "data.test", "data.warm_up", "data.unlabelled", "data.images", "data.general", "data.describe",
        "data.continues",
        "model.name", "model.base", "train.teacher", "run.cache",
    )
    if key in fields()
)  # fmt: skip
"""Settings that name a file or a folder."""
MODELS = ("model.name", "model.base", "train.teacher")
"""Settings that may name something else than a folder or a file here, such as a model of the hub."""
PACKAGED = "all-MiniLM-L6-v2"
PACKAGED_CHAT = "SmolLM2-135M-Instruct"
"""The language model that a package holds, as a GGUF file of 4 bits; its full name on the hub means the weights there."""
PACKAGED_NAMES = (PACKAGED, f"sentence-transformers/{PACKAGED}", PACKAGED_CHAT)
"""Names that always mean a packaged model, even if a folder has the same name."""


def placed(plan: Plan, run: Path) -> Plan:
    """A plan as it is recorded in a run's folder: files inside it are named from there, all others absolute."""
    settings = plan.settings()
    return plan.with_settings(
        {key: recorded(key, str(settings[key]), run) for key in NAMED if key in settings}
    )


MADE = "static:"
"""What stands before the name of a model of which another is made (models/static/making.py)."""


def recorded(key: str, name: str, run: Path) -> str:
    """How one file is named in a run's plan."""
    if key in MODELS and name.startswith(MADE):
        return MADE + recorded(key, name.removeprefix(MADE), run)
    place = os.path.abspath(os.path.expanduser(name) if key in MODELS else name)
    if key in MODELS and (name in PACKAGED_NAMES or not os.path.exists(place)):
        return name
    inside = os.path.abspath(run)
    return os.path.relpath(place, inside) if os.path.commonpath([place, inside]) == inside else place


def found_again(key: str, name: str, places: list[Path]) -> str:
    """A file of a run's plan. places: the folders from which it may have been named, the run's own first.

    What is nowhere keeps its name: a model of the hub, or a file that is gone, of which the message is then.
    """
    if key in MODELS and name in PACKAGED_NAMES:
        return name
    if key in MODELS and name.startswith(MADE):
        return MADE + found_again(key, name.removeprefix(MADE), places)
    if key == "run.cache":
        return str(places[0] / name)  # it need not be there
    return next((str(place / name) for place in places if (place / name).exists()), name)
