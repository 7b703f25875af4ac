"""The places where a command is to write, checked before anything is loaded."""

import os
from pathlib import Path

from luthier.errors import PlanError
from luthier.files import why_no_folder
from luthier.folder.in_use import refuse_in_use


def refuse_place(out: str | None) -> None:
    """Raise PlanError for a folder of `--out` that cannot be written, RunError where another command is at work in it."""
    refuse_unwritable(out)
    if out is not None:
        refuse_in_use(Path(out))


def refuse_unwritable(out: str | None) -> None:
    """Raise PlanError for a folder of `--out` that cannot be written."""
    why = None if out is None else why_no_folder(Path(out))
    if why is not None:
        raise PlanError(
            f"--out {shown(out)}: cannot be written ({why}). Choose a folder that you may write into with --out."
        )


def refuse_unwritable_file(out: str | None) -> None:
    """Raise PlanError for a file of `--out` that cannot be written."""
    if out is None:
        return
    path = Path(out)
    why = why_no_folder(path.parent)
    if why is None and os.path.lexists(path) and not path.is_file():
        why = "something that is no file stands there"
    if why is not None:
        raise PlanError(
            f"--out {shown(out)}: cannot be written ({why}). Name a file in a folder that you may write into."
        )


def shown(out: str | None, most: int = 120) -> str:
    """A name for a message, without halves of characters, which could not be written."""
    text = str(out).encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return text if len(text) <= most else f"{text[:most]}..."
