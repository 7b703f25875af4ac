"""Few labels: luthier beside SetFit, HF Trainer, and linear heads on frozen vectors, over sets and rows a label.

    python benchmarks/few/few_labels.py --data ../shared/data --setfit SETFIT/bin/python

Every tool gets the same rows, drawn by the sample's number, the same model and the same cores; a run is a process of its own, and
its time and memory are those of the whole process. What is measured is kept at once; the same command goes on. Samples are
taken one after the other over all cells, so that a table stands from the first on.
"""

import argparse
import csv
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.few import rivals
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.processes import LUTHIER, last_line, names_of, run_alone
from benchmarks.harness.results import write_section, write_whole

NAME = "Few labels"
FILE = OUT / "few_labels.json"
SETS = {"sst2": "sst2", "trec": "trec", "banking77": "banking77", "agnews": "agnews_7k6"}
SIZES = (1, 2, 4, 8, 16, 64)
SAMPLES = {"luthier": 10, "frozen": 10, "setfit": 3, "hf": 3}
"""Tools, and how many samples of rows each is given in a cell."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument(
        "--setfit", default=sys.executable, help="a Python that has setfit beside luthier's packages"
    )
    parser.add_argument("--sets", type=names_of(list(SETS)), default=list(SETS))
    parser.add_argument("--sizes", type=lambda text: list(map(int, text.split(","))), default=list(SIZES))
    parser.add_argument("--tools", type=names_of(list(SAMPLES)), default=list(SAMPLES))
    parser.add_argument("--samples", type=int, default=10, help="of each cell at the most")
    parser.add_argument("--again", action="store_true", help="measure anew what is known")
    parser.add_argument("--table-only", action="store_true")
    wanted = parser.parse_args()
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for sample in range(0 if wanted.table_only else wanted.samples):
        for size in wanted.sizes:
            for name in wanted.sets:
                for tool in wanted.tools:
                    key = f"{name} {size} {tool} {sample}"
                    if sample >= SAMPLES[tool] or (key in known and not wanted.again):
                        continue
                    known[key] = measured(wanted, name, size, tool, sample)
                    print(key, json.dumps(known[key]), flush=True)
                    write_whole(FILE, json.dumps(known, indent=0) + "\n")
    write_section(NAME, table(known))


def measured(wanted: argparse.Namespace, name: str, size: int, tool: str, sample: int) -> dict[str, Any]:
    """One run of a tool on a sample of rows."""
    from luthier.models.hub.find import find_model

    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        rows = read(wanted.data / SETS[name] / "train.csv")
        write(own / "train.csv", drawn(rows, size, sample))
        write(own / "test.csv", read(wanted.data / SETS[name] / "test.csv"))
        files = [str(own / "train.csv"), str(own / "test.csv")]
        if tool == "luthier":
            flags = [
                "--test",
                files[1],
                "--seed",
                str(sample),
                "--out",
                str(own / "run"),
                "--allow",
                "leaks",
                "--quiet",
            ]
            command = [LUTHIER, "tune", files[0], *flags]
        else:
            python = wanted.setfit if tool == "setfit" else sys.executable
            model = str(find_model("all-MiniLM-L6-v2"))
            command = [
                python,
                str(Path(__file__).with_name("rivals.py")),
                tool,
                *files,
                "--model",
                model,
                "--seed",
                str(sample),
            ]
        code, cost = run_alone(command, own)
        if code:
            return {"error": last_line(own / "stderr")[:300]}
        found = of_run(own / "run") if tool == "luthier" else json.loads(last_line(own / "stdout"))
    taken = {"seconds": round(cost.seconds, 1), "peak": cost.peak_bytes, "others": round(cost.others, 2)}
    return {**found, **taken}


def of_run(folder: Path) -> dict[str, Any]:
    """What a run's scorecard says of its candidates."""
    card = json.loads((folder / "scorecard.json").read_text(encoding="utf-8"))
    scores = {one["name"]: one["test"] for one in card["candidates"]}
    valid = {one["name"]: one["valid"] for one in card["candidates"]}
    return {
        "accuracy": card["test"]["accuracy"]["value"],
        "chosen": card["chosen"],
        "candidates": scores,
        "valid": valid,
        "predicted": card["tuning"].get("paying"),
    }


