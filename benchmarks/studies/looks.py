"""When should successive halving look at a trial, and how many should go on?

    python benchmarks/search/regret.py --data ../shared/data --sizes 50,500 --prune none \\
        --cache benchmarks/out/unpruned.jsonl --dry
    python benchmarks/studies/looks.py

`regret.py` keeps every trial's validations. Here its searches in which no trial was ended early are played again, trial by
trial, as if halving had looked: what would have been saved, and what would the best score have been? Trials have the
settings that they had, the recipe first, the others in the order that they had and in some drawn ones; a search that had
been cut short would have drawn others.
"""

import argparse
import math
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.places import OUT
from benchmarks.harness.results import write_section
from benchmarks.search.regret import TRIALS, Measured, load
from luthier.searching.pruners import LENGTH, Halving

optuna.logging.set_verbosity(optuna.logging.WARNING)

SECTION = "Looks of halving"
LOOKS = (
    (1 / 10, 1 / 3),
    (1 / 6, 1 / 3),
    (1 / 5, 2 / 5),
    (1 / 4,),
    (1 / 4, 1 / 2),
    (1 / 4, 3 / 4),
    (1 / 3, 2 / 3),
    (1 / 2,),
)
REDUCTIONS = (2, 3, 4)
ORDERS = 8
"""In which the trials of a search are played, their own among them."""


@dataclass(frozen=True)
class Trial:
    scores: dict[int, float]
    """After each validation."""
    length: int
    """Validations that its whole training would have."""


@dataclass(frozen=True)
class Replayed:
    spent: float
    """Share of the validations, and so of the rows read, that all trials together had."""
    lost: float
    """Points of the best score that were given up."""


def trials_of(one: Measured) -> list[Trial]:
    """The trials with the scores of their tuned candidate alone: where the probe is kept whatever the settings, all trials
    have its score."""
    found = []
    for trial in one.tried:
        scores = {int(age): score for age, score in trial["validations"].items()}
        if scores:
            found.append(Trial(scores, trial["length"]))
    return found


def orders(trials: Sequence[Trial]) -> list[list[Trial]]:
    dice = random.Random(0)
    return [list(trials)] + [
        [trials[0], *dice.sample(trials[1:], len(trials) - 1)] for _ in range(ORDERS - 1)
    ]


def replay(trials: Sequence[Trial], looks: Sequence[float], reduction: int) -> Replayed:
    """What halving would have made of a search."""
    study = optuna.create_study(direction="maximize", pruner=Halving((tuple(looks),), reduction))
    seen, best, spent = -math.inf, -math.inf, 0
    for number, trial in enumerate(trials):
        asked = study.ask()
        asked.set_user_attr(LENGTH, trial.length)
        before, own, cut = seen, -math.inf, False
        for age, score in sorted(trial.scores.items()):
            spent, own = spent + 1, max(own, score)
            asked.report(score, age)
            if number > 0 and asked.should_prune():
                cut = True
                break
        # One that was ended after it had had the best score of all is scored as it was at its best.
        best = max(best, -math.inf if cut and own <= before else own)
        seen = max(seen, own)
    whole = sum(len(trial.scores) for trial in trials)
    return Replayed(spent / whole, 100 * (max(max(trial.scores.values()) for trial in trials) - best))


def section(cells: Sequence[Measured]) -> str:
    lines = [
        "| looks after | goes on | of the rows read | best score given up, mean (worst cell) |",
        "| --- | --- | ---: | ---: |",
    ]
    for looks in LOOKS:
        for reduction in REDUCTIONS:
            by_cell = [
                [replay(trials, looks, reduction) for trials in orders(trials_of(one))] for one in cells
            ]
            spent = statistics.mean(one.spent for found in by_cell for one in found)
            lost = [statistics.mean(one.lost for one in found) for found in by_cell]
            lines.append(
                f"| {' and '.join(f'{share:.2f}' for share in looks)} | 1 in {reduction} | "
                f"{spent:.2f} | {statistics.mean(lost):.2f} ({max(lost):.2f}) |"
            )
    told = (
        f"{len(cells)} searches of {TRIALS} trials each, none ended early (sets and rows as in *Zero-tuning regret*), played "
        f"again as if halving had looked after these shares of each trial's training, in {ORDERS} orders. Best score: on the "
        "validation rows, in points."
    )
    return f"{told}\n\n" + "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=OUT / "unpruned.jsonl")
    parser.add_argument("--dry", action="store_true", help="print the table, write no section")
    asked = parser.parse_args()
    cells = [one for one in load(asked.cache) if one.prune == "none"]
    if not cells:
        parser.error(f"{asked.cache}: no search there ended no trial early")
    text = section(cells)
    print(text)
    if not asked.dry:
        write_section(SECTION, text)


if __name__ == "__main__":
    main()
