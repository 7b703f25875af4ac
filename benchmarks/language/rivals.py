"""TRL's SFTTrainer with its best flags on a CPU, in a process of its own: prints one JSON line. Needs trl."""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, help="JSON lines with messages")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the tuned model")
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--batch-rows", type=int, default=16)
    parser.add_argument("--bf16", action="store_true")
    print(json.dumps(tuned(parser.parse_args())))


def tuned(wanted: argparse.Namespace) -> dict[str, Any]:
    """Tokens, seconds and memory of a full tuning, whose model is left in a folder."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer  # type: ignore[import-not-found,unused-ignore]

    tokenizer = AutoTokenizer.from_pretrained(wanted.model)
    model = AutoModelForCausalLM.from_pretrained(wanted.model, dtype="float32")
    rows = [json.loads(line)["messages"] for line in wanted.rows.read_text(encoding="utf-8").splitlines()]
    pairs = [{"prompt": turns[:-1], "completion": turns[-1:]} for turns in rows]
    tokens = sum(len(tokenizer.apply_chat_template(turns)["input_ids"]) for turns in rows)
    settings = SFTConfig(
        output_dir=str(wanted.out / "checkpoints"),
        per_device_train_batch_size=wanted.batch_rows,
        num_train_epochs=wanted.epochs,
        learning_rate=wanted.lr,
        lr_scheduler_type="linear",
        warmup_steps=0.1,
        weight_decay=0.01,
        max_grad_norm=1.0,
        max_length=None,
        packing=False,
        train_sampling_strategy="group_by_length",
        optim="adamw_torch_fused",
        gradient_checkpointing=False,
        bf16=wanted.bf16,
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        seed=0,
    )
    trainer = SFTTrainer(
        model=model, args=settings, train_dataset=Dataset.from_list(pairs), processing_class=tokenizer
    )
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


if __name__ == "__main__":
    main()
