"""Zero-tuning regret: how much better than the recipe the best of thirty trials is.

    python benchmarks/search/regret.py --data ../shared/data

Six sets, each with 50, 500 and all of its training rows. A Bayesian search over the usual space is run on each; its trial 0
is the recipe. The trial that is best on validation and the recipe are then tuned once more, as a user would, and scored
on the test rows. Validation has 500 rows whatever the size, so that the best of thirty is the best, not the luckiest: more
than a user with fifty rows has, so the regret told is rather too large. Few rows are validated on once an epoch, not
twice: else most of the time would be validation. Trials are ended early as in any search, unless `--prune none` says so.

What is measured is kept at once, so an interrupted benchmark goes on where it stopped.
"""

import argparse
import csv
import gzip
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.kept import write_records
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.processes import luthier, names_of
from benchmarks.harness.results import write_section

SECTION = "Zero-tuning regret"
TRIALS = 30
SIZES = ("50", "500", "all")
VALID = 500
PER_LABEL = 5
"""With fewer rows a label than these, only some labels are kept, in all files. Types of entities that do not occur in the rows
that are kept are no entities in the other files."""

KEPT = ("values", "state", "score", "candidate", "validations", "length")
"""The records that are kept of every trial: what priors could be learnt from (`priors.py`), and when to look at a trial
(`looks.py`)."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Set:
    """Files in the folder of the data."""

    train: str
    test: str
    dev: str | None = None
    """Where there is none, rows of train are held out."""
    by_source: bool = False
    """Whether `dev` goes from source to source, so that its first rows are unlike the others: then they are drawn."""


SETS = {
    "sst2": Set("sst2/train.csv", "sst2/test.csv", "sst2/dev.csv"),
    "banking77": Set("banking77/train.csv", "banking77/test.csv"),
    "trec": Set("trec/train.csv", "trec/test.csv"),
    "agnews_7k6": Set("agnews_7k6/train.csv", "agnews_7k6/test.csv", "agnews_7k6/dev.csv"),
    "stsb": Set("stsb/train.csv", "stsb/test.csv", "stsb/dev.csv", by_source=True),
    "wnut17": Set("wnut17/train.jsonl.gz", "wnut17/test.jsonl.gz", "wnut17/dev.jsonl.gz"),
}


@dataclass(frozen=True)
class Measured:
    """What one set at one size came to."""

    set: str
    size: str
    seed: int
    prune: str
    rows: int
    metric: str
    recipe: tuple[float, float]
    """On validation, on test."""
    best: tuple[float, float]
    number: int
    """Number of the best trial; 0 is the recipe."""
    named: int
    """Number of the trial that the search names, which may be a cheaper one."""
    values: dict[str, Any]
    kept: dict[str, Any]
    """The recipe's values."""
    tried: list[dict[str, Any]]
    """`KEPT` of every trial."""
    seconds: float
    machine: str

    @property
    def regret(self) -> float:
        return self.best[1] - self.recipe[1]

    def count(self, state: str) -> int:
        """Trials that ended so."""
        return sum(one["state"] == state for one in self.tried)


# Rows


def read(path: Path) -> list[Row]:
    if path.suffix == ".csv":
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write(path: Path, rows: Sequence[Row]) -> Path:
    if path.suffix == ".csv":
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def prepare(chosen: Set, size: str, data: Path, folder: Path, seed: int) -> tuple[int, list[str]]:
    """How many rows there are to learn from, and the files as luthier takes them."""
    ending = ".csv" if chosen.train.endswith(".csv") else ".jsonl"
    train, test = read(data / chosen.train), read(data / chosen.test)
    if "fine_label" in train[0]:
        train, test = ([without(row, "fine_label") for row in rows] for rows in (train, test))
    random.Random(seed).shuffle(train)
    if chosen.dev is None:
        valid, train = train[:VALID], train[VALID:]
    else:
        valid = read(data / chosen.dev)
        if chosen.by_source:
            random.Random(seed).shuffle(valid)
        valid = valid[:VALID]
    if size != "all":
        train = few(train, int(size))
        valid, test = (such_as(train, rows) for rows in (valid, test))
    paths = [write(folder / f"{name}{ending}", rows) for name, rows in
             (("train", train), ("valid", valid), ("test", test))]  # fmt: skip
    return len(train), [str(paths[0]), "--valid", str(paths[1]), "--test", str(paths[2])]


def without(row: Row, key: str) -> Row:
    return {name: value for name, value in row.items() if name != key}


