"""Which rate and method serve a small language model on few rows: the measurement behind its row of recipes.

SmolLM2-135M-Instruct, 250 rows, one seed; full tuning, LoRA and the last ten blocks at three rates each, on three sets. What is
measured is kept at once, so an interrupted study goes on where it stopped. Scores are those of the test rows, by transformers
alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.results import write_section, write_whole
from benchmarks.language.against_trl import SETS, base_model, scored

NAME = "Rates of a small language model"
ROWS, VALID, TEST = 250, 60, 150
TRIED = {
    "full": (5e-5, 1e-4, 2e-4),
    "lora": (5e-4, 1e-3, 2e-3),
    "top:10": (1e-4, 2e-4, 4e-4),
}
FILE = OUT / "language_rates.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", default="sst2,trec,instruct_mix")
    parser.add_argument("--epochs", type=int, default=2)
    wanted = parser.parse_args()
    known: dict[str, Any] = json.loads(FILE.read_text()) if FILE.is_file() else {}
    for name in wanted.sets.split(","):
        for method, rates in TRIED.items():
            for rate in rates:
                cell = f"{name} {method} {rate:g} {wanted.epochs}"
                if cell not in known:
                    known[cell] = measured(wanted, name, method, rate)
                    print(cell, known[cell], flush=True)
                    write_whole(FILE, json.dumps(known, indent=1))
    text = table(known)
    print(text)
    write_section(NAME, text)


def measured(wanted: argparse.Namespace, name: str, method: str, rate: float) -> dict[str, Any]:
    """One run, and what its model comes to on the test rows."""
    chosen = SETS[name]
    rows = chosen.rows(wanted.data, "train", ROWS + VALID)
    parts = {
        "train": rows[:ROWS],
        "valid": rows[ROWS:],
        "test": chosen.rows(wanted.data, "test", TEST if chosen.exact else 100),
    }
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        for part, some in parts.items():
            lines = "".join(json.dumps(row) + "\n" for row in some)
            (own / f"{part}.jsonl").write_text(lines, encoding="utf-8")
        line = [str(Path(sys.executable).with_name("luthier")), "tune", str(own / "train.jsonl")]
        line += ["--valid", str(own / "valid.jsonl"), "--test", str(own / "test.jsonl"), "--metric", "loss"]
        line += [
            "--model",
            str(base_model()),
            "--method",
            method,
            "--lr",
            str(rate),
            "--allow",
            "leaks,copies",
        ]
        line += ["--epochs", str(wanted.epochs), "--validations", "1", "--out", str(own / "run"), "--quiet"]
        subprocess.run([*line, "--json"], check=True, capture_output=True)
        card = json.loads((own / "run/scorecard.json").read_text())
        found = scored(own / "run/model", parts["test"], chosen.exact)
        return {
            "loss": found["loss"],
            "exact_match": found["exact_match"],
            "valid": next(one["valid"] for one in card["candidates"] if one["name"] == "tuned"),
            "seconds": card["cost"]["seconds"]["train"],
            "precision": card["machine"]["precision"],
            "machine": describe(),
        }


def table(known: dict[str, Any]) -> str:
    """Loss and exact match of every set, a line for each method and rate."""
    sets = list(dict.fromkeys(cell.split()[0] for cell in known))
    ways = list(dict.fromkeys(tuple(cell.split()[1:]) for cell in known))
    heads = [f"{name}: loss" + (", exact match" if SETS[name].exact else "") for name in sets]
    lines = [f"| method | rate | epochs | {' | '.join(heads)} | seconds |", "| --- " * (4 + len(sets)) + "|"]
    for way in ways:
        cells = [known.get(" ".join((name, *way))) for name in sets]
        lines.append(f"| {' | '.join(way)} | {' | '.join(map(shown, cells))} | {seconds_of(cells)} |")
    machines = sorted({one["machine"] for one in known.values()})
    return "\n".join([__doc__ or "", *lines, "", *(f"Machine: {one}" for one in machines)])


def shown(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return ""
    exact = "" if cell["exact_match"] is None else f", {cell['exact_match']:.3f}"
    return f"{cell['loss']:.4f}{exact}"


def seconds_of(cells: list[dict[str, Any] | None]) -> str:
    return ", ".join(f"{cell['seconds']:.0f}" for cell in cells if cell is not None)


if __name__ == "__main__":
    main()
