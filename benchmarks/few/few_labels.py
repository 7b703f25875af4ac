"""Few labels: luthier beside SetFit, HF Trainer, and linear heads on frozen vectors, over sets and rows a label.

    python benchmarks/few/few_labels.py --data ../shared/data --setfit SETFIT/bin/python

Every tool gets the same rows, drawn by the sample's number, the same model and the same cores; a run is a process of its own,
and its time and memory are those of the whole process; the time is that of the processor, as hours of benchmark may run beside
other work. Where luthier does not try its few-shot candidate, `--method few-shot` does so in a run of its own, to see whether
that was right. What is measured is kept at once; the same command goes on. Samples are taken one after the other over all cells,
so that a table stands from the first on.
"""

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.few import rivals
from benchmarks.harness.labelled import Row, read_labelled, write_labelled
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.processes import LUTHIER, last_line, names_of, run_alone
from benchmarks.harness.results import write_section, write_whole

NAME = "Few labels"
FILE = OUT / "few_labels.json"
SETS = {"sst2": "sst2", "trec": "trec", "banking77": "banking77", "agnews": "agnews_7k6"}
SIZES = (1, 2, 4, 8, 16, 64)
FEW = 4
"""Rows a label up to which the labels' words are to be worth most."""
LONG = 60
"""Seconds beyond which SetFit's time is compared."""
Cell = tuple[str, int]
"""A set, and rows a label."""
SAMPLES = {"luthier": 10, "few-shot": 10, "frozen": 10, "setfit": 3, "hf": 3}
"""Tools, and how many samples of rows each is given in a cell; `few-shot` is luthier made to try that."""


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
                    own = known.get(f"{name} {size} luthier {sample}", {})
                    if tool == "few-shot" and tool in own.get("candidates", {}):
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
        rows = read_labelled(wanted.data / SETS[name] / "train.csv")
        write_labelled(own / "train.csv", drawn(rows, size, sample))
        write_labelled(own / "test.csv", read_labelled(wanted.data / SETS[name] / "test.csv"))
        files = [str(own / "train.csv"), str(own / "test.csv")]
        if tool in ("luthier", "few-shot"):
            flags = ["--method", tool] if tool == "few-shot" else []
            flags += [
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
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        code, cost = run_alone(command, own)
        if code:
            return {"error": last_line(own / "stderr")[:300]}
        found = (
            of_run(own / "run") if tool in ("luthier", "few-shot") else json.loads(last_line(own / "stdout"))
        )
    taken = {
        "seconds": round(cost.seconds, 1),
        "cpu": round(cost.cpu_seconds, 1),
        "peak": cost.peak_bytes,
        "others": round(cost.others, 2),
    }
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


def drawn(rows: Sequence[Row], size: int, sample: int) -> list[Row]:
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
up to 32 rows and `max_steps=250` beyond, as its pairs grow with the square of the rows. Of all of them luthier alone makes
use of the labels' names. *HF Trainer* tunes all layers and a linear head (`AutoModelForSequenceClassification`): peak learning
rate {rate:g}, {warmup:.0%} warm-up, then linearly to zero, {batch_rows} rows a step, {epochs} epochs or as many as {steps:,}
steps are, but {fewest_epochs} epochs and {fewest_steps} steps at the least; the last state. Processor seconds (of both cores;
waiting threads sleep, OMP_WAIT_POLICY=PASSIVE, so that they tell the same beside other work) and peak memory: of whole
processes, mean.

{machine}"""
HEADER = (
    "| set | rows a label | luthier | SetFit | HF Trainer | logistic | neighbours | zero-shot | probe | few-shot | kept | "
    "processor seconds: luthier, SetFit, HF | GB: luthier, SetFit, HF |"
)
RULE = "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |"


def of(known: dict[str, Any], name: str, size: int, tool: str) -> list[dict[str, Any]]:
    """The runs of a cell that ended well."""
    found = [known.get(f"{name} {size} {tool} {sample}") for sample in range(SAMPLES[tool])]
    return [one for one in found if one is not None and "error" not in one]


def row(known: dict[str, Any], name: str, size: int) -> str:
    ours, frozen = of(known, name, size, "luthier"), of(known, name, size, "frozen")
    three = [ours, *(of(known, name, size, tool) for tool in ("setfit", "hf"))]
    own = [
        shown(list(scores(known, name, size, kind).values())) for kind in ("zero-shot", "probe", "few-shot")
    ]
    kept = f"{sum(one['chosen'] == 'few-shot' for one in ours)} of {len(ours)}"
    cells = [
        name, str(size), *(shown([one["accuracy"] for one in runs]) for runs in (*three, frozen)),
        shown([one["neighbours"] for one in frozen]), *own, kept,
        ", ".join(f"{mean(one['cpu'] for one in runs):.0f}" if runs else "" for runs in three),
        ", ".join(f"{mean(one['peak'] for one in runs) / 1e9:.1f}" if runs else "" for runs in three),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def scores(known: dict[str, Any], name: str, size: int, kind: str) -> dict[int, float]:
    """By sample, what a candidate of luthier's came to on the test rows, where it was tried."""
    found: dict[int, float] = {}
    for tool in ("few-shot", "luthier"):
        for sample in range(SAMPLES[tool]):
            run = known.get(f"{name} {size} {tool} {sample}", {})
            found |= {sample: run["candidates"][kind]} if kind in run.get("candidates", {}) else {}
    return found


def shown(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


def summary(known: dict[str, Any], cells: Sequence[Cell]) -> list[str]:
    """What the table comes to, over the cells in which both were measured."""
    told = []
    few = [cell for cell in cells if cell[1] <= FEW]
    for tool, called, among in (
        ("setfit", "SetFit", cells),
        ("hf", "HF Trainer", cells),
        ("frozen", "logistic regression on frozen vectors", cells),
        ("frozen", f"the same with at most {FEW} rows a label", few),
    ):
        gaps = [found for cell in among if (found := gap_of(known, cell, tool)) is not None]
        if gaps:
            told.append(
                f"- luthier against {called}: {100 * mean(gap for gap, _ in gaps):+.1f} points on the mean of {len(gaps)} cells, "
                f"below it in {sum(gap < 0 for gap, _ in gaps)}, by more than two standard errors of the paired samples in "
                f"{sum(gap < -2 * error for gap, error in gaps)}, at worst {100 * min(gaps)[0]:+.1f}."
            )
    return [*told, *of_zero_shot(known, cells), *of_costs(known, cells), *of_predictions(known, cells)]


def gap_of(known: dict[str, Any], cell: Cell, tool: str) -> tuple[float, float] | None:
    """How far luthier's mean accuracy lies above another tool's, and its standard error, over the samples that both had. None
    where there are none."""
    both = [
        known[f"{cell[0]} {cell[1]} luthier {at}"]["accuracy"] - known[key]["accuracy"]
        for at in range(SAMPLES[tool])
        if "accuracy" in known.get(key := f"{cell[0]} {cell[1]} {tool} {at}", {})
        and "accuracy" in known.get(f"{cell[0]} {cell[1]} luthier {at}", {})
    ]
    return (mean(both), error_of(both)) if both else None


def error_of(values: Sequence[float]) -> float:
    """Standard error of a mean; without end where a single value says nothing of it."""
    return stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("inf")


def of_zero_shot(known: dict[str, Any], cells: Sequence[Cell]) -> list[str]:
    """In how many cells what was kept is below luthier's own zero-shot candidate."""
    below = []
    for cell in cells:
        gaps = [
            one["accuracy"] - one["candidates"]["zero-shot"]
            for one in of(known, *cell, "luthier")
            if "zero-shot" in one["candidates"]
        ]
        if gaps and mean(gaps) < -2 * error_of(gaps):
            below.append(f"{cell[0]} {cell[1]} ({100 * mean(gaps):+.1f})")
    return [
        f"- Below its own zero-shot by more than two standard errors: {', '.join(below) or 'in no cell'}."
    ]


def of_costs(known: dict[str, Any], cells: Sequence[Cell]) -> list[str]:
    """Where SetFit takes more than a minute, luthier's share of its time; and where luthier has the higher peak of memory."""
    shares, more = [], []
    for cell in cells:
        ours, theirs = of(known, *cell, "luthier"), of(known, *cell, "setfit")
        if not ours or not theirs:
            continue
        if mean(one["seconds"] for one in theirs) > LONG:
            share = mean(one["cpu"] for one in ours) / mean(one["cpu"] for one in theirs)
            shares.append((share, f"{cell[0]} {cell[1]}: {share:.2f}"))
        if mean(one["peak"] for one in ours) > mean(one["peak"] for one in theirs):
            more.append(f"{cell[0]} {cell[1]}")
    if not shares and not more:
        return []
    over = [words for share, words in sorted(shares, reverse=True) if share > 1 / 3]
    return [
        f"- Of the {len(shares)} cells in which SetFit takes more than {LONG} s, luthier takes at most a third of its processor "
        f"time in {len(shares) - len(over)}{'; not in ' + ', '.join(over) if over else ''}.",
        f"- More peak memory than SetFit: {', '.join(more) or 'in no cell'}.",
    ]


def of_predictions(known: dict[str, Any], cells: Sequence[Cell]) -> list[str]:
    """How often it was foretold rightly whether few-shot pays: whether its mean gain over the probe is above a standard error."""
    right, wrong = 0, []
    for cell in cells:
        tried, probe = (scores(known, *cell, kind) for kind in ("few-shot", "probe"))
        gains = [tried[at] - probe[at] for at in tried if at in probe]
        ours = of(known, *cell, "luthier")
        if len(gains) < 2 or not ours:
            continue
        foretold = mean(foretold_of(one) for one in ours) > 0.5
        pays = mean(gains) > error_of(gains)
        right += foretold == pays
        if foretold != pays:
            wrong.append(
                f"{cell[0]} {cell[1]} ({100 * mean(gains):+.1f}, foretold {'to pay' if foretold else 'not to'})"
            )
    if not right and not wrong:
        return []
    words = f"; not in {', '.join(wrong)}" if wrong else ""
    return [f"- Whether few-shot pays was foretold rightly in {right} of {right + len(wrong)} cells{words}."]


def foretold_of(run: dict[str, Any]) -> bool:
    """Whether few-shot was expected to pay; where no row could be held out to say so, whether it was tried by rule."""
    predicted = run["predicted"]
    return bool(predicted["pays"]) if predicted else "few-shot" in run["candidates"]


if __name__ == "__main__":
    main()
