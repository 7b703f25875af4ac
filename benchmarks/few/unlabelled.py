"""What rows without labels are worth to a probe of few labels, and whether cross-validation knows it.

    python benchmarks/few/unlabelled.py --data ../shared/data

Features are computed once a set. A sample draws rows with labels, and 1,000 others of the training rows without; each way to give
these labels is tried as `luthier tune --unlabelled` tries it, and the heads are scored on the set's test rows.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.labelled import read_labelled
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA
from benchmarks.harness.processes import names_of
from benchmarks.harness.results import write_section
from luthier.arrays import Array, Ints
from luthier.candidates.half_labelled import why_refused
from luthier.doctor.reader import Reader
from luthier.events import result_of
from luthier.models.readers.texts import Texts
from luthier.plan.plan import Plan
from luthier.scores.classification import accuracy_per_row
from luthier.tasks.baselines import readable
from luthier.tasks.probing import Probing
from luthier.train.probe.centred import fit_centred, folds_for, solve_centred
from luthier.train.probe.half_labelled import NONE, HalfLabelled
from luthier.train.probe.probe import Probe
from luthier.train.probe.pseudo_labels import WAYS, Shares, Way
from luthier.train.probe.worth_taking import best, judged, one_fold, seeds_of

NAME = "Rows without labels"
SETS = {"trec": "trec", "agnews": "agnews_7k6", "sst2": "sst2", "banking77": "banking77"}
CELLS = {
    "trec": ("50 rows", "8 a label", "50 a label"),
    "agnews": ("50 rows", "8 a label", "50 a label"),
    "sst2": ("50 rows", "50 a label"),
    "banking77": ("8 a label",),
}
"""By set how rows with labels are drawn: so many at random, or so many of each label."""
UNLABELLED, MOST = 1_000, 4_000
"""Rows without labels of a sample; training rows of a set that are looked at."""

LEGEND = """\
The probe that is pulled to the labels' words, on vectors of all-MiniLM-L6-v2, with labels for 50 rows drawn at random or for so
many of each label, and 1,000 further training rows without; accuracy on the test rows, mean over {samples} samples.

*Given*: how many rows were given a label, and *right*: how many per cent of these labels are. *Gain*: of the head that learnt
from them too, in points, with its standard deviation. *Kept*: how often cross-validation over the labelled rows called the gain
beyond noise; *then*: the mean gain on the test rows where it did, and how often it was a loss there. *Run*: the mean gain of what
was kept. *Otherwise*: how often it was told that labels are answered otherwise to rows without labels.

