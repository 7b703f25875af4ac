"""Preference tuning of SmolLM2-135M-Instruct on a CPU: luthier's objectives, and TRL's DPO with the same rows, rate and batches.

Each model is then judged by transformers alone, by reward accuracy: the share of test pairs whose chosen answer has the higher
reward. Of DPO and KTO the reward is the log ratio to the untouched model, of ORPO and the untouched model itself the mean
log-probability of the answer's tokens. The seconds say little where other work was done meanwhile, as when these were taken.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.results import write_section
from benchmarks.language.against_trl import base_model

NAME = "Preference tuning"
RATE, BATCH_ROWS = 2e-5, 16
TOOLS = ("untouched", "dpo", "kto", "orpo", "trl")
ASIDE = 58
"""Pairs of `dev`, which luthier validates on."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument(
        "--trl", default=sys.executable, help="a Python that has trl beside luthier's packages"
    )
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument("--rows", type=int, default=500, help="training pairs")
    parser.add_argument("--dry", action="store_true", help="write no section")
    wanted = parser.parse_args()
    file = OUT / "preference.json"
    known: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    for tool in wanted.tools.split(","):
        known[tool] = measured(wanted, tool)
        print(tool, json.dumps(known[tool]))
        OUT.mkdir(exist_ok=True)
        file.write_text(json.dumps(known, indent=1))
    if not wanted.dry:
        write_section(NAME, table(known))


def measured(wanted: argparse.Namespace, tool: str) -> dict[str, Any]:
    """One tuning in a process of its own, and what its model comes to on the test pairs."""
    test = pairs(wanted.data, "test", None)
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        for part, name, count in (
            ("train", "train", wanted.rows),
            ("valid", "dev", ASIDE),
            ("test", "test", None),
        ):
            lines = "".join(json.dumps(row) + "\n" for row in pairs(wanted.data, name, count))
            (own / f"{part}.jsonl").write_text(lines, encoding="utf-8")
        cost: dict[str, Any] = {"seconds": 0.0}
        if tool == "trl":
            line = [
                wanted.trl,
                str(Path(__file__).with_name("rivals.py")),
                str(own / "train.jsonl"),
                "--way",
                "dpo",
            ]
            line += ["--model", str(base_model()), "--out", str(own / "model"), "--lr", str(RATE)]
            line += ["--batch-rows", str(BATCH_ROWS), "--epochs", "1"]
            out = subprocess.run(line, check=True, capture_output=True, text=True)
            cost = json.loads(out.stdout.strip().splitlines()[-1])
        elif tool != "untouched":
            cost = luthier(own, tool)
        model = base_model() if tool == "untouched" else own / "model"
        found = log_probabilities(model, test)
        before = log_probabilities(base_model(), test) if tool in ("dpo", "kto", "trl") else None
    return {"seconds": cost["seconds"], "right": right_of(found, before), "machine": describe()}


def pairs(data: Path, part: str, count: int | None) -> list[dict[str, Any]]:
    with gzip.open(data / "pref_politeness" / f"{part}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in list(file)[:count]]


def luthier(own: Path, objective: str) -> dict[str, Any]:
    """Full tuning by luthier; its seconds are those of training and of what the untouched model says of the rows."""
    line = [str(Path(sys.executable).with_name("luthier")), "tune", str(own / "train.jsonl")]
    line += [
        "--valid",
        str(own / "valid.jsonl"),
        "--test",
        str(own / "test.jsonl"),
        "--model",
        str(base_model()),
    ]
    line += ["--method", "full", "--lr", str(RATE), "--epochs", "1", "--batch-rows", str(BATCH_ROWS)]
    line += ["--objective", objective, "--validations", "1", "--precision", "fp32", "--allow", "leaks,copies"]
    subprocess.run([*line, "--out", str(own / "run"), "--json", "--quiet"], check=True, capture_output=True)
    card = json.loads((own / "run" / "scorecard.json").read_text())
    (own / "run" / "model").rename(own / "model")
    seconds = card["cost"]["seconds"]
    return {"seconds": seconds["train"] + seconds.get("reference", 0.0)}


def log_probabilities(model: Path, rows: list[dict[str, Any]]) -> list[dict[str, tuple[float, int]]]:
    """Return for both answers of each row the sum of the log-probabilities of their tokens, the turn's end included, and how many
    tokens that are."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype="float32").eval()
    found = []
    with torch.inference_mode():
        for row in rows:
            asked = [{"role": "user", "content": row["prompt"]}]
            prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
            of_row = {}
            for which in ("chosen", "rejected"):
                turns = [*asked, {"role": "assistant", "content": row[which]}]
                whole = tokenizer.apply_chat_template(turns)["input_ids"][
                    :-1
                ]  # without the line break at the end
                logits = loaded(torch.tensor([whole])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
                answer = torch.tensor(whole[len(prompt) :])
                of_row[which] = (float(logits.gather(1, answer[:, None]).sum()), len(answer))
            found.append(of_row)
    return found


def right_of(
    found: list[dict[str, tuple[float, int]]], before: list[dict[str, tuple[float, int]]] | None
) -> list[float]:
    """Return 1 for each pair whose chosen answer has the higher reward, 0.5 where both are equal."""
    rewards = []
    for at, row in enumerate(found):
        if before is None:
            ours, theirs = (row[which][0] / row[which][1] for which in ("chosen", "rejected"))
        else:
            ours, theirs = (row[which][0] - before[at][which][0] for which in ("chosen", "rejected"))
        rewards.append(0.5 if ours == theirs else float(ours > theirs))
    return rewards


def table(known: dict[str, Any]) -> str:
    lines = [
        __doc__ or "",
        f"Full tuning, fp32, one epoch, learning rate {RATE:g}, {BATCH_ROWS} pairs a step.",
        "",
        "| what | reward accuracy | pairs | seconds of training |",
        "| --- | --- | --- | --- |",
    ]
    for tool in TOOLS:
        if tool in known:
            one = known[tool]
            who = {"untouched": "untouched", "trl": "TRL, DPO"}.get(tool, f"luthier, {tool.upper()}")
            score = sum(one["right"]) / len(one["right"])
            lines.append(f"| {who} | {score:.3f} | {len(one['right'])} | {one['seconds']:.0f} |")
    machines = sorted({one["machine"] for one in known.values()})
    return "\n".join([*lines, "", *(f"Machine: {one}" for one in machines)])


if __name__ == "__main__":
    begin = time.perf_counter()
    main()
    print(f"{time.perf_counter() - begin:.0f} s")
