"""Whether another command is at work in the folder of a run."""

from pathlib import Path

from luthier.errors import RunError
from luthier.files import is_locked

LOCK = "lock"
"""In `state`: locked by the command that is at work in the folder."""


def refuse_in_use(run: Path) -> None:
    """Raise RunError where another command is at work in a folder."""
    if is_locked(run / "state" / LOCK):
        raise in_use(run)


def in_use(run: Path) -> RunError:
    return RunError(
        f"{run}: another command is at work in this folder. Wait for its end, or choose another folder with --out."
    )
