"""Chat: a model learns to write the assistant's turns of conversations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from luthier.arrays import Array, Floats, Ints
from luthier.batches.examples import Examples
from luthier.batches.sequences import Sequences, Writer
from luthier.devices import Device
from luthier.models.chat.locate import Learnt
from luthier.models.generation import Decoding, write
from luthier.models.headed import HeadedModel
from luthier.models.heads.language_model import LanguageModel
from luthier.predict import over_rows
from luthier.scores.evidence import Generated
from luthier.scores.generated import LIKENESSES, text_scores
from luthier.scores.verifiers import VERIFIERS
from luthier.tasks.chat.in_context import Demonstrations
from luthier.tasks.chat.likelihood import BY_LIKELIHOOD, LikelihoodTask, firmness_of_loss
from luthier.tasks.chat.recorded import RecordedTexts
from luthier.tasks.chat.replies import Replies, Spoken, Written, written_by_row, written_lines
from luthier.tasks.chat.verified import Verified
from luthier.tasks.checkable import Checkable
from luthier.tasks.in_context import InContext
from luthier.tasks.recorded import Recorded
from luthier.tasks.records import ChatRecord
from luthier.tasks.writing import Writing

NAME = "chat"
VALIDATED = 200
"""Rows of the validation part whose answers are written at the most."""
SHOWN = 20
"""Rows of the test part whose answers are written where no score needs them, for a person to look at."""
ROOM = 1.5
"""Tokens that an answer may have, as a multiple of those of the longest right answer."""
FEWEST = 16


@dataclass(frozen=True)
class Chat(LikelihoodTask):
    """A row is a conversation that ends with the assistant's turn. Targets are (rows,) the texts of these turns."""

    metric: str = "loss"
    pattern: str | None = None
    """The regular expression of `regex_match`, where one serves for all rows."""
    learnt: Learnt = "answers"
    """Which tokens are learnt: those of the assistant's turns, of the last of them alone, or all."""
    most: int | None = None
    """Tokens of an answer at the most; None: not known yet."""
    verify: str | None = None
    """How the model's own answers are checked, where it learns from those that pass; a key of VERIFIERS."""
    system: str | None = None
    """What is said in a first turn to conversations that have no such turn."""

    name: ClassVar[str] = NAME  # type: ignore[misc]
    reads: ClassVar[str] = "conversation"  # type: ignore[misc]
    answer_key: ClassVar[str] = "text"

    @property
    def checkable(self) -> Checkable | None:
        return None if self.verify is None else Verified(self.verify, self.pattern, self.most)

    @property
    def recorded(self) -> Recorded[Replies]:
        return RecordedTexts(self.metric, self.written, self.pattern)

    @property
    def in_context(self) -> InContext:
        return Demonstrations()

    @property
    def config_labels(self) -> dict[str, Any]:
        """How many tokens an answer may have, for generation_config.json."""
        return {} if self.most is None else {"max_new_tokens": self.most}

    @property
    def written(self) -> tuple[str, ...]:
        """Scores of what is written, beside its likeness to the right answer."""
        return (self.metric,) if self.metric in VERIFIERS else ()

    @property
    def gap_metric(self) -> str:
        """Nothing is written to training rows: it would take as long as all that is written to the test rows."""
        return self.metric if self.metric in BY_LIKELIHOOD else "loss"

    def firmness(self, rows: int) -> str:
        return firmness_of_loss(rows) if self.metric in BY_LIKELIHOOD else super().firmness(rows)

    def having_read(self, examples: Examples) -> "Chat":
        assert isinstance(examples, Sequences), "conversations are sequences"
        if self.most is not None or not len(examples):
            return self
        longest = int(examples.answers(np.arange(len(examples))).max())
        if self.learnt == "answers":  # of which any may be the longest
            longest = max(longest, examples.longest_learnt)
        return replace(self, most=max(FEWEST, round(ROOM * longest)))

    def asked(self, part: str, examples: Examples) -> Examples:
        assert isinstance(examples, Sequences), "conversations are sequences"
        if examples.writer is None:
            return examples
        judged = self.metric not in BY_LIKELIHOOD
        rows = {"valid": VALIDATED if judged else 0, "test": None if judged else SHOWN}.get(part, 0)
        writer = replace(examples.writer, most=self.most or examples.writer.most, rows=rows)
        return replace(examples, writer=writer)

    def writing(self, examples: Examples) -> Writing | None:
        assert isinstance(examples, Sequences), "conversations are sequences"
        rows, writer = examples.written, examples.writer
        if writer is None:
            return None
        prompts = tuple(tuple(examples.prompt(row).tolist()) for row in rows.tolist())
        return Writing(prompts, examples.answers(rows), writer.most, frozenset(writer.end))

    # Answering

    def infer(self, model: HeadedModel, examples: Examples, device: Device) -> Spoken:
        assert isinstance(model, LanguageModel), "a language model answers"
        assert isinstance(examples, Sequences), "conversations are sequences"
        losses, counts = losses_of(model, examples, device)
        return Spoken(losses, counts, written_to(model, examples, device))

    def lines(self, answers: Replies, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        return written_lines(answers.spoken.written, len(answers))

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return list(targets)

    def flawless(self, targets: Array) -> Replies:
        rows = len(targets)
        everything = Written(np.arange(rows), tuple(map(str, targets)), np.ones(rows, np.int64))
        return Replies(Spoken(np.zeros(rows), np.ones(rows, np.int64), everything))

    # Scores

    def evidence(self, answers: Replies, targets: Array) -> Generated:
        spoken = answers.spoken
        right = [str(targets[row]) for row in spoken.written.rows]
        scores = text_scores(spoken.written.texts, right, (*self.written, *LIKENESSES), self.pattern)
        return Generated(spoken.losses, spoken.counts, scores, spoken.written.rows)

    def reported(self, targets: Array) -> tuple[str, ...]:
        """By likelihood alone where nothing is judged that is written: then too few answers are written to score them."""
        if self.metric in BY_LIKELIHOOD:
            return BY_LIKELIHOOD
        return tuple(dict.fromkeys((self.metric, *self.written, *LIKENESSES, *BY_LIKELIHOOD)))

    def details(self, answers: Replies, targets: Array) -> dict[str, Any]:
        """How many answers were written, and how many of them were cut at their length."""
        written = answers.spoken.written
        return {
            "written": {
                "rows": len(written.rows),
                "cut_at_length": int((written.stopped == 0).sum()),
                "most_tokens": self.most,
            }
        }

    def samples(self, answers: Mapping[str, Replies], targets: Array) -> list[dict[str, Any]]:
        by_row = {name: written_by_row(one.spoken.written) for name, one in answers.items()}
        kept = next(iter(by_row.values()))
        return [
            {
                "at": row,
                "right": str(targets[row]),
                "answers": {name: texts[row] for name, texts in by_row.items() if row in texts},
            }
            for row in list(kept)[:SHOWN]
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "reads": self.reads,
            "metric": self.metric,
            "pattern": self.pattern,
            "learnt": self.learnt,
            "most": self.most,
            "system": self.system,
            "verify": self.verify,
        }

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Chat":
        told = ChatRecord.model_validate(record)
        return Chat(told.metric, told.pattern, told.learnt, told.most, told.verify, told.system)


@torch.inference_mode()
def losses_of(model: LanguageModel, examples: Sequences, device: Device) -> tuple[Floats, Ints]:
    """(rows,) each: the surprise at what is to be learnt of a row in nats, summed over its tokens, and their number."""
    losses, counts = np.zeros(len(examples)), np.zeros(len(examples), np.int64)
    if not examples.trained.any():
        return losses, counts
    model.eval()
    for batch in over_rows(examples, device):
        assert batch.packed is not None, "sequences are packed"
        found = -model(batch).double().cpu().numpy()
        row = batch.rows[batch.part_of.cpu().numpy()[batch.packed.predictions.sequence.cpu().numpy()]]
        losses += np.bincount(row, found, len(losses))
        counts += np.bincount(row, minlength=len(losses))
    return losses, counts


def written_to(model: LanguageModel, examples: Sequences, device: Device) -> Written:
    """What a model answers to the rows that it is to answer."""
    rows, writer = examples.written, examples.writer
    if not len(rows) or writer is None:
        return nothing_written()
    prompts = [examples.prompt(row).tolist() for row in rows.tolist()]
    with model.writing() as body:
        found = write(body, prompts, decoding(writer), device.torch)
    stopped = np.array([one.finish == "stop" for one in found], np.int64)
    return Written(rows, tuple(writer.spell(one.ids) for one in found), stopped)


def nothing_written() -> Written:
    """No text to any row."""
    return Written(np.zeros(0, np.int64), (), np.zeros(0, np.int64))


def decoding(writer: Writer) -> Decoding:
    """How an answer is written: the likeliest token after the other."""
    return Decoding(frozenset(writer.end), writer.most)
