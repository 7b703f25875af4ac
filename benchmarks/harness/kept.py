"""What a benchmark has measured, as JSON lines: an interrupted one goes on where it stopped."""

import json
import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.harness.results import write_whole

Record = TypeVar("Record")
"""A dataclass of what JSON knows."""
Key = TypeVar("Key", bound=Hashable)


def read_records(path: Path, kind: type[Record]) -> list[Record]:
    """The records of a file; none where there is no file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [kind(**json.loads(line)) for line in lines]


def write_records(path: Path, records: Iterable[Any]) -> None:
    """Write all records, whole or not at all."""
    write_whole(path, "".join(json.dumps(asdict(one)) + "\n" for one in records))


def completed(
    path: Path,
    kind: type[Record],
    wanted: Iterable[Key],
    key: Callable[[Record], Key],
    measure: Callable[[Key], Sequence[Record]],
    again: bool = False,
) -> list[Record]:
    """All records of a file, after what is wanted and not in it was measured, told and kept, one key at a time.

    again: what is wanted is measured anew, and takes the place of what is known of it.

    Raises SystemExit where nothing is known then.
    """
    found = read_records(path, kind)
    for one in wanted:
        if one in map(key, found) and not again:
            continue
        measured = measure(one)
        found = [*(other for other in found if key(other) != one), *measured]
        write_records(path, found)
        print(one, file=sys.stderr, flush=True)
    if not found:
        sys.exit(f"{path} has nothing that was measured yet.")
    return found
