"""A model written in another format, and compared with the original before it is called done."""

import os
import shutil
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.errors import DiskError, Interrupted, WorldError, listing
from luthier.events import Advanced, Event, Noted, Started
from luthier.export.export_record import (
    AnswersRecord,
    FileRecord,
    PartingRecord,
    TokensRecord,
    WeightsRecord,
    read_exports,
    write_exports,
)
from luthier.export.exporter import Exporter
from luthier.export.greedy import Answer, Parting, original_answers, parting
from luthier.export.original import Original
from luthier.files import existing_parent, whole_file
from luthier.hashes import hash_file

MOST_TOKENS = 32
"""The most tokens of an answer that is compared."""
MOST_PROMPTS = 100
HEADER = 20_000_000
"""Bytes that a file may take beside its weights: the vocabulary."""
TEXTS = (
    "",
    " ",
    "a",
    " a blank before",
    "two  blanks,   three,\ttabs\n\nand lines\r\n",
    "It's 12345 o'clock, 3.14 or -7 °C: we'll see!",
    "Zoë naïve façade — “quotes” … ½ ﬁ",
    "Привет, мир. 東京都 こんにちは 안녕하세요 مرحبا",
    "🙂👩‍👩‍👧 \u200b\ufeff\u0000",
    "def f(x):\n    return x[0] + {'a': 1}['a']  # done",
)
"""Texts that tokenizers read in different ways, beside those of the prompts."""


@dataclass(frozen=True)
class Prompts:
    """What a model is asked, as token numbers, to compare its answers."""

    tokens: Sequence[Sequence[int]]
    source: str
    """Where they come from, in words."""

    def fitting(self, original: Original) -> list[Sequence[int]]:
        """Return as many as are compared, of those that leave the model room for an answer."""
        room = int(original.folder.config["max_position_embeddings"]) - MOST_TOKENS
        return [prompt for prompt in self.tokens if 0 < len(prompt) <= room][:MOST_PROMPTS]


@dataclass(frozen=True)
class Order:
    """What is to be written, and where."""

    format: str
    kind: str
    """The number type of the weights."""
    out: Path
    name: str
    """What the model is called in the file."""


def export(
    exporter: Exporter, original: Original, order: Order, prompts: Prompts, stop: Callable[[], bool]
) -> Generator[Event, None, FileRecord]:
    """Write a model, compare it with the original, and give the file its name if it passes.

    Raises WorldError, with nothing kept, where it does not; ModelError is for whoever asks `why_not` before.
    """
    begin = time.monotonic()
    others = read_exports(order.out.parent)
    refuse_full_disk(exporter.size(original, order.kind) + HEADER, order.out)
    with whole_file(order.out) as part:
        yield Started("export", time.monotonic() - begin, len(original.folder.tensors))
        for done, _ in enumerate(exporter.write(original, order.kind, part, order.name), start=1):
            heed(stop)
            yield Advanced(done, time.monotonic() - begin)
        notes = exporter.notes(original, order.kind)
        if not prompts.fitting(original):
            notes.append("No prompt leaves the model room for an answer: no answers were compared.")
        for note in notes:
            yield Noted(note, time.monotonic() - begin)
        weights = weights_compared(exporter, original, part)
        tokens = tokens_compared(exporter, original, part, prompts)
        answers = yield from answers_compared(exporter, original, part, order, prompts, stop)
        found = FileRecord(
            format=order.format,
            type=order.kind,
            bytes=part.stat().st_size,
            sha256=hash_file(part),
            made_of=original.folder.fingerprint(),
            weights=weights,
            tokens=tokens,
            answers=answers,
            notes=notes,
        )
    write_exports(order.out.parent, {**others, order.out.name: found})
    return found


def heed(stop: Callable[[], bool]) -> None:
    """Raise Interrupted where the user wants to stop."""
    if stop():
        raise Interrupted("Interrupted: the file was not finished, and nothing of it is kept.")


