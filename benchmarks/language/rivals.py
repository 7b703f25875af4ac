"""TRL's trainers with their best flags on a CPU, in a process of its own: prints one JSON line. Needs trl."""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "rows", type=Path, help="JSON lines: messages; prompt, chosen, rejected (dpo); or text (reading)"
    )
    parser.add_argument("--way", choices=("supervised", "dpo", "reading"), default="supervised")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the tuned model")
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--batch-rows", type=int, default=16)
    parser.add_argument(
        "--length", type=int, default=512, help="tokens of a packed row, where texts are read"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bf16", action="store_true")
    print(json.dumps(tuned(parser.parse_args())))


def tuned(wanted: argparse.Namespace) -> dict[str, Any]:
    """Tokens, seconds and memory of a full tuning, whose model is left in a folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(wanted.model)
    model = AutoModelForCausalLM.from_pretrained(wanted.model, dtype="float32")
    rows = [json.loads(line) for line in wanted.rows.read_text(encoding="utf-8").splitlines()]
    make = {"supervised": supervised, "dpo": preferring, "reading": reading}[wanted.way]
    trainer, tokens = make(wanted, model, tokenizer, rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    begin, worked = time.perf_counter(), time.process_time()
    trainer.train()
    seconds, worked = time.perf_counter() - begin, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    trainer.save_model(str(wanted.out))
    weights = sum(weight.numel() for weight in model.parameters())
    return {
        "tokens": round(tokens * wanted.epochs),
        "seconds": seconds,
        "cpu_seconds": worked,
        "tokens_per_second": tokens * wanted.epochs / seconds,
        "peak_bytes": peak,
        "before_bytes": before,
        "beyond_bytes": peak - 16 * weights,
    }


def shared(wanted: argparse.Namespace) -> dict[str, Any]:
    """Settings of all trainers."""
    return {
        "output_dir": str(wanted.out / "checkpoints"),
        "per_device_train_batch_size": wanted.batch_rows,
        "num_train_epochs": wanted.epochs,
        "learning_rate": wanted.lr,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.1,
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "optim": "adamw_torch_fused",
        "gradient_checkpointing": False,
        "bf16": wanted.bf16,
        "use_cpu": True,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": [],
        "seed": wanted.seed,
    }


def supervised(
    wanted: argparse.Namespace, model: Any, tokenizer: Any, rows: list[dict[str, Any]]
) -> tuple[Any, int]:
    """Prompts and answers; rows of like length together, and not packed, as packed rows see each other here."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer  # type: ignore[import-not-found,unused-ignore]

    turns = [row["messages"] for row in rows]
    pairs = [{"prompt": own[:-1], "completion": own[-1:]} for own in turns]
    tokens = sum(len(tokenizer.apply_chat_template(own)["input_ids"]) for own in turns)
    settings = SFTConfig(
        **shared(wanted), max_length=None, packing=False, train_sampling_strategy="group_by_length"
    )
    data = Dataset.from_list(pairs)
    return SFTTrainer(model=model, args=settings, train_dataset=data, processing_class=tokenizer), tokens


def preferring(
    wanted: argparse.Namespace, model: Any, tokenizer: Any, rows: list[dict[str, Any]]
) -> tuple[Any, int]:
    """DPO; what the untouched model says is computed once before, within the seconds that are told."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer  # type: ignore[import-not-found,unused-ignore]

    def turn(role: str, text: str) -> list[dict[str, str]]:
        return [{"role": role, "content": text}]

    pairs = [
        {
            "prompt": turn("user", row["prompt"]),
            "chosen": turn("assistant", row["chosen"]),
            "rejected": turn("assistant", row["rejected"]),
        }
        for row in rows
    ]
    tokens = sum(
        len(tokenizer.apply_chat_template(pair["prompt"] + pair[which])["input_ids"])
        for pair in pairs
        for which in ("chosen", "rejected")
    )
    settings = DPOConfig(**shared(wanted), max_length=None, beta=0.1, precompute_ref_log_probs=True)
    data = Dataset.from_list(pairs)
    return DPOTrainer(model=model, args=settings, train_dataset=data, processing_class=tokenizer), tokens


def reading(
    wanted: argparse.Namespace, model: Any, tokenizer: Any, rows: list[dict[str, Any]]
) -> tuple[Any, int]:
    """Plain texts, one after the other in rows of one length, as it packs them without losing any."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    tokens = sum(len(ids) for ids in tokenizer([row["text"] for row in rows])["input_ids"])
    settings = SFTConfig(**shared(wanted), max_length=wanted.length, packing=True, packing_strategy="wrapped")
    data = Dataset.from_list([{"text": row["text"]} for row in rows])
    return SFTTrainer(model=model, args=settings, train_dataset=data, processing_class=tokenizer), tokens


if __name__ == "__main__":
    main()
