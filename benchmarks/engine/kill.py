"""Runs killed by SIGKILL at random moments, gone on with, and compared byte by byte with one that was never killed.

    python benchmarks/engine/kill.py
    python benchmarks/engine/kill.py --language --kills 50

A run of every policy, on a tiny model of the tests, or with --language of every way to tune a language model, is killed one to
three times at moments drawn evenly over its length, until 200 kills have struck. What must be equal: every file of weights, the
predictions, the scorecard without its costs.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import describe
from benchmarks.harness.places import TESTS
from benchmarks.harness.results import write_section

sys.path.insert(0, str(TESTS))
os.environ["OMP_NUM_THREADS"] = "1"  # before torch: threads would not be forked
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from kills import outcome, run
from luthier.plan.plan import Plan
from luthier.session.runs import plan_of
from tiny import TINY, conversations_jsonl, messages_csv, write_jsonl
from tiny_llamas import byte_level, llama
from train.test_resume import METHODS, plan_for

SECTION, LANGUAGE_SECTION = "Kills", "Kills of language models"
LONG = {"epochs": 12, "patience": 100, "save_every": "0.02s"}
"""Training is most of a run, and many kills strike while a state is being written."""
LANGUAGE: dict[str, dict[str, Any]] = {
    "supervised": {"task.metric": "loss"},
    "written": {"task.metric": "exact_match", "task.max_tokens": 8},
    "lora": {"task.metric": "loss", "train.method": "lora:4"},
    "top": {"task.metric": "loss", "train.method": "top:1"},
    "dpo": {"task.objective": "dpo"},
    "dpo, lora": {"task.objective": "dpo", "train.method": "lora:4"},
}
OF_LANGUAGE: dict[str, Any] = {
    "train.lr": 3e-3, "train.epochs": 12, "train.patience": 100, "train.batch_rows": 8, "train.validations": 1,
    "run.precision": "fp32", "run.threads": 1, "run.micro_tokens": 200, "run.save_every": "0.02s",
}  # fmt: skip


@dataclass
class Tally:
    """What became of a method's runs."""

    runs: int = 0
    kills: int = 0
    unequal: list[str] = field(default_factory=list)
    while_: Counter[str] = field(default_factory=Counter)
    """How many kills struck in which step of the path."""


def in_a_child(plan: Plan, told: Path, after: float = float("inf")) -> tuple[bool, float]:
    """Run a plan, and kill it after so many seconds: whether it was killed, and how long it lived."""
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            out = Path(str(plan.run.out))
            run(plan_of(out) if (out / "plan.toml").is_file() else plan)
            os._exit(0)
        except BaseException:
            told.write_text(traceback.format_exc(), encoding="utf-8")
            os._exit(1)
    ended = 0
    while not ended and time.monotonic() - begin < after:
        ended, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.001)
    if not ended:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit(f"A run ended with an error of its own:\n{told.read_text(encoding='utf-8')}")
    return os.WIFSIGNALED(status), time.monotonic() - begin


def step_of(out: Path) -> str:
    """The step of the path in which a run was killed, as its events tell."""
    path = out / "events.jsonl"
    name = "prepare"
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            event = json.loads(line)
        except ValueError:  # torn by the kill
            continue
        name = event.get("step_name", name) if event["event"] == "started" else name
    return name


class Cases(Protocol):
    """What is killed."""

    names: Mapping[str, dict[str, Any]]
    """The settings of each case, by its name."""

    def prepare(self, home: Path) -> None:
        """Write rows and model."""

    def plan(self, name: str, home: Path, out: Path) -> Plan:
        """The plan of a case."""
        ...


class Policies:
    """Every policy of training, on texts with labels."""

    names: Mapping[str, dict[str, Any]] = METHODS

    def prepare(self, home: Path) -> None:
        messages_csv(home / "messages.csv", 80)
        TINY["sentence_bert"](home / "model")

    def plan(self, name: str, home: Path, out: Path) -> Plan:
        return plan_for(name, home, out, **({} if name == "probe" else LONG))


