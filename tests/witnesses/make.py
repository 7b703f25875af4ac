"""Makes the witnesses: the smallest runs of every task, and a search, as some version of luthier leaves them.

    python tests/witnesses/make.py --by OTHER_CLONE/.venv/bin/python --as COMMIT [--only NAME ...]

They are written into the folder COMMIT beside this file, and stay as they are from then on: `tests/test_witnesses.py` opens
them with the luthier of today. Make new ones whenever the format of a record changes, by the last version that wrote the old one.
Rows and models are those of `tests/tiny.py` and `tests/tiny_chats.py`, smaller; rows/ holds the rows of all versions.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import tiny  # noqa: E402 — the tests' own
import tiny_chats  # noqa: E402
from luthier.records import SEAL, sealed  # noqa: E402

START = "import sys; from luthier.cli import main; main()"
SMALLER = {"hidden_size": 8, "intermediate_size": 16}
COMMON = (
    *("--precision", "fp32", "--threads", "1", "--seed", "0", "--quiet", "--allow", "near-copies,copies,leaks,label-errors"),
    *("--lr", "2e-2", "--epochs", "12", "--batch-rows", "8", "--set", "train.patience=100"),
)  # fmt: skip
KEPT = (
    "plan.toml", "table.json", "split.json", "findings.json", "events.jsonl", "scorecard.json", "predictions", "model",
    "README.md", "state/key.json",
)  # fmt: skip
"""What of a run is a witness: all records, and the model. A report is drawn anew, and features are large."""
OF_A_SEARCH = (
    "plan.toml",
    "search.json",
    "state/key.json",
    "state/settled.json",
    "state/rows.json",
    "state/named.json",
)


@dataclass(frozen=True)
class Case:
    """A run: its rows, its model, and what else is asked for."""

    rows: str
    model: str = "bert"
    options: tuple[str, ...] = ("--method", "full")


CASES = {
    "text": Case("text.csv"),
    "pair": Case("pair.jsonl"),
    "number": Case("number.jsonl"),
    "words": Case("words.jsonl"),
    "questions": Case("questions.jsonl", options=("--method", "full", "--cloze", "0")),
    "vectors": Case("vectors.jsonl", "sentence_bert"),
    "images": Case("images", "resnet"),
    "talk": Case("talk.jsonl", "llama"),
    "preferred": Case("preferred.jsonl", "llama"),
    "reading": Case("reading.jsonl", "llama", options=("--method", "full", "--task", "adaptation")),
    "search": Case(
        "text.csv", options=("--method", "full", "--sampler", "random", "--trials", "2", "--vary", "train.lr=1e-3..3e-2 log")
    ),
}  # fmt: skip


def write_rows(folder: Path) -> None:
    """Write the rows of all cases, the same ones every time."""
    folder.mkdir(exist_ok=True)
    tiny.messages_csv(folder / "text.csv", 40)
    tiny.pairs_jsonl(folder / "pair.jsonl", 40)
    tiny.numbers_jsonl(folder / "number.jsonl", 40)
    tiny.tagged_jsonl(folder / "words.jsonl", 60)
    tiny.questions_jsonl(folder / "questions.jsonl", 40)
    tiny.queries_jsonl(folder / "vectors.jsonl", 60)
    tiny.conversations_jsonl(folder / "talk.jsonl", 40)
    tiny.preferences_jsonl(folder / "preferred.jsonl", 40)
    tiny.documents_jsonl(folder / "reading.jsonl", 40)
    write_images(folder / "images")


def write_images(folder: Path) -> None:
    """Write 36 images of three labels: a colour, and a square of another shade, so that a file is small and none is a copy."""
    from PIL import Image

    colours = {"blue": (40, 60, 200), "green": (50, 190, 60), "red": (210, 50, 40)}
    for row in range(36):
        label = list(colours)[row % 3]
        image = Image.new("RGB", (24, 24), colours[label])
        image.paste(
            tuple(one - 3 * row // 4 for one in colours[label]),
            (row // 2, row % 5, row // 2 + 6, row % 5 + 8),
        )
        (folder / label).mkdir(parents=True, exist_ok=True)
        image.save(folder / label / f"{row:02}.png", optimize=True)


def write_models(folder: Path) -> None:
    """Write the models that the runs begin with."""
    tiny.WIDTH, tiny.SMALL = SMALLER["hidden_size"], {**tiny.SMALL, **SMALLER}
    tiny.bert(folder / "bert")
    tiny.sentence_bert(folder / "sentence_bert")
    tiny.TINY_IMAGES["resnet"](folder / "resnet")
    tiny_chats.chatting(folder / "llama", **SMALLER)


def make(name: str, python: str, home: Path, out: Path) -> None:
    """Make one witness. home: where rows/ and models/ are, which no record is to name."""
    case = CASES[name]
    command = "search" if name == "search" else "tune"
    words = [
        command,
        f"rows/{case.rows}",
        "--model",
        f"models/{case.model}",
        *case.options,
        *COMMON,
        "--out",
        name,
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    ended = subprocess.run(
        [python, "-c", START, *words], cwd=home, env=environment, capture_output=True, text=True
    )
    if ended.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {ended.returncode}: {ended.stderr[-2_000:]}")
    shutil.rmtree(out, ignore_errors=True)
    if name == "search":
        keep(home / name, out, OF_A_SEARCH, home, "../..")
        keep(home / name / "best", out / "best", KEPT, home, "../../..")
    else:
        keep(home / name, out, KEPT, home, "../..")


def keep(run: Path, out: Path, names: tuple[str, ...], home: Path, up: str) -> None:
    """Copy some files of a run, without the folder that it was made in. up: from `out` to where rows/ lies."""
    for name in names:
        source, target = run / name, out / name
        if not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    for path in out.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".toml", ".md"):
            leave_out(home, path, f"{up}/" if path.name == "plan.toml" else "")


def leave_out(home: Path, path: Path, instead: str) -> None:
    """Take the folder that a witness was made in out of one of its files, and seal it anew where it was sealed."""
    found = path.read_text(encoding="utf-8")
    text = found.replace(f'"{home}"', '"."')
    for spelt in (str(home), str(home).replace("_", "\\_")):  # as JSON and as Markdown write it
        text = text.replace(f"{spelt}/", instead)
    if text != found and path.suffix == ".json" and SEAL in (record := json.loads(text)):
        text = json.dumps(sealed(record), indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument(
        "--by", type=os.path.abspath, required=True, help="python of the version that is to make them"
    )
    asked.add_argument("--as", dest="name", required=True, help="the commit of that version")
    asked.add_argument("--only", nargs="*", default=list(CASES), choices=list(CASES), help="cases")
    args = asked.parse_args()
    write_rows(HERE / "rows")
    with tempfile.TemporaryDirectory() as place:
        home = Path(place).resolve()
        shutil.copytree(HERE / "rows", home / "rows")
        write_models(home / "models")
        for name in args.only:
            make(name, args.by, home, HERE / args.name / name)
            print(name, flush=True)


if __name__ == "__main__":
    main()
