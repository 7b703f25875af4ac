"""Two runs compared on the same test rows, from what both have left: no model is opened."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.arrays import Ints
from luthier.comparing.outcome import SAME, gained, interval, measured, outcome, seen, written
from luthier.data.split import joined_groups
from luthier.errors import RunError, listing
from luthier.files import open_file
from luthier.folder.artefacts import run_inside
from luthier.folder.model_folder import ModelFolder, task_told
from luthier.folder.scorecard import Scorecard
from luthier.records import VersionedRecord, read_lines
from luthier.scores.intervals import Difference, Estimate
from luthier.scores.metrics import METRICS, metric_named
from luthier.tasks.task import Task

LINES = Path("predictions") / "test.jsonl"
SAME_ROWS = (
    "Runs are compared on the same test rows: tune both on the same data with the same --seed, by which it is split, or give "
    "both the same --test FILE."
)
SEED = 0
"""The seed of the resamples: two runs need have none in common."""
Place = tuple[str, int, int]
"""The name of a file, a line of it, and which of the rows there, from 0 on."""


class TestLine(VersionedRecord):
    """A line of predictions/test.jsonl. What else it holds is for the task to read."""

    __test__ = False  # for pytest, which takes it for tests by its name

    row: int
    file: str
    line: int
    text: str
    cluster: int | None = None


@dataclass(frozen=True)
class Side:
    """A run that is compared."""

    path: Path
    scorecard: Scorecard
    task: Task[Any, Any]
    lines: dict[Place, Mapping[str, Any]]
    """What it answers to each test row, by where that stands, in table order."""

    @staticmethod
    def of(run: Path) -> "Side":
        """Raises RunError for what is not the folder of a finished run, or of a judged model."""
        scorecard, inside = Scorecard.read(run), run_inside(run)
        if not scorecard.card.test:
            raise RunError(
                f"{run}: was not measured, as it had no test rows, so nothing tells how right its answers are. Give its command "
                "again with rows to test on (--test FILE), into a new folder."
            )
        return Side(run, scorecard, task_of(scorecard, inside), lines_of(inside))


@dataclass(frozen=True)
class Comparison:
    """How much better one run is than another, on the same test rows."""

    runs: tuple[str, str]
    task: str
    metric: str
    scores: tuple[Estimate, Estimate]
    gap: Difference
    """How much better the first is, also by a metric of which lower values are better."""
    rows: int
    differing: int
    """Rows that the two answer differently."""
    clusters: int
    """How many clusters the rows fall into; as many as rows, where none share anything."""
    by: tuple[str, ...] = ()
    """What rows of one cluster share."""
    notes: tuple[str, ...] = ()
    """What else is to be known, a sentence each."""

    @property
    def outcome(self) -> str:
        """`better`, `worse`, or that there is no difference that this test can see."""
        return outcome(self.gap)

    @property
    def words(self) -> str:
        """The comparison as a person reads it."""
        ours, theirs = self.runs
        known = metric_named(self.metric)
        ends = "" if self.gap.low == self.gap.high else f" ({interval(self.metric, self.gap)})"
        scores = " against ".join(written(self.metric, one.value) for one in self.scores)
        told = (
            f"{scores} {known.words} on the same {self.rows:,} test rows, {self.differing:,} of them answered differently, "
            f"{gained(self.metric, self.gap.value)}{ends}."
        )
        if self.outcome != SAME:
            first = f"{ours} is {self.outcome} than {theirs}, beyond noise: {told}"
        elif ends:
            first = f"Between {ours} and {theirs} there is {SAME}: {told} {seen(self.metric, self.gap)}"
        else:
            first = f"Between {ours} and {theirs} there is {SAME}: {told}"
        shared = (
            f"The rows fall into {self.clusters:,} clusters ({', '.join(self.by)}), which were drawn whole."
        )
        return " ".join([first, *([shared] if self.clusters < self.rows else []), *self.notes])

    def __repr__(self) -> str:
        return f"Comparison({self.outcome}, {self.metric} {self.gap})"

    def to_json(self) -> dict[str, Any]:
        """The comparison as `luthier compare --json` prints it."""
        ours, theirs = self.scores
        return {
            "runs": list(self.runs),
            "task": self.task,
            "metric": self.metric,
            "rows": self.rows,
            "answered_differently": self.differing,
            "clusters": {"by": list(self.by), "test": self.clusters} if self.clusters < self.rows else None,
            "scores": [ours.to_json(), theirs.to_json()],
            **measured(self.gap),
            "words": self.words,
        }


def compare_runs(first: Path, second: Path) -> Comparison:
    """How much better the first run is than the second, by the first one's metric, paired by row.

    Raises RunError for folders that are no finished runs, and for runs that were not of one task and tested on the same rows.
    """
    ours, theirs = Side.of(first), Side.of(second)
    refuse_another_task(ours, theirs)
    refuse_other_rows(ours, theirs)
    return compared(ours, theirs)


def compare_with_baseline(run: Path, baseline: Path) -> Comparison:
    """How much better a run is than another one that was to learn the same.

    Raises RunError as `compare_runs` does, and for runs that know other labels or chose by another metric.
    """
    ours, theirs = Side.of(run), Side.of(baseline)
    refuse_another_task(ours, theirs)
    refuse_other_labels(ours, theirs)
    refuse_another_metric(ours, theirs)
    refuse_other_rows(ours, theirs)
    return compared(ours, theirs)


def compared(ours: Side, theirs: Side) -> Comparison:
    """How much better one side is than the other, which have the same rows."""
    first, second = ours.path, theirs.path
    metric, recorded = ours.scorecard.metric, ours.task.recorded
    if recorded is None:
        raise RunError(
            f"{first}: runs of {ours.task.name} cannot be compared: the lines of their predictions do not tell how right each is."
        )
    recorded = recorded.beside(theirs.task)
    places = list(ours.lines)
    lines = [[side.lines[place] for place in places] for side in (ours, theirs)]
    try:
        why = recorded.unlike(*lines)
        if why:
            raise RunError(f"{first} and {second} cannot be compared by {metric}. {why}")
        evidence = [recorded.evidence(some) for some in lines]
        said = [list(map(recorded.answer, some)) for some in lines]
    except KeyError as error:
        raise RunError(
            f"{first} and {second}: a line of {LINES} lacks {error}, which an older luthier did not write. Give the commands of "
            "both runs again, into new folders."
        ) from None
    clusters = clusters_of(lines)
    mine, other = (ours.task.measures([metric], one, clusters)[metric] for one in evidence)
    gap = mine.minus(other, SEED)
    return Comparison(
        runs=(str(first), str(second)),
        task=ours.task.name,
        metric=metric,
        scores=(mine.estimate(SEED), other.estimate(SEED)),
        gap=gap if METRICS[metric].higher else -gap,
        rows=len(places),
        differing=sum(one != two for one, two in zip(*said, strict=True)),
        clusters=len(places) if clusters is None else len(np.unique(clusters)),
        by=tuple(dict.fromkeys(reason for side in (ours, theirs) for reason in reasons(side))),
        notes=tuple(notes(ours, theirs)),
    )


def task_of(scorecard: Scorecard, run: Path) -> Task[Any, Any]:
    """The task of a run, from beside its model; of a model that was judged, which is not there, from the scorecard."""
    judged = scorecard.card.judged
    if judged is None:
        return ModelFolder(run).task
    place = run / "scorecard.json"
    if judged.task is None:
        raise RunError(
            f"{place}: does not tell the task, which an older luthier did not write. Give the command `luthier judge` again."
        )
    return task_told(judged.task, str(place))[1]


def lines_of(run: Path) -> dict[Place, Mapping[str, Any]]:
    """What a run answers to its test rows. Raises RunError where it has not left that."""
    path = run / LINES
    try:
        open_file(path, run).close()
    except FileNotFoundError:
        raise RunError(
            f"{path}: there is no such file, so nothing tells what the run answers. Give the command of the run again."
        ) from None
    found: dict[Place, Mapping[str, Any]] = {}
    so_far: Counter[tuple[str, int]] = Counter()
    for line, record in read_lines(path, TestLine, run):
        there = Path(record.file).name, record.line
        found[(*there, so_far[there])] = line
        so_far[there] += 1
    return found


def refuse_another_task(ours: Side, theirs: Side) -> None:
    if ours.task.name != theirs.task.name:
        raise RunError(
            f"{ours.path} is a run of {ours.task.name}, and {theirs.path} one of {theirs.task.name}: only runs of one task can "
            "be compared."
        )


def refuse_other_labels(ours: Side, theirs: Side) -> None:
    """Raise RunError unless both runs know the same labels, in whatever order."""
    mine, other = set(ours.task.known_labels), set(theirs.task.known_labels)
    if mine == other:
        return
    apart = [
        f"{listing(sorted(names))} only in {side.path}"
        for names, side in ((mine - other, ours), (other - mine, theirs))
        if names
    ]
    raise RunError(
        f"{ours.path} and {theirs.path} do not know the same labels: {' and '.join(apart)}. Tune both on the same labels; "
        "`luthier compare` compares them as they are."
    )


def refuse_another_metric(ours: Side, theirs: Side) -> None:
    """Raise RunError unless both runs chose by the same metric."""
    metric, other = ours.scorecard.metric, theirs.scorecard.metric
    if metric != other:
        raise RunError(
            f"{ours.path} chose by {metric}, and {theirs.path} by {other}: a run is held against one of the same metric. Give "
            f"the command of either run again with the other's --metric; `luthier compare` compares them by {metric}."
        )


def refuse_other_rows(ours: Side, theirs: Side) -> None:
    """Raise RunError, which says what differs, unless both runs were tested on the same rows."""
    both = ours.lines.keys() & theirs.lines.keys()
    if not both or len(both) < max(len(ours.lines), len(theirs.lines)):
        raise RunError(
            f"{ours.path} was tested on {counted(ours.lines)}, and {theirs.path} on {counted(theirs.lines)}; {len(both):,} of "
            f"them are the same. {SAME_ROWS}"
        )
    for place, line in ours.lines.items():
        for key, what in (("text", "text"), ("label", "label")):
            mine, other = line.get(key), theirs.lines[place].get(key)
            if mine != other:
                raise RunError(
                    f"{place[0]}, line {place[1]}: the {what} is {shown(mine)} in {ours.path} and {shown(other)} in "
                    f"{theirs.path}, so the data has changed between them. {SAME_ROWS}"
                )
    mine, other = contents(ours), contents(theirs)
    if mine != other and mine is not None and other is not None:
        raise RunError(
            f"The test rows of {ours.path} and {theirs.path} have the same names and labels, but what is read of them differs, "
            "such as an image's file or the text that a question is about: the data has changed between them, or other columns "
            f"were read. {SAME_ROWS}"
        )


def contents(side: Side) -> str | None:
    """The hash of what a run's test rows hold; None where an older luthier did not write it."""
    looks = side.scorecard.card.looks
    return None if looks is None else looks.contents


def counted(lines: Mapping[Place, Any]) -> str:
    """How many rows, and of which files."""
    files = sorted({file for file, _, _ in lines})
    return f"{len(lines):,} rows of {' and '.join(files)}" if files else "no rows"


def shown(value: Any, most: int = 60) -> str:
    """A value as a message quotes it."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def clusters_of(sides: Sequence[Sequence[Mapping[str, Any]]]) -> Ints | None:
    """(rows,) equal where rows share something by what either run says; None where none do."""
    known = [
        np.array([line["cluster"] for line in lines], np.int64)
        for lines in sides
        if lines and all(line.get("cluster") is not None for line in lines)
    ]
    return joined_groups(*known) if known else None


def reasons(side: Side) -> Iterator[str]:
    """What a run's test rows share."""
    clusters = side.scorecard.card.clusters
    yield from clusters.by if clusters is not None else ()


def notes(ours: Side, theirs: Side) -> Iterator[str]:
    """Sentences on what is not the same in both runs."""
    metric, other = ours.scorecard.metric, theirs.scorecard.metric
    if metric != other:
        yield (
            f"They are compared by {metric_named(metric).words}, by which {ours.path} chose; {theirs.path} chose by "
            f"{metric_named(other).words}."
        )
