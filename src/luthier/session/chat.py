"""Talking to a tuned model: at a terminal, or with lines that another program writes."""

import contextlib
import io
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from luthier.errors import DataError
from luthier.events import Work, result_of
from luthier.folder.model_folder import ModelFolder
from luthier.interrupts import StopWish
from luthier.steps.talk import CUT_SHORT, NEW, Said, Talk
from luthier.terminal import drawn_on, json_line

QUIT = "/quit"
PROMPT = "> "
ENDED_BY = {"length": "[cut off at its length]", CUT_SHORT: "[interrupted]"}
"""What is told of an answer that the model did not end."""


def chat(run: Path, most: int | None, as_json: bool) -> None:
    """Talk to a run's model until the input ends.

    Raises PlanError for a model that writes no texts, RunError where there is none, and DataError for lines of a program that
    the model cannot read.
    """
    talk = Talk(ModelFolder(run), most)
    if sys.stdin.isatty() and not as_json:
        at_terminal(talk)
        return
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    print(talk.about(), file=sys.stderr, flush=True)
    answer_lines(talk, sys.stdin, as_json)


def at_terminal(talk: Talk) -> None:
    """Read what a person writes, and show each answer as it comes. Ctrl-C ends an answer, and where there is none the command."""
    print(f"{talk.about()}\n{NEW} begins another conversation; {QUIT} or Ctrl-D ends. Ctrl-C ends an answer.")
    while (line := asked()) is not None and line != QUIT:
        if line == NEW:
            talk.begin_anew()
            print("A new conversation.")
        elif line:
            try:
                said = shown(talk, line)
            except DataError as error:
                print(error)
            else:
                print(" ".join(["", ENDED_BY[said.finish]]) if said.finish in ENDED_BY else "")


def asked() -> str | None:
    """A line that a person writes, with the keys that edit it; None at the end of the input."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  being there is all that `input` wants of it
    try:
        # The keys work on the terminal itself alone.
        with contextlib.redirect_stdout(drawn_on(sys.stdout)):
            return input(PROMPT).strip()
    except EOFError:
        print()
        return None


def shown(talk: Talk, text: str) -> Said:
    """An answer, shown piece by piece as it is written. The first Ctrl-C ends it, a second one the command."""
    with StopWish((signal.SIGINT,)).listening() as wish:
        answer = Work(talk.answer(text, lambda: wish.asked))
        for piece in answer:
            print(piece, end="", flush=True)
        return answer.result


def answer_lines(talk: Talk, lines: Iterable[str], as_json: bool) -> None:
    """Answer the lines of a conversation one after the other: each answer as JSON on a line of its own, or as it is."""
    for line in map(str.strip, lines):
        if line == QUIT:
            return
        if line == NEW:
            talk.begin_anew()
        elif as_json and line:
            print(json_line(result_of(talk.answer(line)).to_json()), flush=True)
        elif line:
            shown(talk, line)
            print(flush=True)