def read(path: Path) -> list[tuple[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


def write(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


def drawn(rows: Sequence[tuple[str, str]], size: int, sample: int) -> list[tuple[str, str]]:
    """So many rows of each label, by the sample's number."""
    dice, seen, found = random.Random(sample), dict[str, int](), []
    for text, label in dice.sample(rows, len(rows)):
        seen[label] = seen.get(label, 0) + 1
        if seen[label] <= size:
            found.append((text, label))
    return found


# The table


def table(known: dict[str, Any]) -> str:
    cells = sorted(
        {(key.split()[0], int(key.split()[1])) for key in known},
        key=lambda one: (list(SETS).index(one[0]), one[1]),
    )
    settings = {
        "rate": rivals.RATE, "warmup": rivals.WARMUP, "batch_rows": rivals.BATCH_ROWS, "epochs": rivals.EPOCHS,
        "steps": rivals.STEPS, "fewest_epochs": rivals.FEWEST_EPOCHS, "fewest_steps": rivals.FEWEST_STEPS,
    }  # fmt: skip
    lines = [LEGEND.format(machine=describe(), **settings), "", HEADER, RULE]
    lines += [row(known, name, size) for name, size in cells]
    return "\n".join([*lines, "", *summary(known, cells)])


LEGEND = """\
Mean accuracy in per cent over samples of so many rows a label (luthier and heads on frozen vectors 10, the others 3), and its
standard deviation. Model all-MiniLM-L6-v2, one process a run. *Zero-shot*, *probe* and *few-shot* are luthier's own candidates;
*kept*: how often the few-shot one was. *Logistic* and *neighbours*: scikit-learn on the frozen vectors. SetFit has its defaults
up to 32 rows and `max_steps=250` beyond, as its pairs grow with the square of the rows. *HF Trainer* tunes all layers and a
linear head (`AutoModelForSequenceClassification`): peak learning rate {rate:g}, {warmup:.0%} warm-up, then linearly to zero,
{batch_rows} rows a step, {epochs} epochs or as many as {steps:,} steps are, but {fewest_epochs} epochs and {fewest_steps} steps
at the least; the last state. Seconds and peak memory: of whole processes, mean.

{machine}"""
HEADER = (
    "| set | rows a label | luthier | SetFit | HF Trainer | logistic | neighbours | zero-shot | probe | few-shot | kept | "
    "seconds: luthier, SetFit, HF | GB: luthier, SetFit, HF |"
)
RULE = "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |"


def of(known: dict[str, Any], name: str, size: int, tool: str) -> list[dict[str, Any]]:
    """The runs of a cell that ended well."""
    found = [known.get(f"{name} {size} {tool} {sample}") for sample in range(SAMPLES[tool])]
    return [one for one in found if one is not None and "error" not in one]


def row(known: dict[str, Any], name: str, size: int) -> str:
    ours, frozen = of(known, name, size, "luthier"), of(known, name, size, "frozen")
    others = [of(known, name, size, tool) for tool in ("setfit", "hf")]
    three = [ours, *others]
    own = [
        shown([one["candidates"][kind] for one in ours if kind in one["candidates"]])
        for kind in ("zero-shot", "probe", "few-shot")
    ]
    kept = f"{sum(one['chosen'] == 'few-shot' for one in ours)} of {len(ours)}"
    cells = [
        name, str(size), *(shown([one["accuracy"] for one in runs]) for runs in (*three, frozen)),
        shown([one["neighbours"] for one in frozen]), *own, kept,
        ", ".join(f"{mean(one['seconds'] for one in runs):.0f}" if runs else "" for runs in three),
        ", ".join(f"{mean(one['peak'] for one in runs) / 1e9:.1f}" if runs else "" for runs in three),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def shown(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


def summary(known: dict[str, Any], cells: Sequence[tuple[str, int]]) -> list[str]:
    """What the table comes to, over the cells in which both were measured."""
    told = []
    for tool, called in (
        ("setfit", "SetFit"),
        ("hf", "HF Trainer"),
        ("frozen", "logistic regression on frozen vectors"),
    ):
        both = [(of(known, *cell, "luthier"), of(known, *cell, tool)) for cell in cells]
        gaps = [
            mean(one["accuracy"] for one in ours) - mean(one["accuracy"] for one in theirs)
            for ours, theirs in both
            if ours and theirs
        ]
        if gaps:
            told.append(
                f"- luthier against {called}: {100 * mean(gaps):+.1f} points on the mean of {len(gaps)} cells, "
                f"below it in {sum(gap < 0 for gap in gaps)}, at worst {100 * min(gaps):+.1f}."
            )
    return told


if __name__ == "__main__":
    main()
