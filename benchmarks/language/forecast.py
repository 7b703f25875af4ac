"""How right `luthier plan` is of language models: time and peak memory foretold, and those that `luthier tune` then takes.

    python benchmarks/language/forecast.py

As benchmarks/engine/forecast.py does for encoders, with SmolLM2-135M-Instruct and the rows of against_trl.py. What is measured is
kept at once in `out/forecast_language.jsonl`: an interrupted benchmark goes on where it stopped.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.engine.forecast import LEGEND, foretold_and_taken, table
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.results import write_section
from benchmarks.language.against_trl import SETS

SECTION = "Forecast of language models"
MEASURED = OUT / "forecast_language.jsonl"
CONFIGURATIONS: tuple[dict[str, Any], ...] = (
    {"set": "sst2", "rows": 400, "method": "full", "batch_rows": 16, "epochs": 2},
    {"set": "trec", "rows": 400, "method": "lora", "batch_rows": 16, "epochs": 2},
    {"set": "instruct_mix", "rows": 120, "method": "full", "batch_rows": 16, "epochs": 1},
    {"set": "half-shared", "rows": 300, "method": "top:4", "batch_rows": 8, "epochs": 2},
)


def measure(one: dict[str, Any], data: Path) -> dict[str, Any]:
    """What is foretold of a configuration, and what it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = SETS[one["set"]].rows(data, "train", one["rows"])
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        words = [str(folder / "rows.jsonl"), "--out", str(folder / "run"), "--allow", "copies,near-copies"]
        for key, value in one.items():
            if key not in ("set", "rows"):
                words += ["--" + key.replace("_", "-"), str(value)]
        words += ["--patience", "1000"]
        return {"config": one, **foretold_and_taken(words, folder)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--dry", action="store_true", help="write no section")
    asked = parser.parse_args()
    known = {}
    if MEASURED.exists():
        for text in MEASURED.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            known[json.dumps(line["config"])] = line
    for one in CONFIGURATIONS:
        key = json.dumps(one)
        if key in known:
            continue
        print(key, flush=True)
        known[key] = measure(one, asked.data)
        MEASURED.parent.mkdir(exist_ok=True)
        with open(MEASURED, "a", encoding="utf-8") as file:
            file.write(json.dumps(known[key]) + "\n")
    lines = [known[key] for key in map(json.dumps, CONFIGURATIONS) if key in known]
    print(table(lines))
    if not asked.dry:
        write_section(SECTION, f"{describe()}\n\n{LEGEND}\n{table(lines)}")


if __name__ == "__main__":
    main()
