"""Which rate and method serve a small language model on few rows: the measurement behind its row of recipes.

    python benchmarks/studies/language.py --data ../shared/data

SmolLM2-135M-Instruct, 250 rows, one seed, two epochs; full tuning, LoRA and the last ten blocks at three rates each, on three
sets: a grid search for each set and method, whose trials are scored on other rows than those that are learnt.

What is measured is kept at once, so an interrupted study goes on where it stopped.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.kept import completed
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.processes import luthier, names_of
from benchmarks.harness.results import write_section
from benchmarks.language.against_trl import SETS

SECTION = "Rates of a small language model"
CHOSEN = ("sst2", "trec", "instruct_mix")
ROWS, SCORED, TEST = 250, 150, 8
"""Rows that are learnt, and rows that trials are scored on; test rows decide nothing here, and a run wants some."""
TRIED = {
    "full": (5e-5, 1e-4, 2e-4),
    "lora": (5e-4, 1e-3, 2e-3),
    "top:10": (1e-4, 2e-4, 4e-4),
}


@dataclass(frozen=True)
class Rate:
    """One trial: a set, a method and a rate."""

    set: str
    method: str
    lr: float
    losses: list[float]
    """After each epoch, on the rows that trials are scored on."""
    score: float | None
    """Exact match of what the trial's best weights write; None where only the loss is looked at."""
    seconds: float
    """What the trial took, two of them side by side with a thread each."""
    machine: str

    @property
    def key(self) -> tuple[str, str]:
        return self.set, self.method


def measure(name: str, method: str, data: Path) -> list[Rate]:
    """One search: a trial for each rate."""
    chosen, rates = SETS[name], TRIED[method]
    rows = chosen.rows(data, "train", ROWS + SCORED)
    parts = {"train": rows[:ROWS], "valid": rows[ROWS:], "test": chosen.rows(data, "test", TEST)}
    with tempfile.TemporaryDirectory(prefix="luthier-language-") as place:
        folder = Path(place)
        for part, some in parts.items():
            lines = "".join(json.dumps(row) + "\n" for row in some)
            (folder / f"{part}.jsonl").write_text(lines, encoding="utf-8")
        files = [str(folder / f"{part}.jsonl") for part in parts]
        line = [
            "search",
            files[0],
            "--valid",
            files[1],
            "--test",
            files[2],
            "--model",
            "SmolLM2-135M-Instruct",
        ]
        line += ["--method", method, "--lr", f"{rates[1]:g}", "--vary", f"train.lr={rates[0]:g},{rates[2]:g}"]
        line += ["--sampler", "grid", "--trials", str(len(rates)), "--prune", "none", "--epochs", "2"]
        line += ["--validations", "1", "--metric", "exact_match" if chosen.exact else "loss"]
        line += ["--allow", "leaks,copies", "--out", str(folder / "search")]
        found, _ = luthier(line, folder / "cache")
        return [
            of_trial(name, method, trial, folder / "search" / trial["run"], chosen.exact)
            for trial in found["trials"]
        ]


def of_trial(name: str, method: str, trial: dict[str, Any], run: Path, exact: bool) -> Rate:
    """What a finished trial came to."""
    events = map(json.loads, (run / "events.jsonl").read_text(encoding="utf-8").splitlines())
    return Rate(
        set=name,
        method=method,
        lr=trial["values"].get("train.lr", TRIED[method][1]),
        losses=[round(event["loss"], 4) for event in events if event["event"] == "validated"],
        score=trial["score"] if exact else None,
        seconds=trial["seconds"],
        machine=describe(),
    )


def section(found: Sequence[Rate]) -> str:
    """Loss and exact match of every set, a line for each method and rate."""
    words = (
        f"SmolLM2-135M-Instruct, {ROWS} rows to learn, {SCORED} others to score, one seed. *Loss* of the right answers, a token, "
        "after one epoch and after two; *exact match* of the answers that the better of both writes; *seconds* of a trial, two "
        "side by side with a thread each."
    )
    lines = [
        "| set | method | rate | loss: epoch 1 | epoch 2 | exact match | seconds |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    ways = list(TRIED)
    for one in sorted(found, key=lambda rate: (CHOSEN.index(rate.set), ways.index(rate.method), rate.lr)):
        exact = "" if one.score is None else f"{one.score:.3f}"
        losses = " | ".join(f"{loss:.4f}" for loss in one.losses)
        lines.append(f"| {one.set} | {one.method} | {one.lr:g} | {losses} | {exact} | {one.seconds:.0f} |")
    machines = "\n".join(dict.fromkeys(one.machine for one in found))
    return f"{machines}\n\n{words}\n\n" + "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument(
        "--sets", type=names_of(CHOSEN), default=list(CHOSEN), help="some of them, as in sst2,trec"
    )
    parser.add_argument("--methods", type=names_of(list(TRIED)), default=list(TRIED))
    parser.add_argument("--cache", type=Path, default=OUT / "language_rates.jsonl", help="what was measured")
    asked = parser.parse_args()
    cells = [(name, method) for name in asked.sets for method in asked.methods]
    found = completed(asked.cache, Rate, cells, lambda one: one.key, lambda key: measure(*key, asked.data))
    text = section(found)
    print(text)
    write_section(SECTION, text)


if __name__ == "__main__":
    main()
