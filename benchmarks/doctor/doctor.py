"""What `luthier check` finds of faults that are planted, beside cleanlab's Datalab on the same rows.

    python benchmarks/doctor/doctor.py --data ../shared/data

Into a copy of each set go exact leaks, near copies, wrong labels and wrongly decoded texts, by a seed. Near copies and
suspects that the untouched set has already are set aside first. `--sets sst2,trec` chooses, `--rows 50000` adds a timed
run on so many rows made of all sets.
"""

import argparse
import csv
import json
import random
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import describe
from benchmarks.harness.processes import Cost, last_line, names_of, run_alone
from benchmarks.harness.results import write_section

SECTION = "Data doctor"
SETS = {"sst2": "sst2", "trec": "trec", "banking77": "banking77", "agnews": "agnews_7k6"}
SHARES = {"leak": 0.02, "near": 0.02, "label": 0.05, "mojibake": 0.01}
"""Shares of rows that are damaged: of the test rows for leaks, of the training rows for the others."""
KNOWN = {"banking77": 7, "trec": 11, "sst2": 2}
"""Test rows that also stand in train, as the data's card counts them."""

LEGEND = """\
One text in fifty of the test file is put into the training file as it is (*leaks*), one training text in fifty is repeated
with one or two small edits (*near copies*: a word left out, doubled, added, replaced, two swapped, two letters swapped), one
label in twenty is made wrong, one text in a hundred with letters beyond ASCII is decoded wrongly. *Recall*: found of planted.
*Precision*: planted of found, without what the untouched set shows already; of label errors, untouched rows that are shown
count as false alarms, though some of them are wrong. *Repeats*: test rows of the untouched set found in train, and what its
card counts. *Datalab*: cleanlab's label issues, from the same rows, with embeddings of sentence-transformers and a logistic
regression over five folds, as its tutorial has it; *near*: its near-duplicate issues.
"""

Row = dict[str, str]


def read(path: Path) -> list[Row]:
    with open(path, encoding="utf-8", newline="") as file:
        return [{"text": row["text"], "label": row["label"]} for row in csv.DictReader(file)]


def write(path: Path, rows: Sequence[Row]) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("text", "label"))
        writer.writeheader()
        writer.writerows(rows)
    return path


# Planting


def varied(text: str, dice: random.Random, others: Sequence[str]) -> str:
    """A text after one small edit, or two where it is long."""
    words = text.split()
    for _ in range(2 if len(words) > 15 else 1):
        at = dice.randrange(len(words))
        kind = dice.randrange(6)
        if kind == 0 and len(words) > 4:
            del words[at]
        elif kind == 1:
            words.insert(at, words[at])
        elif kind == 2:
            words.insert(at, dice.choice(["please", "really", "just", "also", "well"]))
        elif kind == 3 and len(words) > 4:
            words[at] = dice.choice(dice.choice(others).split())
        elif kind == 4 and at + 1 < len(words):
            words[at], words[at + 1] = words[at + 1], words[at]
        else:
            longest = max(range(len(words)), key=lambda one: len(words[one]))
            word = words[longest]
            cut = dice.randrange(max(1, len(word) - 1))
            words[longest] = word[:cut] + word[cut : cut + 2][::-1] + word[cut + 2 :]
    return " ".join(words)


def misread(text: str, dice: random.Random) -> str:
    """A text with typographic signs and accents, as UTF-8 read as cp1252 shows it."""
    fancy = re.sub(r"'", "’", text)
    if fancy == text:
        words = text.split()
        at = dice.randrange(len(words))
        words[at] = f"“{words[at]}”" if dice.random() < 0.5 else f"{words[at]} – café"
        fancy = " ".join(words)
    return fancy.encode("utf-8").decode("cp1252", "replace")


