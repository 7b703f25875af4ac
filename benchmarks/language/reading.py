"""A small language model goes on reading: stories260K over wikitext2_small, by luthier and by TRL, to the same number of tokens.

Both are then scored by transformers alone: the mean loss of every token of the test texts, in pieces as long as the model reads.
"""

import argparse
import gzip
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.results import write_section, write_whole

NAME = "Reading on"
CONTEXT, EPOCHS = 512, 3
TOKENS_PER_STEP = 4_096
FILE = OUT / "reading.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--models", type=Path, default=DATA.parent / "models")
    parser.add_argument(
        "--trl", default=sys.executable, help="a Python that has trl beside luthier's packages"
    )
    parser.add_argument("--rates", default="1e-3,3e-3", help="learning rates, of both tools")
    parser.add_argument("--rows", type=int, help="so few training texts: a smoke run, which writes nothing")
    wanted = parser.parse_args()
    model = wanted.models / "stories260K"
    texts = {part: texts_of(wanted.data, part)[: wanted.rows] for part in ("train", "test")}
    texts["test"] = texts["test"][:400]
    known: dict[str, Any] = json.loads(FILE.read_text()) if FILE.is_file() and not wanted.rows else {}
    if "untouched" not in known:
        known["untouched"] = {"loss": loss_of(model, texts["test"])}
    for rate in map(float, wanted.rates.split(",")):
        for tool in (luthier, trl):
            key = f"{tool.__name__} {rate:g}"
            if key in known:
                continue
            with tempfile.TemporaryDirectory() as folder:
                own = Path(folder)
                for part, some in texts.items():
                    lines = "".join(json.dumps({"text": text}) + "\n" for text in some)
                    (own / f"{part}.jsonl").write_text(lines, encoding="utf-8")
                seconds = tool(own, model, rate, wanted)
                known[key] = {"loss": loss_of(own / "model", texts["test"]), "seconds": seconds}
                print(key, known[key], flush=True)
            keep(known, wanted)
    keep(known, wanted)
    text = table(known)
    print(text)
    if not wanted.rows:
        write_section(NAME, text)


def keep(known: dict[str, Any], wanted: argparse.Namespace) -> None:
    """Write down what was measured; nothing of a smoke run."""
    if not wanted.rows:
        write_whole(FILE, json.dumps(known, indent=1) + "\n")


def texts_of(data: Path, part: str) -> list[str]:
    with gzip.open(data / "wikitext2_small" / f"{part}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def luthier(own: Path, model: Path, rate: float, wanted: argparse.Namespace) -> float:
    """Seconds of a run. Rows are texts, so that a step has about as many tokens as one of the other tool's."""
    rows = len((own / "train.jsonl").read_text().splitlines())
    tokens = sum(len(ids) for ids in tokenizer_of(model)(texts_of(wanted.data, "train")[:rows])["input_ids"])
    batch = max(1, round(TOKENS_PER_STEP * rows / tokens))
    line = [str(Path(sys.executable).with_name("luthier")), "adapt", str(own / "train.jsonl")]
    line += ["--test", str(own / "test.jsonl"), "--valid", str(own / "test.jsonl"), "--model", str(model)]
    line += ["--method", "full", "--lr", str(rate), "--epochs", str(EPOCHS), "--batch-rows", str(batch)]
    line += ["--validations", "1", "--precision", "fp32", "--allow", "leaks,copies,near-copies"]
    subprocess.run([*line, "--out", str(own / "run"), "--json", "--quiet"], check=True, capture_output=True)
    card = json.loads((own / "run" / "scorecard.json").read_text())
    (own / "run" / "model").rename(own / "model")
    return float(card["cost"]["seconds"]["train"])


def trl(own: Path, model: Path, rate: float, wanted: argparse.Namespace) -> float:
    line = [
        wanted.trl,
        str(Path(__file__).with_name("rivals.py")),
        str(own / "train.jsonl"),
        "--way",
        "reading",
    ]
    line += ["--model", str(model), "--out", str(own / "model"), "--lr", str(rate), "--epochs", str(EPOCHS)]
    line += ["--batch-rows", str(TOKENS_PER_STEP // CONTEXT), "--length", str(CONTEXT)]
    out = subprocess.run(line, check=True, capture_output=True, text=True)
    return float(json.loads(out.stdout.strip().splitlines()[-1])["seconds"])


def tokenizer_of(model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model)


def loss_of(model: Path, texts: list[str]) -> float:
    """The mean over all tokens of the texts but the first of each piece, in nats."""
    from transformers import AutoModelForCausalLM

    tokenizer, loaded = (
        tokenizer_of(model),
        AutoModelForCausalLM.from_pretrained(model, dtype="float32").eval(),
    )
    total, count = 0.0, 0
    with torch.inference_mode():
        for ids in tokenizer(texts)["input_ids"]:
            for at in range(0, len(ids), CONTEXT):
                piece = torch.tensor([ids[at : at + CONTEXT]])
                if piece.shape[1] > 1:
                    logits = loaded(piece).logits[0, :-1].log_softmax(-1)
                    total -= float(logits.gather(1, piece[0, 1:, None]).sum())
                    count += piece.shape[1] - 1
    return total / count


def table(known: dict[str, Any]) -> str:
    """What was measured, a line each; seconds are those of training, beside whatever else ran on the machine."""
    lines = [
        __doc__ or "",
        f"Full tuning, fp32, {EPOCHS} epochs, about {TOKENS_PER_STEP:,} tokens a step.",
        "",
        "| tool | learning rate | loss | perplexity | seconds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for key, found in known.items():
        tool, _, rate = key.partition(" ")
        seconds = f"{found['seconds']:.0f}" if "seconds" in found else ""
        lines.append(f"| {tool} | {rate} | {found['loss']:.4f} | {math.exp(found['loss']):.2f} | {seconds} |")
    return "\n".join([*lines, "", f"Machine: {describe()}"])


if __name__ == "__main__":
    main()
