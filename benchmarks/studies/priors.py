"""Would a search do better if it began with the settings that were good on other sets?

    python benchmarks/search/regret.py --data ../shared/data
    python benchmarks/studies/priors.py

`regret.py` leaves all trials of its searches. With one seed the first of them, which are drawn at random, stand in the same
relation to the recipe in every set: half its rate, twice its rows per step, and so on. Here they are put in the order in
which they would have served the other sets best, and looked at on the set that was left out: how much better than the
recipe is the best of the first few, in that order and in a random one?
"""

import argparse
import itertools
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.places import OUT
from benchmarks.harness.results import write_section
from benchmarks.search.regret import Measured, load

SECTION = "Learnt starts"
DRAWN = 8
"""Trials that a Bayesian search draws at random, the recipe among them."""
FIRST = (1, 2, 3)
"""So many are tried beside the recipe."""


def gains(one: Measured) -> list[float]:
    """By drawn trial: what it has more than the recipe on validation, in points. One that ended early or is worse adds nothing
    to a search, which has the recipe."""
    recipe = one.tried[0]["score"]
    return [
        100 * max(0.0, trial["score"] - recipe) if trial["state"] == "complete" else 0.0
        for trial in one.tried[1:DRAWN]
    ]


def alike(one: Measured, other: Measured) -> bool:
    """Whether the drawn trials of two searches stand in the same relation to the recipe."""
    pairs = [(relation(one, number), relation(other, number)) for number in range(1, DRAWN)]
    return all(
        ours.keys() == theirs.keys()
        and all(math.isclose(ours[key], theirs[key], rel_tol=0.1) for key in ours)
        for ours, theirs in pairs
    )


def relation(one: Measured, number: int) -> dict[str, float]:
    """A trial's settings as multiples of the recipe's."""
    return {key: value / one.kept[key] for key, value in one.tried[number]["values"].items()}


def in_words(one: Measured, number: int) -> str:
    return ", ".join(f"{key.split('.')[1]} × {ratio:.2g}" for key, ratio in relation(one, number).items())


def learnt_order(cells: Sequence[Measured]) -> list[int]:
    """Drawn trials by what each adds to those before it, on average over cells."""
    table = [gains(one) for one in cells]
    left, found = set(range(DRAWN - 1)), list[int]()
    while left:
        best = max(
            left, key=lambda at: (statistics.mean(max(row[i] for i in [*found, at]) for row in table), -at)
        )
        found.append(best)
        left.remove(best)
    return found


def by_chance(row: Sequence[float], count: int) -> float:
    """The best of so many trials in random order, on average."""
    return statistics.mean(max(some) for some in itertools.combinations(row, count))


def section(cells: Sequence[Measured], seed: int, left_out: Sequence[str] = ()) -> str:
    """The tables. left_out: cells whose trials stand in another relation to their recipe, in words."""
    sets = list(dict.fromkeys(one.set for one in cells))
    learnt: dict[str, list[list[float]]] = {}
    for name in sets:
        order = learnt_order([one for one in cells if one.set != name])
        own = [gains(one) for one in cells if one.set == name]
        learnt[name] = [
            [statistics.mean(max(row[at] for at in order[:count]) for row in own),
             statistics.mean(by_chance(row, count) for row in own)]
            for count in FIRST
        ]  # fmt: skip
    head = "| left out | " + " | ".join(f"best of {count}: learnt, random" for count in FIRST) + " |"
    lines = [head, "| --- |" + " --- |" * len(FIRST)]
    for name, pairs in learnt.items():
        lines.append(f"| {name} | " + " | ".join(f"{a:+.2f}, {b:+.2f}" for a, b in pairs) + " |")
    differences = [[pairs[at][0] - pairs[at][1] for pairs in learnt.values()] for at in range(len(FIRST))]
    told = [
        f"{statistics.mean(one):+.2f} ± {statistics.stdev(one) / len(one) ** 0.5:.2f}" for one in differences
    ]
    lines.append("| *learnt less random, mean and standard error* | " + " | ".join(told) + " |")
    first = cells[0]
    each = [
        "| drawn trial, beside the recipe of " + first.set + " | mean gain | better than the recipe in |",
        "| --- | ---: | ---: |",
    ]
    for at in range(DRAWN - 1):
        own_gains = [gains(one)[at] for one in cells]
        better = sum(gain > 0 for gain in own_gains)
        each.append(
            f"| {in_words(first, at + 1)} | {statistics.mean(own_gains):+.2f} | {better} of {len(cells)} |"
        )
    words = (
        f"{len(cells)} searches of {len(sets)} sets (the cells of *Zero-tuning regret*, seed {seed}). Gains over the recipe in "
        "points on the validation rows; a trial that is worse, or that ended early, gains nothing."
    )
    if left_out:
        words += f" Left out, as their trials stand in another relation to the recipe: {', '.join(left_out)}."
    return f"{first.machine}\n\n{words}\n\n" + "\n".join(lines) + "\n\n" + "\n".join(each)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=OUT / "regret.jsonl")
    parser.add_argument("--dry", action="store_true", help="print the tables, write no section")
    asked = parser.parse_args()
    cells = [one for one in load(asked.cache) if one.seed == asked.seed]
    comparable = [one for one in cells if alike(cells[0], one)]
    others = [f"{one.set} with {one.size} rows" for one in cells if not alike(cells[0], one)]
    if len({one.set for one in comparable}) < 3:
        parser.error(f"{asked.cache}: trials of three sets or more are needed, alike beside their recipes")
    text = section(comparable, asked.seed, others)
    print(text)
    if not asked.dry:
        write_section(SECTION, text)


if __name__ == "__main__":
    main()