def plant(train: list[Row], test: list[Row], seed: int) -> tuple[list[Row], dict[str, set[int]]]:
    """Training rows with faults, and where each kind is (leaks: rows of the test file)."""
    dice = random.Random(seed)
    rows = [dict(row) for row in train]
    labels = sorted({row["label"] for row in rows})
    order = dice.sample(range(len(rows)), len(rows))
    wrong = order[: int(SHARES["label"] * len(rows))]
    for at in wrong:
        rows[at]["label"] = dice.choice([one for one in labels if one != rows[at]["label"]])
    garbled = order[len(wrong) : len(wrong) + int(SHARES["mojibake"] * len(rows))]
    for at in garbled:
        rows[at]["text"] = misread(rows[at]["text"], dice)
    leaked = dice.sample(range(len(test)), max(1, int(SHARES["leak"] * len(test))))
    rows += [dict(test[at]) for at in leaked]
    texts = [row["text"] for row in train]
    sources = [at for at in order[len(wrong) + len(garbled) :] if len(rows[at]["text"].split()) > 3]
    near = sources[: int(SHARES["near"] * len(train))]
    copied = set(range(len(train), len(rows)))
    begin = len(rows)
    for at in near:
        text = varied(rows[at]["text"], dice, texts)
        while " ".join(text.lower().split()) == " ".join(rows[at]["text"].lower().split()):
            text = varied(rows[at]["text"], dice, texts)
        rows.append({"text": text, "label": rows[at]["label"]})
    return rows, {
        "leak": set(leaked),
        "near": set(range(begin, len(rows))),
        "label": set(wrong),
        "mojibake": set(garbled),
        "copied": copied,
    }


# What is found


def check(train: Path, test: Path, folder: Path, *more: str) -> tuple[dict[str, Any], Cost]:
    words = [str(train), "--test", str(test), "--json", "--quiet", *more]
    code, cost = run_alone([sys.executable, "-P", "-m", "luthier.cli", "check", *words], folder)
    if code not in (0, 2):
        sys.exit(f"luthier check ended with {code}: {last_line(folder / 'stderr')}")
    return json.loads(last_line(folder / "stdout")), cost


def found_rows(record: dict[str, Any], name: str, file: str, words: str = "") -> set[int]:
    """Rows of a file by position, that a check tells of. Files here have one line a row, and a header."""
    return {
        row["row"] - 2
        for one in record["findings"]
        if one["check"] == name and words in one["message"]
        for row in one["rows"]
        if row["file"] == file
    }


def measured(planted: set[int], found: set[int], aside: set[int]) -> dict[str, float]:
    counted = found - (aside - planted)
    hit = planted & found
    return {
        "recall": len(hit) / max(1, len(planted)),
        "precision": len(hit) / max(1, len(counted)),
        "found": len(counted),
    }


def of_set(name: str, data: Path, seed: int) -> dict[str, Any]:
    folder = data / SETS[name]
    train, test = read(folder / "train.csv"), read(folder / "test.csv")
    for row in [*train, *test]:
        row["text"] = " ".join(row["text"].split())
    rows, planted = plant(train, test, seed)
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        clean = write(home / "clean.csv", train)
        held = write(home / "test.csv", test)
        dirty = write(home / "train.csv", rows)
        before, _ = check(clean, held, home)
        after, cost = check(dirty, held, home)
        lab = datalab(dirty, home)
    # A test row that nearly repeats a training row by itself does so in the training file too, once it is copied there.
    near = found_rows(after, "near-copies", "train.csv") - planted["copied"]
    found = {
        "leak": measured(
            planted["leak"], found_rows(after, "leaks", "test.csv"), found_rows(before, "leaks", "test.csv")
        ),
        "near": measured(planted["near"], near, found_rows(before, "near-copies", "clean.csv")),
        "label": measured(planted["label"], found_rows(after, "label-errors", "train.csv"), set()),
        "datalab label": measured(planted["label"], set(lab["label"]), set()),
        "datalab near": measured(planted["near"], set(lab["near"]), set()),
    }
    misread_rows = next((one["count"] for one in after["findings"] if "decoded wrongly" in one["message"]), 0)
    repeats = len(found_rows(before, "leaks", "test.csv"))
    stops = [one["check"] for one in before["findings"] if one["severity"] == "stop"]
    return {
        "set": name,
        "rows": len(rows) + len(test),
        **found,
        "mojibake": misread_rows / max(1, len(planted["mojibake"])),
        "repeats": repeats,
        "stops": stops,
        "seconds": cost.seconds,
        "peak_bytes": cost.peak_bytes,
        "datalab seconds": lab["seconds"],
    }


DATALAB = """
import csv, json, sys, time
begin = time.monotonic()
import numpy as np
from cleanlab import Datalab
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from luthier.models.hub.find import find_model
rows = list(csv.DictReader(open(sys.argv[1], encoding="utf-8", newline="")))
texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
features = SentenceTransformer(str(find_model("all-MiniLM-L6-v2")), device="cpu").encode(texts, batch_size=32)
model = LogisticRegression(max_iter=400)
made = cross_val_predict(model, features, labels, method="predict_proba")
lab = Datalab(data={"text": texts, "label": labels}, label_name="label", verbosity=0)
lab.find_issues(pred_probs=made, features=features, issue_types={"label": {}, "near_duplicate": {}})
issues = lab.get_issues()
print(json.dumps({
    "label": np.flatnonzero(issues["is_label_issue"]).tolist(),
    "near": np.flatnonzero(issues["is_near_duplicate_issue"]).tolist(),
    "seconds": time.monotonic() - begin,
}))
"""


