"""Adaptation: a causal language model learns every next token of texts (Gururangan et al. 2020, arXiv:2004.10964)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.batches.sequences import Sequences
from luthier.data.columns import ColumnGuess, check, find_text
from luthier.data.row_facts import KnownAnswers, Unusable
from luthier.data.split import text_keys
from luthier.data.table import Table
from luthier.devices import Device
from luthier.forms.form import Columns
from luthier.models.headed import HeadedModel
from luthier.models.heads.language_model import LanguageModel
from luthier.models.hub.tuned_head import WRITES, TunedHead
from luthier.scores.evidence import Generated
from luthier.scores.metrics import judging
from luthier.tasks.chat.likelihood import BY_LIKELIHOOD, LikelihoodTask, firmness_of_loss
from luthier.tasks.chat.recorded import RecordedTexts
from luthier.tasks.chat.replies import Replies, Spoken
from luthier.tasks.chat.task import losses_of, nothing_written
from luthier.tasks.classification.labelled import refuse_nothing_left
from luthier.tasks.kind import Finished, Kind, Roles, Understood, Wishes
from luthier.tasks.metric import chosen_metric
from luthier.tasks.recorded import Recorded
from luthier.tasks.records import TaskRecord
from luthier.tasks.texts import has_content

NAME = "adaptation"


@dataclass(frozen=True)
class Adaptation(LikelihoodTask):
    """A row is a text; there is nothing to answer. Targets are zeros."""

    metric: str = "loss"

    name: ClassVar[str] = NAME  # type: ignore[misc]
    reads: ClassVar[str] = "document"  # type: ignore[misc]
    answer_key: ClassVar[str] = "loss"
    long: ClassVar[str] = "windows"

    @property
    def recorded(self) -> Recorded[Replies]:
        return RecordedTexts(self.metric)

    @property
    def config_labels(self) -> dict[str, Any]:
        return {}

    def firmness(self, rows: int) -> str:
        return firmness_of_loss(rows)

    def infer(self, model: HeadedModel, examples: Examples, device: Device) -> Spoken:
        assert isinstance(model, LanguageModel), "a language model reads"
        assert isinstance(examples, Sequences), "texts are sequences"
        return Spoken(*losses_of(model, examples, device), nothing_written())

    def lines(self, answers: Replies, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The mean surprise at a token of each text, in nats, and how many tokens it has."""
        spoken = answers.spoken
        return [
            {"loss": float(loss / max(1, count)), "tokens": int(count)}
            for loss, count in zip(spoken.losses, spoken.counts, strict=True)
        ]

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return [None] * len(targets)

    def flawless(self, targets: Array) -> Replies:
        rows = len(targets)
        return Replies(Spoken(np.zeros(rows), np.ones(rows, np.int64), nothing_written()))

    def evidence(self, answers: Replies, targets: Array) -> Generated:
        return Generated(answers.spoken.losses, answers.spoken.counts)

    def reported(self, targets: Array) -> tuple[str, ...]:
        return BY_LIKELIHOOD

    def details(self, answers: Replies, targets: Array) -> dict[str, Any]:
        return {}

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "reads": self.reads, "metric": self.metric}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Adaptation":
        return Adaptation(TaskRecord.model_validate(record).metric)


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    """The column of texts: as asked, else by its name or by what it holds. Raises DataError."""
    named = asked["text"]
    if named is not None:
        check(table, named, "text")
        return ColumnGuess({"text": named}, {"text": f"column {named!r}, as named."})
    name, why = find_text(table, table.facts(), besides=None)
    return ColumnGuess({"text": name}, {"text": why})


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    name = columns["text"]
    has_input = has_content(table, name)
    refuse_nothing_left(table, {"text": (name, has_input)})
    nothing = np.zeros(len(table), np.int64)

    def targets(rows: Ints) -> Array:
        return np.zeros(len(rows))

    return Understood(
        task=Adaptation(chosen_metric(wishes.metric, judging(NAME), NAME)),
        usable=np.flatnonzero(has_input),
        unusable=Unusable(np.flatnonzero(~has_input)),
        answers=KnownAnswers(nothing, nothing),
        keys=text_keys(table, name),
        targets=targets,
    )


def of_head(head: TunedHead) -> Finished | None:
    return Finished(Adaptation()) if head.kind == WRITES else None


ADAPTATION = Kind(
    name=NAME,
    example=(
        {"text": "The top of the guitar is made of spruce, which is light and stiff."},
        {"text": "Rosewood at the back gives a warm sound."},
        {"text": "Strings of nylon are softer to the fingers than those of steel."},
    ),
    forms=("document",),
    find=find,
    understand=understand,
    restore=Adaptation.from_json,
)
