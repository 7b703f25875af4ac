"""How often do two candidates that are equally good count as different, and how often is a true difference found?

    python benchmarks/studies/false_alarms.py
    python benchmarks/studies/false_alarms.py --probes ../shared/data/trec

The first draws pairs of answers in numpy and exchanges them at random, so that neither of a pair is better: row by row, or
cluster by cluster where five rows share a text and are answered alike. It needs no model, and a few minutes of one core. The
second learns 200 pairs of probes from disjoint halves of the training rows of a real set, on features that are computed once:
these are not quite equal, so it is told how often they count as different, and not judged.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.results import write_section
from luthier import seeds
from luthier.arrays import Bools, Floats, Ints
from luthier.scores.classification import resampled_macro_f1
from luthier.scores.clusters import Clusters
from luthier.scores.intervals import Difference, bootstrap, mean_of, proportion
from luthier.scores.measures import Measure, OfAll, PerRow

SECTION = "False alarms and power of the paired tests"
ROWS = (50, 200, 2000)
FIVE = 5
"""Rows of a cluster."""
ALLOWED = 0.065
WANTED = 0.8
CLASSES = 4


def beyond_noise(found: Difference) -> bool:
    return found.low > 0 or found.high < 0


Kind = Callable[[Ints, Ints], Measure]
"""The measure of answers to rows with such labels."""


def accuracy(labels: Ints, said: Ints) -> Measure:
    return PerRow((labels == said).astype(np.float64), share=True)


def overlap(labels: Ints, said: Ints) -> Measure:
    """Scores of rows that may be partly right, as the F1 of an answer's words is: a class that is near counts half."""
    apart = np.abs(labels - said)
    return PerRow(np.where(apart == 0, 1.0, np.where(apart == 1, 0.5, 0.0)))


def macro_f1(labels: Ints, said: Ints) -> Measure:
    return OfAll(resampled_macro_f1(labels, said, CLASSES), said)


KINDS: dict[str, Kind] = {"accuracy": accuracy, "partial credit": overlap, "macro F1": macro_f1}


@dataclass(frozen=True)
class Pair:
    """Answers of two candidates to the same rows."""

    labels: Ints
    ours: Ints
    theirs: Ints
    groups: Ints
    """(rows,) the cluster of each."""

    def gap(self, kind: Kind, clustered: bool) -> Difference:
        """The difference as luthier measures it, or without knowing of the clusters."""
        measures = [kind(self.labels, said) for said in (self.ours, self.theirs)]
        if clustered:
            measures = [one.clustered(self.groups) for one in measures]
        found: Difference = measures[0].minus(measures[1], 0)
        return found


def equals(rows: int, size: int, dice: np.random.Generator) -> Pair:
    """Two candidates that are right four times in five; what they answer is alike in a cluster, and exchanged by it at random."""
    clusters = rows // size
    groups = np.repeat(np.arange(clusters), size)
    labels = dice.integers(0, CLASSES, clusters)
    wrong = (labels + dice.integers(1, CLASSES, (2, clusters))) % CLASSES
    said = np.where(dice.random((2, clusters)) < 0.8, labels, wrong)
    exchanged = dice.random(clusters) < 0.5
    ours, theirs = np.where(exchanged, said[::-1], said)
    return Pair(labels[groups], ours[groups], theirs[groups], groups)


def apart(
    rows: int, size: int, differing: float, points: float, dice: np.random.Generator
) -> tuple[Bools, Bools]:
    """(rows,) each: where either of two candidates alone is right; the first is better by so many points."""
    clusters = rows // size
    better, worse = (differing + points / 100) / 2, (differing - points / 100) / 2
    drawn = dice.choice([1, -1, 0], clusters, p=[better, worse, 1 - differing]).repeat(size)
    return drawn > 0, drawn < 0


def alarms(pairs: int) -> Iterator[str]:
    """A line for each metric, number of rows and size of clusters: how often equals count as different."""
    yield "| metric | rows | answered alike in | told of the clusters | not told |"
    yield "| --- | ---: | --- | ---: | ---: |"
    for name, kind in KINDS.items():
        for rows in ROWS:
            for size in (1, FIVE):
                dice = seeds.generator(0, name, rows, size)
                drawn = [equals(rows, size, dice) for _ in range(pairs)]
                told = np.mean([beyond_noise(one.gap(kind, size > 1)) for one in drawn])
                mark = "" if told <= ALLOWED else " (too many)"
                untold = (
                    f"{np.mean([beyond_noise(one.gap(kind, False)) for one in drawn]):.1%}"
                    if size > 1
                    else ""
                )
                alike = "clusters of five" if size > 1 else "no clusters"
                yield f"| {name} | {rows:,} | {alike} | {told:.1%}{mark} | {untold} |"


