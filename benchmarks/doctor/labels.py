"""How right the forecast of labels is, and what `luthier suggest` is worth beside choosing rows at random.

    python benchmarks/doctor/labels.py --data ../shared/data

Both work on frozen features, which are computed once a set. Accuracy is that of a logistic regression on the features.
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import describe
from benchmarks.harness.processes import names_of
from benchmarks.harness.results import write_section
from luthier.arrays import Array
from luthier.doctor.reader import Reader
from luthier.events import result_of
from luthier.models.readers.texts import Texts
from luthier.plan.plan import Plan
from luthier.scores.learning_curve import rows_needed
from luthier.train.probe.learning_curve import probe_curve, spread
from luthier.train.probe.suggest import Doubt, enough, suggest

SECTION = "Labels"
SETS = {"sst2": "sst2", "trec": "trec", "banking77": "banking77", "agnews": "agnews_7k6"}
SUGGESTED = ("sst2", "trec", "agnews")
SHARES = (0.1, 0.25)
PER_LABEL = (1, 2, 4, 8, 14, 20)
POOL, TESTED = 4_000, 1_500

LEGEND = """\
*Forecast*: from a tenth and from a quarter of the training rows (stratified, four fifths of the set), the number of rows
foretold for the accuracy that all of them reach on the last fifth, over the true number: 1 is right. *Low* and *high*: the
range that is told; inf: one of the curves never gets there. A user is told nothing where the middle is beyond four times
the rows at hand.

*Suggest*: accuracy with so many labels a class, chosen in rounds by `luthier suggest` or at random, mean over seeds and the
standard error of the difference, of logistic regressions on frozen features.
"""


def features_of_set(path: Path) -> tuple[Array, Array]:
    """(rows, width) features and (rows,) classes."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    reader = Reader.of(Plan.build({"data.path": str(path)}))
    assert isinstance(reader.reader, Texts), "the packaged model reads texts"
    examples, _ = reader.reader.examples([text for text, _ in rows], np.zeros(len(rows), np.int64))
    features = result_of(reader.features(examples, lambda: 0.0, lambda: False))
    return features, np.unique([label for _, label in rows], return_inverse=True)[1]


