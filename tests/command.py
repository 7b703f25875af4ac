"""The command line, called in this process."""

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest.mock import patch

from rich.console import Console

from luthier import cli


@dataclass(frozen=True)
class Ended:
    """What a command left on its way out."""

    code: int
    out: str
    err: str


def luthier(*words: object) -> Ended:
    """Call `luthier WORDS...` and catch its end."""
    out, err = io.StringIO(), io.StringIO()
    code = None
    cli.app.console = Console()  # as wide as it is now: the one of an earlier call would be kept
    with (
        patch.object(sys, "argv", ["luthier", *map(str, words)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int), "main always ends with an exit code"
    return Ended(code, out.getvalue(), err.getvalue())
