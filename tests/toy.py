"""A task that no luthier has, whole: its form, its head, its metric, its kind. What adding one costs is what stands here."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from luthier.arrays import Array, Floats, Ints
from luthier.batches.examples import Batch, Examples
from luthier.data.columns import ColumnGuess, must_exist
from luthier.data.table import Table
from luthier.errors import DataError, ModelError
from luthier.forms.form import Columns, Form, Role, texts_in
from luthier.models.headed import HeadedModel, new_head
from luthier.models.heads.head import Head, Saved, Wanted
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import folder_config, pretrained
from luthier.models.readers.images import Preparation
from luthier.models.readers.texts import Long, Texts
from luthier.models.readers.write_tokenizer import write_tokenizer
from luthier.scores.measures import PerRow
from luthier.scores.metrics import Metric
from luthier.tasks.answers import Answers
from luthier.tasks.calibration import Calibration
from luthier.tasks.classification.labelled import labelled_rows
from luthier.tasks.kind import Kind, Roles, Understood, Wishes
from luthier.tasks.outputs import Logits
from luthier.tasks.records import TaskRecord
from luthier.tasks.task import Baseline, Loss, Model, Task
from luthier.tasks.texts import has_content, input_keys

NAME = "verse-judging"

# What a row is made of


@dataclass(frozen=True)
class Verse(Form):
    """Lines of a verse between slashes, which are read from the last to the first."""

    name: ClassVar[str] = "verse"
    roles: ClassVar[Mapping[str, Role]] = {"verse": Role(text=True)}
    effects: ClassVar[frozenset[str]] = frozenset(
        {"data.long", "model.pooling", "model.hidden", "model.dropout"}
    )
    thing: ClassVar[str] = "verse"
    a_thing: ClassVar[str] = "a verse"

    def open(self, folder: Folder) -> Texts:
        return Texts(folder)

    def read(self, reader: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        return reader.examples([" ".join(reversed(row)) for row in rows], targets, way)

    def inputs(self, table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
        return [self.row(text, "a row") for text in table.texts(columns["verse"], rows)]

    def row(self, value: Any, place: str) -> tuple[str, ...]:
        return tuple(line.strip() for line in str(value).split("/"))

    def from_json(self, record: Mapping[str, Any], place: str = "the row") -> tuple[str, ...]:
        return self.row(texts_in(record, ["verse"], place)[0], place)

    def blank(self, row: Any) -> bool:
        return not any(row)

    def shown(self, table: Table, columns: Columns) -> list[str]:
        return table.texts(columns["verse"])


# What a head answers for


class Both(HeadedModel):
    """The state of the first token and the mean over all, side by side under one linear layer."""

    def features(self, batch: Batch) -> Tensor:
        """(rows, 2 x width), of rows that are one part each."""
        self.tell(batch)
        body: Any = self.body
        states: Tensor = body(**batch.inputs).last_hidden_state.float()
        mask = batch.inputs["attention_mask"].unsqueeze(-1)
        return torch.cat([states[:, 0], (states * mask).sum(1) / mask.sum(1)], dim=1)

    def forward(self, batch: Batch) -> Tensor:
        """(rows, outputs)"""
        logits: Tensor = self.head(self.features(batch))
        return logits


@dataclass(frozen=True)
class BothHead(Head[Both, Texts]):
    """Saved as the bare body, with the last layer in a file of its own."""

    def build(self, folder: Any, wanted: Wanted, preparation: Preparation | None) -> Both:
        body = pretrained(folder, "AutoModel", folder_config(folder, None, wanted.body_dropout))
        return Both(body, wanted.new_head(2 * body.config.hidden_size))

    def reopen(self, folder: Any, saved: Saved, preparation: Preparation | None) -> Both:
        if not (folder.home / "both.safetensors").is_file():
            raise ModelError(f"{folder.home}: its head is gone.")
        body = pretrained(folder, "AutoModel", folder_config(folder, None))
        head = new_head(2 * body.config.hidden_size, (), saved.outputs, 0.0)
        head[-1].load_state_dict(load_file(folder.home / "both.safetensors"))
        return Both(body, head)

    def save(
        self, folder: Path, model: Both, head: nn.Sequential, reader: Texts, settings: dict[str, Any]
    ) -> None:
        body: Any = model.body
        body.save_pretrained(folder)
        save_file(head[-1].state_dict(), folder / "both.safetensors", {"format": "pt"})
        write_tokenizer(folder, reader, reader.limit, lower_case=True)


# What is learnt, answered and scored


@dataclass(frozen=True)
class Verdicts(Answers):
    """Whether each verse is praised."""

    chances: Floats
    """(rows,) how likely it is."""

    def __len__(self) -> int:
        return len(self.chances)

    def select(self, rows: Ints) -> "Verdicts":
        return Verdicts(self.chances[rows])

    @property
    def given(self) -> Array:
        """(rows,) 1 where it is, else 0."""
        return (self.chances > 0.5).astype(np.int64)


@dataclass(frozen=True)
class VerseJudging(Task[Logits, Verdicts]):
    """A verse in, yes or no out. Logits are (rows, 1), targets (rows,) of 0 and 1."""

    metric: str = "agreement"
    name: ClassVar[str] = NAME  # type: ignore[misc]
    reads: ClassVar[str] = "verse"  # type: ignore[misc]
    outputs: ClassVar[int] = 1  # type: ignore[misc]
    head: ClassVar[str] = "both"
    answer_key: ClassVar[str] = "praised"

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        return {"majority": self.majority}

    def majority(self, learnt: Examples, asked: Examples) -> Logits:
        """The more frequent answer, for every verse."""
        sign = 1.0 if learnt.targets.mean() > 0.5 else -1.0
        return Logits(np.full((len(asked), 1), sign, np.float32))

    def loss(self, model: Model, batch: Batch) -> Loss:
        found = model(batch)[:, 0]
        total = functional.binary_cross_entropy_with_logits(found, batch.targets.float(), reduction="sum")
        return Loss(total, len(batch.rows))

    def mean_loss(self, outputs: Logits, examples: Examples) -> float:
        found, truth = torch.from_numpy(outputs.values[:, 0]), torch.from_numpy(examples.targets).float()
        return float(functional.binary_cross_entropy_with_logits(found, truth))

    def answer(self, outputs: Logits, calibration: Calibration, examples: Examples) -> Verdicts:
        return Verdicts(1 / (1 + np.exp(-outputs.values[:, 0].astype(np.float64))))

    def flawless(self, targets: Array) -> Verdicts:
        return Verdicts(targets.astype(np.float64))

    def evidence(self, answers: Verdicts, targets: Array) -> Floats:
        """(rows,) 1 where the answer is right, else 0."""
        right: Floats = (answers.given == targets).astype(np.float64)
        return right

    def reported(self, targets: Array) -> tuple[str, ...]:
        return ("agreement",)

    def details(self, answers: Verdicts, targets: Array) -> dict[str, Any]:
        return {}

    def lines(self, answers: Verdicts, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        return [{"praised": bool(one), "chance": round(float(chance), 6)} for one, chance in
                zip(answers.given, answers.chances, strict=True)]  # fmt: skip

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return [bool(one) for one in targets]

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "reads": self.reads, **asdict(self)}


AGREEMENT = Metric(
    "Agreement",
    "the share of verses judged as people do",
    {NAME: lambda right: PerRow(right, share=True)},
    judges=(NAME,),
    percent=True,
)


# The kind: how its columns are found, how its rows are understood


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    named = {"verse": asked["verse"] or "lines", "label": asked["label"] or "praised"}
    for role, name in named.items():
        must_exist(table, name, role)
    return ColumnGuess(named, dict.fromkeys(named, "by its name"))


def claims(table: Table) -> str | None:
    return "verses with a verdict" if {"lines", "praised"} <= set(table.names) else None


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    verses = {"verse": (columns["verse"], has_content(table, columns["verse"]))}
    keys = input_keys(table, {"text": columns["verse"]})
    found = labelled_rows(table, NAME, "verse", verses, columns["label"], keys, roles, wishes)
    if found.answers.labels != ("no", "yes"):
        raise DataError(
            f"{table.files[0]}: column {columns['label']!r}: expected yes and no. Write them so, or name another column with "
            "--label."
        )
    return replace(found, task=VerseJudging(), answers=replace(found.answers, labels=()))


def restore(record: dict[str, Any]) -> VerseJudging:
    return VerseJudging(TaskRecord.model_validate(record).metric)


VERSE_JUDGING = Kind(
    name=NAME,
    example=(
        {"lines": "The strings are new / and stay in tune", "praised": "yes"},
        {"lines": "The neck is cracked / the case is blue", "praised": "no"},
    ),
    forms=("verse",),
    find=find,
    understand=understand,
    restore=restore,
    claims=claims,
)
