"""A person labels 20 rows, tunes, labels the next 20: what a round costs beside a run from nothing, and what it brings.

    python benchmarks/few/label_loop.py --data ../shared/data

The training rows of a set are a pool whose labels are hidden. The first rows to be labelled are drawn at random, the next ones
by `luthier suggest`, or at random again; each round after the first is `luthier tune --continue` of the round before, and beside
it the same rows are learnt from nothing. All in one process, after two rounds that nobody counts: no run pays for imports.
"""

import argparse
import csv
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.kept import read_records, write_records
from benchmarks.harness.labelled import Row, read_labelled, write_labelled
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.processes import names_of
from benchmarks.harness.results import write_section
from luthier import tune
from luthier.doctor.suggest import suggest_rows
from luthier.events import result_of
from luthier.folder.model_folder import ModelFolder
from luthier.plan.plan import Plan

SECTION = "A loop of labelling"
SETS = {"trec": "trec", "sst2": "sst2", "agnews": "agnews_7k6"}
ARMS = ("suggested", "random")
MEASURED = OUT / "label_loop.jsonl"
TESTED = 500
POOL = 2_000

LEGEND = """\
*Seconds*: of a round with `--continue`, of a run from nothing on the same rows, and the former as a share of the latter; without
start-up, which is reading the rows, finding and opening the model. *Accuracy*: on the same test rows. *Foretold*: in how many
rounds the score lay within the range that the round before had told.
"""


@dataclass(frozen=True)
class Measured:
    """A round, and the same rows learnt from nothing."""

    set: str
    seed: int
    arm: str
    round: int
    labels: int
    seconds: float
    from_nothing: float
    accuracy: float
    accuracy_from_nothing: float
    kept: str
    within: bool | None
    """Whether the accuracy is within what the round before foretold; None where that foretold nothing."""
    machine: str


def first_rows(pool: Sequence[Row], count: int, dice: np.random.Generator) -> list[Row]:
    """Rows at random, two of each label among them: a label that no training row has cannot be tested."""
    order = [pool[at] for at in dice.permutation(len(pool))]
    each = [
        row
        for label in dict.fromkeys(label for _, label in order)
        for row in [r for r in order if r[1] == label][:2]
    ]
    return [*each, *(row for row in order if row not in each)][: max(count, len(each))]


