"""Few images: nothing held out, beside a tenth held out to choose and to stop by, over sets, networks and rows a label.

    python benchmarks/few/few_images.py --data ../shared/data --models ../shared/models

Both ways get the same rows, drawn by the sample's number, and are asked the same test images, 300 at the most. What is measured
is kept at once; the same command goes on. Samples are taken one after the other over all cells, so that a table stands
from the first on.
"""

import argparse
import json
import random
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.labelled import Row, write_labelled
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, MODELS, OUT
from benchmarks.harness.processes import LUTHIER, last_line, names_of, run_alone
from benchmarks.harness.results import write_section, write_whole

NAME = "Few images"
FILE = OUT / "few_images.json"
SETS = ("birds10", "sign_digits", "tinyimagenet_animals20")
NETWORKS = ("mobilenet_v1_0.25_128", "mobilenet_v2_1.0_224")
SIZES = (1, 4, 16)
WAYS = ("crossed", "held-out")
MOST_TESTED = 300
CANDIDATES = ("colours", "neighbours", "class-means", "probe", "tuned")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--sets", type=names_of(SETS), default=list(SETS))
    parser.add_argument("--networks", type=names_of(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--sizes", type=lambda text: list(map(int, text.split(","))), default=list(SIZES))
    parser.add_argument("--ways", type=names_of(WAYS), default=list(WAYS))
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--again", action="store_true", help="measure anew what is known")
    parser.add_argument("--table-only", action="store_true")
    wanted = parser.parse_args()
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    with tempfile.TemporaryDirectory() as unpacked:
        for sample in range(0 if wanted.table_only else wanted.samples):
            for network in wanted.networks:
                for size in wanted.sizes:
                    for name in wanted.sets:
                        for way in wanted.ways:
                            key = f"{name} {network} {size} {way} {sample}"
                            if key in known and not wanted.again:
                                continue
                            images = opened(wanted.data / name / f"{name}.tar", Path(unpacked))
                            known[key] = measured(images, wanted.models / network, size, way, sample)
                            print(key, json.dumps(known[key]), flush=True)
                            write_whole(FILE, json.dumps(known, indent=0) + "\n")
    write_section(NAME, table(known))


def opened(archive: Path, unpacked: Path) -> Path:
    """The folder of a set's images, unpacked once."""
    images = unpacked / archive.stem
    if not images.is_dir():
        with tarfile.open(archive) as file:
            file.extractall(images, filter="data")
    return images


def measured(images: Path, network: Path, size: int, way: str, sample: int) -> dict[str, Any]:
    """One run on a sample of rows."""
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        write_labelled(own / "train.csv", drawn(listed(images / "train"), size, sample), "image")
        tested = listed(images / "test")
        write_labelled(
            own / "test.csv", random.Random(0).sample(tested, min(MOST_TESTED, len(tested))), "image"
        )
        command = [
            LUTHIER,
            "tune",
            str(own / "train.csv"),
            "--test",
            str(own / "test.csv"),
            "--model",
            str(network),
        ]
        command += ["--seed", str(sample), "--out", str(own / "run"), "--allow", "leaks", "--quiet"]
        command += ["--validation", "held-out"] if way == "held-out" else []
        code, cost = run_alone(command, own)
        if code:
            return {"error": last_line(own / "stderr")[:300]}
        card = json.loads((own / "run" / "scorecard.json").read_text(encoding="utf-8"))
    return {
        "accuracy": card["test"]["accuracy"]["value"],
        "log_loss": card["test"]["log_loss"]["value"],
        "chosen": card["chosen"],
        "candidates": {one["name"]: one["test"] for one in card["candidates"]},
        "setting": card["tuning"]["probe"],
        "seconds": round(cost.seconds, 1),
        "others": round(cost.others, 2),
    }  # fmt: skip


def listed(folder: Path) -> list[Row]:
    """The images of a folder with one sub-folder a label, in the order of their names."""
    return [(str(file), file.parent.name) for file in sorted(folder.rglob("*")) if file.is_file()]


def drawn(rows: Sequence[Row], size: int, sample: int) -> list[Row]:
    """So many rows of each label, by the sample's number."""
    dice, seen, found = random.Random(sample), dict[str, int](), []
    for file, label in dice.sample(rows, len(rows)):
        seen[label] = seen.get(label, 0) + 1
        if seen[label] <= size:
            found.append((file, label))
    return found


# The table

LEGEND = """\
Test accuracy in per cent, mean and standard deviation over samples of so many images a label; log loss of what is handed back.
*Crossed*: nothing is held out, as luthier does by itself; *held-out*: `--validation held-out`, a tenth of the rows says what is
kept and when tuning stops (with one image a label none can be). Candidates of both ways are shown by their names.

{machine}"""


def table(known: dict[str, Any]) -> str:
    cells = {tuple(key.split()[:3]) for key in known}
    order = sorted(cells, key=lambda one: (SETS.index(one[0]), NETWORKS.index(one[1]), int(one[2])))
    heads = [
        "set", "network", "images a label", "samples", "crossed", "held-out", *(f"crossed: {one}" for one in CANDIDATES[:-1]),
        *(f"held-out: {one}" for one in CANDIDATES[-2:]), "tuned is kept", "log loss: crossed, held-out",
    ]  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", f"| --- | --- |{' ---: |' * (len(heads) - 2)}"]
    lines += [row(known, *cell) for cell in order]
    return "\n".join([LEGEND.format(machine=describe()), "", *lines, "", *summary(known, order)])


def of(known: dict[str, Any], name: str, network: str, size: str, way: str) -> dict[str, dict[str, Any]]:
    """The runs of a cell that ended well, by sample."""
    start = f"{name} {network} {size} {way} "
    return {
        key.removeprefix(start): one
        for key, one in known.items()
        if key.startswith(start) and "error" not in one
    }


def row(known: dict[str, Any], name: str, network: str, size: str) -> str:
    ways = [of(known, name, network, size, way) for way in WAYS]
    both = [[runs[sample] for sample in ways[0] if sample in ways[1]] for runs in ways]
    cells = [
        name, network, size, str(len(both[0])), *(shown([one["accuracy"] for one in runs]) for runs in both),
        *(of_candidate(both[0], one) for one in CANDIDATES[:-1]), *(of_candidate(both[1], one) for one in CANDIDATES[-2:]),
        f"{sum(one['chosen'] == 'tuned' for one in both[1])} of {len(both[1])}",
        ", ".join(f"{mean(one['log_loss'] for one in runs):.2f}" if runs else "" for runs in both),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def of_candidate(runs: Sequence[dict[str, Any]], name: str) -> str:
    return shown([one["candidates"][name] for one in runs if name in one["candidates"]])


def shown(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


def summary(known: dict[str, Any], cells: Sequence[tuple[str, ...]]) -> list[str]:
    """What the table comes to, over the runs that were measured both ways."""
    told = []
    for size in sorted({int(cell[2]) for cell in cells}):
        gaps = []
        for name, network, own in cells:
            crossed, held = (of(known, name, network, own, way) for way in WAYS)
            if int(own) == size:
                gaps += [
                    crossed[sample]["accuracy"] - held[sample]["accuracy"]
                    for sample in crossed
                    if sample in held
                ]
        if gaps:
            told.append(
                f"- {size} a label: crossed against held-out {100 * mean(gaps):+.1f} points on the mean of {len(gaps)} samples, "
                f"below it in {sum(gap < 0 for gap in gaps)}, at worst {100 * min(gaps):+.1f}."
            )
    return told


if __name__ == "__main__":
    main()
