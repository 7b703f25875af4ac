"""Parts of texts as answers: where they begin and end, and whether there is one."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from luthier.arrays import Array
from luthier.batches.examples import Batch, Examples
from luthier.batches.passages import END, START, Gold, Passage
from luthier.batches.text_examples import TextExamples
from luthier.models.readers.questions import leaves_room
from luthier.models.readers.texts import Texts
from luthier.scores import answers as scores_of
from luthier.scores.calibration import fit_platt_per_label
from luthier.scores.classification import Reliability
from luthier.scores.evidence import Answered
from luthier.tasks.calibration import Calibrating, Calibration
from luthier.tasks.classification.task import bins_of
from luthier.tasks.made_rows import MadeRows
from luthier.tasks.outputs import Logits
from luthier.tasks.question_answering.cloze import cloze_questions
from luthier.tasks.question_answering.overlap import nearest_sentence
from luthier.tasks.question_answering.spans import (
    FAR,
    SUREST,
    Found,
    Said,
    Spans,
    best_answer,
    said_of,
    tokens_of,
)
from luthier.tasks.recorded import Line, Recorded
from luthier.tasks.records import AnswerRecord
from luthier.tasks.task import Baseline, Learning, Loss, Model, Task

NAME = "question-answering"
ENOUGH = 20_000
"""Questions from which a model learns to answer as well as more would teach it, roughly: a quarter of SQuAD."""
SO_FAR = "all-MiniLM-L6-v2 came to an F1 of 0.51 with 775 questions of XQuAD"
"""benchmarks/RESULTS.md, "Other tasks"."""
NEARLY_ALL = 0.99
"""Share of the training rows' answers that are no longer than the longest answer that may be given."""
SURE = 10.0
"""Logit of an answer that is given without a model."""


