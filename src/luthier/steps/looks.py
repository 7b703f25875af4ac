"""How many models were scored on the same test rows: a test set wears out with every look at it.

In the user's cache folder there is a record for each set of test rows, under the hash of what these hold: the keys of the runs
that were scored on them, in the order in which they first were. Of the rows themselves nothing is kept.
"""

import contextlib
import fcntl
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.candidates.run import Run
from luthier.errors import DiskError, InputError
from luthier.events import Event, Noted
from luthier.files import cache_folder, open_lock, telling_disk_errors, write_json
from luthier.hashes import hash_json
from luthier.prepare.rows import Rows
from luthier.records import Count, Name, VersionedRecord, read_record, stamped, write_sealed
from luthier.scores.best_of import best_of_bias
from luthier.scores.intervals import Estimate
from luthier.scores.metrics import metric_named

NAME = "looks"
"""The name of the folder in the cache, and of the record in a run's state."""


class SeenRecord(VersionedRecord):
    """The record of a set of test rows: the keys of the runs that were scored on them, in the order of their first looks."""

    runs: list[Name]


class LookRecord(VersionedRecord):
    """state/looks.json: what a run was told when it first opened its test part. Going on, it is told the same."""

    contents: Name
    earlier: Count | None = None


@dataclass(frozen=True)
class Look:
    """A look at the test rows, to score a model on them."""

    contents: str
    """The hash of what they hold."""
    rows: int
    earlier: int | None
    """How many other models were scored on them before; None where that could not be counted."""
    trouble: str = ""
    """Why it could not."""

    def to_json(self, metric: str, score: Estimate, validates: bool = True) -> dict[str, Any]:
        """The key `looks` of a scorecard. score: the model's own, on these rows.  validates: whether there is a validation score
        to choose models by."""
        found: dict[str, Any] = {"contents": self.contents, "rows": self.rows, "earlier": self.earlier}
        if not self.earlier:
            return found
        bias = best_of_bias((score.high - score.low) / (2 * 1.96), self.earlier + 1)
        found["words"] = words(self.rows, self.earlier + 1, metric, bias, validates)
        return found if math.isnan(bias) else {**found, "too_good": bias}


def words(rows: int, count: int, metric: str, bias: float, validates: bool = True) -> str:
    """What is told from the second look on. bias: how much too good the best of so many equals looks, at the most.  validates:
    as `Look.to_json` takes it.

    >>> words(48, 4, "accuracy", 0.0291).split(". ")[0]
    'This is the 4th model that is scored on these 48 test rows'
    """
    size = f" up to {100 * bias:.1f} points" if metric_named(metric).percent else f" up to {bias:.3f}"
    return (
        f"This is the {ordinal(count)} model that is scored on these {rows:,} test rows. The best of {count} equally good models "
        f"looks{'' if math.isnan(bias) else size} better on them than it is, by chance alone. "
        f"{'Choose by the validation score, or measure' if validates else 'Measure'} the model that you choose on rows that no "
        "model was scored on."
    )


def ordinal(number: int) -> str:
    """
    >>> [ordinal(number) for number in (2, 3, 11, 21, 112)]
    ['2nd', '3rd', '11th', '21st', '112th']
    """
    endings = {1: "st", 2: "nd", 3: "rd"}
    ending = "th" if number % 100 in (11, 12, 13) else endings.get(number % 10, "th")
    return f"{number:,}{ending}"


def opened(run: Run) -> Look:
    """Count a run among those that were scored on its test rows, when it opens them. Going on after a kill is no other look."""
    contents, rows = contents_of(run.ready.rows), len(run.ready.rows.split.test)
    known = run.folder.record(NAME, LookRecord)
    if known is not None and known.contents == contents:
        return Look(contents, rows, known.earlier)
    look = counted(contents, rows, run.folder.key)
    write_sealed(run.folder.record_path(NAME), LookRecord(contents=contents, earlier=look.earlier))
    return look


def look_of(rows: Rows, key: str) -> Look:
    """Count a model among those that were scored on some test rows. key: that of its run."""
    return counted(contents_of(rows), len(rows.split.test), key)


def told(look: Look, seconds: float) -> Iterator[Event]:
    """What is said while a run goes on; the rest stands in its scorecard."""
    if look.trouble:
        yield Noted(look.trouble, seconds, warning=True)


def counted(contents: str, rows: int, key: str) -> Look:
    """Count a run among those that were scored on so many rows of some contents, where the user's cache folder allows."""
    try:
        return Look(contents, rows, earlier_looks(contents, key))
    except DiskError:
        trouble = (
            f"{cache_folder() / NAME}: cannot be used, so it is not counted how many models are scored on these test rows. The "
            "environment variable XDG_CACHE_HOME names another folder for what luthier keeps."
        )
    except InputError as error:
        trouble = f"{error} Until then it is not counted how many models are scored on these test rows."
    return Look(contents, rows, None, trouble)


def earlier_looks(contents: str, key: str) -> int:
    """How many other runs had been scored on rows of some contents before a run first was; it is one of them from now on.

    Raises DiskError where the folder cannot be used, InputError for a record that cannot be believed.
    """
    path = cache_folder() / NAME / f"{contents[:32]}.json"
    with telling_disk_errors(path), alone(path.parent / "lock"):
        runs = runs_in(path)
        if key not in runs:
            runs.append(key)
            write_json(path, stamped({"runs": runs}, SeenRecord))
    return runs.index(key)


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Inside, no other process counts: it waits for this one, as two that wrote at once would lose an entry."""
    with open_lock(lock) as descriptor:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def runs_in(path: Path) -> list[str]:
    """The keys in the record of a set of test rows; none where there is no record."""
    try:
        return list(
            read_record(path, SeenRecord, within=path.parent, mend="Delete it, and it is begun anew.").runs
        )
    except FileNotFoundError:
        return []


def contents_of(rows: Rows) -> str:
    """Hash of what the test rows hold, what is read of each and its label, in any order and whatever their file is called."""
    numbers = rows.split.test
    columns = {role: rows.table.values(name, numbers) for role, name in rows.columns.items()}
    images = rows.understood.images
    if images is not None:  # by their bytes: their names say nothing
        content = dict(zip(images.rows.tolist(), images.contents.tolist(), strict=True))
        columns["image"] = [content.get(number) for number in numbers.tolist()]
    roles = sorted(columns)
    lines = (
        json.dumps([roles, values], ensure_ascii=False, default=str)
        for values in zip(*(columns[role] for role in roles), strict=True)
    )
    return hash_json(
        sorted(hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest() for line in lines)
    )
