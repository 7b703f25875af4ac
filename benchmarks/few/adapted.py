"""What is it worth that a model has read texts of the field first? `tune --unlabelled` and `adapt`, beside the same without.

    python benchmarks/few/adapted.py --data ../shared/data

Labels: of SST-2, TREC and AG News 50 rows are drawn at random with their labels, and up to 4,000 other training rows without.
Each sample is one run with these rows and one without, on the same test rows. Whether the body, or the probe, is kept that has
learnt from them is decided by luthier, on the labelled rows alone.

Questions: `luthier adapt` reads the paragraphs of covid_papers_text, whose articles are none of those of covidqa's test rows, and
covidqa is tuned from that model and from the model as it came.

What is measured is kept pair by pair, so an interrupted benchmark goes on where it stopped.
"""

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import t

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.kept import completed
from benchmarks.harness.labelled import read_labelled, write_labelled
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.processes import luthier, names_of
from benchmarks.harness.results import write_section
from luthier import compare

SECTION = "Adapted to texts of the field"
MODEL = "all-MiniLM-L6-v2"
SETS = {"sst2": "sst2", "trec": "trec", "agnews": "agnews_7k6"}
QUESTIONS = "covidqa"
LABELLED, UNLABELLED = 50, 4_000
"""Rows of a sample."""


@dataclass(frozen=True)
class Pair:
    """Two runs on the same rows: one whose model has read the unlabelled rows, or might have, and one whose model has not."""

    set: str
    sample: int
    metric: str
    rows: int
    """Test rows."""
    without: float
    read: float
    low: float
    high: float
    """Ends of the 95 % interval of `read` - `without`, paired by row."""
    body: bool
    """Whether the body that has read the rows was kept."""
    probe: bool
    """Whether the probe that has learnt from them was kept."""
    seconds_without: float
    seconds_read: float
    """Processor seconds, those of the reading among them."""
    machine: str


def measure(key: tuple[str, int], data: Path, more: Sequence[str]) -> Pair:
    name, sample = key
    with tempfile.TemporaryDirectory(prefix="luthier-adapted-") as place:
        folder = Path(place)
        return (
            questions(sample, data, folder, more)
            if name == QUESTIONS
            else labels(name, sample, data, folder, more)
        )


def labels(name: str, sample: int, data: Path, folder: Path, more: Sequence[str]) -> Pair:
    """One sample of a set of few labels."""
    rows = read_labelled(data / SETS[name] / "train.csv")
    drawn = random.Random(sample).sample(rows, min(LABELLED + UNLABELLED, len(rows)))
    train = write_labelled(folder / "train.csv", drawn[:LABELLED])
    unlabelled = write_labelled(folder / "unlabelled.csv", [(text, "") for text, _ in drawn[LABELLED:]])
    line = ["tune", str(train), "--test", str(data / SETS[name] / "test.csv"), "--seed", str(sample)]
    line += ["--allow", "leaks,left-out", *more]
    # Each has a cache of its own, so that neither finds what the other has computed.
    read, cost = luthier(
        [*line, "--unlabelled", str(unlabelled), "--out", str(folder / "read")], folder / "cache-read"
    )
    _, other = luthier([*line, "--out", str(folder / "without")], folder / "cache")
    found = read["unlabelled"]
    kept = (bool(found["kept"]), bool((found.get("probe") or {}).get("kept")))
    return pair(name, sample, folder, kept, (cost.cpu_seconds, other.cpu_seconds))


def questions(sample: int, data: Path, folder: Path, more: Sequence[str]) -> Pair:
    """The papers read, and questions about such papers then."""
    papers, own = data / "covid_papers_text/train.jsonl.gz", data / QUESTIONS
    adapted = folder / "adapted"
    _, reading = luthier(
        ["adapt", str(papers), "--model", MODEL, "--seed", str(sample), "--out", str(adapted)],
        folder / "cache-adapt",
    )
    costs = []
    for out, model in (("read", str(adapted)), ("without", MODEL)):
        line = ["tune", str(own / "train.jsonl.gz"), "--valid", str(own / "dev.jsonl.gz")]
        line += ["--test", str(own / "test.jsonl.gz"), "--model", model, "--seed", str(sample), *more]
        _, cost = luthier([*line, "--out", str(folder / out)], folder / f"cache-{out}")
        costs.append(cost.cpu_seconds)
    return pair(QUESTIONS, sample, folder, (True, False), (costs[0] + reading.cpu_seconds, costs[1]))


