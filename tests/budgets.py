"""A run of which only the time that it may take is known."""

from types import SimpleNamespace
from typing import Any

from luthier.candidates.run import Mode, Watch


def run_within(seconds: float | None, **more: Any) -> Any:
    """A run with a budget, whose probe could be handed back. more: of the run; `rows` by part, `features` in seconds."""
    rows, features = more.pop("rows", {}), more.pop("features", 0.0)
    usual = {
        "plan": SimpleNamespace(budget_seconds=seconds),
        "mode": Mode(),
        "watch": Watch(lambda: 0.0, took={"features": features}),
        "ready": SimpleNamespace(
            unlabelled=None, examples={part: range(count) for part, count in rows.items()}
        ),
        "untouched": None,
        "learnt": ["probe"],
    }
    return SimpleNamespace(**usual | more)
