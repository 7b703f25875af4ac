"""What a tuned model hands back says what the run said: its folder and its adapter by other libraries, and its GGUF files.

SmolLM2-135M-Instruct is tuned by LoRA on rows of instruct_mix, and answers 100 rows that were held out, greedily. `model/` is
then opened by transformers alone, `adapter/` by PEFT on the untouched model, and each prompt is answered by itself, so that
nothing is padded or shared. GGUF files are compared by `luthier export`, which opens them in transformers.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA
from benchmarks.harness.results import write_section
from benchmarks.language.against_trl import base_model, mixed

NAME = "Handed back"
PROMPTS, MOST = 100, 32
KINDS = ("F16", "BF16", "Q8_0", "Q4_0")
LUTHIER = str(Path(sys.executable).with_name("luthier"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rows", type=int, default=120, help="training rows")
    parser.add_argument(
        "--prompts", type=int, default=PROMPTS, help="fewer are a smoke run, which writes nothing"
    )
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        rows = tuned(own, wanted)
        said = [json.loads(line)["prediction"] for line in (own / "run/predictions/test.jsonl").open()]
        found = [
            ("`model/` by transformers", same(texts_of(opened(own / "run/model"), own, rows), said)),
            ("`adapter/` by PEFT", same(texts_of(adapted(own / "run/adapter"), own, rows), said)),
        ]
        exported = {kind: export(own / "run", kind) for kind in KINDS}
    text = table(found, exported, len(rows))
    print(text)
    if wanted.prompts == PROMPTS:
        write_section(NAME, text)


def tuned(own: Path, wanted: argparse.Namespace) -> list[dict[str, Any]]:
    """Make a run, and return the rows that it answered."""
    parts = {
        "train": mixed(wanted.data, "train", wanted.rows),
        "test": mixed(wanted.data, "test", wanted.prompts),
        "valid": mixed(wanted.data, "train", wanted.rows + 16)[-16:],
    }
    for part, rows in parts.items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (own / f"{part}.jsonl").write_text(lines, encoding="utf-8")
    flags = ["--method", "lora", "--epochs", "1", "--metric", "chrf", "--max-tokens", str(MOST)]
    flags += ["--precision", "fp32", "--model", str(base_model()), "--allow", "leaks,copies", "--quiet"]
    files = [str(own / "train.jsonl"), "--valid", str(own / "valid.jsonl"), "--test", str(own / "test.jsonl")]
    subprocess.run([LUTHIER, "tune", *files, *flags, "--out", str(own / "run")], check=True)
    return parts["test"]


def opened(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()


def adapted(folder: Path) -> Any:
    from peft import PeftModel

    return PeftModel.from_pretrained(opened(base_model()), folder).eval()


def texts_of(model: Any, own: Path, rows: list[dict[str, Any]]) -> list[str]:
    """What a model answers to each row by itself, as its folder's generation_config.json says."""
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(own / "run/model")
    how = GenerationConfig.from_pretrained(own / "run/model")
    ends, texts = torch.tensor(how.eos_token_id), []
    with torch.inference_mode():
        for row in rows:
            asked = tokenizer.apply_chat_template(
                row["messages"][:-1], add_generation_prompt=True, return_tensors="pt"
            )
            found = model.generate(**asked, generation_config=how)[0, asked["input_ids"].shape[1] :]
            texts.append(tokenizer.decode(found[~torch.isin(found, ends)]))
    return texts


def same(texts: list[str], said: list[str]) -> int:
    for at, (one, other) in enumerate(zip(texts, said, strict=True)):
        if one != other:
            print(f"prompt {at}: {one!r} where the run said {other!r}")
    return sum(one == other for one, other in zip(texts, said, strict=True))


def export(run: Path, kind: str) -> dict[str, Any]:
    line = [LUTHIER, "export", str(run), "--format", "gguf", "--type", kind, "--json", "--quiet"]
    out = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def table(found: list[tuple[str, int]], exported: dict[str, dict[str, Any]], prompts: int) -> str:
    lines = [__doc__ or "", "| what | MB | same greedy answers |", "| --- | --- | --- |"]
    lines += [f"| {what} | | {count} of {prompts} |" for what, count in found]
    for kind, one in exported.items():
        answers = one["answers"]
        lines.append(
            f"| GGUF {kind} | {one['bytes'] / 1e6:.0f} | {answers['agree']} of {answers['prompts']} |"
        )
    lines += [
        "",
        *(f"- {kind}: {parted(one)}" for kind, one in exported.items() if one["answers"]["partings"]),
    ]
    return "\n".join([*lines, "", f"Machine: {describe()}"])


def parted(one: dict[str, Any]) -> str:
    """Where answers part, and by how little: the margins of the two tokens in the original."""
    partings = one["answers"]["partings"]
    margins = sorted(there["original_margin"] for there in partings if there["original_margin"] is not None)
    middle = f"{margins[len(margins) // 2]:.3f}" if margins else "unknown"
    far = f", at most {margins[-1]:.3f}" if margins else ""
    return f"{len(partings)} answers part, where the original's two tokens lie {middle} apart in the middle{far} (logits)."


if __name__ == "__main__":
    main()
