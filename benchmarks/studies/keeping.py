"""What does --keep strong give back? SST-2 tuned as it is and with strong, and probes for other tasks on the bodies.

    python benchmarks/studies/keeping.py --data ../shared/data

For each seed SST-2 is tuned with `--method full`, once with `--keep off` and once with `--keep strong`. On the body before, on
both after, a linear probe learns AG News and TREC (`luthier tune ... --method probe --model RUN`): what it loses from the base
to a tuned body is what was forgotten of these tasks. The task's own score is compared on the same test rows.

What is measured is kept at once, so an interrupted benchmark goes on where it stopped. `--rows 200` is a smoke run, kept apart
and printed alone.
"""

import argparse
import csv
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.kept import read_records, write_records
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.processes import luthier
from benchmarks.harness.results import write_section

SECTION = "What keeping gives back"
MODEL = "all-MiniLM-L6-v2"
PROBED = {
    "AG News": ("agnews_7k6/train.csv", "agnews_7k6/dev.csv", "agnews_7k6/test.csv"),
    "TREC": ("trec/train.csv", None, "trec/test.csv"),
}
"""Files of the tasks that a probe learns: train, validation where there is a file for it, test."""
TESTED = {"AG News": 1_000, "TREC": 500}
"""Their test rows."""
ALLOWED = "leaks,copies,contradictions,near-copies,label-errors"
"""Findings that do not stop: the sets are taken as their sources left them."""


@dataclass(frozen=True)
class Measured:
    """A body: the base, or one that was tuned with a value of --keep."""

    keep: str
    """`base`, `off` or `strong`."""
    seed: int
    rows: int
    """Rows of each file that were taken; 0: all."""
    probes: dict[str, float]
    """Test accuracy of a probe on the body, by task."""
    score: float | None
    """Test accuracy on SST-2; None of the base."""
    right: list[int]
    """1 for each test row of SST-2 whose answer was right, else 0."""
    kl: float | None
    """KL to the base, where it was measured."""
    steps: int
    training: float
    """Seconds of training steps."""
    keeping: float
    """Seconds that looking for what to keep took."""
    words: str
    machine: str


