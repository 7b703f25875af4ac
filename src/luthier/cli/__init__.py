"""The command line: each command one call."""

from luthier.cli import examples, finished, judging  # noqa: F401  they give the app its commands
from luthier.cli.app import answer, app, main

__all__ = ["answer", "app", "main"]