def next_rows(
    arm: str, labelled: Path, pool: dict[str, str], count: int, folder: Path, seed: int
) -> list[Row]:
    """The next rows to be labelled, with their labels."""
    known = {text for text, _ in read_labelled(labelled)}
    free = [text for text in pool if text not in known]
    if arm == "random":
        chosen = [free[at] for at in np.random.default_rng([seed, len(known)]).permutation(len(free))[:count]]
        return [(text, pool[text]) for text in chosen]
    unlabelled = folder / f"pool-{len(known)}.csv"
    with open(unlabelled, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text",), *((text,) for text in free)])
    plan = Plan.build(
        {
            "data.path": str(labelled),
            "data.text": "text",
            "data.label": "label",
            "data.unlabelled": str(unlabelled),
            "run.out": str(folder),
        }
    )
    found = result_of(suggest_rows(plan, count))
    return [(row["text"], pool[row["text"]]) for row in found.rows]


def run_once(out: Path, rows: Path, **settings: Any) -> ModelFolder:
    return tune(str(rows), out=str(out), quiet=True, **settings)


def seconds_of(run: ModelFolder) -> float:
    """Seconds of a run without its start-up."""
    took = run.scorecard.record["cost"]["seconds"]
    return float(took["total"] - took["load"] - took["read"])


def loop(args: argparse.Namespace, name: str, seed: int, arm: str) -> Iterator[Measured]:
    """The rounds of one loop."""
    home, dice = args.data / SETS[name], np.random.default_rng(seed)
    rows, tests = read_labelled(home / "train.csv"), read_labelled(home / "test.csv")
    rows = [rows[at] for at in dice.permutation(len(rows))[:POOL]]
    tests = [tests[at] for at in dice.permutation(len(tests))[:TESTED]]
    pool = dict(rows)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        test = write_labelled(folder / "test.csv", tests)
        labelled = write_labelled(folder / "round-1.csv", first_rows(rows, args.labels, dice))
        settings: dict[str, Any] = {"test": str(test), "seed": seed, "allow": ["leaks"]}
        before: ModelFolder | None = None
        for number in range(1, args.rounds + 1):
            # Which of the two is first changes from round to round, as the second finds files in memory.
            run = alone = run_once(folder / f"alone-{number}", labelled, **settings) if number % 2 else None
            if before is not None:
                onward = {"continues": str(before.path), "allow": ["leaks"]}
                run = run_once(folder / f"round-{number}", labelled, **onward)
            alone = alone or run_once(folder / f"alone-{number}", labelled, **settings)
            assert run is not None, "the first round is one from nothing"
            told = (
                None if before is None else (before.scorecard.record.get("continued") or {}).get("forecast")
            )
            score = run.scorecard.test["accuracy"].value
            yield Measured(
                name, seed, arm, number, len(read_labelled(labelled)), seconds_of(run), seconds_of(alone), score,
                alone.scorecard.test["accuracy"].value, run.scorecard.chosen,
                None if told is None else bool(told["low"] <= score <= told["high"]), describe(),
            )  # fmt: skip
            more = next_rows(arm, labelled, pool, args.labels, folder, seed)
            labelled = write_labelled(folder / f"round-{number + 1}.csv", [*read_labelled(labelled), *more])
            before = run


def section(found: Sequence[Measured]) -> str:
    lines = ["| set | chosen | round | labels | seconds | from nothing | share | accuracy | from nothing | loops |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for key in sorted({(one.set, one.arm, one.round) for one in found}):
        own = [one for one in found if (one.set, one.arm, one.round) == key]
        mean = {
            field: statistics.mean(getattr(one, field) for one in own)
            for field in ("labels", "seconds", "from_nothing", "accuracy", "accuracy_from_nothing")
        }
        lines.append(
            f"| {key[0]} | {key[1]} | {key[2]} | {mean['labels']:.0f} | {mean['seconds']:.1f} | {mean['from_nothing']:.1f} | "
            f"{mean['seconds'] / mean['from_nothing']:.2f} | {mean['accuracy']:.3f} | {mean['accuracy_from_nothing']:.3f} | "
            f"{len(own)} |"
        )
    told = [one.within for one in found if one.within is not None]
    words = f"Foretold: {sum(told)} of {len(told)} rounds within the range." if told else ""
    return f"{found[-1].machine}\n\n{LEGEND}\n" + "\n".join(lines) + f"\n\n{words}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", type=names_of(list(SETS)), default=list(SETS))
    parser.add_argument("--arms", type=names_of(ARMS), default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--labels", type=int, default=20, help="labels a round")
    parser.add_argument("--table-only", action="store_true")
    args = parser.parse_args()
    if not args.table_only:
        measure(args)
    known = read_records(MEASURED, Measured)
    if known:
        write_section(SECTION, section(known))


def measure(args: argparse.Namespace) -> None:
    """What is not measured yet."""
    done = {
        (one.set, one.seed, one.arm) for one in read_records(MEASURED, Measured) if one.round == args.rounds
    }
    left = [
        (name, seed, arm) for seed in range(args.seeds) for name in args.sets for arm in args.arms
        if (name, seed, arm) not in done
    ]  # fmt: skip
    if left:
        warm = argparse.Namespace(**{**vars(args), "rounds": 2})
        list(loop(warm, *left[0]))  # imports and compiles
    for cell in left:
        found = []
        for one in loop(args, *cell):
            found.append(one)
            print(
                f"{one.set} {one.arm} seed {one.seed} round {one.round}: {one.seconds:.1f} s of {one.from_nothing:.1f}, accuracy "
                f"{one.accuracy:.3f}, from nothing {one.accuracy_from_nothing:.3f}, {one.kept} kept",
                flush=True,
            )
        others = [one for one in read_records(MEASURED, Measured) if (one.set, one.seed, one.arm) != cell]
        write_records(MEASURED, [*others, *found])


if __name__ == "__main__":
    main()
