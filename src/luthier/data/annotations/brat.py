"""Folders of brat: texts, and beside each an `.ann` file with the places of its entities (https://brat.nlplab.org/standoff.html).

A row is a line of a text, or several where an entity goes on from one to the next. Lines beginning with T are read; relations,
events, attributes and notes are not.
"""

import os
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from luthier.data.annotations.span_places import AS_IS, Places, RawSpan, find_reading
from luthier.data.annotations.spans import SPANS
from luthier.data.formats.text_files import TextFile
from luthier.data.problems import Problems
from luthier.data.raw_bytes import telling_read_errors
from luthier.data.table import Table
from luthier.errors import DataError, counted, shorten

DEEPEST = 4
"""The most levels of folders that are looked through."""
ENTITY = re.compile(r"T\S*\t(?P<label>\S+) (?P<places>\d+ \d+(?:;\d+ \d+)*)(?:\t(?P<text>.*))?")
OTHERS = {
    "R": "relations",
    "*": "equivalences",
    "E": "events",
    "A": "attributes",
    "M": "attributes",
    "N": "normalizations",
    "#": "notes",
}
EXPECTED = (
    "Expected brat's standoff format: a line for each entity such as 'T1<tab>person 0 10<tab>Oskar Vint'"
)


def is_brat(path: Path) -> bool:
    """Whether a folder holds brat's annotations."""
    with telling_read_errors(path):
        return path.is_dir() and next(annotated(path), None) is not None


def annotated(path: Path, levels: int = DEEPEST) -> Iterator[Path]:
    """The .ann files of a folder that have a text beside them, those in folders inside of it after its own."""
    with os.scandir(path) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    for entry in inside:
        if entry.name.endswith(".ann") and entry.is_file() and Path(entry.path).with_suffix(".txt").is_file():
            yield Path(entry.path)
    for entry in inside:
        if levels and not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
            yield from annotated(Path(entry.path), levels - 1)


@dataclass
class Found:
    """The lines and entities in the files of a folder, and how many lines of other kinds there are."""

    names: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    spans: list[list[RawSpan]] = field(default_factory=list)
    encodings: set[str] = field(default_factory=set)
    apart: int = 0
    """Number of entities in several pieces, which are read from the first piece to the last."""
    unread: Counter[str] = field(default_factory=Counter)
    faults: Problems = field(default_factory=Problems)


def read_brat(path: Path, encoding: str | None) -> Table:
    """The lines of all texts as rows, with the entities in them. Raises DataError."""
    found = Found()
    for ann in annotated(path):
        name = ann.with_suffix("").relative_to(path).as_posix()
        file = TextFile.at(ann.with_suffix(".txt"), encoding)
        with file.open() as lines:
            found.texts.append(lines.read())
        found.encodings.add(file.encoding)
        found.names.append(name)
        found.spans.append(list(entities(ann, encoding, found)) if ann.stat().st_size else [])
    if found.faults.count:
        raise DataError(
            f"{path}: {counted(found.faults.count, 'line')} of brat's .ann files cannot be read: {found.faults}. "
            f"{EXPECTED}."
        )
    return table_of(path, found)


def entities(ann: Path, encoding: str | None, found: Found) -> Iterator[RawSpan]:
    """The entities of one text; everything else in its file is counted."""
    file = TextFile.at(ann, encoding)
    with file.open() as lines:
        for number, line in enumerate(lines, start=1):
            line = line.rstrip("\r\n")
            if not line.strip():
                continue
            if not line.startswith("T"):
                found.unread[OTHERS.get(line[0], "other lines")] += 1
                continue
            match = ENTITY.fullmatch(line)
            if match is None:
                found.faults.add(f"{ann.name}, line {number} ({shorten(line, 40)!r})")
                continue
            places = [int(number) for number in re.findall(r"\d+", match["places"])]
            apart = len(places) > 2
            found.apart += apart
            yield RawSpan(places[0], max(places), match["label"], None if apart else match["text"])


def table_of(path: Path, found: Found) -> Table:
    reading = find_reading(found.texts, found.spans)
    guesses = list(told(path, found))
    if reading != AS_IS:
        guesses.append(
            f"{path}: the entities count {reading.words}, by where the words of the texts begin and end; they "
            "are put right."
        )
    texts, spans, documents = [], [], []
    for name, text, own in zip(found.names, found.texts, found.spans, strict=True):
        places = Places(text)
        placed = [(*places.read(span, reading), span.label) for span in own]
        order = sorted(range(len(placed)), key=lambda at: placed[at][0])
        starts = [placed[at][0] for at in order]
        for begin, end in pieces(text, [(start, stop) for start, stop, _ in placed]):
            texts.append(text[begin:end])
            documents.append(name)
            within = sorted(order[bisect_left(starts, begin) : bisect_left(starts, end)])
            spans.append(
                [
                    {"start": start - begin, "end": stop - begin, "label": label}
                    for start, stop, label in (placed[at] for at in within)
                ]
            )
    columns = pa.table(
        {
            "document": pa.array(documents, pa.string()),
            "text": pa.array(texts, pa.string()),
            "spans": pa.array(spans, SPANS),
        }
    )
    rows = len(texts)
    if not rows:
        raise DataError(f"{path}: holds brat's .ann files, but their texts are empty. Add the texts.")
    table = Table(columns, (path,), np.zeros(rows, np.int64), np.arange(rows) + 1, tuple(guesses))
    layout = replace(
        table.layout,
        task="token-classification",
        why="it is a folder of brat's, texts with .ann files beside them",
        columns={"text": "text", "label": "spans"},
        as_in_file=False,
    )
    encodings = (found.encodings.pop(),) if len(found.encodings) == 1 else (None,)
    return replace(table, layout=layout, encodings=encodings)


def pieces(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The lines of a text that hold something, those joined over whose ends an entity goes.

    >>> list(pieces("one\\n\\ntwo\\nthree", [(7, 12)]))
    [(0, 3), (5, 14)]
    """
    begin = at = reached = 0
    waiting = sorted(spans, reverse=True)
    while at <= len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        at = end + 1
        while waiting and waiting[-1][0] <= end:
            reached = max(reached, waiting.pop()[1])
        if end < min(len(text), reached):
            continue
        if text[begin:end].strip():
            yield begin, end
        begin = at


def told(path: Path, found: Found) -> Iterator[str]:
    """What the user should know of how the folder was read."""
    texts = counted(len(found.texts), "text")
    yield (
        f"{path}: {texts} of brat's are read as a row for each line, in the column 'text'; 'document' names the text, and "
        "--group document keeps its lines together."
    )
    if found.apart:
        yield f"{path}: {counted(found.apart, 'place')} of entities in several pieces are read from the first to the last."
    if found.unread:
        held = ", ".join(f"{count:,} {what}" for what, count in found.unread.most_common())
        yield f"{path}: of brat's annotations entities are read, not {held}."
