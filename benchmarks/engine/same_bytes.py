"""Whether two versions of luthier come to the same bytes: a small run of every task with every method, in fp32 on one thread.

    python benchmarks/engine/same_bytes.py --before OTHER_CLONE/.venv/bin/python [--only NAME ...] [--out FILE.json]

Without --before the hashes of this version alone are printed.

Rows and models are those of the tests, written once for both. What must be equal: the files of weights, the predictions, what
`predict` answers, and the scorecard without what tells of time, version and machine, and without its sentences.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
METHODS = ("auto", "probe", "full", "top:1", "thaw", "lora:4")
COMMON = (
    *("--precision", "fp32", "--threads", "1", "--seed", "0", "--quiet"),
    *("--allow", "near-copies,copies,leaks,label-errors"),
)
TRAINING = ("--lr", "3e-3", "--epochs", "4", "--batch-rows", "8", "--set", "train.patience=100")
UNTOLD = {"cost", "version", "versions", "machine", "words", "seconds", "rows_per_second", "sha256"}
"""Keys of a scorecard, at any depth, that may differ."""


@dataclass(frozen=True)
class Case:
    """Rows from which a tiny model learns, and what is asked for beside the method."""

    data: Callable[[Path], Path]
    model: Callable[[Path], Path]
    options: tuple[str, ...] = ()
    methods: tuple[str, ...] = METHODS


def cases() -> dict[str, Case]:
    """One a task, and one more where a task has another way to read or to answer."""
    sys.path.insert(0, str(HERE.parents[2] / "tests"))
    import tiny

    def several(path: Path) -> Path:
        rows = tiny.messages(80, seed=3)
        made = [
            {"text": f"{one} {two}", "label": sorted({about, other})}
            for (one, about), (two, other) in zip(rows, rows[1:] + rows[:1], strict=True)
        ]
        made[::3] = [{"text": text, "label": [label]} for text, label in rows[::3]]
        return tiny.write_jsonl(path, made)

    return {
        "text": Case(lambda path: tiny.messages_csv(path / "rows.csv", 80), tiny.bert),
        "text-long": Case(
            lambda path: tiny.messages_csv(path / "rows.csv", 80),
            tiny.roberta,
            ("--long", "windows"),
            ("auto",),
        ),
        "text-weighed": Case(
            lambda path: tiny.messages_csv(path / "rows.csv", 80),
            tiny.deberta_v2,
            (
                *("--balance", "loss", "--label-smoothing", "0.1", "--ema", "0.9"),
                *("--set", "train.l2_sp=0.01"),
            ),
            ("full", "top:1"),
        ),
        "labels": Case(lambda path: several(path / "rows.jsonl"), tiny.bert),
        "pair": Case(lambda path: tiny.pairs_jsonl(path / "rows.jsonl", 80), tiny.bert),
        "likened": Case(
            lambda path: tiny.likened_jsonl(path / "rows.jsonl", 80),
            tiny.bert,
            ("--pair", "cross-encoder"),
            ("auto", "full"),
        ),
        "number": Case(lambda path: tiny.numbers_jsonl(path / "rows.jsonl", 80), tiny.bert),
        "nearness": Case(
            lambda path: tiny.likened_jsonl(path / "rows.jsonl", 80),
            tiny.sentence_bert,
            ("--pair", "bi-encoder"),
        ),
        "words": Case(lambda path: tiny.tagged_jsonl(path / "rows.jsonl", 100), tiny.bert),
        "questions": Case(
            lambda path: tiny.questions_jsonl(path / "rows.jsonl", 90),
            tiny.bert,
            ("--cloze", "80"),
            ("auto", "full", "top:1", "lora:4"),
        ),
        "vectors": Case(
            lambda path: tiny.queries_jsonl(path / "rows.jsonl", 80),
            tiny.sentence_bert,
            (),
            ("auto", "full", "top:1", "lora:4"),
        ),
        "images": Case(
            lambda path: tiny.images_folder(path / "rows", 72), tiny.TINY_IMAGES["resnet"], (), METHODS[:-1]
        ),
        "images-vit": Case(
            lambda path: tiny.images_folder(path / "rows", 72), tiny.TINY_IMAGES["vit"], (), ("auto", "top:1")
        ),
    }


def commands(name: str, case: Case, inputs: Path) -> Iterator[tuple[str, list[str]]]:
    """Each run's name and its arguments, but for where it is written."""
    data, model = case.data(inputs), case.model(inputs / "model")

    def within(path: Path) -> str:
        """As it is named from where the commands run: the scorecard must not tell of a folder with a name of its own."""
        return str(path.relative_to(inputs.parent.parent))

    for method in case.methods:
        training = () if method == "probe" else TRAINING
        options = (*training, *case.options, "--method", method, "--model", within(model))
        yield f"{name} {method}", ["tune", within(data), *options, *COMMON]


