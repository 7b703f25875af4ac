"""Whether runs of an older version of luthier live on in this one: they are gone on with, asked, reported, judged, tuned onward.

    python benchmarks/engine/old_runs.py --before OTHER_CLONE/.venv/bin/python [--only NAME ...]

The older version trains a run of every task and is killed in its midst. This one resumes a copy of it, the older one the other:
both must come to the same weights and predictions. What the older one ended is then predicted with, reported, given its verdict
and taken as `--model` by this one.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.engine.same_bytes import COMMON, TRAINING, Case, cases, hashes

START = "import sys; from luthier.cli import main; main()"
STEPS = 6
"""Number of training steps after which the older version is killed."""


def ask(python: str, *words: object) -> subprocess.CompletedProcess[str]:
    """One command of a version of luthier."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [python, "-c", START, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def killed(python: str, words: list[str], out: Path) -> None:
    """Begin a run, and kill it once it has trained some steps."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    with open(out.with_suffix(".said"), "wb") as said:
        command = [python, "-c", START, *words, "--out", str(out)]
        child = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
    while child.poll() is None:
        events = out / "events.jsonl"
        if events.is_file() and f'"step": {STEPS},' in events.read_text(encoding="utf-8", errors="replace"):
            child.send_signal(signal.SIGKILL)
        time.sleep(0.005)
    child.wait()


def looked_at(name: str, case: Case, before: str, after: str, home: Path) -> list[str]:
    """What does not hold of one case's runs, a line each."""
    home.mkdir(parents=True)
    data, model = case.data(home), case.model(home / "model")
    methods = [method for method in ("full", "top:1", "auto") if method in case.methods][:1]
    found = []
    for method in methods:
        words = [
            "tune",
            str(data),
            *TRAINING,
            *case.options,
            "--method",
            method,
            "--model",
            str(model),
            *COMMON,
        ]
        words += ["--set", "run.save_every=0.02s"]
        out, other = home / "run", home / "other" / "run"
        killed(before, words, out)
        if (out / "scorecard.json").is_file():
            found.append("was not killed in time")
        shutil.copytree(out, other)
        # The folder's own name stands in its plan: each version finds it where it was.
        ended = ask(after, "resume", out, "--quiet")
        resumed = "Going on from step" in (out / "events.jsonl").read_text(encoding="utf-8")
        if ended.returncode or not resumed:
            found.append(
                f"resume: {ended.returncode}, from a saved step: {resumed}: {ended.stderr.strip()[-300:]}"
            )
        (out.with_suffix(".jsonl")).write_text("", encoding="utf-8")
        new = hashes(out) if ended.returncode == 0 else {}
        shutil.rmtree(out)
        shutil.move(other, out)
        finished = ask(before, "resume", out, "--quiet")
        if finished.returncode:
            found.append(f"the older one does not resume: {finished.stderr.strip()[-300:]}")
            continue
        old = hashes(out)
        found += [
            f"resumed {kind} differ" for kind in ("weights", "predictions") if new.get(kind) != old[kind]
        ]
        answers = out.with_suffix(".jsonl")
        for version in (before, after):
            told = ask(version, "predict", out, data, "--out", answers.with_suffix(f".{version is after}"))
            if told.returncode:
                found.append(f"predict: {told.stderr.strip()[-300:]}")
        pair = [answers.with_suffix(f".{side}").read_bytes() for side in (False, True)]
        if pair[0] != pair[1]:
            found.append("predict answers otherwise")
        for command in ("report", "verdict"):
            told = ask(after, command, out)
            if told.returncode not in (0, 3):
                found.append(f"{command}: {told.returncode}: {told.stderr.strip()[-300:]}")
        onward = [str(out) if word == str(model) else word for word in words]
        told = ask(after, *onward, "--set", "train.epochs=1", "--out", home / "onward")
        if told.returncode:
            found.append(f"--model RUN: {told.returncode}: {told.stderr.strip()[-300:]}")
    return found


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--before", type=os.path.abspath, required=True, help="python of the older version")
    asked.add_argument("--only", nargs="*", default=[], help="cases, by their beginning")
    args = asked.parse_args()
    wrong: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as home:
        for name, case in cases().items():
            if not args.only or any(name.startswith(one) for one in args.only):
                found = looked_at(name, case, args.before, sys.executable, Path(home) / name)
                print(f"{name:16}", "holds" if not found else "\n".join(["", *found]), flush=True)
                wrong |= {name: found} if found else {}
    print(json.dumps({"wrong": sorted(wrong)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