@dataclass(frozen=True)
class QuestionAnswering(Task[Logits, Spans]):
    """A row is a question with a text. Units are tokens: logits are (tokens, 2), of beginning and ending there.

    Targets are (rows,) objects, each a Gold.
    """

    metric: str = "f1"
    language: str = "en"
    longest: int | None = None
    """Characters of the longest answer that is given; None: any."""

    name: ClassVar[str] = NAME  # type: ignore[misc]
    reads: ClassVar[str] = "question"  # type: ignore[misc]
    outputs: ClassVar[int] = 2  # type: ignore[misc]
    head: ClassVar[str] = "spans"
    answer_key: ClassVar[str] = "answer"
    long: ClassVar[str] = "windows"

    @property
    def calibrating(self) -> Calibrating[Logits, Spans]:
        return CalibratedSpans(self)

    @property
    def recorded(self) -> Recorded[Spans]:
        return RecordedSpans(self.language)

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        return {"nothing": self.no_answer, "overlap": self.overlap}

    @property
    def learning(self) -> Learning:
        return Learning(new_skill=True)

    @property
    def made_rows(self) -> MadeRows:
        return ClozeRows()

    def loss(self, model: Model, batch: Batch) -> Loss:
        """Mean of two cross-entropies, of where the answer begins and ends, over the tokens that could be either."""
        assert batch.marks is not None, "tokens are marked"
        logits = model(batch).masked_fill((batch.marks < 0).unsqueeze(-1), -torch.inf)
        total = logits.new_zeros(())
        for at, bit in enumerate((START, END)):
            wanted = ((batch.marks > 0) & (batch.marks & bit > 0)).float().argmax(dim=1)
            total = total + functional.cross_entropy(logits[..., at], wanted, reduction="sum") / 2
        return Loss(total, len(batch.marks))

    def mean_loss(self, outputs: Logits, examples: Examples) -> float:
        assert isinstance(examples, TextExamples), "questions are texts"
        assert examples.tokens is not None, "tokens answer"
        marks, logits, total = examples.tokens.marks, outputs.values, 0.0
        for begin, end in zip(examples.ends, examples.ends[1:], strict=False):
            own = marks[begin:end]
            scores = np.where(own[:, None] >= 0, logits[begin:end].astype(np.float64), -np.inf)
            scores = scores - scores.max(axis=0)
            logs = scores - np.log(np.exp(scores).sum(axis=0))
            for at, bit in enumerate((START, END)):
                total -= float(logs[int(((own > 0) & (own & bit > 0)).argmax()), at]) / 2
        return total / max(1, len(examples.ends) - 1)

    def having_seen(self, targets: Array) -> "QuestionAnswering":
        """With the length of the longest answers but one in a hundred: hardly any is longer."""
        lengths = [len(gold.texts[0]) for gold in targets if gold.texts]
        return replace(self, longest=math.ceil(np.quantile(lengths, NEARLY_ALL)) if lengths else None)

    def no_answer(self, learnt: Examples, asked: Examples) -> Logits:
        """No answer anywhere: every window points at its first token."""
        assert isinstance(asked, TextExamples), "questions are texts"
        found = np.full((asked.units, 2), -SURE, np.float32)
        found[asked.ends[:-1]] = SURE
        return Logits(found, asked.unit_ends)

    def overlap(self, learnt: Examples, asked: Examples) -> Logits:
        """The sentence with most of the question's words, or what of its end may be an answer; else no answer."""
        assert asked.sources is not None, "rows know where their tokens stand"
        assert asked.unit_ends is not None, "tokens are units"
        found = self.no_answer(learnt, asked)
        for begin, passage in zip(asked.unit_ends, asked.sources, strict=False):
            near = nearest_sentence(passage.question, passage.context)
            if near is None:
                continue
            place, share = near
            span = tokens_of(passage, place, self.longest)
            if span is not None:
                found.values[begin + np.array(span), (0, 1)] = SURE + share
        return found

    def found(self, outputs: Logits, calibration: Calibration, examples: Examples) -> tuple[Found, ...]:
        """The best answer of each row, in whatever window it stands."""
        assert examples.unit_ends is not None, "tokens are units"
        assert examples.sources is not None, "rows know where their tokens stand"
        ends, logits = examples.unit_ends, outputs.values
        return tuple(
            best_answer(passage, logits[ends[row] : ends[row + 1]], calibration, self.longest)
            for row, passage in enumerate(examples.sources)
        )

    def answer(self, outputs: Logits, calibration: Calibration, examples: Examples) -> Spans:
        found = self.found(outputs, calibration, examples)
        return Spans(found, said_of(found, calibration))

    def flawless(self, targets: Array) -> Spans:
        said = tuple(
            Said(gold.texts[0], gold.starts[0], gold.starts[0] + len(gold.texts[0])) if gold.texts else Said()
            for gold in targets
        )
        found = (Found(one.text, one.start, one.end, 0.0, 0.0, 1.0, 1.0) for one in said)
        return Spans(tuple(found), said)

    def expectation(self, rows: int) -> str | None:
        if rows >= ENOUGH:
            return None
        return (
            f"This model has never answered questions, and {rows:,} are few to learn it from: {SO_FAR}. A model that was tuned "
            "on SQuAD (--model), or other questions to learn from first (--warm-up FILE), comes further."
        )

    def per_row(self, answers: Spans, targets: Array) -> Array:
        """(rows, 2) exact match and F1."""
        return scores_of.per_row(answers.texts, [gold.texts for gold in targets], self.language)

    def evidence(self, answers: Spans, targets: Array) -> Answered:
        exact, f1 = self.per_row(answers, targets).T
        return Answered(exact, f1, answerable(targets))

    def reported(self, targets: Array) -> tuple[str, ...]:
        has = answerable(targets)
        apart = ("answerable_f1", "unanswerable_accuracy") if has.any() and not has.all() else ()
        return ("f1", "exact_match", *apart)

    def details(self, answers: Spans, targets: Array) -> dict[str, Any]:
        exact, f1 = self.per_row(answers, targets).T
        answerable = np.array([bool(gold.texts) for gold in targets])
        silent = np.array([not one.text for one in answers.said])
        return {
            "answers": {
                "right": int((exact > 0).sum()),
                "partly": int(((exact == 0) & (f1 > 0)).sum()),
                "wrong": int(((f1 == 0) & ~silent).sum()),
                "silent_though_answerable": int((silent & answerable).sum()),
                "answered_though_unanswerable": int((~silent & ~answerable).sum()),
                "unanswerable": int((~answerable).sum()),
            },
            "language": self.language,
        }

    def lines(self, answers: Spans, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        return [
            {
                "answer": said.text,
                "start": said.start if said.text else None,
                "end": said.end if said.text else None,
                "probability": round(found.probability if said.text else found.silence, 6),
            }
            for found, said in zip(answers.found, answers.said, strict=True)
        ]

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return [list(gold.texts) for gold in targets]

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "reads": self.reads, **asdict(self)}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "QuestionAnswering":
        told = AnswerRecord.model_validate(record)
        return QuestionAnswering(told.metric, told.language, told.longest)