def worked(todo: Path) -> None:
    """Every run of a list, in this process. Writes beside each run what `predict` says of its own rows."""
    from luthier.cli import main

    for arguments in json.loads(todo.read_text(encoding="utf-8")):
        sys.argv = ["luthier", *arguments]
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        if code:
            raise SystemExit(f"{' '.join(arguments)} ended with {code}")


def hashes(out: Path) -> dict[str, str]:
    """SHA-256 of what must be equal, by what it is."""
    groups = {
        "weights": sorted([*out.glob("model/**/*.safetensors"), *out.glob("adapter/**/*.safetensors")]),
        "predictions": sorted(out.glob("predictions/*.jsonl")),
        "predict": [out.with_suffix(".jsonl")],
    }
    found = {}
    for name, files in groups.items():
        whole = hashlib.sha256()
        for file in files:
            whole.update(file.relative_to(out.parent).name.encode() + file.read_bytes())
        found[name] = whole.hexdigest()
    card = told(json.loads((out / "scorecard.json").read_text(encoding="utf-8")))
    found["scorecard"] = hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()
    return found


def told(record: Any) -> Any:
    """A record without what may differ."""
    if isinstance(record, dict):
        return {key: told(value) for key, value in record.items() if key not in UNTOLD}
    return [told(value) for value in record] if isinstance(record, list) else record


def all_hashes(python: str, runs: dict[str, list[str]], folder: Path) -> dict[str, dict[str, str]]:
    """Every run by the luthier of one interpreter."""
    folder.mkdir()
    places = {name: folder / name.replace(" ", "-").replace(":", "") for name in runs}
    todo = []
    for name, arguments in runs.items():
        out = places[name]
        todo.append([*arguments, "--out", str(out)])
        todo.append(["predict", str(out), arguments[1], "--out", str(out.with_suffix(".jsonl"))])
    list_of_runs = folder / "todo.json"
    list_of_runs.write_text(json.dumps(todo), encoding="utf-8")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    with open(folder / "said.txt", "wb") as said:
        command = [python, str(HERE), "--work", str(list_of_runs)]
        ended = subprocess.run(
            command, env=environment, cwd=folder.parent, stdout=said, stderr=subprocess.STDOUT
        )
    if ended.returncode:
        raise SystemExit((folder / "said.txt").read_text(encoding="utf-8", errors="replace")[-3_000:])
    return {name: hashes(out) for name, out in places.items()}


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--before", type=os.path.abspath, help="python of the version to compare with")
    asked.add_argument("--after", default=sys.executable, help="python of the other; this one")
    asked.add_argument("--only", nargs="*", default=[], help="cases, by their beginning")
    asked.add_argument("--out", type=Path, help="where the hashes are written as JSON")
    asked.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    args = asked.parse_args()
    if args.work:
        worked(args.work)
        return 0
    with tempfile.TemporaryDirectory() as home:
        runs: dict[str, list[str]] = {}
        for name, case in cases().items():
            if not args.only or any(name.startswith(one) for one in args.only):
                inputs = Path(home) / "inputs" / name
                inputs.mkdir(parents=True)
                runs |= commands(name, case, inputs)
        after = all_hashes(args.after, runs, Path(home) / "after")
        before = all_hashes(args.before, runs, Path(home) / "before") if args.before else after
    for name in runs:
        differ = [kind for kind in after[name] if before[name][kind] != after[name][kind]]
        told_apart = f"  DIFFER: {', '.join(differ)}" if differ else ""
        print(f"{name:20}", *(f"{kind} {one[:12]}" for kind, one in after[name].items()), told_apart)
    if args.out:
        args.out.write_text(json.dumps({"before": before, "after": after}, indent=1), encoding="utf-8")
    equal = sum(before[name] == after[name] for name in runs)
    if args.before:
        print(f"{equal} of {len(runs)} runs are equal.")
    return 0 if equal == len(runs) else 1


if __name__ == "__main__":
    sys.exit(main())