{machine}
"""
HEADER = "| set | labels | probe | way | given | right | gain | kept | then (losses) | run | otherwise |"
RULE = "| --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"


@dataclass(frozen=True)
class Vectors:
    """The features of a set."""

    train: Array
    labels: Ints
    test: Array
    test_labels: Ints
    words: Array
    """(labels, width)"""


class Accuracy(Probing):
    """One label a row, by the share of rows that are answered rightly."""

    def __init__(self, outputs: int) -> None:
        self.count = outputs

    @property
    def outputs(self) -> int:
        return self.count

    def to_learn(self, targets: Array) -> Array:
        return targets

    def fit_score(self, values: Array, learnt: Array) -> float:
        return float(accuracy_per_row(learnt, values.argmax(1)).mean())


@dataclass(frozen=True)
class Sample:
    """What came of a sample."""

    plain: float
    scores: dict[str, float]
    given: dict[str, int]
    right: dict[str, float]
    kept: dict[str, bool]
    chosen: str | None
    otherwise: bool


def vectors_of(data: Path, kept: Path, name: str) -> Vectors:
    """The features of a set, computed or as an earlier call has left them."""
    path = kept / f"{name}.npz"
    if not path.exists():
        parts = [read_labelled(data / SETS[name] / f"{part}.csv") for part in ("train", "test")]
        parts[0] = [parts[0][row] for row in np.random.default_rng(0).permutation(len(parts[0]))[:MOST]]
        labels = sorted({label for _, label in parts[0]})
        reader = Reader.of(Plan.build({"data.path": str(data / SETS[name] / "train.csv")}))
        found = [features_of(reader, [text for text, _ in rows]) for rows in parts]
        words = features_of(reader, [readable(label) for label in labels])
        numbers = [np.array([labels.index(label) for _, label in rows]) for rows in parts]
        np.savez(
            path,
            train=found[0],
            labels=numbers[0],
            test=found[1],
            test_labels=numbers[1],
            words=words,
        )
    with np.load(path, allow_pickle=False) as arrays:
        return Vectors(**{key: arrays[key] for key in arrays})


def features_of(reader: Reader, texts: Sequence[str]) -> Array:
    assert isinstance(reader.reader, Texts), "the packaged model reads texts"
    examples, _ = reader.reader.examples(list(texts), np.zeros(len(texts), np.int64))
    return result_of(reader.features(examples, lambda: 0.0, lambda: False))


def drawn(labels: Ints, how: str, order: Ints) -> Ints:
    """The rows that have labels."""
    count = int(how.split()[0])
    if how.endswith("rows"):
        return order[:count]
    return np.concatenate([order[labels[order] == label][:count] for label in np.unique(labels)])


def sample_of(found: Vectors, how: str, seed: int) -> Sample:
    """Draw, learn and score."""
    outputs, order = len(found.words), np.random.default_rng(seed).permutation(len(found.labels))
    known = drawn(found.labels, how, order)
    free = order[~np.isin(order, known)][:UNLABELLED]
    features, targets = found.train[known], found.labels[known]
    plain = fit_centred(features, targets, found.words, outputs, folds_for(targets, seed))

    def solve(some: Array, of: Ints, weights: Array | None, tolerance: float) -> Probe:
        return solve_centred(some, of, found.words, outputs, plain.setting, weights, tolerance)

    rows = HalfLabelled(features, targets, found.train[free], outputs, solve, seed, found.words)
    given = {name: way.label(rows) for name, way in WAYS.items()}
    ways: list[Way] = [WAYS[name] for name, one in given.items() if not why_refused(one, rows)]
    folds = [one_fold(rows, ways, one) for one in seeds_of(rows)]
    gains = judged(rows, [one for one in folds if one is not None], Accuracy(outputs)) if ways else {}

    def accuracy(head: Probe) -> float:
        return float((head.logits(found.test).argmax(1) == found.test_labels).mean())

    labels = {name: one.labels for name, one in given.items()}
    taken = {name: own != NONE for name, own in labels.items()}
    return Sample(
        plain=accuracy(plain.probe),
        scores={name: accuracy(rows.probe(own)) for name, own in labels.items()},
        given={name: int(own.sum()) for name, own in taken.items()},
        right={
            name: float((labels[name] == found.labels[free])[own].mean())
            for name, own in taken.items()
            if own.any()
        },
        kept={name: name in gains and gains[name].gain.beyond_noise for name in given},
        chosen=best(gains),
        otherwise=rows.crossed is not None and Shares.of(rows.crossed, rows.targets, seed).p < 0.01,
    )


def lines(name: str, how: str, samples: Sequence[Sample]) -> list[str]:
    """The rows of a cell, one for each way."""
    plain = np.array([one.plain for one in samples])
    run = np.mean([one.scores[one.chosen] - one.plain if one.chosen else 0.0 for one in samples])
    otherwise = sum(one.otherwise for one in samples)
    found = []
    for at, way in enumerate(WAYS):
        gains = np.array([one.scores[way] for one in samples]) - plain
        kept = np.array([one.kept[way] for one in samples])
        right = [one.right[way] for one in samples if way in one.right]
        then = f"{100 * gains[kept].mean():+.1f} ({int((gains[kept] < 0).sum())})" if kept.any() else ""
        cells = [
            *((name, how, f"{100 * plain.mean():.1f}") if at == 0 else ("", "", "")),
            way,
            f"{np.mean([one.given[way] for one in samples]):.0f}",
            f"{100 * np.mean(right):.0f}" if right else "",
            f"{100 * gains.mean():+.1f} ± {100 * gains.std(ddof=1):.1f}",
            f"{int(kept.sum())} of {len(samples)}",
            then,
            *((f"{100 * run:+.1f}", f"{otherwise} of {len(samples)}") if at == 0 else ("", "")),
        ]
        found.append(f"| {' | '.join(cells)} |")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", type=names_of(list(SETS)), default=list(SETS))
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--features", type=Path, help="a folder in which features are kept for a next call")
    wanted = parser.parse_args()
    table = [LEGEND.format(samples=wanted.samples, machine=describe()), HEADER, RULE]
    with tempfile.TemporaryDirectory() as folder:
        kept = wanted.features or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        for name in wanted.sets:
            found = vectors_of(wanted.data, kept, name)
            for how in CELLS[name]:
                table += lines(name, how, [sample_of(found, how, seed) for seed in range(wanted.samples)])
                print("\n".join(table[-len(WAYS) :]), flush=True)
    if wanted.sets == list(SETS):
        write_section(NAME, "\n".join(table))


if __name__ == "__main__":
    main()
