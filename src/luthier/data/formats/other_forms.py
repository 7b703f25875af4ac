"""Files that are not what their names end in, refused by how they begin, with what to do."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from luthier.data.formats.delimiter import DELIMITERS, SAMPLE_CHARACTERS, best_consistency
from luthier.data.formats.text_files import TextFile
from luthier.data.raw_bytes import open_regular, telling_read_errors
from luthier.errors import DataError

POINTER = b"version https://git-lfs.github.com/spec/"
ANNEXED = re.compile(rb"\s*\S{0,200}/annex/objects/\S+\s*")
POINTER_BYTES = 1_024
"""The most bytes of a pointer in the place of a file; a larger file is the file itself."""
LONGEST_START = 65_536
"""The most characters of a first line that are looked at."""
OPENED = re.compile(r"[\[{]\s*([\[{]|\"[^\"]*\"\s*:\s*([\[{]|.*,))?")
"""The first line of JSON that is written over several lines."""
LIKELY_TABLE = 0.9
"""Lines are rows of a table when one delimiter cuts at least this share of them alike."""
WEBANNO = "#FORMAT=WebAnno TSV"


def refuse_pointer(path: Path) -> None:
    """Raise DataError for what Git LFS or git-annex puts in the place of a file that was not fetched."""
    if not path.is_file():
        return
    with telling_read_errors(path), open_regular(path) as file:
        head = file.read(POINTER_BYTES + 1)
    if head.startswith(POINTER):
        raise DataError(
            f"{path}: is a pointer of Git LFS, not the file itself, which was not fetched. Fetch it with `git lfs pull` in its "
            "repository, or download the file."
        )
    if len(head) <= POINTER_BYTES and ANNEXED.fullmatch(head):
        raise DataError(
            f"{path}: is a pointer of git-annex, not the file itself, which was not fetched. Fetch it with `git annex get` in "
            "its repository, or download the file."
        )


def refuse_no_table(file: TextFile) -> None:
    """Raise DataError for a file that should be a table, and is JSON, or of WebAnno, by how it begins."""
    with file.open() as text:
        first = first_filled(text.readline(LONGEST_START) for _ in range(9))
        second = text.readline(LONGEST_START)
    if first.startswith(WEBANNO):
        raise DataError(
            f"{file.path}: is written as WebAnno and INCEpTION do ({first.strip()}), which is not read. Export it as CoNLL 2002, "
            "and let its name end in .conll."
        )
    ending = json_ending(first, second)
    if ending is not None:
        form = "JSON lines" if ending == ".jsonl" else "JSON"
        raise DataError(
            f"{file.path}: holds {form}, by its first line, and no table. {rename(file.path, ending)}"
        )


def rename(path: Path, ending: str) -> str:
    """What to do about a file whose name ends in something else than what it is.

    >>> rename(Path("rows.csv.gz"), ".jsonl")
    'Let its name end in .jsonl.gz.'
    """
    return f"Let its name end in {ending}{'.gz' * path.name.lower().endswith('.gz')}."


def first_filled(lines: Iterable[str]) -> str:
    return next((line for line in lines if line.strip()), "")


def json_ending(first: str, second: str) -> str | None:
    """What the name of a file of JSON ends in, by its first two lines; None where it is none.

    >>> json_ending('{"text": "a"}', '{"text": "b"}'), json_ending("[", " {"), json_ending("text,label", "a,b")
    ('.jsonl', '.json', None)
    """
    line = first.strip()
    if line[:1] not in ("{", "["):
        return None
    try:
        whole = json.loads(line)
    except (ValueError, RecursionError):
        cut = len(first) >= LONGEST_START and re.match(r"[\[{]\s*[{\"]", line)
        return ".json" if cut or OPENED.fullmatch(line) else None
    if isinstance(whole, dict):
        return ".jsonl" if second.lstrip().startswith("{") else ".json"
    if whole and all(isinstance(row, dict) for row in whole):
        return ".json"
    return ".jsonl" if whole and second.lstrip().startswith("[") else None


def refuse_table(file: TextFile) -> None:
    """Raise DataError for a file that should be JSON, and is a table by its lines."""
    with file.open() as text:
        lines = [line for line in text.readlines(SAMPLE_CHARACTERS) if line.strip()]
    if len(lines) < 2 or lines[0].lstrip()[:1] in ("{", "["):
        return
    shares = {one: best_consistency(lines, one) for one in DELIMITERS}
    best = max(DELIMITERS, key=shares.__getitem__)
    if shares[best] >= LIKELY_TABLE:
        ending = ".tsv" if best == "\t" else ".csv"
        raise DataError(
            f"{file.path}: holds a table whose values are separated by {best!r}, and no JSON. {rename(file.path, ending)}"
        )