def pair(name: str, sample: int, folder: Path, kept: tuple[bool, bool], seconds: tuple[float, float]) -> Pair:
    found: dict[str, Any] = compare(folder / "read", folder / "without").to_json()
    read, without = (score["value"] for score in found["scores"])
    return Pair(
        set=name,
        sample=sample,
        metric=found["metric"],
        rows=found["rows"],
        without=without,
        read=read,
        low=found["low"],
        high=found["high"],
        body=kept[0],
        probe=kept[1],
        seconds_read=seconds[0],
        seconds_without=seconds[1],
        machine=describe(),
    )


def section(found: Sequence[Pair]) -> str:
    words = (
        "Labels: 50 rows with labels and up to 4,000 without, drawn anew for each sample; *gain*: of the run with `--unlabelled` "
        "over the same without, in points, with a 95 % interval of its mean over samples (Student's t; of one that of its "
        "test rows). *Losses*: samples in which it was worse beyond the noise of its test rows. Questions: the model of `luthier "
        "adapt covid_papers_text`, tuned on covidqa, over the model as it came. *Seconds* of the processor."
    )
    lines = [
        "| set | metric | samples | without | read | gain | body kept | probe kept | losses | seconds without | read |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in (*SETS, QUESTIONS):
        own = [one for one in found if one.set == name]
        if not own:
            continue
        gains = [one.read - one.without for one in own]
        low, high = own[0].low, own[0].high
        if len(own) > 1:
            margin = float(t.ppf(0.975, len(gains) - 1)) * statistics.stdev(gains) / len(gains) ** 0.5
            low, high = statistics.mean(gains) - margin, statistics.mean(gains) + margin
        cells = [
            name,
            own[0].metric,
            str(len(own)),
            *(
                f"{100 * statistics.mean(values):.1f}"
                for values in ([one.without for one in own], [one.read for one in own])
            ),
            f"{100 * statistics.mean(gains):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
            *(str(sum(kept)) for kept in ([one.body for one in own], [one.probe for one in own])),
            str(sum(one.high < 0 for one in own)),
            f"{statistics.mean(one.seconds_without for one in own):,.0f}",
            f"{statistics.mean(one.seconds_read for one in own):,.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    machines = "\n".join(dict.fromkeys(one.machine for one in found))
    return f"{machines}\n\n{words}\n\n" + "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    every = [*SETS, QUESTIONS]
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--sets", type=names_of(every), default=every, help="some of them, as in sst2,trec")
    parser.add_argument("--samples", type=int, default=5, help="of labels; questions are tuned once")
    parser.add_argument(
        "--all", default="", help="more flags of each tune, as in --all='--epochs 1'; nothing is kept then"
    )
    parser.add_argument("--cache", type=Path, default=OUT / "adapted.jsonl", help="what was measured")
    parser.add_argument("--table-only", action="store_true", help="measure nothing, write the table again")
    asked = parser.parse_args()
    wanted = [
        (name, sample)
        for sample in range(asked.samples)
        for name in asked.sets
        if sample == 0 or name != QUESTIONS
    ]
    if asked.all:
        print(section([measure(key, asked.data, asked.all.split()) for key in wanted]))
        return
    text = section(
        completed(
            asked.cache,
            Pair,
            [] if asked.table_only else wanted,
            lambda one: (one.set, one.sample),
            lambda key: [measure(key, asked.data, [])],
        )
    )
    print(text)
    write_section(SECTION, text)


if __name__ == "__main__":
    main()
