"""Supervised tuning of SmolLM2-135M-Instruct on a CPU: luthier beside TRL, with the same rows, rate, batches, epochs and start.

Both models are then scored alike by transformers alone: loss of the right answers, and exact match of those that `generate`
writes. Scores of several seeds stand with commas: so few steps depend on the order of the rows. *Beyond*: memory of the process
at its peak, its weights, gradients and moments apart. Tokens are those of the rows, as TRL counts them; luthier does not read
the last two of each, which teach nothing.
"""

import argparse
import csv
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.results import write_section

NAME = "Language models beside TRL"
HELD = 16
"""Rows that luthier validates on once an epoch, after those that are learnt."""
KINDS = "abbreviation, entity, description, human, location or number"
LONG = (
    "You sort questions by what their answers are. Read the question below with care, think about what kind of thing would "
    f"answer it, and write nothing but that kind, in one word and in small letters: {KINDS}."
)


@dataclass(frozen=True)
class Set:
    """Rows, and what they are scored by."""

    rows: Callable[[Path, str, int], list[dict[str, Any]]]
    """From the folder of the data, a part and a number to so many rows of that part."""
    train: int
    test: int
    exact: bool
    """Whether answers are a few words, so that those that are written can be compared with them."""
    wanted: float
    """How many times TRL's tokens a second luthier is to reach."""


def turns(asked: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}


def sst2(data: Path, part: str, count: int) -> list[dict[str, Any]]:
    with open(data / "sst2" / f"{part}.csv", encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))[:count]
    ask = "Is the sentiment of this sentence positive or negative? Answer with one word.\n\n"
    return [turns(ask + row["text"], row["label"]) for row in found]


TREC = {
    "ABBR": "abbreviation",
    "ENTY": "entity",
    "DESC": "description",
    "HUM": "human",
    "LOC": "location",
    "NUM": "number",
}


def trec_with(ask: str) -> Callable[[Path, str, int], list[dict[str, Any]]]:
    def rows(data: Path, part: str, count: int) -> list[dict[str, Any]]:
        with open(data / "trec" / f"{part}.csv", encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))[:count]
        return [turns(f"{ask}\n\n{row['text']}", TREC.get(row["label"], row["label"])) for row in found]

    return rows


