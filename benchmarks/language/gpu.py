"""Adapters on a large decoder on one GPU: luthier beside TRL with PEFT and liger, tokens a second and peak memory, in one run.

The model has the shape of Llama 3.1 8B and random weights, rows are random tokens: nothing is learnt, everything is computed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch

from benchmarks.harness.machine import describe
from benchmarks.harness.results import write_section

NAME = "Adapters on a GPU"
RANK = 16


@dataclass(frozen=True)
class Shape:
    """The sizes of a llama, and of what it reads."""

    width: int = 4_096
    inner: int = 14_336
    layers: int = 32
    heads: int = 32
    key_heads: int = 8
    vocabulary: int = 128_256
    tokens: int = 4_096
    rows: int = 4
    """Rows of a step."""
    steps: int = 8
    """Steps that are timed, after two that are not."""


SMALL = Shape(width=64, inner=96, layers=2, heads=4, key_heads=2, vocabulary=500, tokens=64, rows=2, steps=2)
"""For trying the script out on any machine."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--smoke", action="store_true", help="a tiny model, on a CPU where there is no GPU; writes nothing"
    )
    parser.add_argument(
        "--trl",
        default=sys.executable,
        help="a Python that has trl and liger-kernel beside luthier's packages",
    )
    parser.add_argument(
        "--tool", choices=("luthier", "trl"), help="one of the two, in this process; prints one JSON line"
    )
    wanted = parser.parse_args()
    if not wanted.smoke and not torch.cuda.is_available():
        sys.exit("There is no GPU here; --smoke tries the script out on a CPU.")
    shape = SMALL if wanted.smoke else Shape()
    if wanted.tool:
        print(json.dumps({"luthier": by_luthier, "trl": by_trl}[wanted.tool](shape)))
        return
    found = {}
    for tool, python in (("luthier", sys.executable), ("trl", wanted.trl)):
        line = [python, __file__, "--tool", tool, *(["--smoke"] if wanted.smoke else [])]
        done = subprocess.run(line, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{tool}: {done.stderr.strip().splitlines()[-1]}")
        found[tool] = json.loads(done.stdout.strip().splitlines()[-1])
    text = table(shape, found)
    print(text)
    if not wanted.smoke:
        write_section(NAME, text)


def body_of(shape: Shape, dtype: torch.dtype) -> Any:
    """A llama with random weights, where it will be computed."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        vocab_size=shape.vocabulary,
        max_position_embeddings=2 * shape.tokens,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    with torch.device(where()):
        return AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="sdpa")


def where() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def rows_of(shape: Shape) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(rows, tokens) random tokens of all steps."""
    dice = np.random.default_rng(0)
    return dice.integers(3, shape.vocabulary, ((shape.steps + 2) * shape.rows, shape.tokens))


def peak() -> int:
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


def settle() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def by_luthier(shape: Shape) -> dict[str, Any]:
    from luthier.batches.sequences import Sequences
    from luthier.models.heads.language_model import LanguageModel, pack
    from luthier.models.ladder.ladder import find_ladder
    from luthier.models.ladder.policies import AllRungs
    from luthier.models.lora import Design, add_adapters, is_adapter
    from luthier.models.master_weights import MasterWeights
    from luthier.train.unfreezing import LadderUnfreezing
    from luthier.train.weights import Weights

    dtype = torch.bfloat16
    body = body_of(shape, dtype)
    model = LanguageModel(body, pack(body))
    ids = rows_of(shape)
    trained = np.ones(ids.size, bool)
    trained[:: shape.tokens] = False
    ends = np.arange(len(ids) + 1) * shape.tokens
    ones = np.ones(len(ids), np.int64)
    examples = Sequences(
        ids.reshape(-1).astype(np.int32),
        trained,
        ends,
        np.arange(len(ids) + 1),
        ones,
        np.zeros(len(ids)),
        shares=False,
    )
    device = torch.device(where())
    few = examples.batch(np.zeros(1, np.int64)).to(device)
    blocks = [name.removeprefix("body.") for name in find_ladder(model, lambda: model(few)).blocks]
    add_adapters(body, blocks, Design(RANK), 0)
    masters = MasterWeights(body, dtype)
    unfreezing = LadderUnfreezing(
        model, find_ladder(model, lambda: model(few)), AllRungs(), inside=is_adapter, new_head=False
    )
    weights = Weights(model, unfreezing.parts(1), masters, 0.0)
    unfreezing.enter(0)
    begin = settle()
    with masters.training():
        for step in range(shape.steps + 2):
            if step == 2:
                begin = settle()
            weights.begin()
            for row in range(step * shape.rows, (step + 1) * shape.rows):
                (-model(examples.batch(np.array([row])).to(device)).sum()).backward()
            count = float(shape.rows * (shape.tokens - 1))
            weights.step(1e-4, unfreezing.scales(0), count, weights.norm(count), 1.0)
    return measured(shape, settle() - begin)


def by_trl(shape: Shape) -> dict[str, Any]:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer  # type: ignore[import-not-found,unused-ignore]

    times: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            times.append(settle())

    gpu = torch.cuda.is_available()
    with tempfile.TemporaryDirectory() as folder:
        settings = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=1,
            gradient_accumulation_steps=shape.rows,
            max_steps=shape.steps + 2,
            bf16=gpu,
            use_cpu=not gpu,
            use_liger_kernel=gpu,
            gradient_checkpointing=True,
            max_length=shape.tokens,
            save_strategy="no",
            report_to=[],
        )
        rows = Dataset.from_list([{"input_ids": row.tolist()} for row in rows_of(shape)])
        trainer = SFTTrainer(
            model=body_of(shape, torch.bfloat16 if gpu else torch.float32),
            args=settings,
            train_dataset=rows,
            processing_class=tokenizer(),
            peft_config=LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear"),
            callbacks=[Clock()],
        )
        trainer.train()
    return measured(shape, times[-1] - times[1])


def tokenizer() -> Any:
    """Any tokenizer: rows are tokens already."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<end>": 0, "<pad>": 1}, unk_token="<end>"))
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", pad_token="<pad>")


def measured(shape: Shape, seconds: float) -> dict[str, Any]:
    return {"tokens_per_second": shape.steps * shape.rows * shape.tokens / seconds, "peak_bytes": peak()}


def table(shape: Shape, found: dict[str, dict[str, Any]]) -> str:
    lines = [
        __doc__ or "",
        f"Shape: {asdict(shape)}",
        "",
        "| tool | tokens/s | peak GB |",
        "| --- | --- | --- |",
    ]
    for tool, one in found.items():
        lines.append(f"| {tool} | {one['tokens_per_second']:,.0f} | {one['peak_bytes'] / 1e9:.1f} |")
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return "\n".join([*lines, "", f"Machine: {card}; {describe()}"])


if __name__ == "__main__":
    main()