def power(pairs: int) -> Iterator[str]:
    """How often a true difference of accuracy is found."""
    yield "| rows | answered differently | true difference, points | clusters of | found | said to be detectable |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: |"
    for rows, differing, points, size in (
        (2000, 0.08, 2.0, 1), (2000, 0.06, 2.0, 1), (2000, 0.08, 2.0, FIVE), (2000, 0.08, 1.0, 1),
        (500, 0.08, 4.0, 1), (200, 0.20, 10.0, 1),
    ):  # fmt: skip
        dice = seeds.generator(0, "power", rows, size, str(points), str(differing))
        gaps = []
        for _ in range(pairs):
            ours, theirs = apart(rows, size, differing, points, dice)
            groups = np.repeat(np.arange(rows // size), size)
            first, second = (PerRow(one.astype(np.float64), share=True) for one in (ours, theirs))
            gaps.append(first.clustered(groups).minus(second, 0))
        found = np.mean([gap.low > 0 for gap in gaps])
        seen = np.mean([gap.detectable for gap in gaps])
        first_line = (rows, differing, points, size) == (2000, 0.08, 2.0, 1)
        mark = " (too few)" if first_line and found < WANTED else ""
        yield f"| {rows:,} | {differing:.0%} | {points:g} | {size} | {found:.0%}{mark} | {100 * seen:.1f} points |"


def coverage(sets: int) -> Iterator[str]:
    """How often the 95 % interval of a share holds the truth, where half of the variance is between clusters."""
    yield "| clusters of five | truth | as luthier | bootstrap of clusters | bootstrap, percentiles not moved out |"
    yield "| ---: | ---: | ---: | ---: | ---: |"
    for clusters in (10, 20, 40, 100):
        for truth in (0.7, 0.9, 0.95):
            dice, held = seeds.generator(0, "coverage", clusters, str(truth)), np.zeros(3)
            groups = np.repeat(np.arange(clusters), FIVE)
            for seed in range(sets):
                chance = dice.beta(truth, 1 - truth, clusters)[groups]
                right = (dice.random(len(groups)) < chance).astype(np.float64)
                ends = [proportion(right, groups=groups)]
                ends.append(bootstrap(mean_of(right), len(right), groups=groups, draws=400, seed=seed))
                held[:2] += [one.low <= truth <= one.high for one in ends]
                low, high = plain_percentiles(right, groups, seed)
                held[2] += low <= truth <= high
            told = " | ".join(f"{share:.0%}" for share in held / sets)
            yield f"| {clusters} | {truth:.0%} | {told} |"


def plain_percentiles(right: Floats, groups: Ints, seed: int) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile over resampled clusters."""
    pieces = Clusters.of_rows(groups, len(right)).resamples(400, seed)
    low, high = np.quantile(np.concatenate([mean_of(right)(piece) for piece in pieces]), [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True)
class Probed:
    """A real set, as a frozen model sees it."""

    name: str
    features: Floats
    targets: Ints
    test_features: Floats
    test_targets: Ints


def probed(folder: Path, model: str) -> Probed:
    """The features of a set's training and test rows, computed once."""
    from luthier.plan.plan import Plan
    from luthier.predict import features_of
    from luthier.prepare.prepare import prepare

    files = {part: next(iter(sorted(folder.glob(f"{part}.*")))) for part in ("train", "test")}
    ready = prepare(
        Plan.build(
            {
                "data.path": str(files["train"]),
                "data.test": str(files["test"]),
                "data.valid_share": 0.02,
                "model.name": model,
                "train.method": "probe",
                "run.threads": 1,
            }
        )
    )
    found: dict[str, Floats] = {}
    for part in ("train", "test"):
        examples = ready.examples[part]
        found[part] = np.zeros((len(examples), ready.model.width), np.float32)
        for _, where, features in features_of(ready.model, examples, ready.device, by_unit=False):
            found[part][where] = features
    targets = {part: ready.examples[part].targets for part in found}
    return Probed(folder.name, found["train"], targets["train"], found["test"], targets["test"])


def halves(data: Probed, pairs: int, rows: int | None) -> str:
    """How often two probes that learnt from disjoint halves count as different on the same test rows."""
    from luthier.train.probe.probe import solve_probe

    outputs, told = int(data.targets.max()) + 1, 0
    gaps: list[float] = []
    most = min(len(data.targets), rows or len(data.targets))
    for pair in range(pairs):
        order = seeds.generator(0, "halves", pair).permutation(len(data.targets))[:most]
        measures = []
        for half in (order[: most // 2], order[most // 2 :]):
            probe = solve_probe(data.features[half], data.targets[half], outputs, 0.01)
            said = probe.logits(data.test_features).argmax(axis=1)
            measures.append(accuracy(data.test_targets, said))
        gap = measures[0].minus(measures[1], 0)
        told, gaps = told + beyond_noise(gap), [*gaps, gap.value]
    return (
        f"{pairs} pairs of probes on disjoint halves of {most:,} training rows of {data.name}, compared on its "
        f"{len(data.test_targets):,} test rows: {told / pairs:.1%} count as different. Their accuracy differs by a standard "
        f"deviation of {100 * np.std(gaps):.1f} points, as they did learn from other rows."
    )


def section(pairs: int, more: str) -> str:
    """The section of RESULTS.md."""
    return "\n\n".join(
        [
            f"{pairs:,} pairs each (`benchmarks/studies/false_alarms.py`). Two candidates that are equally good: their answers "
            "are exchanged at random, row by row, or cluster by cluster where five rows are answered alike. How often one counts "
            f"as better or worse; {ALLOWED:.1%} is allowed, 5 % said.",
            "\n".join(alarms(pairs)),
            "A true difference in accuracy; found means that the first counts as better.",
            "\n".join(power(pairs)),
            "How often the 95 % interval of a share of rows in clusters holds the truth, where half of the variance is between "
            "clusters.",
            "\n".join(coverage(pairs)),
            *([more] if more else []),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=1000, help="pairs of answers for each line")
    parser.add_argument("--probes", type=Path, help="folder of a set with train and test file")
    parser.add_argument("--probe-pairs", type=int, default=200)
    parser.add_argument("--rows", type=int, help="training rows of both probes of a pair; all without it")
    parser.add_argument("--model", default="all-MiniLM-L6-v2", help="whose features the probes learn from")
    parser.add_argument("--dry", action="store_true", help="print the tables, write no section")
    asked = parser.parse_args()
    more = (
        ""
        if asked.probes is None
        else halves(probed(asked.probes, asked.model), asked.probe_pairs, asked.rows)
    )
    text = section(asked.pairs, more)
    print(text)
    if not asked.dry:
        write_section(SECTION, text)


if __name__ == "__main__":
    main()