def mixed(data: Path, part: str, count: int) -> list[dict[str, Any]]:
    with gzip.open(data / "instruct_mix" / f"{part}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [{"messages": json.loads(line)["messages"]} for line in list(file)[:count]]


SETS = {
    "sst2": Set(sst2, 500, 150, True, 3.0),
    "trec": Set(trec_with(f"What kind of answer does this question want: {KINDS}? Answer with one word."), 500, 150, True, 3.0),
    "half-shared": Set(trec_with(LONG), 500, 150, True, 4.0),
    "instruct_mix": Set(mixed, 300, 100, False, 2.0),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument(
        "--trl", default=sys.executable, help="a Python that has trl beside luthier's packages"
    )
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--tools", default="luthier,trl")
    parser.add_argument(
        "--seeds", default="0", help="seeds of the order of rows; all that were measured are in the table"
    )
    parser.add_argument("--rows", type=int, help="so few training rows: a smoke run, which writes nothing")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--table-only", action="store_true")
    wanted = parser.parse_args()
    known = read()
    if not wanted.table_only:
        for name in wanted.sets.split(","):
            for tool in wanted.tools.split(","):
                for seed in map(int, wanted.seeds.split(",")):
                    found = measured(wanted, name, tool, seed)
                    print(json.dumps({key: value for key, value in found.items() if key != "rows"}))
                    known[f"{name} {tool} {wanted.precision} {seed}"] = found
                    if not wanted.rows:
                        write(known)
    if not wanted.rows:
        write_section(NAME, table(known))


def measured(wanted: argparse.Namespace, name: str, tool: str, seed: int) -> dict[str, Any]:
    """One tuning in a process of its own, and what its model comes to."""
    chosen = SETS[name]
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        count = wanted.rows or chosen.train
        found = chosen.rows(wanted.data, "train", count + HELD)
        # luthier validates and answers rows that are none of those that both models are scored on.
        rows = {"train": found[:count], "valid": found[count:]}
        rows["test"] = chosen.rows(wanted.data, "test", chosen.test)
        for part, some in rows.items():
            (own / f"{part}.jsonl").write_text(
                "".join(json.dumps(row) + "\n" for row in some), encoding="utf-8"
            )
        base = base_model()
        if tool == "trl":
            flags = ["--seed", str(seed), *(["--bf16"] if wanted.precision == "bf16" else [])]
            line = [
                wanted.trl,
                str(Path(__file__).with_name("rivals.py")),
                str(own / "train.jsonl"),
                "--model",
                str(base),
            ]
            out = subprocess.run(
                [*line, "--out", str(own / "model"), *flags], check=True, capture_output=True, text=True
            )
            cost = json.loads(out.stdout.strip().splitlines()[-1])
        else:
            cost = luthier(own, base, wanted.precision, seed)
        return {
            "set": name,
            "tool": tool,
            "precision": wanted.precision,
            **cost,
            **scored(own / "model", rows["test"], chosen.exact),
            "machine": describe(),
        }


def luthier(own: Path, base: Path, precision: str, seed: int) -> dict[str, Any]:
    """Full tuning by luthier, its validation apart: tokens of all rows, as TRL counts them, by the seconds of the steps."""
    line = [
        str(Path(sys.executable).with_name("luthier")),
        "tune",
        str(own / "train.jsonl"),
        "--test",
        str(own / "valid.jsonl"),
    ]
    line += [
        "--valid",
        str(own / "valid.jsonl"),
        "--model",
        str(base),
        "--method",
        "full",
        "--lr",
        "1e-4",
        "--epochs",
        "2",
    ]
    line += [
        "--batch-rows",
        "16",
        "--metric",
        "loss",
        "--validations",
        "1",
        "--precision",
        precision,
        "--allow",
        "leaks,copies",
        "--seed",
        str(seed),
    ]
    subprocess.run([*line, "--out", str(own / "run"), "--json", "--quiet"], check=True, capture_output=True)
    events = [json.loads(one) for one in (own / "run" / "events.jsonl").read_text().splitlines()]
    tokens, seconds, last = 0, 0.0, None
    for one in events:
        if one["event"] == "stepped":
            if last is not None:
                tokens, seconds = tokens + one["tokens"], seconds + one["seconds"] - last
            last = one["seconds"]
        elif one["event"] in ("validated", "saved"):
            last = None
    card = json.loads((own / "run" / "scorecard.json").read_text())
    (own / "run" / "model").rename(own / "model")
    return {
        "tokens": tokens,
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "peak_bytes": card["cost"]["peak_bytes"],
        "whole_seconds": card["cost"]["seconds"]["total"],
    }


def scored(model: Path, rows: list[dict[str, Any]], exact: bool) -> dict[str, Any]:
    """Loss of the right answers and exact match of written ones, with transformers alone."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype="float32").eval()
    losses, counts, right = [], [], []
    begin = time.perf_counter()
    with torch.inference_mode():
        for row in rows:
            prompt = tokenizer.apply_chat_template(row["messages"][:-1], add_generation_prompt=True)[
                "input_ids"
            ]
            whole = tokenizer.apply_chat_template(row["messages"])["input_ids"]
            end = len(whole) - 1  # the line break after the end of the turn is not learnt
            logits = loaded(torch.tensor([whole[:end]])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            wanted = torch.tensor(whole[len(prompt) : end])
            losses.append(-float(logits.gather(1, wanted[:, None]).sum()))
            counts.append(len(wanted))
        if exact:
            for at in range(0, len(rows), 16):
                some = rows[at : at + 16]
                asked = [row["messages"][:-1] for row in some]
                inputs = tokenizer.apply_chat_template(
                    asked, add_generation_prompt=True, padding=True, return_tensors="pt"
                )
                width = inputs["input_ids"].shape[1]
                found = loaded.generate(**inputs, max_new_tokens=16, do_sample=False)[:, width:]
                texts = tokenizer.batch_decode(found, skip_special_tokens=True)
                right += [
                    text.strip() == row["messages"][-1]["content"]
                    for text, row in zip(texts, some, strict=True)
                ]
    return {
        "loss": sum(losses) / sum(counts),
        "exact_match": sum(right) / len(rows) if exact else None,
        "rows": {"losses": losses, "tokens": counts, "right": right},
        "scoring_seconds": time.perf_counter() - begin,
    }


def base_model() -> Path:
    """The folder of the packaged model, opened once."""
    from luthier.models.hub.find import find_model

    return find_model("SmolLM2-135M-Instruct")


def read() -> dict[str, dict[str, Any]]:
    file = OUT / "against_trl.json"
    return json.loads(file.read_text()) if file.is_file() else {}


def write(known: dict[str, dict[str, Any]]) -> None:
    OUT.mkdir(exist_ok=True)
    (OUT / "against_trl.json").write_text(json.dumps(known, indent=1))


def beyond(found: dict[str, Any]) -> float:
    """Gigabytes of a process at its peak, its weights, gradients and two moments in 32 bits apart."""
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        sizes = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base_model())).parameters()
    return float(found["peak_bytes"] - 16 * sum(weight.numel() for weight in sizes)) / 1e9


def table(known: dict[str, dict[str, Any]]) -> str:
    """Every set with both tools beside each other; scores of each seed, and their means' difference."""
    heads = ("set", "precision", "tokens/s luthier", "TRL", "ratio", "wanted", "loss luthier", "TRL", "difference",
             "exact luthier", "TRL", "difference", "GB beyond luthier", "TRL")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for name, chosen in SETS.items():
        for precision in ("fp32", "bf16"):
            ours, theirs = (of_all_seeds(known, f"{name} {tool} {precision} ") for tool in ("luthier", "trl"))
            if not ours or not theirs:
                continue
            speeds = [mean(one["tokens_per_second"] for one in found) for found in (ours, theirs)]
            cells = [
                name,
                precision,
                *(f"{speed:.0f}" for speed in speeds),
                f"{speeds[0] / speeds[1]:.1f}",
                f"{chosen.wanted:.0f}",
            ]
            cells += [*compared(ours, theirs, "loss", "losses")]
            cells += [*compared(ours, theirs, "exact_match", "right")] if chosen.exact else ["", "", ""]
            cells += [f"{max(map(beyond, found)):.1f}" for found in (ours, theirs)]
            lines.append(f"| {' | '.join(cells)} |")
    machines = {one["machine"] for one in known.values()}
    return "\n".join([__doc__ or "", *lines, "", *(f"Machine: {one}" for one in sorted(machines))])


def of_all_seeds(known: dict[str, dict[str, Any]], begin: str) -> list[dict[str, Any]]:
    return [one for key, one in known.items() if key.startswith(begin)]


def compared(
    ours: list[dict[str, Any]], theirs: list[dict[str, Any]], score: str, rows: str
) -> tuple[str, str, str]:
    """A score of both for each seed; how far luthier's mean lies above TRL's, with the 95 % interval of a bootstrap, paired by
    row, that draws seeds too."""
    dice = np.random.default_rng(0)
    tokens = np.array(ours[0]["rows"]["tokens"], float)
    drawn = dice.integers(0, len(tokens), (4_000, len(tokens)))
    weight = tokens[drawn].sum(1) if rows == "losses" else np.full(len(drawn), len(tokens))

    def means(found: list[dict[str, Any]]) -> Any:
        each = np.array([one["rows"][rows] for one in found], float)
        seeds = dice.integers(0, len(found), (len(drawn), len(found)))
        return np.array([each[own].mean(0)[at].sum() for own, at in zip(seeds, drawn, strict=True)]) / weight

    low, high = np.quantile(means(ours) - means(theirs), (0.025, 0.975))
    middle = mean(one[score] for one in ours) - mean(one[score] for one in theirs)
    shown = [", ".join(f"{one[score]:.3f}" for one in found) for found in (ours, theirs)]
    return shown[0], shown[1], f"{middle:+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
