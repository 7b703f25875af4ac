"""Everything luthier raises on purpose, as one tree.

    LuthierError
    ├── InputError            the request or the data is wrong; nothing was written      exit code 2
    │   ├── PlanError         a setting: unknown key, wrong type, settings that clash
    │   ├── DataError         a file of rows: its place, its encoding, its columns, its labels
    │   │   ├── StopFinding   a check found what makes a run useless
    │   │   └── RowsError     rows that a model cannot read, by their numbers: whoever knows their places names them
    │   ├── ModelError        a folder of weights: missing, truncated, unsafe, of no use for the task
    │   └── RunError          a run's folder: of another plan, unfinished, not a run at all
    │       └── NewerRecord   a record of a version that only a newer luthier knows
    ├── WorldError            a loss that is not finite, a library that is not installed  exit code 1
    │   └── DiskError         disk full, no permission, a search's database that says no
    └── Interrupted           Ctrl-C or SIGTERM; what was reached is saved                exit code 130

A message says what was found, where (file, row, column, key), what was expected, and what to do.
`assert` is for what our own code promised; a failed one is a bug of ours.
"""

import difflib
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from luthier.terminal import plain


class LuthierError(Exception):
    """Root of the tree; `exit_code` is what the command line ends with."""

    exit_code = 1

    def __str__(self) -> str:
        return plain(super().__str__())  # Names and values of files stand in it, and a terminal shows it.


class InputError(LuthierError):
    """The request or the data is wrong. Nothing was written; the message says how to mend it."""

    exit_code = 2


class PlanError(InputError):
    """A setting is unknown, of the wrong type, out of range, or clashes with another."""


class DataError(InputError):
    """A data file cannot be read, or its rows cannot serve the task."""


class StopFinding(DataError):
    """A check found what makes a run useless; `finding` tells of it as the other findings are told of."""

    def __init__(self, message: str, finding: Any) -> None:
        super().__init__(message)
        self.finding = finding


class RowsError(DataError):
    """Some of the rows that were given cannot be read. `rows` holds their numbers, for whoever knows where these stand."""

    def __init__(self, said: str, rows: Sequence[int], remedy: str) -> None:
        super().__init__(f"{said} {remedy}".rstrip())
        self.said, self.rows, self.remedy = said, tuple(rows), remedy

    def named(self, place: Callable[[int], object], most: int = 3) -> DataError:
        """The same with the places of the first rows."""
        places = [str(place(row)) for row in self.rows[:most]]
        more = f" and {len(self.rows) - most:,} more" if len(self.rows) > most else ""
        return DataError(f"{'; '.join(places)}{more}: {self.said} {self.remedy}".rstrip())


class ModelError(InputError):
    """A model folder cannot be opened safely, or cannot serve the task."""


class RunError(InputError):
    """A folder is not a run, is unfinished, or belongs to another plan."""


class OtherWork(RunError):
    """The folder of a run was made from another plan, other data or another model than is asked for now."""


class NewerRecord(RunError):
    """A record is of a version that only a newer luthier knows. It is whole, and must not be taken for damaged."""


class WorldError(LuthierError):
    """The machine said no: disk full, permission, a missing library."""


class DiskError(WorldError):
    """The disk or the database of a search said no. What a search is at is not to blame: no trial has failed by it."""


class Interrupted(LuthierError):
    """The user or the system asked to stop; the best state so far is on disk."""

    exit_code = 130


def error_record(error: LuthierError) -> dict[str, str]:
    """An error as a record for another process."""
    kind = DataError if isinstance(error, StopFinding) else type(error)
    return {"kind": kind.__name__, "error": str(error)}


def read_error(record: Mapping[str, str]) -> LuthierError:
    """The error of a record that another process has sent.

    >>> read_error(error_record(PlanError("no such setting")))
    PlanError('no such setting')
    """
    kinds = (
        InputError,
        PlanError,
        DataError,
        ModelError,
        RunError,
        NewerRecord,
        WorldError,
        DiskError,
        Interrupted,
    )
    return {kind.__name__: kind for kind in kinds}.get(record["kind"], LuthierError)(record["error"])


def first_line(error: BaseException) -> str:
    """The first line of a library's error, or the error's class where it says nothing.

    >>> first_line(ValueError("no such host\\nat line 3")), first_line(TimeoutError())
    ('no such host', 'TimeoutError')
    """
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def last_line(error: BaseException) -> str:
    """The last line of an error whose message holds a traceback: the error itself.

    >>> last_line(RuntimeError("Traceback ...\\n  line 3\\nValueError: no such host"))
    'ValueError: no such host'
    """
    said = str(error).strip()
    return said.splitlines()[-1] if said else type(error).__name__


LONGEST_NAME = 80
"""Characters of a name in a list of them, at the most."""


def counted(count: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def spelt(name: str) -> str:
    """A name between quotes as a shell gives it back, for a remedy that is to be copied.

    >>> print(spelt("title,body"), spelt("it's $(date)"))
    'title,body' 'it'"'"'s $(date)'
    """
    return f"'{name}'" if name.isprintable() and "'" not in name else shlex.quote(name)


def shorten(value: str, most: int = 80) -> str:
    """The beginning of a value, for a message.

    >>> shorten("a very long value", most=6)
    'a very…'
    """
    return value if len(value) <= most else f"{value[:most]}…"


def listing(names: Iterable[object], most: int = 8) -> str:
    """Names for a message: all of them while they are few, then how many more there are.

    >>> listing("abc")
    "'a', 'b', 'c'"
    >>> listing(range(20), most=2)
    '0, 1 and 18 more'
    """
    texts = (repr(name) for name in names)
    shown = [text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…" for text in texts]
    if len(shown) <= most:
        return ", ".join(shown)
    return f"{', '.join(shown[:most])} and {len(shown) - most:,} more"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the nearest known name, or the empty string when none is near.

    >>> did_you_mean("txt", ["text", "label"])
    " Did you mean 'text'?"
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return f" Did you mean {by_lower[near[0]]!r}?" if near else ""
