"""Small files in the forms of tools, and what is understood of them, for the tests of shapes."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from luthier.data.read import read
from luthier.data.table import Table
from luthier.data.tags import spans_of
from luthier.plan.plan import Plan
from luthier.prepare.rows import Rows, understand

PEOPLE = ("Ann Lee", "Bo", "Cy Ray", "Dee")
PLACES = ("Rome", "Oslo", "New York")


def sentences(count: int = 12, before: str = "") -> list[tuple[str, list[tuple[int, int, str]]]]:
    """Texts with the places of a person and a town in each, in characters; every other one begins with `before`."""
    found = []
    for number in range(count):
        person, town = PEOPLE[number % 4], PLACES[number % 3]
        text = f"{before if number % 2 else ''}On day {number} we met {person} near {town}, and left."
        spans = [(text.index(name), kind, name) for name, kind in ((person, "person"), (town, "town"))]
        found.append((text, [(at, at + len(name), kind) for at, kind, name in spans]))
    return found


def labelled(count: int = 12) -> list[tuple[str, str]]:
    """Texts with a label."""
    return [(f"This is the text of number {n}, which says little.", "ab"[n % 2]) for n in range(count)]


def objects(spans: Sequence[tuple[int, int, str]], **more: Any) -> list[dict[str, Any]]:
    return [{"start": start, "end": end, "label": label, **more} for start, end, label in spans]


def json_lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def json_file(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def csv_file(path: Path, header: list[str], rows: list[list[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def understood(path: Path) -> Rows:
    return understand(Plan.model_validate({"data": {"path": str(path)}}))


def entities(rows: Rows) -> list[tuple[str, list[tuple[str, str]]]]:
    """The text of each row that is used, without blanks, and the words and type of each of its entities."""
    used = rows.understood.usable
    names = rows.task.tags  # type: ignore[attr-defined]
    found = []
    for words, numbers in zip(rows.inputs(used), rows.targets(used), strict=True):
        spans = spans_of([names[number] for number in numbers])
        found.append(
            (
                squeezed(words.text),
                [
                    (squeezed(words.text[words.places[a][0] : words.places[b - 1][1]]), kind)
                    for a, b, kind in spans
                ],
            )
        )
    return found


def expected(texts: list[tuple[str, list[tuple[int, int, str]]]]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(squeezed(text), [(squeezed(text[a:b]), kind) for a, b, kind in spans]) for text, spans in texts]


def squeezed(text: str) -> str:
    return "".join(text.split())


def labels(rows: Rows) -> list[tuple[str, Any]]:
    """The text of each row that is used, and its label or labels."""
    used = rows.understood.usable
    targets = rows.targets(used)
    names = [
        rows.labels[target]
        if getattr(target, "ndim", 0) == 0
        else tuple(label for label, mark in zip(rows.labels, target, strict=True) if mark)
        for target in targets
    ]
    return list(zip(rows.texts(used), names, strict=True))


def set_aside(path: Path) -> dict[str, list[int]]:
    return {reason: rows.tolist() for reason, rows in read(path).layout.set_aside.items()}


def said(table: Table) -> str:
    return " ".join(table.guesses)
