"""Events as a person wants to see them: a bar with the time left on a terminal, plain lines without one."""

import contextlib
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from luthier.events import (
    Advanced,
    CandidateReady,
    Chose,
    Doubted,
    Event,
    Named,
    Noted,
    Started,
    Stepped,
    Stopped,
    TrialBegan,
    TrialEnded,
    Validated,
    WentBack,
)
from luthier.scores.decimals import decimals
from luthier.scores.validated import on_validation
from luthier.terminal import drawn_on, plain

TITLES = {
    "prepare": "Reading data and model",
    "reference": "Reference log-probabilities",
    "features": "Frozen features",
    "adapted": "Learning from rows without labels",
    "probe": "Baselines and probe",
    "unlabelled": "Rows without labels",
    "check": "Checking rows",
    "cloze": "Cloze questions",
    "scratch": "Training from scratch",
    "verified": "The model's own answers",
    "teacher": "The teacher's answers",
    "baselines": "Baselines",
    "few-shot": "Bringing rows of a label together",
    "train": "Training",
    "kept": "Between base and tuned",
    "score": "Scoring and writing",
    "search": "Trials",
    "seeds": "The best few on other seeds",
    "export": "Writing the file",
    "compare": "Comparing answers",
}
SECONDS_BETWEEN_LINES = 10.0
LINES_OF_A_PACE = 6
"""Number of printed lines over which the pace is measured: what slowed earlier steps may be over."""
WHY_STOPPED = {
    "epochs": "all epochs done",
    "patience": "validation stopped improving",
    "ceiling": "no score on validation can be better",
    "budget": "the time budget is used up",
    "enough": "its score had been ahead of other trials and fell",
    "interrupted": "you asked to stop",
}


class Progress:
    """Writes to standard error, so that standard output stays for results."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.bar: Any = None
        self.task: Any = None
        self.total = 0
        self.last_line = 0.0
        self.seen: deque[tuple[float, int]] = deque(maxlen=LINES_OF_A_PACE)
        """(seconds, done) at the last lines: the time left is told from the pace since then."""

    @contextlib.contextmanager
    def showing(self) -> Iterator["Progress"]:
        """Show a bar inside the block when standard error is a terminal."""
        if self.quiet or not sys.stderr.isatty():
            yield self
            return
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description:<24}"), BarColumn(), TextColumn("{task.fields[told]}"),
                   TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())  # fmt: skip
        console = Console(file=drawn_on(sys.stderr))
        # What others write would go by us to the terminal, if the bar caught it.
        with Bar(
            *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
        ) as bar:
            self.bar = bar
            try:
                yield self
            finally:
                self.bar = None

    def show(self, event: Event) -> None:
        """Tell of one event."""
        if isinstance(event, Started):
            self.start(event)
        elif isinstance(event, Advanced):
            self.advance(event.done, event.seconds, "")
        elif isinstance(event, Stepped):
            self.advance(event.step, event.seconds, f"loss {decimals(event.loss)}")
        else:
            line = told(event)
            if line:
                self.write(line, always=isinstance(event, Doubted))

    def start(self, event: Started) -> None:
        self.total, self.last_line = event.expects, event.seconds
        self.seen.clear()
        title = TITLES.get(event.step_name, event.step_name)
        if self.bar is not None:
            if self.task is not None:
                self.bar.remove_task(self.task)
            self.task = self.bar.add_task(title, total=event.expects or None, told="")
        else:
            self.write(f"{title} ...")

    def advance(self, done: int, seconds: float, words: str) -> None:
        if not self.seen:  # a run that goes on begins in the middle
            self.seen.append((seconds, done))
        if self.bar is not None:
            self.bar.update(self.task, completed=done, told=words)
        elif seconds - self.last_line >= SECONDS_BETWEEN_LINES and done > self.seen[0][1]:
            self.last_line = seconds
            begin, before = self.seen[0]
            self.seen.append((seconds, done))
            if not self.total:
                return
            left = (seconds - begin) / (done - before) * (self.total - done)
            self.write(f"  {done:,} of {self.total:,}  {words}  {left:.0f} s left".replace("    ", "  "))

    def write(self, line: str, always: bool = False) -> None:
        if self.quiet and not always:
            return
        line = plain(line)
        if self.bar is not None:
            self.bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)


def shown(rows: list[int], most: int = 5) -> str:
    """Some of the rows, and how many more there are.

    >>> shown([4, 7, 9], most=2)
    '4, 7 and 1 more'
    """
    few = ", ".join(map(str, rows[:most]))
    return few + (f" and {len(rows) - most} more" if len(rows) > most else "")


ENDS = {"complete": "ends", "pruned": "is ended early", "failed": "fails"}


def varied(values: Mapping[str, Any]) -> str:
    """The values that a trial varies, in words.

    >>> varied({"train.lr": 0.00034567, "train.batch_rows": 16})
    'lr 0.000346, batch_rows 16'
    """
    told = [f"{key.split('.')[-1]} {value:.3g}" if isinstance(value, float) else f"{key.split('.')[-1]} {value}"
            for key, value in values.items()]  # fmt: skip
    return ", ".join(told) or "the recipe"


def told(event: Event) -> str | None:
    """An event as one line of text; None where it is not worth one."""
    match event:
        case Noted(text=text, warning=warning):
            return f"  ! {text}" if warning else f"  {text}"
        case Doubted(text=text):
            return f"  ! {text}"
        case Validated():
            mark = "  best so far" if event.best else ""
            return f"  epoch {event.epoch:.1f}  {event.metric} {event.score:.4f} on validation{mark}"
        case WentBack():
            return (
                f"  ! step {event.step:,}: the {event.what} is not finite (training rows {shown(event.rows)}). "
                f"Back to step {event.back_to:,}, and on with {event.rate:g} of the learning rate."
            )
        case CandidateReady():
            where = on_validation(event.valid_from)
            return f"  {event.name:<10} {event.metric} {event.valid:.4f} {where}  ({event.took:.1f} s)"
        case Stopped():
            return f"  stopped after step {event.step:,}: {WHY_STOPPED[event.why]}; best was step {event.best_step:,}"
        case Chose():
            return f"  kept: {event.words}"
        case TrialBegan():
            return f"Trial {event.number}: {varied(event.values)}"
        case TrialEnded():
            score = "no score" if event.score is None else f"{event.score:.4f}"
            mark = "  best so far" if event.best else ""
            why = f": {event.words}" if event.words else ""
            return (
                f"Trial {event.number} {ENDS[event.state]} with {score} after {event.took:.1f} s{why}{mark}"
            )
        case Named():
            return f"Named: {event.words}"
        case _:
            return None
