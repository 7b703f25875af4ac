"""How much of a model is left in a far quicker one? A table of word vectors that learns from a run on all-MiniLM-L6-v2.

    python benchmarks/few/distilled.py --data ../shared/data

Three sets, each with all training rows, and with 10 rows a label while the others serve as rows without labels. A teacher is
tuned with `--method auto`; its students are tables of word vectors, `--teacher RUN`, and beside them a table that learns the
labels alone and no teacher. Scores, bytes and rows a second are those of the scorecard: teacher and student answer the same test
rows in turn, in one process. A table goes into RESULTS.md.

What is measured is kept cell by cell, so an interrupted benchmark goes on where it stopped.
"""

import argparse
import csv
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.kept import completed
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.processes import luthier, names_of
from benchmarks.harness.results import write_section
from benchmarks.search.regret import SETS, Row, few, prepare, read

SECTION = "Distilled into a table of word vectors"
CHOSEN = ("banking77", "trec", "agnews_7k6")
PER_LABEL = 10
SIZES = ("all", "few")
TEACHER = "all-MiniLM-L6-v2"
SHARE, TIMES = 0.98, 5.0
"""What is asked of a student: so much of its teacher's accuracy, at so many times its rows a second."""


@dataclass(frozen=True)
class Cell:
    """A student beside its teacher, on one set at one size."""

    set: str
    size: str
    student: str
    labelled: int
    unlabelled: int
    teacher_score: float
    score: float
    low: float | None
    high: float | None
    """Ends of the interval of the paired difference to the teacher; None where there was no teacher."""
    teacher_pace: float
    pace: float
    teacher_bytes: int
    bytes: int
    seconds: float
    """Wall time of the student's whole run."""
    others: float
    machine: str

    @property
    def key(self) -> tuple[str, str]:
        return self.set, self.size


def measure(name: str, size: str, data: Path, seed: int, most: int | None, more: Sequence[str]) -> list[Cell]:
    """The teacher and its students on one set. most: training rows, for who tries the script out."""
    with tempfile.TemporaryDirectory(prefix="luthier-distilled-") as place:
        folder = Path(place)
        _, files = prepare(SETS[name], "all", data, folder, seed)
        labelled, free = parted(Path(files[0]), size, most)
        common = [str(labelled), *files[1:], "--seed", str(seed), *more]
        cache = folder / "cache"
        luthier(
            ["tune", *common, "--model", TEACHER, "--method", "auto", "--out", str(folder / "teacher")], cache
        )
        taught = ["--teacher", str(folder / "teacher"), "--method", "full"]
        asked = {"static": taught}
        if free is not None:
            asked["static, rows without labels too"] = [*taught, "--unlabelled", str(free)]
        found = []
        for at, (student, how) in enumerate(asked.items()):
            card, cost = luthier(["tune", *common, *how, "--out", str(folder / str(at))], cache)
            found.append(cell_of(card, name, size, student, cost.others))
        alone = ["--model", f"static:{TEACHER}", "--method", "full", "--out", str(folder / "alone")]
        card, cost = luthier(["tune", *common, *alone], cache)
        return [*found, without_teacher(card, found[0], cost.others)]


def parted(train: Path, size: str, most: int | None) -> tuple[Path, Path | None]:
    """The file of rows with labels, and that of the others without; None where all keep theirs."""
    rows = read(train)[:most]
    if size == "all":
        return written(train, rows), None
    labels = {row["label"] for row in rows}
    chosen = few(rows, PER_LABEL * len(labels))
    known = {row["text"] for row in chosen}
    others = [{"text": row["text"]} for row in rows if row["text"] not in known]
    random.Random(0).shuffle(others)
    return written(train.with_name("few.csv"), chosen), written(train.with_name("free.csv"), others)


