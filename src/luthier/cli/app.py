"""The command line as a whole: its commands run, and what goes wrong in one is told."""

import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App, CycloptsError, RepeatArgumentError, UnusedCliTokensError

from luthier.errors import InputError, LuthierError, WorldError, listing
from luthier.models.telemetry import disable_telemetry
from luthier.terminal import drawn_on, plain_streams

app = App(
    name="luthier",
    help="Adapts a pre-trained model to your own examples: tested, calibrated, explained, ready to use without luthier.",
    help_format="plaintext",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)


def main() -> None:
    """Run a command and end with its exit code; what went wrong is one message on standard error, never a traceback of ours."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    disable_telemetry()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a name or a text may hold half a letter
    with plain_streams():
        answer(sys.argv[1:])


def answer(words: Sequence[str]) -> NoReturn:
    """Run the command that some words make, and exit."""
    if sys.stdout.isatty():
        from rich.console import Console

        app.console = Console(file=drawn_on(sys.stdout))  # Help has bold letters there.
    try:
        result = app(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        fail(misspelt(error), InputError.exit_code)
    except LuthierError as error:
        fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        fail("Interrupted.", 130)
    except BrokenPipeError:
        # Whoever read our output has left, as `head` does: nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except PermissionError as error:
        if error.filename is None:
            raise
        fail(
            f"{error.filename}: this user may not open it. Ask its owner, or copy it to a place of your own.",
            WorldError.exit_code,
        )
    else:
        sys.exit(result if isinstance(result, int) else 0)


def fail(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(code)


def misspelt(error: CycloptsError) -> str:
    """What to say of a command line that cannot be read."""
    command = " ".join(["luthier", *(error.command_chain or [])])
    words = str(error)
    if isinstance(error, UnusedCliTokensError):
        extra = listing(error.unused_tokens or [])
        words = f"{extra}: more than `{command}` takes. Put a name with blanks between quotes."
    if isinstance(error, RepeatArgumentError):
        words = f"{words} Give it once; where it takes several values, put commas between them."
    return f"{words} `{command} --help` lists what there is."
