"""Would other settings serve few rows better than the recipe? In pairs: the same rows, the same seed, one change.

    python benchmarks/studies/settings.py --data ../shared/data --change="--epochs 30" --change="--epochs 10 --batch-rows 16"

Of each of the sets of `regret.py` some rows are drawn, anew for each seed, and `luthier tune` is run on them as it is and
with each change. Validation has up to 500 rows, as in `regret.py`. The score is that of the candidate which the run hands
back, on the test rows.

What is measured is kept at once, so an interrupted benchmark goes on where it stopped; after a change of the recipe
`--cache` names another file. The table shows the sets, sizes and changes that are asked for.
"""

import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.kept import read_records, write_records
from benchmarks.harness.machine import describe
from benchmarks.harness.places import OUT
from benchmarks.harness.processes import luthier
from benchmarks.harness.results import write_section
from benchmarks.search.regret import SETS, asking, prepare

SECTION = "Settings for few rows"
SETTINGS = ("lr", "batch_rows", "epochs")


@dataclass(frozen=True)
class Scored:
    """One run."""

    set: str
    size: str
    seed: int
    shared: str
    """Flags of all runs."""
    change: str
    """Flags beside those; empty: none."""
    settings: str
    """What these came to."""
    metric: str
    valid: float
    test: float
    chosen: str
    machine: str

    @property
    def cell(self) -> tuple[str, str, int, str]:
        return self.set, self.size, self.seed, self.shared


def measure(
    name: str, size: str, seed: int, changes: Sequence[str], data: Path, shared: Sequence[str]
) -> list[Scored]:
    """One set, one draw of rows: a run for each change."""
    found = []
    with tempfile.TemporaryDirectory(prefix="luthier-settings-") as place:
        folder = Path(place)
        _, files = prepare(SETS[name], size, data, folder, seed)
        for number, change in enumerate(changes):
            asked = ["tune", *files, "--seed", str(seed), *shared, *change.split()]
            card, _ = luthier([*asked, "--out", str(folder / str(number))], folder / "cache")
            chosen = next(one for one in card["candidates"] if one["name"] == card["chosen"])
            tuning = ", ".join(f"{key} {card['tuning'][key]:g}" for key in SETTINGS)
            found.append(
                Scored(name, size, seed, " ".join(shared), change, tuning, card["metric"], chosen["valid"], chosen["test"],
                       card["chosen"], describe())
            )  # fmt: skip
    return found


def section(found: Sequence[Scored], shared: Sequence[str]) -> str:
    cells = list(dict.fromkeys(one.cell for one in found))
    changes = list(dict.fromkeys(one.change for one in found))
    known = {(one.cell, one.change): one for one in found}
    groups = list(dict.fromkeys(cell[:2] for cell in cells))
    lines = [
        "| change | "
        + " | ".join(f"{name}, {size}" for name, size in groups)
        + " | all: test | all: validation | chosen is tuned |",
        "| --- |" + " ---: |" * (len(groups) + 3),
    ]
    for change in changes:
        pairs = [(known[cell, ""], known[cell, change]) for cell in cells if (cell, change) in known]
        tested = {
            group: [gain(*pair, "test") for pair in pairs if pair[0].cell[:2] == group] for group in groups
        }
        if change:
            shown = [f"{statistics.mean(tested[group]):+.1f}" for group in groups]
            shown.append(with_error([value for values in tested.values() for value in values]))
            shown.append(with_error([gain(*pair, "valid") for pair in pairs]))
        else:
            scores = [[100 * one.test for one, _ in pairs if one.cell[:2] == group] for group in groups]
            shown = [f"{statistics.mean(values):.1f}" for values in scores] + ["", ""]
        tuned = sum(one.chosen == "tuned" for _, one in pairs)
        own = "; ".join(dict.fromkeys(one.settings for _, one in pairs))
        label = f"`{change}`" if change else f"none, the recipe: {own}"
        lines.append(f"| {label} | {' | '.join(shown)} | {tuned} of {len(pairs)} |")
    words = (
        f"Draws of rows for each set: {len({one.seed for one in found})}. Test scores of the recipe in hundredths, and what a "
        "change adds, in points (over all cells with its standard error). All runs have "
        f"`{' '.join(shared)}`."
    )
    machines = "\n".join(dict.fromkeys(one.machine for one in found))
    return f"{machines}\n\n{words}\n\n" + "\n".join(lines)


def gain(base: Scored, one: Scored, part: str) -> float:
    """In points."""
    return 100 * float(getattr(one, part) - getattr(base, part))


def with_error(values: Sequence[float]) -> str:
    error = f" ± {statistics.stdev(values) / len(values) ** 0.5:.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):+.2f}{error}"


def main() -> None:
    parser = asking(__doc__)
    parser.add_argument("--sizes", default="50", help="rows to learn from, as in 50,200")
    parser.add_argument("--seeds", type=int, default=3, help="so many draws of rows, from 0")
    parser.add_argument(
        "--change",
        action="append",
        default=[],
        help='flags of luthier tune, as in --change="--lr 2e-4"; repeatable',
    )
    parser.add_argument("--all", default="--validations 1", help="flags of all runs")
    parser.add_argument("--cache", type=Path, default=OUT / "settings.jsonl", help="what was measured")
    parser.add_argument("--dry", action="store_true", help="print the table, write no section")
    asked = parser.parse_args()
    found = read_records(asked.cache, Scored)
    shared = asked.all.split()
    for seed in range(asked.seeds):
        for size in asked.sizes.split(","):
            for name in asked.sets:
                have = {one.change for one in found if one.cell == (name, size, seed, " ".join(shared))}
                missing = [change for change in ["", *asked.change] if change not in have]
                if not missing:
                    continue
                found += measure(name, size, seed, missing, asked.data, shared)
                write_records(asked.cache, found)
                print(f"{name}, {size}, seed {seed}", file=sys.stderr, flush=True)
    shown = [
        one
        for one in found
        if one.set in asked.sets
        and one.size in asked.sizes.split(",")
        and one.seed < asked.seeds
        and one.shared == " ".join(shared)
    ]
    text = section([one for one in shown if one.change in ("", *asked.change)], shared)
    print(text)
    if not asked.dry:
        write_section(SECTION, text)


if __name__ == "__main__":
    main()