class Languages:
    """Every way to tune a language model."""

    names: Mapping[str, dict[str, Any]] = LANGUAGE

    def prepare(self, home: Path) -> None:
        llama(home / "model", byte_level())
        conversations_jsonl(home / "chats.jsonl", 80)
        pairs = [
            {
                "prompt": f"What of order {at}?",
                "chosen": f"Order {at} is on its way.",
                "rejected": f"No idea of {at}.",
            }
            for at in range(80)
        ]
        write_jsonl(home / "pairs.jsonl", pairs)

    def plan(self, name: str, home: Path, out: Path) -> Plan:
        rows = "pairs" if "task.objective" in LANGUAGE[name] else "chats"
        places = {
            "data.path": home / f"{rows}.jsonl",
            "model.name": home / "model",
            "run.out": out,
            "run.cache": out.parent / "cache",
        }
        return Plan.build(
            {
                **{key: str(path) for key, path in places.items()},
                "train.method": "full",
                **OF_LANGUAGE,
                **LANGUAGE[name],
            }
        )


def measure(cases: Cases, kills: int, seed: int, home: Path) -> dict[str, Tally]:
    tallies = {name: Tally() for name in cases.names}
    cases.prepare(home)
    expected: dict[str, dict[str, Any]] = {}
    length: dict[str, float] = {}
    for name in cases.names:
        _, length[name] = in_a_child(cases.plan(name, home, home / "undisturbed" / name), home / "told")
        expected[name] = outcome(home / "undisturbed" / name)
    dice, at = random.Random(seed), 0
    while sum(tally.kills for tally in tallies.values()) < kills:
        name = list(cases.names)[at % len(cases.names)]
        tally, out = tallies[name], home / f"{at}" / "run"
        plan = cases.plan(name, home, out)
        for _ in range(dice.choice([1, 1, 2, 3])):
            killed, _ = in_a_child(plan, home / "told", after=dice.uniform(0, length[name]))
            tally.kills += killed
            if killed:
                tally.while_[step_of(out)] += 1
        in_a_child(plan, home / "told")
        tally.runs += 1
        if outcome(out) != expected[name]:
            tally.unequal.append(f"run {at}")
        shutil.rmtree(out.parent)
        at += 1
        done = sum(tally.kills for tally in tallies.values())
        print(f"\r{done} kills, {at} runs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return tallies


def table(tallies: dict[str, Tally]) -> str:
    steps = ("prepare", "features", "probe", "train", "score")
    lines = [
        "| policy | kills | runs | equal | " + " | ".join(f"in {step}" for step in steps) + " |",
        "| --- |" + " ---: |" * (3 + len(steps)),
    ]
    for name, tally in tallies.items():
        told = " | ".join(str(tally.while_[step]) for step in steps)
        lines.append(
            f"| {name} | {tally.kills} | {tally.runs} | {tally.runs - len(tally.unequal)} | {told} |"
        )
    total = sum(tally.runs for tally in tallies.values())
    unequal = [f"{name}, {which}" for name, tally in tallies.items() for which in tally.unequal]
    lines += [
        "",
        f"{sum(tally.kills for tally in tallies.values())} kills over {total} runs: {total - len(unequal)} equal to the run "
        f"never killed{', unequal: ' + '; '.join(unequal) if unequal else ''}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--language", action="store_true", help="runs of language models")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry", action="store_true", help="print the table, write no section")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="luthier-kill-") as name:
        cases: Cases = Languages() if asked.language else Policies()
        tallies = measure(cases, asked.kills, asked.seed, Path(name))
    text = table(tallies)
    print(text)
    if not asked.dry:
        settings = "; ".join(
            f"*{name}*: {', '.join(f'{key} {value}' for key, value in chosen.items() if value is not None)}"
            for name, chosen in cases.names.items()
        )
        section = LANGUAGE_SECTION if asked.language else SECTION
        write_section(section, f"{describe()}\n\nSeed {asked.seed}. {settings}.\n\n{text}")
    if any(tally.unequal for tally in tallies.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