def refuse_full_disk(size: int, out: Path) -> None:
    """Raise DiskError where a file has no room."""
    free = shutil.disk_usage(existing_parent(out.absolute())).free
    if size > free:
        raise DiskError(
            f"{out}: takes about {size / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free there. Free some space, choose a "
            "smaller --type, or name a file on another disk with --out."
        )


def weights_compared(exporter: Exporter, original: Original, part: Path) -> dict[str, WeightsRecord]:
    """Return how far the weights of a file lie from the original's. Raises WorldError where that is further than by rounding."""
    found = exporter.weights_differ(original, part)
    beyond = [name for one in found.values() for name in one.beyond]
    if beyond:
        raise failed(f"{listing(beyond, 3)} read back further from the original than rounding can explain")
    return {
        kind: WeightsRecord(
            tensors=one.tensors, largest_difference=one.largest, largest_weight=one.largest_weight
        )
        for kind, one in found.items()
    }


def tokens_compared(exporter: Exporter, original: Original, part: Path, prompts: Prompts) -> TokensRecord:
    """Return how many texts a file's tokenizer reads otherwise. Raises WorldError where its vocabulary makes other tokens."""
    tokenizer = original.tokenizer
    asked = [list(prompt) for prompt in prompts.fitting(original)]
    texts = [*TEXTS, *(tokenizer.decode(prompt, skip_special_tokens=True) for prompt in asked)]
    texts += [tokenizer.decode(prompt) for prompt in asked[:1]]
    found = exporter.tokens_differ(original, part, texts)
    if found.vocabulary:
        raise failed(f"its tokenizer makes other tokens of {found.vocabulary} of {found.texts} texts")
    return TokensRecord(texts=found.texts, other_vocabulary=found.vocabulary, other_reader=found.reader)


def answers_compared(
    exporter: Exporter,
    original: Original,
    part: Path,
    order: Order,
    prompts: Prompts,
    stop: Callable[[], bool],
) -> Generator[Event, None, AnswersRecord]:
    """Return how many greedy answers are the original's. Raises WorldError where that are too few for the number type.

    One model stands in memory at a time.
    """
    begin = time.monotonic()
    asked = prompts.fitting(original)
    yield Started("compare", 0.0, 2 * len(asked))
    answers: list[Answer] = []
    for answer in original_answers(original.model(), asked, original.end_tokens, MOST_TOKENS):
        heed(stop)
        answers.append(answer)
        yield Advanced(len(answers), time.monotonic() - begin)
    model = exporter.open(original, part)
    partings: list[Parting] = []
    for number, answer in enumerate(answers):
        heed(stop)
        found = parting(model, number, answer)
        partings += [found] if found else []
        yield Advanced(len(answers) + number + 1, time.monotonic() - begin)
    record = answers_record(original.tokenizer, len(asked), partings, prompts.source)
    if record.agree < exporter.types[order.kind] * record.prompts:
        raise failed(
            f"only {record.agree} of {record.prompts} greedy answers are the original's, and {order.kind} wants "
            f"{exporter.types[order.kind]:.0%}"
        )
    return record


def answers_record(tokenizer: Any, asked: int, partings: Sequence[Parting], source: str) -> AnswersRecord:
    """Return the comparison of answers as a record, with the texts of tokens."""
    told = [
        PartingRecord(
            prompt=one.prompt,
            at=one.at,
            original=tokenizer.decode([one.original]),
            exported=tokenizer.decode([one.exported]),
            original_margin=one.original_margin,
            exported_margin=one.exported_margin,
        )
        for one in partings
    ]
    return AnswersRecord(prompts=asked, prompts_from=source, agree=asked - len(told), partings=told)


def failed(why: str) -> WorldError:
    return WorldError(
        f"The exported file is not the model that it was made of: {why}. It was not kept. Try another --type, and report it."
    )


def default_file(run: Path, kind: str, ending: str) -> Path:
    """Return where an export goes if nobody says.

    >>> default_file(Path("runs/mail"), "Q8_0", ".gguf")
    PosixPath('runs/mail/export/mail-Q8_0.gguf')
    """
    name = run.name or Path(os.path.realpath(run)).name
    return run / "export" / f"{name}-{kind}{ending}"