def datalab(train: Path, folder: Path) -> dict[str, Any]:
    code, _ = run_alone([sys.executable, "-P", "-c", DATALAB, str(train)], folder)
    if code:
        sys.exit(f"Datalab ended with {code}: {last_line(folder / 'stderr')}")
    told: dict[str, Any] = json.loads(last_line(folder / "stdout"))
    return told


def large(data: Path, count: int, seed: int, model: str) -> dict[str, Any]:
    """Seconds and memory of so many rows, made of all sets with small edits."""
    dice = random.Random(seed)
    rows = [
        {**row, "label": f"{name} {row['label']}"}
        for name in SETS
        for row in read(data / SETS[name] / "train.csv")
    ]
    texts = [row["text"] for row in rows]
    made = [
        row if at < len(rows) else {**row, "text": varied(varied(row["text"], dice, texts), dice, texts)}
        for at, row in enumerate(rows[at % len(rows)] for at in range(count))
        if row["text"].split()
    ]
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        path = write(home / "rows.csv", made)
        words = [str(path), "--json", "--quiet", "--model", model]
        code, cost = run_alone([sys.executable, "-P", "-m", "luthier.cli", "check", *words], home)
        if code not in (0, 2):
            sys.exit(f"luthier check ended with {code}: {last_line(home / 'stderr')}")
        notes = json.loads(last_line(home / "stdout"))["notes"]
    return {
        "rows": count,
        "model": model,
        "megabytes": path_size(made) / 1e6,
        "seconds": cost.seconds,
        "peak_bytes": cost.peak_bytes,
        "notes": [note for note in notes if "drawn" in note],
    }


def path_size(rows: Sequence[Row]) -> int:
    return sum(len(row["text"].encode()) + len(row["label"]) + 2 for row in rows)


def pair(found: dict[str, float]) -> str:
    return f"{found['recall']:.0%} / {found['precision']:.0%}"


def table(sets: Sequence[dict[str, Any]], sizes: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| set | rows | leaks | near copies | label errors | mojibake | repeats | stops | seconds | MiB | Datalab labels "
        "| Datalab near | Datalab seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in sets:
        known = KNOWN.get(one["set"])
        lines.append(
            f"| {one['set']} | {one['rows']:,} | {pair(one['leak'])} | {pair(one['near'])} | {pair(one['label'])} "
            f"| {one['mojibake']:.0%} | {one['repeats']}{'' if known is None else f' of {known}'} | {len(one['stops'])} "
            f"| {one['seconds']:.0f} | {one['peak_bytes'] / 2**20:,.0f} | {pair(one['datalab label'])} "
            f"| {pair(one['datalab near'])} | {one['datalab seconds']:.0f} |"
        )
    if sizes:
        lines += [
            "",
            "Many rows, all sets with small edits:",
            "",
            "| rows | MB | model | seconds | MiB | looked at |",
        ]
        lines.append("| ---: | ---: | --- | ---: | ---: | --- |")
        lines += [
            f"| {one['rows']:,} | {one['megabytes']:.0f} | {one['model']} | {one['seconds']:.0f} "
            f"| {one['peak_bytes'] / 2**20:,.0f} | {' '.join(one['notes']) or 'all'} |"
            for one in sizes
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", type=names_of(list(SETS)), default=list(SETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--rows", type=int, default=50_000, help="rows of the timed run with the model; 0: none"
    )
    parser.add_argument(
        "--table-rows", type=int, default=1_000_000, help="rows of the timed run without; 0: none"
    )
    parser.add_argument("--write", action="store_true", help="write the section of RESULTS.md")
    asked = parser.parse_args()
    sizes = []
    for count, model in ((asked.rows, "all-MiniLM-L6-v2"), (asked.table_rows, "none")):
        if count:
            sizes.append(large(asked.data, count, asked.seed, model))
            print(sizes[-1], flush=True)
    sets = []
    for name in asked.sets:
        sets.append(of_set(name, asked.data, asked.seed))
        one = sets[-1]
        print(name, {key: value for key, value in one.items() if key != "set"}, flush=True)
    body = f"{describe()}\n\n{LEGEND}\n{table(sets, sizes)}"
    print(body)
    if asked.write:
        write_section(SECTION, body)


if __name__ == "__main__":
    main()