def written(path: Path, rows: Sequence[Row]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def cell_of(card: dict[str, Any], name: str, size: str, student: str, others: float) -> Cell:
    told = card["distillation"]
    ours, theirs = told["student"], told["teacher"]
    return Cell(
        name, size, student, told["rows"]["labelled"], told["rows"]["unlabelled"], theirs["score"], ours["score"],
        told["low"], told["high"], theirs["rows_per_second"], ours["rows_per_second"], theirs["bytes"], ours["bytes"],
        card["cost"]["seconds"]["total"], others, describe(),
    )  # fmt: skip


def without_teacher(card: dict[str, Any], beside: Cell, others: float) -> Cell:
    """A table that nobody taught, beside the teacher of another: as large and as fast as its like."""
    score = card["test"][card["metric"]]["value"]
    return Cell(**{
        **asdict(beside), "student": "static, no teacher", "unlabelled": 0, "score": score, "low": None,
        "high": None, "seconds": card["cost"]["seconds"]["total"], "others": others,
    })  # fmt: skip


def section(cells: Sequence[Cell]) -> str:
    words = (
        f"Teacher: {TEACHER}, `--method auto`. Students: tables of word vectors made of the teacher, `--method full`; *no "
        "teacher*: a table made of the untuned encoder, which learns labels alone. `few`: 10 rows a label, the others without "
        "labels. *Accuracy* on the test rows in hundredths, *difference* paired, with its 95 % interval; *share*: of the "
        "teacher's accuracy; *times as fast*: rows a second beside the teacher's, both answering the same test rows in "
        "batches, in one process; of *no teacher* as of the student above, a table of the same tokens. "
        f"The goal is {100 * SHARE:.0f} % at {TIMES:g} times."
    )
    lines = [
        "| set | rows | student | labels | without | teacher | student | difference | share | rows a second | times as fast | MB "
        "(teacher) | seconds | goal | others |",
        "| --- | --- | --- |" + " ---: |" * 12,
    ]
    for one in sorted(cells, key=lambda cell: (CHOSEN.index(cell.set), SIZES.index(cell.size))):
        gap = 100 * (one.score - one.teacher_score)
        told = f"{gap:+.1f}"
        if one.low is not None and one.high is not None:
            told += f" ({100 * one.low:+.1f} to {100 * one.high:+.1f})"
        share, times = one.score / one.teacher_score, one.pace / one.teacher_pace
        lines.append(
            f"| {one.set} | {one.size} | {one.student} | {one.labelled:,} | {one.unlabelled:,} | {100 * one.teacher_score:.1f} | "
            f"{100 * one.score:.1f} | {told} | {100 * share:.1f} % | {one.pace:,.0f} | {times:.0f} | {one.bytes / 1e6:.0f} "
            f"({one.teacher_bytes / 1e6:.0f}) | {one.seconds:.0f} | {'yes' if share >= SHARE and times >= TIMES else 'no'} | "
            f"{100 * one.others:.0f} % |"
        )
    machines = "\n".join(dict.fromkeys(one.machine for one in cells))
    return f"{machines}\n\n{words}\n\n" + "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument(
        "--sets", type=names_of(CHOSEN), default=list(CHOSEN), help="some of them, as in trec,banking77"
    )
    parser.add_argument("--sizes", type=names_of(SIZES), default=list(SIZES), help="all, few or both")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=OUT / "distilled.jsonl", help="what was measured")
    parser.add_argument("--rows", type=int, help="a smoke run: so many training rows, nothing written")
    parser.add_argument("--table-only", action="store_true", help="measure nothing, write the table again")
    asked = parser.parse_args()
    if asked.rows:
        size = asked.sizes[0]
        print(
            section(
                measure(
                    asked.sets[0], size, asked.data, asked.seed, asked.rows, ["--allow", "leaks,left-out"]
                )
            )
        )
        return
    cells = [(name, size) for name in asked.sets for size in asked.sizes]
    text = section(
        completed(
            asked.cache,
            Cell,
            [] if asked.table_only else cells,
            lambda one: one.key,
            lambda key: measure(*key, asked.data, asked.seed, None, []),
        )
    )
    print(text)
    write_section(SECTION, text)


if __name__ == "__main__":
    main()
