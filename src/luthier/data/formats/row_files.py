"""Reading a single file of rows, whatever its format."""

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from luthier.data.annotations.brat import is_brat, read_brat
from luthier.data.annotations.shapes import shaped
from luthier.data.formats.arrow_file import read_arrow
from luthier.data.formats.conll import read_conll
from luthier.data.formats.delimited import read_delimited
from luthier.data.formats.excel import ENDINGS as WORKBOOKS
from luthier.data.formats.excel import read_excel
from luthier.data.formats.json_lines import read_json_lines
from luthier.data.formats.json_list import read_json
from luthier.data.formats.other_forms import refuse_pointer
from luthier.data.formats.parquet import read_parquet
from luthier.data.formats.text_lines import read_tabbed, read_text
from luthier.data.images.box_formats import refuse_boxes
from luthier.data.raw_bytes import no_file, telling_read_errors
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.errors import DataError, did_you_mean, listing

JSON_LINES = (".jsonl", ".ndjson")
READERS: dict[str, Callable[[Path, Writing], Table]] = {
    ".csv": read_delimited,
    ".tsv": read_tabbed,
    ".tab": read_tabbed,
    **dict.fromkeys(JSON_LINES, lambda path, writing: read_json_lines(path, writing.encoding)),
    ".json": lambda path, writing: read_json(path, writing.encoding),
    ".parquet": lambda path, writing: read_parquet(path),
    ".conll": lambda path, writing: read_conll(path, writing.encoding),
    ".arrow": lambda path, writing: read_arrow(path),
    ".feather": lambda path, writing: read_arrow(path),
    ".txt": read_text,
    **dict.fromkeys(WORKBOOKS, lambda path, writing: read_excel(path)),
}
"""The reader of each format, by the ending of the file's name, before .gz."""

TABLES = frozenset(READERS) - {".txt"}
"""Endings of tables: unlike notes, these do not lie beside images in a folder of images."""

KNOWN = f"{', '.join(READERS)} (or one of these with .gz)"

ELSEWHERE = {
    ".conllu": "It is CoNLL-U, with parts of speech and syntax for each word, and no tags of entities. To learn the parts of "
    "speech, write a .conll with each word and its part of speech behind B-, as with "
    """`awk -F'\\t' '/^$/ {print} /^[0-9]+\\t/ {print $2 "\\t" "B-" $4}' FILE > words.conll`.""",
    **dict.fromkeys(
        (".bz2", ".xz", ".zst", ".7z", ".rar", ".lz4"),
        "It is compressed in a form that is not undone here: unpack it, and name the file that was in it.",
    ),
    ".ann": "It is brat's list of entities: give the folder that holds it and its .txt.",
    ".spacy": "It is spaCy's binary form: write its documents as JSON lines with text and spans, as with "
    "`[{'text': d.text, 'spans': [{'start': e.start_char, 'end': e.end_char, 'label': e.label_} for e in d.ents]} for d in "
    "DocBin().from_disk(FILE).get_docs(spacy.blank('en').vocab)]`.",
}
"""Endings of files of other tools, and what to do with such a file."""

NAMES_LOOKED_AT = 10_000


def read_file(path: Path, writing: Writing) -> Table:
    """The rows of a file that ends in one of `READERS`, or in one of these with .gz, in columns that tasks know.

    writing: how the user says that it is written, where that is not to be found.

    Raises DataError when it cannot be read as rows, saying where and how to mend it; WorldError when it may
    not be read, or the disk is full.
    """
    with telling_read_errors(path):
        if is_brat(path):
            return read_brat(path, writing.encoding)
        check_place(path)
    refuse_pointer(path)
    refuse_boxes(path)
    return shaped(READERS[ending(path)](path, writing))


def check_place(path: Path) -> None:
    """Raise DataError unless there is a file, of a kind that is known."""
    if path.is_dir():
        inside = [name for name in names_in(path) if ending(Path(name)) in READERS]
        held = f"It holds {listing(inside)}" if inside else f"It holds none: they end in {KNOWN}"
        raise DataError(f"{path}: is a folder. Expected a file of rows. {held}.")
    if not path.exists() and path.is_symlink():
        raise DataError(
            f"{path}: is a link to {os.readlink(path)}, where no file is. Put the file itself in its place."
        )
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
        if ending(path) in ELSEWHERE:
            raise DataError(f"{path}: {found}. {ELSEWHERE[ending(path)]}")
        raise DataError(f"{path}: {found}. Convert it, or rename it if it is one of {KNOWN}.")


def names_in(folder: Path) -> list[str]:
    """The names in a folder, in order; of a very full one, not all."""
    return sorted(entry.name for entry in islice(os.scandir(folder), NAMES_LOOKED_AT))


def ending(path: Path) -> str:
    """The ending of a file's name, without .gz, in lower case.

    >>> ending(Path("a.b/Reviews.CSV.gz"))
    '.csv'
    """
    return Path(path.name.lower().removesuffix(".gz")).suffix
