"""Do the promises of docs/trust.md hold? Sets, limits of error and the alarm over random splits, calibration over small sets.

    python benchmarks/studies/trust.py --data ../shared/data

The features of banking77 are computed once, with all-MiniLM-L6-v2. A probe learns from some of the rows; the others are split at
random again and again into 500 calibration rows and the rest, on which the promises are tried. Rows of SST-2 are mixed into
streams of banking77. For calibration, probes of four sets learn from half of some rows, with a weak penalty, so that some are far
too sure; the log loss with and without a temperature is compared on rows of their own.

About four minutes for the features of 25,000 short texts on two idle cores, three for the rest. `--rows 2000 --splits 20` tries
it out.
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.doctor.labels import features_of_set
from benchmarks.harness.machine import describe
from benchmarks.harness.results import write_section
from luthier.arrays import Array
from luthier.scores.calibration import apply_temperature, fit_temperature, softmax
from luthier.scores.calibration_gain import temperature_gain
from luthier.scores.classification import expected_calibration_error, log_loss_per_row
from luthier.scores.conformal import LabelSets, conformal_bound
from luthier.scores.error_limit import Thresholds
from luthier.scores.stream import evidence_of
from luthier.scores.unlike import Detector, p_values
from luthier.train.probe.probe import solve_probe

SECTION = "Trust"
CALIBRATION = 500
LEARNT = (1_500, 5_000)
"""Rows that probes of banking77 learn from: the first is right less often than sets are to hold the right label, the second more
often, so that a set that always holds the most probable label cannot but hold the right one too often."""
ERRORS = (0.02, 0.05, 0.1)
STREAM, MIXED, WITHIN = 1_000, 0.1, 200
SMALL = ("banking77", "sst2", "trec", "agnews_7k6")
STRENGTHS = (0.1, 30.0)
SIZES = (50, 100, 200, 300)


@dataclass(frozen=True)
class Set:
    """The features of a set, and its labels as numbers."""

    features: Array
    labels: Array


def features_of(folder: Path, most: int) -> Set:
    """Some rows of a set, drawn at random, with their features."""
    rows: list[list[str]] = []
    for file in sorted(folder.glob("t*.csv")):  # train and test
        with open(file, encoding="utf-8", newline="") as opened:
            rows += [[row["text"], row["label"]] for row in csv.DictReader(opened)]
    chosen = np.random.default_rng(0).permutation(len(rows))[:most]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "rows.csv"
        with open(path, "w", encoding="utf-8", newline="") as written:
            csv.writer(written).writerows([["text", "label"], *[rows[at] for at in chosen]])
        return Set(*features_of_set(path))


@dataclass(frozen=True)
class Held:
    """What a probe gives for rows that it has not learnt from."""

    probabilities: Array
    labels: Array

    @property
    def of_truth(self) -> Array:
        found: Array = self.probabilities[np.arange(len(self.labels)), self.labels]
        return found

    @property
    def right(self) -> Array:
        found: Array = self.probabilities.argmax(axis=1) == self.labels
        return found


def held_out(known: Set, learnt: int) -> Held:
    """A probe of the first rows, and what it gives for the others."""
    classes = int(known.labels.max()) + 1
    probe = solve_probe(known.features[:learnt], known.labels[:learnt], classes, 0.1)
    return Held(softmax(probe.logits(known.features[learnt:])), known.labels[learnt:])


def splits_of(rows: int, splits: int) -> list[tuple[Array, Array]]:
    """Calibration rows and the rest, drawn at random."""
    dice = np.random.default_rng(0)
    orders = [dice.permutation(rows) for _ in range(splits)]
    return [(order[:CALIBRATION], order[CALIBRATION:]) for order in orders]


def sets_rows(held: Held, learnt: int, splits: Sequence[tuple[Array, Array]]) -> list[str]:
    """Coverage and size of a probe's 90 % sets; beside them those that may be empty, and adaptive ones (APS without a draw)."""
    truth, places = held.of_truth, np.arange(len(held.labels))
    classes = held.probabilities.shape[1]
    order = np.argsort(-held.probabilities, axis=1)
    sums = np.zeros_like(held.probabilities)
    np.put_along_axis(
        sums, order, np.take_along_axis(held.probabilities, order, axis=1).cumsum(axis=1), axis=1
    )

    def fitted(known: Array) -> LabelSets:
        found = LabelSets.fitted(truth[known], held.labels[known], classes, 0.1)
        assert found is not None, "500 rows are enough"
        return found

    ways: dict[str, Callable[[Array, Array], Array]] = {
        "least ambiguous (luthier)": lambda known, new: fitted(known).of(held.probabilities[new]),
        "least ambiguous, empty sets allowed": lambda known, new: (
            held.probabilities[new] >= fitted(known).lowest
        ),
        "adaptive (APS)": lambda known, new: (
            sums[new] <= conformal_bound(sums[places, held.labels][known], 0.1)
        ),
    }
    rows = []
    for name, way in ways.items():
        covered, sizes, empty = [], [], []
        for known, new in splits:
            inside = way(known, new)
            covered.append(inside[np.arange(len(new)), held.labels[new]].mean())
            sizes.append(inside.sum(axis=1).mean())
            empty.append((~inside.any(axis=1)).mean())
        cells = [
            f"{learnt:,} rows, {100 * held.right.mean():.1f} %",
            name,
            f"{100 * np.mean(covered):.2f} %",
            f"{100 * np.std(covered):.2f}",
            f"{np.mean(sizes):.2f}",
            f"{100 * np.mean(empty):.1f} %",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def limit_rows(held: Held, splits: Sequence[tuple[Array, Array]]) -> list[str]:
    """The share that is answered at limits of error, and how often the limit was broken."""
    sure, right, rows = held.probabilities.max(axis=1), held.right, []
    for error in ERRORS:
        answered, broken = [], []
        for known, new in splits:
            limit = Thresholds.of(sure[known], right[known]).limit(error)
            there = limit.answers(sure[new])
            answered.append(there.mean())
            broken.append(bool(there.any()) and (~right[new][there]).mean() > error)
        rows.append(
            f"| {100 * error:.0f} % | {100 * np.mean(answered):.1f} % | {100 * np.mean(broken):.1f} % |"
        )
    return rows


def alarm_words(known: Set, other: Array, learnt: int, splits: int) -> str:
    """How often streams raise the alarm, clean and mixed, and how often single rows do."""
    detector = Detector.fitted(known.features[:learnt], known.labels[:learnt])
    usual, strange = detector.scores(known.features[learnt:]), detector.scores(other)
    dice, rates, clean, rows = np.random.default_rng(1), [], 0, []
    for calibration, new in splits_of(len(usual), splits):
        rates.append((p_values(usual[calibration], usual[new]) <= 0.01).mean())
        clean += evidence_of(usual[calibration], usual[new[:STREAM]]).alarm is not None
        stream = usual[new[:STREAM]].copy()
        mixed = dice.random(len(stream)) < MIXED
        stream[mixed] = dice.choice(strange, mixed.sum())
        found = evidence_of(usual[calibration], stream).alarm
        rows.append(len(stream) if found is None else found + 1)
    told = float((p_values(usual[:CALIBRATION], strange) <= 0.01).mean())
    within = np.mean(np.array(rows) <= WITHIN)
    return (
        f"Of single rows {100 * np.mean(rates):.2f} % are called unlike by mistake, and of SST-2's {100 * told:.1f} % rightly. "
        f"Of {splits} clean streams of {STREAM:,} rows {clean} raise the alarm. With {100 * MIXED:.0f} % of SST-2 mixed in, it "
        f"is raised within {np.median(rows):.0f} rows in half of the streams, within {WITHIN} in {100 * within:.1f} % of them, "
        f"and after {max(rows):,} at the latest."
    )


def small_rows(sets: dict[str, Set]) -> list[str]:
    """Log loss and calibration error with and without a temperature, over small calibration sets."""
    found: list[dict[str, Any]] = []
    for at, (name, known) in enumerate(sets.items()):
        classes, learnt = int(known.labels.max()) + 1, min(1_500, len(known.labels) // 3)
        for strength in STRENGTHS:
            probe = solve_probe(known.features[:learnt], known.labels[:learnt], classes, strength)
            logits, labels = probe.logits(known.features[learnt:]), known.labels[learnt:]
            for size in SIZES:
                order = np.random.default_rng([at, size]).permutation(len(labels))
                calibration, new = order[:size], order[size:]
                found.append({"set": name, "rows": size, "strength": strength}
                             | tried(logits[calibration], labels[calibration], logits[new], labels[new]))  # fmt: skip
    rows = []
    for how in ("always", "where it helps"):
        lost = np.array([one[how]["lost"] for one in found])
        beyond = sum(one[how]["lost"] > 2 * one[how]["noise"] and one[how]["lost"] > 0 for one in found)
        gaps = np.mean([one[how]["gap"] for one in found])
        rows.append(
            f"| {how} | {len(found)} | {-lost.mean():+.4f} | {lost.max():.4f} | {beyond} | {100 * gaps:.2f} |"
        )
    plain = np.mean([one["never"]["gap"] for one in found])
    return [f"| never | {len(found)} | +0.0000 | 0.0000 | 0 | {100 * plain:.2f} |", *rows]


def tried(logits: Array, labels: Array, new: Array, new_labels: Array) -> dict[str, Any]:
    """What a temperature does to new rows: never, always, and where cross-validation says that it helps."""
    temperature = fit_temperature(logits, labels)
    ways = {"never": 1.0, "always": temperature}
    ways["where it helps"] = temperature if temperature_gain(logits, labels).helps else 1.0
    plain = log_loss_per_row(softmax(new), new_labels)
    found = {}
    for name, how in ways.items():
        probabilities = apply_temperature(new, how)
        lost = log_loss_per_row(probabilities, new_labels) - plain
        found[name] = {
            "lost": float(lost.mean()),
            "noise": float(lost.std() / np.sqrt(len(lost))),
            "gap": expected_calibration_error(probabilities, new_labels),
        }
    return found


def section(data: Path, most: int, splits: int) -> str:
    """All of it, as the section of RESULTS.md."""
    sets = {
        name: features_of(data / name, most if name == "banking77" else min(most, 4_000)) for name in SMALL
    }
    known = sets["banking77"]
    few, learnt = (min(rows, len(known.labels) // 2) for rows in LEARNT)
    held, less_right = held_out(known, learnt), held_out(known, few)
    drawn = splits_of(len(held.labels), splits)
    return "\n".join(
        [
            f"{describe()}. banking77: a probe of {learnt:,} rows, accuracy {100 * held.right.mean():.1f} % on "
            f"{len(held.labels):,} others; {splits} random splits of these into {CALIBRATION} calibration rows and the rest.",
            "",
            "| probe of, right in | 90 % sets | coverage, mean | standard deviation, points | labels, mean | empty, mean |",
            "| --- | --- | ---: | ---: | ---: | ---: |",
            *sets_rows(less_right, few, splits_of(len(less_right.labels), splits)),
            *sets_rows(held, learnt, drawn),
            "",
            "| at most wrong | answered, mean | splits in which more was wrong |",
            "| --- | ---: | ---: |",
            *limit_rows(held, drawn),
            "",
            alarm_words(known, sets["sst2"].features, learnt, splits),
            "",
            f"A temperature, over {len(SMALL)} sets with {SIZES[0]} to {SIZES[-1]} calibration rows, of probes that are about "
            "right and of probes that are too sure; *worse*: by more than two standard errors on the new rows:",
            "",
            "| temperature | cases | log loss gained, mean | lost at worst | worse | calibration error, points |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *small_rows(sets),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=13_083, help="rows of banking77 at the most")
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--dry", action="store_true", help="print the section, do not write it")
    asked = parser.parse_args()
    text = section(asked.data, asked.rows, asked.splits)
    print(text)
    if not asked.dry and asked.splits >= 200:
        write_section(SECTION, text)


if __name__ == "__main__":
    main()