def cut(path: Path, rows: int, folder: Path) -> Path:
    """A file, or its first rows."""
    if not rows:
        return path
    with open(path, newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))[: rows + 1]
    short = folder / f"{path.parent.name}-{path.name}"
    with open(short, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    return short


def flags_of(data: Path, files: Sequence[str | None], rows: int, folder: Path) -> list[str]:
    """The files of a set as flags of `luthier tune`."""
    train, valid, test = (None if name is None else str(cut(data / name, rows, folder)) for name in files)
    found = [str(train), "--test", str(test), "--label", "label", "--allow", ALLOWED]
    return found + (["--valid", valid] if valid is not None else [])


def probes_on(model: str, data: Path, rows: int, folder: Path) -> dict[str, float]:
    """Test accuracy of a probe on a body, by task."""
    found = {}
    for number, (task, files) in enumerate(PROBED.items()):
        asked = [*flags_of(data, files, rows, folder), "--model", model, "--method", "probe"]
        out = folder / f"probe-{len(list(folder.iterdir()))}-{number}"
        card, _ = luthier(["tune", *asked, "--out", str(out)], folder / "cache")
        found[task] = card["test"]["accuracy"]["value"]
    return found


def measure(keep: str, seed: int, rows: int, data: Path, more: Sequence[str]) -> Measured:
    """One body, tuned where it is to be, and probed."""
    with tempfile.TemporaryDirectory(prefix="luthier-keeping-") as place:
        folder = Path(place)
        if keep == "base":
            return Measured(
                keep,
                seed,
                rows,
                probes_on(MODEL, data, rows, folder),
                None,
                [],
                None,
                0,
                0.0,
                0.0,
                "",
                describe(),
            )
        asked = flags_of(data, ("sst2/train.csv", "sst2/dev.csv", "sst2/test.csv"), rows, folder)
        asked += ["--model", MODEL, "--method", "full", "--keep", keep, "--seed", str(seed), *more]
        run = folder / "run"
        card, _ = luthier(["tune", *asked, "--out", str(run)], folder / "cache")
        lines = (run / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()
        answers = [json.loads(line) for line in lines]
        tuned, keeping = card["tuning"]["tuned"], card.get("keeping") or {}
        return Measured(
            keep, seed, rows, probes_on(str(run), data, rows, folder), card["test"]["accuracy"]["value"],
            [int(one["label"] == one["prediction"]) for one in answers], card["forgetting"].get("kl_to_base"),
            tuned["steps"], tuned["seconds"], keeping.get("seconds", 0.0), keeping.get("words", ""), describe(),
        )  # fmt: skip


def section(found: Sequence[Measured]) -> str:
    """The table, a row for each body, and what they come to."""
    tasks = list(PROBED)
    heads = [
        "body",
        "seed",
        *(f"probe: {task}" for task in tasks),
        "SST-2",
        "KL to the base",
        "steps",
        "training, s",
        "keeping, s",
    ]
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    for one in sorted(found, key=lambda one: (one.keep != "base", one.seed, one.keep)):
        shown = [f"{100 * one.probes[task]:.1f}" for task in tasks]
        score = "" if one.score is None else f"{100 * one.score:.1f}"
        kl = "" if one.kl is None else f"{one.kl:.3g}"
        seed = "" if one.keep == "base" else str(one.seed)
        times = (
            ["", "", ""]
            if one.keep == "base"
            else [str(one.steps), f"{one.training:.0f}", f"{one.keeping:.0f}"]
        )
        lines.append(f"| {one.keep} | {seed} | " + " | ".join([*shown, score, kl, *times]) + " |")
    kept = [f"Seed {one.seed}: {one.words}" for one in found if one.words]
    machines = "\n".join(dict.fromkeys(one.machine for one in found))
    base = next((one for one in found if one.keep == "base"), None)
    pairs = [
        (off, strong)
        for off in found
        for strong in found
        if (off.keep, strong.keep) == ("off", "strong") and off.seed == strong.seed
    ]
    words = [] if base is None else [told(base, off, strong) for off, strong in pairs]
    if base is not None and len(pairs) > 1:
        words.append(altogether(base, pairs))
    return "\n\n".join([machines, "\n".join(lines), *words, *kept])


def told(base: Measured, off: Measured, strong: Measured) -> str:
    """What strong keeps beside off of the same seed."""
    gaps = [one - other for one, other in zip(strong.right, off.right, strict=True)]
    margin = 1.96 * statistics.stdev(gaps) / len(gaps) ** 0.5
    back = "; ".join(
        given_back(task, base.probes[task] - off.probes[task], strong.probes[task] - off.probes[task])
        for task in PROBED
    )
    return (
        f"Seed {strong.seed}: strong is {100 * statistics.mean(gaps):+.1f} points from off on SST-2's test rows (95 % interval "
        f"{100 * (statistics.mean(gaps) - margin):+.1f} to {100 * (statistics.mean(gaps) + margin):+.1f}); {back}; "
        f"{strong.steps - off.steps} more training steps."
    )


def altogether(base: Measured, pairs: Sequence[tuple[Measured, Measured]]) -> str:
    """What strong keeps on the mean over seeds, for each task and for both; the noise of a probe's score is told with it."""
    off, strong = (
        {task: statistics.mean(pair[at].probes[task] for pair in pairs) for task in PROBED} for at in (0, 1)
    )
    lost = {task: base.probes[task] - off[task] for task in PROBED}
    kept = {task: strong[task] - off[task] for task in PROBED}
    each = "; ".join(given_back(task, lost[task], kept[task]) for task in PROBED)
    both = given_back("either (the mean)", statistics.mean(lost.values()), statistics.mean(kept.values()))
    noise = " and ".join(
        f"{100 * (score * (1 - score) / TESTED[task]) ** 0.5:.1f} points on {task}"
        for task, score in base.probes.items()
    )
    return f"Means of {len(pairs)} seeds: {each}; {both}. One standard error of a single probe's score is {noise}."


def given_back(task: str, lost: float, kept: float) -> str:
    if lost <= 0:
        return f"nothing was lost on {task}"
    return f"of {100 * lost:.1f} points lost on {task} {100 * kept:.1f} are kept ({kept / lost:.0%})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the sets")
    parser.add_argument("--seeds", type=int, default=3, help="so many trainings of each kind, from seed 0")
    parser.add_argument(
        "--rows", type=int, default=0, help="a smoke run: so many rows of each file, printed alone"
    )
    parser.add_argument("--all", default="", help="more flags of the runs on SST-2, as in --all='--epochs 1'")
    parser.add_argument("--cache", type=Path, default=OUT / "keeping.jsonl", help="what was measured")
    asked = parser.parse_args()
    cache = asked.cache.with_name(f"smoke-{asked.cache.name}") if asked.rows else asked.cache
    found = read_records(cache, Measured)
    wanted = [("base", 0), *((keep, seed) for seed in range(asked.seeds) for keep in ("off", "strong"))]
    for keep, seed in wanted:
        if not any((one.keep, one.seed, one.rows) == (keep, seed, asked.rows) for one in found):
            found.append(measure(keep, seed, asked.rows, asked.data, asked.all.split()))
            write_records(cache, found)
            print(f"{keep}, seed {seed}: {found[-1].probes}", file=sys.stderr)
    body = section([one for one in found if one.rows == asked.rows])
    print(body)
    if not asked.rows:
        write_section(SECTION, body)


if __name__ == "__main__":
    main()
