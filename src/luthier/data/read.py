"""Read a file of rows, whatever its form."""

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from luthier.data.conll import read_conll
from luthier.data.delimited import read_delimited, read_tabbed
from luthier.data.json_lines import read_json_lines
from luthier.data.json_list import read_json
from luthier.data.parquet import read_parquet
from luthier.data.raw_bytes import no_file, telling_read_errors
from luthier.data.shapes import shaped
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.errors import DataError, did_you_mean, listing

READERS: dict[str, Callable[[Path, Writing], Table]] = {
    ".csv": read_delimited,
    ".tsv": read_tabbed,
    ".jsonl": lambda path, writing: read_json_lines(path, writing.encoding),
    ".json": lambda path, writing: read_json(path, writing.encoding),
    ".parquet": lambda path, writing: read_parquet(path),
    ".conll": lambda path, writing: read_conll(path, writing.encoding),
}
"""By how the name ends, before .gz."""

KNOWN = f"{', '.join(READERS)} (or one of these with .gz)"

NAMES_LOOKED_AT = 10_000


def read(path: str | Path, writing: Writing = Writing()) -> Table:  # noqa: B008  it is frozen
    """The rows of a .csv, .tsv, .jsonl, .json or .parquet file, or of one of these with .gz, in columns that tasks know.

    writing: how the user says that it is written, where that is not to be found.

    Raises DataError when it cannot be read as rows, saying where and how to mend it; WorldError when it may
    not be read, or the disk is full.
    """
    path = Path(path)
    with telling_read_errors(path):
        check_place(path)
    return shaped(READERS[ending(path)](path, writing))


def check_place(path: Path) -> None:
    """Raise DataError unless there is a file, of a kind that is known."""
    if path.is_dir():
        inside = [name for name in names_in(path) if ending(Path(name)) in READERS]
        held = f"It holds {listing(inside)}" if inside else f"It holds none: they end in {KNOWN}"
        raise DataError(f"{path}: is a folder. Expected a file of rows. {held}.")
    if not path.exists():
        folder = path.parent
        if not folder.is_dir():
            raise DataError(f"{path}: there is no such file, nor a folder {folder}.")
        place = "" if path.is_absolute() else f" in {folder.resolve()}"
        raise DataError(f"{path}: there is no such file{place}.{did_you_mean(path.name, names_in(folder))}")
    if not path.is_file():
        raise no_file(path)
    if ending(path) not in READERS:
        whole = ending(path) + ".gz" * path.name.lower().endswith(".gz")
        found = f"ends in {whole!r}, which is not read" if whole else "has no ending"
        raise DataError(f"{path}: {found}. Convert it, or rename it if it is one of {KNOWN}.")


def names_in(folder: Path) -> list[str]:
    """The names in a folder, in order; of a very full one, not all."""
    return sorted(entry.name for entry in islice(os.scandir(folder), NAMES_LOOKED_AT))


def ending(path: Path) -> str:
    """What the name ends in, without .gz, in lower case.

    >>> ending(Path("a.b/Reviews.CSV.gz"))
    '.csv'
    """
    return Path(path.name.lower().removesuffix(".gz")).suffix
