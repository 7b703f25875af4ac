"""`luthier export`: the model of a run in the format of another program."""

import csv
import os
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import luthier
from luthier.batches.sequences import Sequences
from luthier.errors import DataError, InputError, ModelError, PlanError, did_you_mean, listing
from luthier.events import Doubted, Event, Noted
from luthier.export import EXPORTERS
from luthier.export.export_record import FileRecord
from luthier.export.exporter import Exporter
from luthier.export.exporting import MOST_PROMPTS, Order, Prompts, default_file, export
from luthier.export.original import Original
from luthier.folder.model_folder import ModelFolder
from luthier.folder.model_record import library_of
from luthier.plan.plan import Plan
from luthier.prepare.rows import understand
from luthier.report.run_records import TableRecord, read_optional

MESSAGES = Path(luthier.__file__).parent / "demo" / "messages_test.csv"

MOST_OF_TEXT = 64
"""Tokens of a text without an answer of which the first half is asked."""


@dataclass(frozen=True)
class Exported:
    """A file that was written, and how far it lies from the original."""

    path: Path
    record: FileRecord

    def to_json(self) -> dict[str, Any]:
        return {"file": str(self.path), **self.record.to_json()}


def export_run(
    run: Path, plan: Plan | None, format: str, kind: str | None, out: Path | None, stop: Callable[[], bool]
) -> Generator[Event, None, Exported]:
    """Write a run's model in a format, compared with the original before it is called done.

    plan: of the run, whose held-out rows both are asked; luthier's own messages where it is None.  kind: number type of the
    weights; the format's default where it is None.  out: the file; one in RUN/export/ where it is None.

    Raises PlanError for a format or a type that is none, RunError where there is no run, ModelError for a model that the format
    does not hold, WorldError where a library is missing or the file is not the model.
    """
    exporter = exporter_named(format)
    kind = kind_named(exporter, format, kind)
    refuse_other_ending(exporter, out)
    found = ModelFolder(run)
    refuse_inside_model(found, out)
    exporter.refuse_missing_library()
    original = Original(found.folder)
    why_not = exporter.why_not(original)
    if why_not is not None:
        library = library_of(found.folder.pooling)
        raise ModelError(
            f"{found.model_path}: cannot be written as {format}: {why_not}. The folder itself opens in {library} as it is."
        )
    for doubt in found.doubts:
        yield Doubted(doubt, 0.0)
    path = out or default_file(home_of(found), kind, exporter.ending)
    order = Order(format, kind, path, name_of(found))
    prompts = yield from prompts_for(found, plan, original)
    record = yield from export(exporter, original, order, prompts, stop)
    return Exported(path, record)


def exporter_named(format: str) -> Exporter:
    """Return the exporter of a format. Raises PlanError, with the nearest, for a name that is none."""
    if format not in EXPORTERS:
        there = "; ".join(f"{name}, {exporter.words}" for name, exporter in EXPORTERS.items())
        raise PlanError(
            f"--format {format}: there is no such format.{did_you_mean(format, EXPORTERS)} There is {there}."
        )
    return EXPORTERS[format]


def kind_named(exporter: Exporter, format: str, kind: str | None) -> str:
    """Return the number type that is asked for, however it is spelt. Raises PlanError, with the nearest, for one that is none."""
    if kind is None:
        return next(iter(exporter.types))
    by_lower = {name.lower(): name for name in exporter.types}
    if kind.lower() not in by_lower:
        raise PlanError(
            f"--type {kind}: {format} is not written in it.{did_you_mean(kind, exporter.types)} "
            f"There is {listing(exporter.types)}."
        )
    return by_lower[kind.lower()]


def refuse_other_ending(exporter: Exporter, out: Path | None) -> None:
    """Raise PlanError for a file whose name would hide what it is, or that may be another's."""
    if out is not None and out.suffix.lower() != exporter.ending:
        raise PlanError(
            f"--out {out}: expected a name that ends with {exporter.ending}, by which programs know the format. "
            f"Call it {out.with_suffix(exporter.ending).name}."
        )


def refuse_inside_model(found: ModelFolder, out: Path | None) -> None:
    """Raise PlanError for a file in the model's own folder, whose files are known one by one."""
    if out is not None and found.model_path.resolve() in out.resolve().parents:
        raise PlanError(
            f"--out {out}: lies in the model's own folder, which holds nothing but the model. Name a file beside it."
        )


def home_of(found: ModelFolder) -> Path:
    """Return the folder that exports lie in: the run's, or the one around a model folder that was named itself."""
    return found.path if found.model_path != found.path else Path(os.path.realpath(found.path)).parent


def name_of(found: ModelFolder) -> str:
    """Return what a model is called in an exported file."""
    return f"{Path(found.model_record.base).name}, tuned by luthier"


def prompts_for(found: ModelFolder, plan: Plan | None, original: Original) -> Generator[Event, None, Prompts]:
    """Return what the exported model and the original are asked: the run's held-out rows where they are still there as they were,
    else luthier's own messages, as a user's turn where the model has a chat template."""
    if plan is not None and found.task.speaks:
        begin = time.monotonic()
        try:
            rows = held_out(plan, found)
        except InputError as error:
            yield Noted(f"The run's held-out rows are not asked: {error}", time.monotonic() - begin)
        else:
            return Prompts([asked_of(rows, row) for row in range(len(rows))], "the run's held-out rows")
    with open(MESSAGES, encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:MOST_PROMPTS]
    return Prompts(list(prompted(original.tokenizer, texts)), "luthier's own messages")


def held_out(plan: Plan, found: ModelFolder) -> Sequences:
    """Return the first rows of a run's test part as its model reads them when it is asked.

    Raises InputError where the files cannot be read, or have changed since the run.
    """
    rows = understand(plan)
    recorded = read_optional(found.path / "table.json", TableRecord, within=found.path)
    if recorded is None or recorded.fingerprint != rows.table.fingerprint:
        raise DataError(f"{plan.data.path}: holds other rows than when the run was made.")
    return cast(Sequences, found.examples(rows.inputs(rows.split.test[:MOST_PROMPTS])))


def asked_of(rows: Sequences, row: int) -> list[int]:
    """Return the tokens that stand before a row's answer; of a text that has none, as all of it is learnt, the first half."""
    asked: list[int] = rows.prompt(row).tolist()
    if len(asked) > 1:
        return asked
    text: list[int] = rows.sequence(int(rows.first_part[row]))[:MOST_OF_TEXT].tolist()
    return text[: max(1, len(text) // 2)]


def prompted(tokenizer: Any, texts: Iterable[str]) -> Iterable[list[int]]:
    """Yield texts as the prompts of a model."""
    for text in texts:
        if tokenizer.chat_template is None:
            yield tokenizer.encode(text)
        else:
            yield tokenizer.apply_chat_template(
                [{"role": "user", "content": text}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=False,
            )
