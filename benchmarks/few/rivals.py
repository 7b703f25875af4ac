"""Trainers for few labels that a user could take instead, in a process of their own: each prints one JSON line.

`setfit` needs setfit; `hf` and `frozen` need nothing beside luthier.
"""

import argparse
import csv
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

RATE, BATCH_ROWS, WARMUP = 5e-5, 16, 0.1
"""HF Trainer's peak learning rate, rows of a step, and the share of the steps in which the rate rises; then it falls linearly."""
EPOCHS, FEWEST_EPOCHS, FEWEST_STEPS, STEPS = 20, 5, 300, 1_000
"""How long HF Trainer trains: 20 epochs, or as many as 1,000 steps are, but 5 epochs and 300 steps at the least."""
DEFAULTS_UP_TO, MOST_STEPS = 32, 250
"""Training rows up to which SetFit has its own number of steps: it grows with the square of the rows; beyond that this one."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=("setfit", "hf", "frozen"))
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    train, test = read(wanted.train), read(wanted.test)
    labels = sorted({label for _, label in train})
    rows = [[text for text, _ in part] for part in (train, test)]
    known = [np.array([labels.index(label) for _, label in part]) for part in (train, test)]
    os.chdir(wanted.train.parent)  # where trainers may leave what they write
    begin = time.perf_counter()
    tool = {"setfit": setfit, "hf": trainer, "frozen": frozen}[wanted.tool]
    found = tool(wanted.model, wanted.seed, rows, known, len(labels))
    print(json.dumps({**found, "seconds": time.perf_counter() - begin}))


def read(path: Path) -> list[tuple[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


def accuracy(found: Any, known: Any) -> dict[str, Any]:
    return {"accuracy": float((np.asarray(found) == known).mean())}


def setfit(model: str, seed: int, rows: list[list[str]], known: list[Any], labels: int) -> dict[str, Any]:
    """SetFit's defaults; beyond 32 rows with `max_steps`, as the pairs that it makes grow with the square of the rows."""
    from datasets import Dataset  # type: ignore[import-not-found,unused-ignore]
    from setfit import SetFitModel, Trainer, TrainingArguments  # type: ignore[import-not-found,unused-ignore]

    few = len(rows[0]) <= DEFAULTS_UP_TO
    settings = {} if few else {"max_steps": MOST_STEPS}
    arguments = TrainingArguments(
        output_dir="out", seed=seed, report_to="none", save_strategy="no", **settings
    )
    data = Dataset.from_dict({"text": rows[0], "label": known[0].tolist()})
    tuned = SetFitModel.from_pretrained(model, local_files_only=True)
    Trainer(model=tuned, args=arguments, train_dataset=data).train()
    return accuracy(tuned.predict(rows[1], show_progress_bar=False), known[1])


def trainer(model: str, seed: int, rows: list[list[str]], known: list[Any], labels: int) -> dict[str, Any]:
    """transformers' Trainer as people use it: all layers and a linear head are tuned, and the last state is taken, as there are
    no rows to stop by."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments

    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForSequenceClassification.from_pretrained(model, num_labels=labels)

    class Rows(torch.utils.data.Dataset[Any]):
        def __init__(self, texts: list[str], targets: Any) -> None:
            self.texts, self.targets = tokenizer(texts, truncation=True, max_length=256), targets

        def __len__(self) -> int:
            return len(self.targets)

        def __getitem__(self, at: int) -> dict[str, Any]:
            return {"input_ids": self.texts["input_ids"][at], "labels": int(self.targets[at])}

    per_epoch = -(-len(rows[0]) // BATCH_ROWS)
    steps = max(FEWEST_STEPS, FEWEST_EPOCHS * per_epoch, min(EPOCHS * per_epoch, STEPS))
    arguments = TrainingArguments(
        output_dir="out", seed=seed, report_to=[], save_strategy="no", learning_rate=RATE, warmup_steps=int(WARMUP * steps),
        max_steps=steps, per_device_train_batch_size=BATCH_ROWS, per_device_eval_batch_size=64, disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(), logging_strategy="no",
    )  # fmt: skip
    tuning = Trainer(network, arguments, train_dataset=Rows(rows[0], known[0]), processing_class=tokenizer)
    tuning.train()
    found: Any = tuning.predict(Rows(rows[1], known[1])).predictions
    return accuracy(found.argmax(1), known[1]) | {"steps": steps}


def frozen(model: str, seed: int, rows: list[list[str]], known: list[Any], labels: int) -> dict[str, Any]:
    """scikit-learn on the frozen vectors of sentence-transformers: logistic regression with its strength by cross-validation,
    and the nearest neighbour."""
    from sentence_transformers import SentenceTransformer
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
    from sklearn.neighbors import KNeighborsClassifier

    encoder = SentenceTransformer(model)
    train, test = (encoder.encode(part, show_progress_bar=False, normalize_embeddings=True) for part in rows)
    fewest = int(np.bincount(known[0]).min())
    probe: Any = LogisticRegression(max_iter=1000)
    if fewest > 1:
        probe = LogisticRegressionCV(Cs=[0.1, 1.0, 10.0, 100.0], cv=min(5, fewest), max_iter=1000)
    near = KNeighborsClassifier(n_neighbors=min(3, fewest), metric="cosine").fit(train, known[0])
    probe.fit(train, known[0])
    return accuracy(probe.predict(test), known[1]) | {
        "neighbours": float((near.predict(test) == known[1]).mean())
    }


if __name__ == "__main__":
    main()
