"""Whether `luthier judge` counts what the library counts that tuned a model: transformers' Trainer, sentence-transformers, PEFT.

all-MiniLM-L6-v2 is tuned for two epochs: by Trainer on SST-2, by PEFT (LoRA, through Trainer) on TREC, as a SentenceTransformer
on STS-B (the squared error of cosines). Each library counts its score on the test file; `luthier judge` is given the model's
folder and the same file.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA
from benchmarks.harness.results import write_section
from luthier.models.hub.find import find_model

NAME = "Judged"
LUTHIER = str(Path(sys.executable).with_name("luthier"))
EPOCHS, BATCH, RATE = 2, 32, 5e-5
SIDES = ("sentence1", "sentence2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument(
        "--rows", type=int, help="of each file at the most: a smoke run, which writes nothing"
    )
    wanted = parser.parse_args()
    torch.manual_seed(0)
    found = []
    for called, tune in TUNED.items():
        with tempfile.TemporaryDirectory() as folder:
            found.append((called, *tune(Path(folder), wanted.data, wanted.rows)))
    text = table(found)
    print(text)
    if wanted.rows is None:
        write_section(NAME, text)


def rows_of(file: Path, most: int | None) -> list[dict[str, str]]:
    with open(file, newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))[:most]


def written(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def by_trainer(own: Path, data: Path, most: int | None) -> tuple[float, float]:
    """Accuracy on SST-2, by Trainer and by judge."""
    return classified(own, data / "sst2", most, adapted=False)


def by_peft(own: Path, data: Path, most: int | None) -> tuple[float, float]:
    """Accuracy on TREC of an adapter, by Trainer and by judge."""
    return classified(own, data / "trec", most, adapted=True)


def classified(own: Path, files: Path, most: int | None, adapted: bool) -> tuple[float, float]:
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    train, test = (rows_of(files / f"{part}.csv", most) for part in ("train", "test"))
    labels = sorted({row["label"] for row in train})
    test = [row for row in test if row["label"] in labels]
    base = find_model("all-MiniLM-L6-v2")
    tokenizer = AutoTokenizer.from_pretrained(base)

    def read(rows: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
        return [
            {**tokenizer(row["text"], truncation=True), "labels": labels.index(row["label"])} for row in rows
        ]

    model: Any = AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(labels),
                                                                    id2label=dict(enumerate(labels)))  # fmt: skip
    if adapted:
        model = get_peft_model(model, LoraConfig(r=8, target_modules=["query", "value"], task_type="SEQ_CLS"))
    trainer = Trainer(
        model=model,
        args=TrainingArguments(str(own / "states"), num_train_epochs=EPOCHS, per_device_train_batch_size=BATCH,
                               learning_rate=20 * RATE if adapted else RATE, report_to=[], use_cpu=True,
                               save_strategy="no", logging_strategy="no", disable_tqdm=True),
        train_dataset=read(train),
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        compute_metrics=lambda given: {"accuracy": float(np.mean(given.predictions.argmax(-1) == given.label_ids))},
    )  # fmt: skip
    trainer.train()
    counted = trainer.evaluate(read(test))["eval_accuracy"]
    trainer.save_model(str(own / "model"))
    more = ["--base", str(base), "--label-names", ",".join(labels)] if adapted else []
    return counted, judged(own, written(own / "test.jsonl", test), more, "accuracy")


def by_sentence_transformers(own: Path, data: Path, most: int | None) -> tuple[float, float]:
    """Spearman's correlation on STS-B, by sentence-transformers' evaluator and by judge."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator

    train, test = (rows_of(data / "stsb" / f"{part}.csv", most) for part in ("train", "test"))
    model = SentenceTransformer(str(find_model("all-MiniLM-L6-v2")), device="cpu")
    optimizer = torch.optim.AdamW(model.parameters(), RATE)
    for step in range(EPOCHS * -(-len(train) // BATCH)):
        few = [train[(step * BATCH + at) % len(train)] for at in range(BATCH)]
        near, far = (
            model(model.preprocess([row[side] for row in few]))["sentence_embedding"] for side in SIDES
        )
        wanted = torch.tensor([float(row["score"]) / 5 for row in few])
        torch.nn.functional.mse_loss(torch.cosine_similarity(near, far), wanted).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval().save_pretrained(str(own / "model"))
    one, other = ([row[side] for row in test] for side in SIDES)
    scores = [float(row["score"]) for row in test]
    counted = EmbeddingSimilarityEvaluator(one, other, scores)(model)["spearman_cosine"]
    return counted, judged(own, written(own / "test.jsonl", test), [], "spearman")


def judged(own: Path, test: Path, more: Sequence[str], metric: str) -> float:
    words = [
        LUTHIER,
        "judge",
        str(own / "model"),
        str(test),
        "--out",
        str(own / "verdict"),
        "--quiet",
        "--json",
        *more,
    ]
    ended = subprocess.run(words, check=True, capture_output=True, text=True)
    return float(json.loads(ended.stdout.splitlines()[-1])["test"][metric]["value"])


TUNED: dict[str, Callable[[Path, Path, int | None], tuple[float, float]]] = {
    "Trainer, SST-2, accuracy": by_trainer,
    "PEFT, TREC, accuracy": by_peft,
    "sentence-transformers, STS-B, Spearman": by_sentence_transformers,
}
"""By what is tuned on what: the score that the library counts, and the one that `luthier judge` counts."""


def table(found: Sequence[tuple[str, float, float]]) -> str:
    lines = [f"| {called} | {counted:.6f} | {judged:.6f} |" for called, counted, judged in found]
    head = "| tuned by, on, score | counted by the library | by `luthier judge` |\n|---|---|---|\n"
    return f"{describe()}\n\n{head}" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
