"""What does few-shot training take of many rows? Time and peak memory at 10,000 and at 40,000 rows.

    python benchmarks/few/many_rows.py --data ../shared/data

Training that brings rows of a label together compares rows with each other, and many rows have many pairs: 40,000 have 800
million. luthier compares the rows of a step alone. The rows are those of four sets in one file, of 89 labels; where they are not
enough, they come again with two words left out. A run is a process of its own, `luthier tune ROWS --test ROWS --method few-shot`,
and its time and memory are those of the whole command, with every check and every other candidate. A table goes into RESULTS.md.

What is measured is kept run by run, so an interrupted benchmark goes on where it stopped.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.kept import completed
from benchmarks.harness.labelled import Row, read_labelled, write_labelled
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.processes import Cost, luthier
from benchmarks.harness.results import write_section

SECTION = "Few-shot training with many rows"
SETS = ("banking77", "trec", "sst2", "agnews_7k6")
SIZES = (10_000, 40_000)
GIGABYTES = 2.0
"""The most memory that 40,000 rows may take."""
LEFT_OUT = 2
"""Words that a row lacks when it comes again."""
STEPS = ("read", "load", "features", "probe", "check", "train", "score")
"""Steps of a run as the scorecard counts their seconds: `probe` with the baselines, `check` before and after the frozen pass."""


@dataclass(frozen=True)
class Measured:
    """A run on so many rows."""

    rows: int
    labels: int
    learnt: int
    """Rows that were learnt from: the others were held out to choose and to calibrate, or are like another one."""
    tested: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    others: float
    steps: int
    """Steps in which rows of a label were brought together."""
    by_step: dict[str, float]
    """Seconds of each of `STEPS`."""
    accuracy: dict[str, float]
    """On the test rows, by candidate."""
    machine: str


def measure(size: int, data: Path, seed: int, more: Sequence[str]) -> Measured:
    """One run on so many rows, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="luthier-many-") as place:
        folder = Path(place)
        train = write_labelled(folder / "train.csv", many(of_sets(data, "train"), size, seed))
        test = write_labelled(folder / "test.csv", of_sets(data, "test"))
        line = ["tune", str(train), "--test", str(test), "--method", "few-shot", "--seed", str(seed)]
        # The sets have rows in common with their test rows, which is told, and is nothing to stop at here.
        line += ["--allow", "leaks", "--out", str(folder / "run"), *more]
        card, cost = luthier(line, folder / "cache")
        return measured(card, cost, size)


def measured(card: dict[str, Any], cost: Cost, size: int) -> Measured:
    took: dict[str, float] = card["cost"]["seconds"]
    return Measured(
        rows=size,
        labels=len(card["labels"]),
        learnt=card["rows"]["train"],
        tested=card["rows"]["test"],
        seconds=cost.seconds,
        cpu_seconds=cost.cpu_seconds,
        peak_bytes=cost.peak_bytes,
        others=cost.others,
        steps=card["tuning"]["few-shot"]["steps"],
        by_step={name: took.get(name, 0.0) for name in STEPS},
        accuracy={one["name"]: one["test"] for one in card["candidates"]},
        machine=describe(),
    )


def of_sets(data: Path, part: str) -> list[Row]:
    """The rows of a part of all sets; a label is called after its set too."""
    return [
        (text, f"{label} ({name})")
        for name in SETS
        for text, label in read_labelled(data / name / f"{part}.csv")
    ]


def many(rows: Sequence[Row], size: int, seed: int) -> list[Row]:
    """So many rows in random order, no two of them alike: what the rows are not enough for comes again, with words left out."""
    dice = random.Random(seed)
    found = dict(dice.sample(rows, len(rows)))
    again = [row for row in found.items() if len(row[0].split()) > 3 * LEFT_OUT]
    while len(found) < size:
        text, label = dice.choice(again)
        words = text.split()
        for _ in range(LEFT_OUT):
            words.pop(dice.randrange(len(words)))
        found.setdefault(" ".join(words), label)
    return list(found.items())[:size]


# The table


def section(found: Sequence[Measured]) -> str:
    tried = max(found, key=lambda one: one.rows)
    words = (
        f"Rows of {', '.join(SETS)} in one file, {tried.labels} labels, all-MiniLM-L6-v2; where there are not enough, rows come "
        f"again with {LEFT_OUT} words left out. `luthier tune ROWS --test ROWS --method few-shot`, with every check and every "
        "other candidate, in a process of its own. *pairs*: of the rows that are learnt from, which a list of all pairs would "
        "hold. *GB*: the most memory that the process held, files that it read included. Seconds of processor time and of wall "
        "time, the latter step by step; *others*: the share of the machine that other processes took. Accuracy on the test rows "
        f"in hundredths. The goal is {GIGABYTES:g} GB at {SIZES[-1]:,} rows."
    )
    lines = [
        "| rows | learnt from | pairs | GB | goal | processor s | wall s | others | read, load | frozen pass | "
        "baselines, probe | checks | few-shot | score | steps | TF-IDF | probe | few-shot |",
        "| ---: |" + " ---: |" * 3 + " --- |" + " ---: |" * 13,
    ]
    lines += [row_of(one) for one in sorted(found, key=lambda one: one.rows)]
    machines = "\n".join(dict.fromkeys(one.machine for one in found))
    return f"{machines}\n\n{words}\n\n" + "\n".join(lines)


def row_of(one: Measured) -> str:
    took, gigabytes = one.by_step, one.peak_bytes / 1e9
    seconds = [took["read"] + took["load"], *(took[name] for name in STEPS if name not in ("read", "load"))]
    scores = [one.accuracy.get(name) for name in ("tf-idf", "probe", "few-shot")]
    cells = [
        f"{one.rows:,}", f"{one.learnt:,}", f"{one.learnt * (one.learnt - 1) // 2 / 1e6:,.0f} M", f"{gigabytes:.2f}",
        "yes" if gigabytes <= GIGABYTES else "no", f"{one.cpu_seconds:,.0f}", f"{one.seconds:,.0f}", f"{100 * one.others:.0f} %",
        *(f"{value:,.0f}" for value in seconds), f"{one.steps:,}",
        *("" if score is None else f"{100 * score:.1f}" for score in scores),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--sizes", type=lambda text: list(map(int, text.split(","))), default=list(SIZES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=OUT / "many_rows.jsonl", help="what was measured")
    parser.add_argument("--rows", type=int, help="a smoke run: so many rows, nothing written")
    parser.add_argument("--again", action="store_true", help="measure anew what is known")
    parser.add_argument("--table-only", action="store_true", help="measure nothing, write the table again")
    asked = parser.parse_args()
    if asked.rows:
        print(section([measure(asked.rows, asked.data, asked.seed, [])]))
        return
    text = section(
        completed(
            asked.cache,
            Measured,
            [] if asked.table_only else asked.sizes,
            lambda one: one.rows,
            lambda size: [measure(size, asked.data, asked.seed, [])],
            asked.again,
        )
    )
    print(text)
    write_section(SECTION, text)


if __name__ == "__main__":
    main()