def accuracy(features: Array, targets: Array, learnt: Array, tested: Array) -> float:
    """Accuracy of a logistic regression on features of length one."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    present = np.unique(targets[learnt])
    if len(present) < 2:
        return float((targets[tested] == present[0]).mean())
    model = LogisticRegression(C=10, max_iter=200).fit(unit[learnt], targets[learnt])
    return float(model.score(unit[tested], targets[tested]))


def score(logits: Array, targets: Array) -> float:
    return float((logits.argmax(1) == targets).mean())


def forecasts(name: str, features: Array, targets: Array, seeds: int) -> list[dict[str, Any]]:
    found = []
    outputs = int(targets.max()) + 1
    for seed in range(seeds):
        order = spread(targets, np.random.default_rng(seed))
        kept, out = order[: int(0.8 * len(order))], order[int(0.8 * len(order)) :]
        whole = probe_score(features, targets, kept, out, outputs)
        for share in SHARES:
            few = kept[: int(share * len(kept))]
            curve = probe_curve(features[few], targets[few], outputs, score, seed)
            needed = rows_needed(curve, whole, len(few))
            ratios = [number / len(kept) for number in (needed.low, needed.middle, needed.high)]
            found.append(
                {
                    "set": name,
                    "seed": seed,
                    "share": share,
                    "rows": len(kept),
                    "accuracy": whole,
                    "ratios": ratios,
                }
            )
            print(found[-1], flush=True)
    return found


def probe_score(features: Array, targets: Array, learnt: Array, tested: Array, outputs: int) -> float:
    """The score of the probe that the curve is made of."""
    from luthier.train.probe.probe import ROUGH, STRENGTHS, Regression, standardised

    scaled, centre, width = standardised(features[learnt])
    weight, bias = Regression(scaled, targets[learnt], outputs).solve(STRENGTHS[1], ROUGH)
    return score((features[tested] - centre) / width @ weight.T + bias, targets[tested])


def choices(name: str, features: Array, targets: Array, seeds: int) -> dict[str, Any]:
    """Accuracy by labels a class, of each way and seed."""
    outputs = int(targets.max()) + 1
    found: dict[str, Array] = {
        "suggest": np.zeros((seeds, len(PER_LABEL))),
        "random": np.zeros((seeds, len(PER_LABEL))),
    }
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(targets))
        tested, pool = order[:TESTED], order[TESTED : TESTED + POOL]
        for way, scores in found.items():
            learnt = np.zeros(0, np.int64)
            for at, budget in enumerate(PER_LABEL):
                free = pool[~np.isin(pool, learnt)]
                count = budget * outputs - len(learnt)
                if way == "random":
                    new = free[:count]
                else:
                    sureness = None
                    if enough(len(learnt), outputs) and len(np.unique(targets[learnt])) > 1:
                        sureness = Doubt.of(features[learnt], targets[learnt], outputs).sureness(
                            features[free]
                        )
                    new = free[suggest(features[learnt], features[free], sureness, count, seed).rows]
                learnt = np.concatenate([learnt, new])
                scores[seed, at] = accuracy(features, targets, learnt, tested)
    print(name, {way: scores.mean(0).round(3).tolist() for way, scores in found.items()}, flush=True)
    return {"set": name, **found}


def body(foretold: list[dict[str, Any]], chosen: list[dict[str, Any]]) -> str:
    lines = ["### Forecast", "", "| set | rows at hand | of | accuracy | low | middle | high |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for one in foretold:
        low, middle, high = (f"{ratio:.2f}" for ratio in one["ratios"])
        at_hand = int(one["share"] * one["rows"])
        lines.append(
            f"| {one['set']} | {at_hand:,} | {one['rows']:,} | {one['accuracy']:.3f} | {low} | {middle} | {high} |"
        )
    middles = np.array([one["ratios"][1] for one in foretold])
    within = np.mean([one["ratios"][0] <= 1 <= one["ratios"][2] for one in foretold])
    off = float(np.exp(np.median(np.abs(np.log(middles)))))
    lines += [
        "",
        f"Median of foretold over true: {np.median(middles):.2f}; off by a factor of {off:.1f} in the median, either way; "
        f"the truth lies in the range told in {within:.0%}.",
        "",
        "### Suggest",
        "",
        f"| set | way | {' | '.join(map(str, PER_LABEL))} |",
        f"| --- | --- | {' | '.join('---:' for _ in PER_LABEL)} |",
    ]
    for one in chosen:
        gap = one["suggest"] - one["random"]
        for way in ("suggest", "random"):
            lines.append(
                f"| {one['set']} | {way} | {' | '.join(f'{value:.3f}' for value in one[way].mean(0))} |"
            )
        noise = gap.std(0, ddof=1) / np.sqrt(len(gap))
        told = (f"{mean:+.3f} ± {error:.3f}" for mean, error in zip(gap.mean(0), noise, strict=True))
        lines.append(f"| {one['set']} | difference | {' | '.join(told)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", type=names_of(list(SETS)), default=list(SETS))
    parser.add_argument("--seeds", type=int, default=5, help="of the choices; forecasts take two")
    asked = parser.parse_args()
    foretold, chosen = [], []
    for name in asked.sets:
        features, targets = features_of_set(asked.data / SETS[name] / "train.csv")
        foretold += forecasts(name, features, targets, seeds=2)
        if name in SUGGESTED:
            chosen.append(choices(name, features, targets, asked.seeds))
    text = f"{describe()}\n\n{LEGEND}\n{body(foretold, chosen)}"
    print(text)
    if asked.sets == list(SETS):
        write_section(SECTION, text)


if __name__ == "__main__":
    main()