def few(rows: Sequence[Row], count: int) -> list[Row]:
    """The first `count` rows, where there are labels as many of each, and at least `PER_LABEL`."""
    if "label" not in rows[0]:
        return list(rows[:count])
    labels = sorted({row["label"] for row in rows})
    labels = random.Random(0).sample(labels, min(len(labels), count // PER_LABEL))
    of_each = {label: [row for row in rows if row["label"] == label] for label in labels}
    turns = [of_each[label][turn] for turn in range(count) for label in labels if turn < len(of_each[label])]
    return turns[:count]


def such_as(train: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Rows with what can be learnt from the training rows: their labels alone, their types of entities alone."""
    if "label" in train[0]:
        labels = {row["label"] for row in train}
        return [row for row in rows if row["label"] in labels]
    if "tags" in train[0]:
        types = {tag.split("-", 1)[-1] for row in train for tag in row["tags"]}
        return [
            {**row, "tags": [tag if tag.split("-", 1)[-1] in types else "O" for tag in row["tags"]]}
            for row in rows
        ]
    return list(rows)


# One cell


def measure(name: str, size: str, data: Path, seed: int, prune: str) -> Measured:
    with tempfile.TemporaryDirectory(prefix="luthier-regret-") as place:
        folder = Path(place)
        rows, files = prepare(SETS[name], size, data, folder, seed)
        out = folder / "search"
        asked = ["--sampler", "bayes", "--trials", str(TRIALS), "--seed", str(seed), "--out", str(out)]
        asked += ["--prune", prune, *([] if size == "all" else ["--validations", "1"])]
        found, cost = luthier(["search", *files, *asked], folder / "cache")
        trials = found["trials"]
        done = [one for one in trials if one["state"] == "complete"]
        best = max(done, key=lambda one: (one["score"], -one["number"]))
        settled = json.loads((out / "state" / "settled.json").read_text(encoding="utf-8"))
        metric = found["metric"]

        def tested(number: int) -> float:
            run = trials[number]["run"]
            plan, again = str(out / run / "plan.toml"), str(folder / f"tuned-{number}")
            card, _ = luthier(["tune", "--plan", plan, "--out", again], folder / "cache")
            return float(card["test"][metric]["value"])

        recipe = tested(0)
        return Measured(
            set=name,
            size=size,
            seed=seed,
            prune=prune,
            rows=rows,
            metric=metric,
            recipe=(trials[0]["score"], recipe),
            best=(best["score"], tested(best["number"]) if best["number"] else recipe),
            number=best["number"],
            named=found["best"]["number"],
            values=best["values"],
            kept=settled["recipe"],
            tried=[{key: one.get(key) for key in KEPT} for one in trials],
            seconds=cost.seconds,
            machine=describe(),
        )


# The table


def section(found: Sequence[Measured], seed: int, prune: str) -> str:
    head = [
        "| set | rows | metric | recipe: validation, test | best of 30: validation, test | regret, points | its settings | "
        "finished / ended early | seconds |",
        "| --- | ---: | --- | --- | --- | ---: | --- | --- | ---: |",
    ]
    rows = [
        f"| {one.set} | {one.rows:,} | {one.metric} | {one.recipe[0]:.3f}, {one.recipe[1]:.3f} | "
        f"{one.best[0]:.3f}, {one.best[1]:.3f} | {100 * one.regret:+.1f} | {settings(one)} | "
        f"{one.count('complete')} / {one.count('pruned')} | {one.seconds:.0f} |"
        for one in found
    ]
    regrets = [100 * one.regret for one in found]
    told = (
        f"The recipe beside the best of {TRIALS} TPE trials by validation ({VALID:,} rows at most) over the usual space, "
        f"method `auto`, all-MiniLM-L6-v2, seed {seed}, `--prune {prune}`. *Regret*: how much better the best trial's test score "
        "is; a negative one says that validation favoured a trial that is no better. With 50 rows banking77 has ten of its "
        "labels."
    )
    mean = f"Mean regret over {len(found)} of {len(SETS) * len(SIZES)} cells: {statistics.mean(regrets):+.2f} points"
    error = (
        f", standard error {statistics.stdev(regrets) / len(regrets) ** 0.5:.2f}." if len(found) > 1 else "."
    )
    machines = "\n".join(dict.fromkeys(one.machine for one in found))
    return f"{machines}\n\n{told}\n\n" + "\n".join(head + rows) + f"\n\n{mean}{error}"


def settings(one: Measured) -> str:
    """What the best trial has, beside what the recipe has."""
    if one.tried[one.number]["candidate"] == "probe":
        return "the probe, whatever they are"
    if one.number == 0:
        return "the recipe"
    own, kept = one.values, one.kept
    return ", ".join(f"{key.split('.')[1]} {short(own[key])} ({short(kept.get(key))})" for key in own)


def short(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def load(path: Path) -> list[Measured]:
    if not path.exists():
        return []
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Measured(**{**one, "recipe": tuple(one["recipe"]), "best": tuple(one["best"])}) for one in records
    ]


def asking(words: str | None) -> argparse.ArgumentParser:
    """What is asked of a benchmark over these sets."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with a folder per set")
    parser.add_argument("--sets", type=names_of(list(SETS)), default=list(SETS), help=",".join(SETS))
    return parser


def main() -> None:
    parser = asking(__doc__)
    parser.add_argument("--sizes", type=names_of(SIZES), default=list(SIZES), help=",".join(SIZES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--prune", default="halving", choices=("halving", "none"), help="which trials end early"
    )
    parser.add_argument("--cache", type=Path, default=OUT / "regret.jsonl", help="what was measured")
    parser.add_argument("--table-only", action="store_true", help="measure nothing, write the table")
    parser.add_argument("--dry", action="store_true", help="print the table, write no section")
    asked = parser.parse_args()
    found = load(asked.cache)
    for size in [] if asked.table_only else asked.sizes:
        for name in asked.sets:
            cell = (name, size, asked.seed, asked.prune)
            if any((one.set, one.size, one.seed, one.prune) == cell for one in found):
                continue
            found.append(measure(name, size, asked.data, asked.seed, asked.prune))
            write_records(asked.cache, found)
            last = found[-1]
            print(
                f"{name}, {size}: regret {100 * last.regret:+.1f}, {last.seconds:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    shown = sorted(
        (one for one in found if (one.seed, one.prune) == (asked.seed, asked.prune)),
        key=lambda one: (list(SETS).index(one.set), one.rows),
    )
    if shown:
        text = section(shown, asked.seed, asked.prune)
        print(text)
        if not asked.dry:
            write_section(SECTION, text)


if __name__ == "__main__":
    main()