@dataclass(frozen=True)
class CalibratedSpans(Calibrating[Logits, Spans]):
    """Lines from the lead of the best answer to its chance of being right, word for word, and from its margin to the chance that
    there is no answer (Platt 1999)."""

    task: QuestionAnswering

    part: ClassVar[str] = "valid"  # type: ignore[misc]

    def fit(self, outputs: Logits, examples: Examples) -> Calibration:
        if len(examples) < self.fewest:
            return Calibration()
        found = self.task.found(outputs, Calibration(), examples)
        right = [
            scores_of.exact_match(one.text, gold.texts, self.task.language)
            for one, gold in zip(found, examples.targets, strict=True)
        ]
        silent = [not gold.texts for gold in examples.targets]
        scores = np.clip([(one.lead, one.margin) for one in found], -SUREST, SUREST)
        platt = fit_platt_per_label(scores, np.array([right, silent], bool).T)
        return Calibration(scale=platt.scale, bias=platt.bias)

    def unchanged(self, examples: Examples) -> Calibration:
        """As for SQuAD 1.1, where every question has an answer, so that one is always given; else as for SQuAD 2.0."""
        return Calibration(thresholds=(FAR,)) if answerable(examples.targets).all() else Calibration()

    def decide(self, calibration: Calibration, outputs: Logits, examples: Examples) -> Calibration:
        """The margin from which on nothing is answered, best on these rows (SQuAD 2.0's evaluate-v2.0.py)."""
        if len(examples) == 0:
            return calibration
        found = self.task.found(outputs, calibration, examples)
        golds = [gold.texts for gold in examples.targets]
        answerable = np.array([bool(texts) for texts in golds])
        if answerable.all():
            threshold = FAR
        else:
            f1 = scores_of.per_row([one.text for one in found], golds, self.task.language)[:, 1]
            margins = np.array([one.margin for one in found])
            threshold, _ = scores_of.best_threshold(margins, f1, answerable)
        return replace(calibration, thresholds=(threshold,))

    def trust(
        self, plain: Spans, calibrated: Spans, targets: Array, calibration: Calibration
    ) -> dict[str, Any]:
        # What was said is compared as the calibration says it: its threshold is of margins, which it does not change.
        spans = (Spans(one.found, said_of(one.found, calibration)) for one in (plain, calibrated))
        before, after = (sureness(one, targets, self.task.language) for one in spans)
        return {
            "calibration": {
                "scale": list(calibration.scale),
                "bias": list(calibration.bias),
                "threshold": list(calibration.thresholds),
                "ece_before": before.expected_calibration_error,
                "ece_after": after.expected_calibration_error,
                "of": "answers, and of saying nothing",
            },
            "reliability": {
                "before": bins_of(before),
                "after": bins_of(after),
            },
        }


@dataclass(frozen=True)
class RecordedSpans(Recorded[Spans]):
    """The text of each answer, and the texts that are right."""

    language: str

    def evidence(self, lines: Sequence[Line]) -> Answered:
        right = [tuple(line["label"]) for line in lines]
        exact, f1 = scores_of.per_row([line["prediction"] for line in lines], right, self.language).T
        return Answered(exact, f1, np.array([bool(texts) for texts in right]))


class ClozeRows(MadeRows):
    """Questions about the same texts, made of their sentences."""

    def make(
        self, inputs: Sequence[Passage], targets: Array, dice: np.random.Generator
    ) -> Iterator[tuple[Passage, Gold]]:
        pairs = zip(inputs, targets, strict=True)
        known = [(row.question, gold.texts[0] if gold.texts else "") for row, gold in pairs]
        for one in cloze_questions([row.context for row in inputs], known, dice):
            gold = Gold((one.answer,), (one.start,)) if one.answer else Gold()
            yield Passage(one.question, one.context), gold

    def fits(self, reader: Texts, row: Passage) -> bool:
        return leaves_room(reader, row.question)


def answerable(targets: Array) -> NDArray[np.bool_]:
    """(rows,) whether there is an answer."""
    return np.array([bool(gold.texts) for gold in targets], bool)


def sureness(answers: Spans, targets: Array, language: str) -> Reliability:
    """Bins of the chance that what is said is right, be it an answer or nothing, and how often it is."""
    pairs = zip(answers.found, answers.said, strict=True)
    sure = [one.probability if own.text else one.silence for one, own in pairs]
    right = [
        scores_of.exact_match(text, gold.texts, language)
        for text, gold in zip(answers.texts, targets, strict=True)
    ]
    return Reliability.of(np.array(sure), np.array(right, bool), 15)
