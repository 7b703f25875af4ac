"""What a user would pick instead of luthier, for tasks.py: one training a call, one JSON line.

    python benchmarks/tasks/rivals.py hf-tokens --train FILE --test FILE --model FOLDER --lr 1e-4 --epochs 3 --seed 0

Each follows the library's own example of its task (run_ner, run_qa, run_image_classification; training_stsbenchmark of
sentence-transformers), with the flags that a careful user sets. What only one of them needs is imported there, so
that the others do not wait for it.
"""

import argparse
import csv
import gzip
import io
import json
import math
import random
import re
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from transformers import (
    AutoTokenizer,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    DefaultDataCollator,
    Trainer,
    TrainingArguments,
    set_seed,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import cores
from benchmarks.tasks.tasks import Score, Scores
from luthier.arrays import Array
from luthier.scores.intervals import Estimate, Statistic, bootstrap, mean_of

MOST_TOKENS = 256
"""Longer texts are cut here: the limit the model itself declares (sentence_bert_config.json)."""
WINDOW, STRIDE = 384, 128
"""Tokens of a window of question and context, and of what two windows share: the defaults of run_qa."""
BEST = 20
"""Starts, and ends, of an answer that are looked at: the default of run_qa."""
BATCH_ROWS = 16
IGNORED = -100
"""The label that transformers leaves out of the loss."""

Example = dict[str, Any]
Row = TypeVar("Row")


@dataclass(frozen=True)
class Asked:
    """What every rival is told."""

    train: Path
    valid: Path | None
    test: Path | None
    model: str
    lr: str
    epochs: float
    seed: int
    language: str
    flip: bool

    @staticmethod
    def of(arguments: Sequence[str]) -> "Asked":
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--train", type=Path, required=True)
        parser.add_argument("--valid", type=Path, help="file to choose the rate on; else a tenth of train")
        parser.add_argument("--test", type=Path, help="left out for images, whose tar holds them")
        parser.add_argument("--model", required=True, help="folder")
        parser.add_argument("--lr", required=True)
        parser.add_argument("--epochs", type=float, required=True)
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--language", default="en", help="of answers: whose articles do not count")
        parser.add_argument("--flip", action="store_true", help="images mean the same when mirrored")
        return Asked(**vars(parser.parse_args(arguments)))


# Data


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a .csv, .jsonl or .jsonl.gz file."""
    if path.suffix == ".csv":
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_parts(
    asked: Asked, unit: Callable[[dict[str, Any]], Hashable] = id
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows to train on, to choose on, and to score. unit: what must stay on one side when a tenth is held out."""
    assert asked.test is not None, "texts have a test file"
    train, test = read_rows(asked.train), read_rows(asked.test)
    if asked.valid:
        return train, read_rows(asked.valid), test
    held = set(hold_out(list(dict.fromkeys(map(unit, train))), asked.seed)[1])
    return [row for row in train if unit(row) not in held], [row for row in train if unit(row) in held], test


def hold_out(
    rows: Sequence[Row], seed: int, label: Callable[[Row], str] = lambda _: "", every: int = 10
) -> tuple[list[Row], list[Row]]:
    """Split off every tenth row, counted through the labels one after the other: (kept, held out)."""
    ordered = sorted(random.Random(seed).sample(rows, len(rows)), key=label)
    held = set(range(every // 2, len(ordered), every))
    return [row for place, row in enumerate(ordered) if place not in held], [ordered[place] for place in held]


# HF Trainer


def flags(asked: Asked, folder: str) -> dict[str, Any]:
    """Settings of a run that all the trainers know."""
    return {
        "output_dir": folder,
        "learning_rate": float(asked.lr),
        "num_train_epochs": asked.epochs,
        "per_device_train_batch_size": BATCH_ROWS,
        "per_device_eval_batch_size": 32,
        "bf16": True,
        "warmup_steps": 0.1,
        "seed": asked.seed,
        "use_cpu": not torch.cuda.is_available(),
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def timed(trainer: Any) -> float:
    """Seconds of training."""
    begin = time.perf_counter()
    trainer.train()
    return time.perf_counter() - begin


def length(example: Example) -> int:
    return len(example["input_ids"])


def logits_of(trainer: Trainer, examples: Sequence[Example]) -> Any:
    """Predictions in the order of the examples, made from the longest to the shortest: little is padded.

    A trainer that groups by length would else shuffle the rows it predicts too.
    """
    trainer.args.train_sampling_strategy = "random"
    order = sorted(range(len(examples)), key=lambda place: -length(examples[place]))
    found = trainer.predict([examples[place] for place in order]).predictions
    back = np.argsort(order)
    return tuple(part[back] for part in found) if isinstance(found, tuple) else found[back]


def scores(
    asked: Asked, test: dict[str, Estimate], rows: int, valid: float, seconds: float, units: float
) -> Scores:
    """units: tokens or images of one epoch."""
    return Scores(
        test={name: Score(one.value, one.low, one.high) for name, one in test.items()},
        test_rows=rows,
        valid=valid,
        seconds=seconds,
        per_second=units * asked.epochs / seconds,
        epochs=asked.epochs,
        settings=f"lr {asked.lr}, {BATCH_ROWS} rows, {asked.epochs:g} epochs",
    )


# Entities


def hf_tokens(asked: Asked) -> Scores:
    """A label for the first piece of each word, as in run_ner."""
    from transformers import AutoModelForTokenClassification

    parts = [[words_and_tags(row) for row in rows] for rows in read_parts(asked)]
    train, valid, test = parts
    names = sorted({tag for _, tags in train for tag in tags})
    number = {tag: place for place, tag in enumerate(names)}
    tokenizer = AutoTokenizer.from_pretrained(asked.model)
    model = AutoModelForTokenClassification.from_pretrained(
        asked.model, id2label=dict(enumerate(names)), label2id=number
    )

    def encode(rows: Sequence[tuple[list[str], list[str]]]) -> tuple[list[Example], list[list[int]]]:
        """Examples, and the place of the first piece of each word that has one; -1 for the others."""
        examples, places = [], []
        for words, _ in rows:
            found = tokenizer(words, is_split_into_words=True, truncation=True, max_length=MOST_TOKENS)
            first = dict.fromkeys(range(len(words)), -1)
            for place, word in reversed(list(enumerate(found.word_ids()))):
                if word is not None:
                    first[word] = place
            examples.append(dict(found))
            places.append(list(first.values()))
        return examples, places

    examples, places = encode(train)
    for example, firsts, (_, tags) in zip(examples, places, train, strict=True):
        example["labels"] = [IGNORED] * length(example)
        for place, tag in zip(firsts, tags, strict=True):
            if place >= 0:
                example["labels"][place] = number[tag]

    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(**flags(asked, folder), train_sampling_strategy="group_by_length"),
            train_dataset=examples,
            processing_class=tokenizer,
            data_collator=DataCollatorForTokenClassification(tokenizer),
        )
        seconds = timed(trainer)

        def said(rows: Sequence[tuple[list[str], list[str]]]) -> list[list[str]]:
            """Tags of all words; O for one that was cut off, or that the tokenizer knows nothing of."""
            found, firsts = encode(rows)
            best = logits_of(trainer, found).argmax(axis=-1)
            return [
                [names[tags[place]] if place >= 0 else "O" for place in own]
                for tags, own in zip(best, firsts, strict=True)
            ]

        valid_f1 = entity_f1([tags for _, tags in valid], said(valid), asked.seed).value
        f1 = entity_f1([tags for _, tags in test], said(test), asked.seed)
    return scores(asked, {"f1": f1}, len(test), valid_f1, seconds, sum(map(length, examples)))


def words_and_tags(row: dict[str, Any]) -> tuple[list[str], list[str]]:
    """As they are, or from a text and spans: of spans that overlap the longest, widened to whole words."""
    if "tokens" in row:
        return row["tokens"], row["tags"]
    words = list(re.finditer(r"\w+|[^\w\s]", row["text"]))
    tags = ["O"] * len(words)
    for span in sorted(row["spans"], key=lambda span: span["start"] - span["end"]):
        inside = [
            place
            for place, word in enumerate(words)
            if word.start() < span["end"] and word.end() > span["start"]
        ]
        if all(tags[place] == "O" for place in inside):
            for place in inside:
                tags[place] = f"{'B' if place == inside[0] else 'I'}-{span['label']}"
    return [word[0] for word in words], tags


def entity_f1(truth: list[list[str]], said: list[list[str]], seed: int) -> Estimate:
    """By seqeval; its interval over resampled rows, from counts that give the same value."""
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    from luthier.scores import entities

    names = sorted({tag for tags in truth + said for tag in tags})
    number = {tag: place for place, tag in enumerate(names)}
    ends = np.cumsum([0, *map(len, truth)])
    right, answered = (np.array([number[tag] for tags in side for tag in tags]) for side in (truth, said))
    counts = entities.counts_per_row(right, answered, ends, names)
    found = bootstrap(entities.resampled_f1(counts), len(truth), seed=seed)
    value = f1_score(truth, said, mode="strict", scheme=IOB2, zero_division=0)
    assert math.isclose(value, found.value, abs_tol=1e-9), f"seqeval says {value}, the counts {found.value}"
    return found


# Answers


@dataclass(frozen=True)
class Window:
    """A question and a stretch of its context."""

    row: int
    example: Example
    offsets: list[tuple[int, int] | None]
    """Begin and end of each token of the context, in characters; None for tokens outside of it."""


def hf_qa(asked: Asked) -> Scores:
    """Start and end of an answer in windows of the context, as in run_qa."""
    from transformers import AutoModelForQuestionAnswering

    from luthier.scores.answers import best_threshold, per_row

    train, valid, test = read_parts(asked, unit=lambda row: row["context"])
    tokenizer = AutoTokenizer.from_pretrained(asked.model)
    model = AutoModelForQuestionAnswering.from_pretrained(asked.model)
    examples = []
    lengths = []
    for window in windows_of(tokenizer, train):
        start, end = edges(window, train[window.row]["answers"])
        examples.append({**window.example, "start_positions": start, "end_positions": end})
        lengths += [end - start + 1] if start else []
    longest = max(30, math.ceil(np.quantile(lengths, 0.99)))
    may_be_silent = any(not row["answers"]["text"] for row in train)

    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(**flags(asked, folder), train_sampling_strategy="group_by_length"),
            train_dataset=examples,
            processing_class=tokenizer,
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        seconds = timed(trainer)

        def spans(rows: Sequence[dict[str, Any]]) -> tuple[list[str], Array]:
            windows = windows_of(tokenizer, rows)
            starts, ends = logits_of(trainer, [window.example for window in windows])
            return best_spans(rows, windows, starts, ends, longest)

        def judged(said: Sequence[str], rows: Sequence[dict[str, Any]]) -> Array:
            return per_row(said, [row["answers"]["text"] for row in rows], asked.language)

        said, margins = spans(valid)
        valid_f1, threshold = float(judged(said, valid)[:, 1].mean()), math.inf
        if may_be_silent:
            answerable = np.array([bool(row["answers"]["text"]) for row in valid])
            threshold, valid_f1 = best_threshold(margins, judged(said, valid)[:, 1], answerable)
        said, margins = spans(test)
        kept = [span if margin <= threshold else "" for span, margin in zip(said, margins, strict=True)]
        found = judged(kept, test)

    names = {"f1": found[:, 1], "exact_match": found[:, 0]}
    test_scores = {name: bootstrap(mean_of(part), len(test), seed=asked.seed) for name, part in names.items()}
    return scores(asked, test_scores, len(test), valid_f1, seconds, sum(map(length, examples)))


def windows_of(tokenizer: Any, rows: Sequence[dict[str, Any]]) -> list[Window]:
    found = tokenizer(
        [row["question"].lstrip() for row in rows],
        [row["context"] for row in rows],
        truncation="only_second",
        max_length=WINDOW,
        stride=STRIDE,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    inputs = [name for name in tokenizer.model_input_names if name in found]
    return [
        Window(
            row=row,
            example={name: found[name][at] for name in inputs},
            offsets=[
                offset if part == 1 else None
                for offset, part in zip(found["offset_mapping"][at], found.sequence_ids(at), strict=True)
            ],
        )
        for at, row in enumerate(found["overflow_to_sample_mapping"])
    ]


def edges(window: Window, answers: dict[str, Any]) -> tuple[int, int]:
    """First and last token of the first answer; the first token of all, (0, 0), where the window has not all of it."""
    if not answers["text"]:
        return 0, 0
    begin = answers["answer_start"][0]
    stop = begin + len(answers["text"][0])
    inside = [(place, *offset) for place, offset in enumerate(window.offsets) if offset]
    if not inside or inside[0][1] > begin or inside[-1][2] < stop:
        return 0, 0
    start = max(place for place, first, _ in inside if first <= begin)
    return start, min(place for place, _, last in inside if last >= stop and place >= start)


def best_spans(
    rows: Sequence[dict[str, Any]], windows: Sequence[Window], starts: Array, ends: Array, longest: int
) -> tuple[list[str], Array]:
    """The likeliest answer of each row over its windows, and how much likelier it is that there is none.

    starts, ends: (windows, tokens).  longest: tokens of an answer.
    """
    best = [(-1e6, "")] * len(rows)
    nothing = np.full(len(rows), 1e6)
    for window, start, end in zip(windows, starts, ends, strict=True):
        nothing[window.row] = min(nothing[window.row], start[0] + end[0])
        inside = np.array([place for place, offset in enumerate(window.offsets) if offset])
        firsts, lasts = (inside[np.argsort(-part[inside])[:BEST]] for part in (start, end))
        sums = start[firsts][:, None] + end[lasts]
        tokens = lasts - firsts[:, None] + 1
        sums = np.where((tokens >= 1) & (tokens <= longest), sums, -np.inf)
        first, last = np.unravel_index(sums.argmax(), sums.shape)
        if sums[first, last] > best[window.row][0]:
            begin, stop = window.offsets[firsts[first]], window.offsets[lasts[last]]
            assert begin is not None, "a place inside the context"
            assert stop is not None, "a place inside the context"
            best[window.row] = (
                float(sums[first, last]),
                rows[window.row]["context"][begin[0] : stop[1]],
            )
    return [text for _, text in best], nothing - np.array([score for score, _ in best])


# Likeness of two sentences


def st_cross(asked: Asked) -> Scores:
    """Both sentences read together, one number out."""
    from sentence_transformers.cross_encoder import (
        CrossEncoder,
        CrossEncoderTrainer,
        CrossEncoderTrainingArguments,
    )
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

    train, valid, test = read_parts(asked)
    model = CrossEncoder(asked.model, num_labels=1, max_length=MOST_TOKENS, device=device())
    texts = model.tokenizer(*sentences(train), truncation=True, max_length=MOST_TOKENS)
    with tempfile.TemporaryDirectory() as folder:
        trainer = CrossEncoderTrainer(
            model=model,
            args=CrossEncoderTrainingArguments(**flags(asked, folder)),
            train_dataset=likeness(train),
            loss=BinaryCrossEntropyLoss(model),
        )
        seconds = timed(trainer)

    def said(rows: Sequence[dict[str, Any]]) -> Array:
        pairs = list(zip(*sentences(rows), strict=True))
        return np.asarray(model.predict(pairs, batch_size=32, show_progress_bar=False))

    tokens = sum(map(len, texts["input_ids"]))
    return likeness_scores(asked, valid, test, said, seconds, tokens)


def st_embedding(asked: Asked) -> Scores:
    """Each sentence a vector, likeness their cosine."""
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss

    train, valid, test = read_parts(asked)
    model = SentenceTransformer(asked.model, device=device())
    texts = [model.tokenizer(side, truncation=True, max_length=MOST_TOKENS) for side in sentences(train)]
    with tempfile.TemporaryDirectory() as folder:
        trainer = SentenceTransformerTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(**flags(asked, folder)),
            train_dataset=likeness(train),
            loss=CosineSimilarityLoss(model),
        )
        seconds = timed(trainer)

    def said(rows: Sequence[dict[str, Any]]) -> Array:
        first, second = (
            model.encode(side, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
            for side in sentences(rows)
        )
        return np.asarray((first * second).sum(axis=1))

    tokens = sum(len(ids) for side in texts for ids in side["input_ids"])
    return likeness_scores(asked, valid, test, said, seconds, tokens)


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def sentences(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[str]]:
    return [row["sentence1"] for row in rows], [row["sentence2"] for row in rows]


def likeness(rows: Sequence[dict[str, Any]]) -> Any:
    """As the trainers want it: two columns of sentences, and their likeness from 0 to 1."""
    from datasets import Dataset

    first, second = sentences(rows)
    highest = max(float(row["score"]) for row in rows)
    labels = [float(row["score"]) / highest for row in rows]
    return Dataset.from_dict({"sentence1": first, "sentence2": second, "label": labels})


def likeness_scores(
    asked: Asked,
    valid: Sequence[dict[str, Any]],
    test: Sequence[dict[str, Any]],
    said: Callable[[Sequence[dict[str, Any]]], Array],
    seconds: float,
    tokens: int,
) -> Scores:
    from luthier.scores.regression import resampled_spearman

    def statistic(rows: Sequence[dict[str, Any]]) -> Statistic:
        return resampled_spearman(np.array([float(row["score"]) for row in rows]), said(rows))

    valid_spearman = float(statistic(valid)(np.arange(len(valid))[None])[0])
    spearman = bootstrap(statistic(test), len(test), seed=asked.seed)
    return scores(asked, {"spearman": spearman}, len(test), valid_spearman, seconds, tokens)


# Images


@dataclass(frozen=True)
class Photo:
    raw: bytes
    label: str


@dataclass(frozen=True)
class Photos:
    """What a loader asks for examples: each image read anew, varied or as the model's own processor makes it."""

    photos: Sequence[Photo]
    number: dict[str, int]
    processor: Any
    varied: bool
    flip: bool

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, place: int) -> Example:
        from PIL import Image

        photo = self.photos[place]
        image = Image.open(io.BytesIO(photo.raw)).convert("RGB")
        pixels = self.vary(image) if self.varied else self.processor(image)["pixel_values"][0]
        return {"pixel_values": pixels, "labels": self.number[photo.label]}

    def vary(self, image: Any) -> Array:
        """(3, height, width) a random crop, flipped or not, in the numbers the model knows."""
        from PIL import Image

        size = self.processor.crop_size
        cut = image.resize((size["width"], size["height"]), Image.Resampling.BILINEAR, crop_box(*image.size))
        if self.flip and random.random() < 0.5:
            cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        mean, spread = np.float32(self.processor.image_mean), np.float32(self.processor.image_std)
        return ((np.asarray(cut, np.float32) / 255 - mean) / spread).transpose(2, 0, 1)


def crop_box(width: int, height: int) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a crop as torchvision's RandomResizedCrop draws it, which cannot be imported here."""
    for _ in range(10):
        area = width * height * random.uniform(0.08, 1)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        wide, high = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if wide <= width and high <= height:
            left, top = random.uniform(0, width - wide), random.uniform(0, height - high)
            return left, top, left + wide, top + high
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def hf_images(asked: Asked) -> Scores:
    """As in run_image_classification, with PIL in place of torchvision."""
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    from luthier.scores.intervals import wilson

    splits = read_photos(asked.train)
    train, valid = hold_out(splits["train"], asked.seed, label=lambda photo: photo.label)
    test = splits["test"]
    names = sorted({photo.label for photo in train})
    number = {label: place for place, label in enumerate(names)}
    processor = AutoImageProcessor.from_pretrained(asked.model, backend="pil")
    model = AutoModelForImageClassification.from_pretrained(
        asked.model, id2label=dict(enumerate(names)), label2id=number, ignore_mismatched_sizes=True
    )

    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            **flags(asked, folder), dataloader_num_workers=1, remove_unused_columns=False
        )
        trainer = Trainer(
            model=model,
            args=settings,
            train_dataset=Photos(train, number, processor, varied=True, flip=asked.flip),
            data_collator=DefaultDataCollator(),
        )
        seconds = timed(trainer)

        def judged(photos: Sequence[Photo]) -> tuple[int, float]:
            """Right answers, and the mean loss."""
            found = trainer.predict(Photos(photos, number, processor, varied=False, flip=False))
            right = found.predictions.argmax(axis=-1) == found.label_ids
            return int(right.sum()), found.metrics["test_loss"]

        right, valid_loss = judged(valid)
        accuracy = wilson(judged(test)[0], len(test))
    told = scores(asked, {"accuracy": accuracy}, len(test), right / len(valid), seconds, len(train))
    return replace(told, valid_loss=valid_loss)


def read_photos(path: Path) -> dict[str, list[Photo]]:
    """The images of each split of a tar of split/class/file."""
    found: dict[str, list[Photo]] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                split, label, _ = member.name.split("/")
                found.setdefault(split, []).append(Photo(file.read(), label))
    return found


RIVALS: dict[str, Callable[[Asked], Scores]] = {
    "hf-tokens": hf_tokens,
    "hf-qa": hf_qa,
    "st-cross": st_cross,
    "st-embedding": st_embedding,
    "hf-images": hf_images,
}


def main(arguments: Sequence[str]) -> None:
    name, *rest = arguments or [""]
    if name in ("-h", "--help"):
        print(f"{__doc__}\nThe first word is one of {', '.join(RIVALS)}; then:\n")
        Asked.of(["--help"])
    if name not in RIVALS:
        raise SystemExit(f"{name!r} is not among {', '.join(RIVALS)}")
    asked = Asked.of(rest)
    torch.set_num_threads(cores())
    set_seed(asked.seed)
    print(json.dumps(asdict(RIVALS[name](asked))))


if __name__ == "__main__":
    main(sys.argv[1:])
