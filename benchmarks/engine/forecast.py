"""How right `luthier plan` is: time and peak memory foretold, and those that `luthier tune` then takes.

    python benchmarks/engine/forecast.py --data ../shared/data

Draws configurations by a seed, and runs both commands in processes of their own. What is measured is kept at once in
`out/forecast.jsonl`: an interrupted benchmark goes on where it stopped. `--only 0,3` chooses, `--again` measures anew.
"""

import argparse
import csv
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import describe
from benchmarks.harness.places import OUT
from benchmarks.harness.processes import Cost, last_line, run_alone
from benchmarks.harness.results import write_section

SECTION = "Forecast"
MEASURED = OUT / "forecast.jsonl"
SETS = {"sst2": "sst2", "trec": "trec", "banking77": "banking77", "agnews": "agnews_7k6"}
METHODS = ("full", "auto", "top:2", "top:4", "thaw", "lora", "probe")

LEGEND = """\
*Foretold* by `luthier plan`, *taken* by `luthier tune`: seconds from the first line to the report, as the process's wall
time without its imports; peak resident memory of the process. Off: foretold / taken - 1. Early stopping is
switched off, as the forecast is that of a run to its end. *Others*: share of the machine's processor time that other
processes took meanwhile; where it is more than a few percent, the seconds are too long. *Plan*: seconds of the forecast itself.
"""


def drawn(count: int, seed: int) -> list[dict[str, Any]]:
    """Configurations: a set, a number of rows, and settings."""
    found = []
    for at in range(count):
        rng = random.Random(f"forecast {seed} {at}")
        method = METHODS[at % len(METHODS)]
        settings: dict[str, Any] = {"method": method}
        if method != "probe":
            settings |= {
                "batch_rows": rng.choice([8, 16, 32, 64]),
                "epochs": rng.choice([1, 2, 3]),
                "patience": 1000,
            }
        if method == "thaw":
            settings["epochs"] = rng.choice([6, 8])
        found.append({"set": rng.choice(list(SETS)), "rows": rng.choice([1000, 2000, 4000]), **settings})
    return found


def subset(source: Path, target: Path, count: int, seed: int) -> None:
    """Some rows of a file: text and label only."""
    with open(source, encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    random.Random(seed).shuffle(rows)
    with open(target, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows[:count]])


def command(words: list[str], folder: Path) -> tuple[dict[str, Any], Cost]:
    """Run a command of luthier; its JSON line, and what it took."""
    code, cost = run_alone([sys.executable, "-P", "-m", "luthier.cli", *words, "--json"], folder)
    if code:
        sys.exit(f"luthier {' '.join(words)} ended with {code}: {last_line(folder / 'stderr')}")
    return json.loads(last_line(folder / "stdout")), cost


def measure(one: dict[str, Any], data: Path, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subset(data / SETS[one["set"]] / "train.csv", folder / "rows.csv", one["rows"], seed)
        words = [str(folder / "rows.csv"), "--out", str(folder / "run"), "--cache", str(folder / "cache")]
        for key, value in one.items():
            if key not in ("set", "rows"):
                words += ["--" + key.replace("_", "-"), str(value)]
        return {"config": one, **foretold_and_taken(words, folder)}


def foretold_and_taken(words: list[str], folder: Path) -> dict[str, Any]:
    """What `plan` foretells and `tune` then takes. words: what both are given; the run's folder is `run` in `folder`."""
    foretold, of_plan = command(["plan", *words], folder)
    card, of_tune = command(["tune", *words], folder)
    events = [json.loads(line) for line in (folder / "run" / "events.jsonl").read_text().splitlines()]
    ended = next(event for event in reversed(events) if event["event"] == "ended")
    return {
        "foretold": foretold["forecast"],
        "plan_seconds": of_plan.seconds,
        "seconds": ended["seconds"],
        "wall": of_tune.seconds,
        "took": card["cost"]["seconds"],
        "peak_bytes": of_tune.peak_bytes,
        "others": max(of_plan.others, of_tune.others),
    }


def table(lines: list[dict[str, Any]]) -> str:
    rows = [
        "| set | rows | method | batch | epochs | seconds foretold | taken | off | MiB foretold | taken | off | plan | others |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    times, peaks = [], []
    for line in lines:
        one, told = line["config"], line["foretold"]
        times.append(told["seconds"] / line["seconds"] - 1)
        peaks.append(told["peak_bytes"] / line["peak_bytes"] - 1)
        rows.append(
            f"| {one['set']} | {one['rows']:,} | {one['method']} | {one.get('batch_rows', '–')} | {one.get('epochs', '–')} "
            f"| {told['seconds']:.0f} | {line['seconds']:.0f} | {times[-1]:+.0%} "
            f"| {told['peak_bytes'] / 2**20:,.0f} | {line['peak_bytes'] / 2**20:,.0f} | {peaks[-1]:+.0%} "
            f"| {line['plan_seconds']:.0f} | {line['others']:.0%} |"
        )
    within = (
        f"Time within 25 %: {sum(abs(off) <= 0.25 for off in times)} of {len(times)}. "
        f"Peak within 10 %: {sum(abs(off) <= 0.1 for off in peaks)} of {len(peaks)}."
    )
    return "\n".join([*rows, "", within])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="numbers of configurations, as in 0,3")
    parser.add_argument("--again", action="store_true", help="measure anew what was measured")
    parser.add_argument(
        "--dry", action="store_true", help="print the configurations and the table, write no section"
    )
    asked = parser.parse_args()
    configurations = drawn(asked.count, asked.seed)
    chosen = range(len(configurations)) if asked.only is None else map(int, asked.only.split(","))
    known = {}
    if MEASURED.exists():
        for text in MEASURED.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            known[json.dumps(line["config"], sort_keys=True)] = line
    for at in chosen:
        key = json.dumps(configurations[at], sort_keys=True)
        print(at, key, flush=True)
        if key in known and not asked.again:
            continue
        known[key] = measure(configurations[at], asked.data, asked.seed)
        MEASURED.parent.mkdir(exist_ok=True)
        with open(MEASURED, "a", encoding="utf-8") as file:
            file.write(json.dumps(known[key]) + "\n")
    keys = [json.dumps(one, sort_keys=True) for one in configurations]
    lines = [known[key] for key in keys if key in known]
    print(table(lines))
    if not asked.dry:
        write_section(SECTION, f"{describe()}\n\n{LEGEND}\n{table(lines)}")


if __name__ == "__main__":
    main()
