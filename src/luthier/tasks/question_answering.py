"""Extractive question answering: a question and a text, and the part of the text that answers it, if one does."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn import functional

from luthier.batches.examples import Batch, Examples
from luthier.batches.passages import END, START, Gold, Passage
from luthier.batches.text_examples import TextExamples
from luthier.data.answer_places import answers_of, located
from luthier.data.columns import ColumnGuess, names_there, normal
from luthier.data.split import key_of
from luthier.data.table import Ints, Table
from luthier.errors import DataError, did_you_mean, listing
from luthier.scores import answers as scores_of
from luthier.scores.calibration import fit_platt_per_label
from luthier.scores.classification import expected_calibration_error, reliability
from luthier.scores.intervals import (
    Difference,
    Estimate,
    bootstrap,
    mean_of,
    paired_bootstrap,
    proportion,
)
from luthier.tasks.classification import FEWEST_TO_CALIBRATE, bins_of
from luthier.tasks.kind import Columns, Kind, Roles, Understood, Wishes
from luthier.tasks.labelled import refuse_nothing_left
from luthier.tasks.metric import chosen_metric
from luthier.tasks.task import Array, Calibration, Loss, Model, Task
from luthier.tasks.texts import has_content

NAME = "question-answering"
METRICS = ("f1", "exact_match")
CONTEXT_NAMES = ("context", "passage", "paragraph", "document", "article", "text")
QUESTION_NAMES = ("question", "query", "questions")
ANSWER_NAMES = ("answers", "answer", "answer_text", "label")
BEST_ENDS = 20
"""Of each window, the likeliest beginnings and ends that are combined."""
LONGEST_ANSWER = 60
"""Tokens: longer spans are not considered."""
FAR = 1e4
"""Margin of a row for which there is no span at all."""


@dataclass(frozen=True)
class Found:
    """The best answer of a row, whether it is given or not."""

    text: str
    start: int
    end: int
    margin: float
    """Score of 'no answer' less that of the answer: the higher, the rather there is none."""
    lead: float
    """Score of the answer less that of the next best, or of 'no answer'."""
    probability: float


@dataclass(frozen=True)
class Said:
    """What is answered: an empty text where nothing is."""

    text: str = ""
    start: int = -1
    end: int = -1


@dataclass(frozen=True)
class QuestionAnswering(Task):
    """A row is a question with a text. Units are tokens: logits are (tokens, 2), of beginning and ending there.

    Targets are (rows,) objects, each a Gold; `probabilities` (rows,) each a Found, answers (rows,) each a Said.
    """

    metric: str = "f1"
    language: str = "en"

    name: ClassVar[str] = NAME  # type: ignore[misc]
    reads: ClassVar[str] = "question"  # type: ignore[misc]
    outputs: ClassVar[int] = 2  # type: ignore[misc]
    head: ClassVar[str] = "spans"
    probed: ClassVar[bool] = False
    usual: ClassVar[str] = "nothing"
    answer: ClassVar[str] = "answer"
    long: ClassVar[str] = "windows"

    def loss(self, model: Model, batch: Batch) -> Loss:
        """Mean of two cross-entropies, of where the answer begins and ends, over the tokens that could be either."""
        assert batch.marks is not None, "tokens are marked"
        logits = model(batch).masked_fill((batch.marks < 0).unsqueeze(-1), -torch.inf)
        total = logits.new_zeros(())
        for at, bit in enumerate((START, END)):
            wanted = ((batch.marks > 0) & (batch.marks & bit > 0)).float().argmax(dim=1)
            total = total + functional.cross_entropy(logits[..., at], wanted, reduction="sum") / 2
        return Loss(total, len(batch.marks))

    def mean_loss(self, logits: Array, examples: Examples) -> float:
        assert isinstance(examples, TextExamples), "questions are texts"
        assert examples.tokens is not None, "tokens answer"
        marks, total = examples.tokens.marks, 0.0
        for begin, end in zip(examples.ends, examples.ends[1:], strict=False):
            own = marks[begin:end]
            scores = np.where(own[:, None] >= 0, logits[begin:end].astype(np.float64), -np.inf)
            scores = scores - scores.max(axis=0)
            logs = scores - np.log(np.exp(scores).sum(axis=0))
            for at, bit in enumerate((START, END)):
                total -= float(logs[int(((own > 0) & (own & bit > 0)).argmax()), at]) / 2
        return total / max(1, len(examples.ends) - 1)

    def to_learn(self, targets: Array) -> Array:
        raise NotImplementedError("no linear head on frozen features answers questions")

    def usual_logits(self, targets: Array, examples: Examples) -> Array:
        """No answer anywhere: every window points at its first token."""
        assert isinstance(examples, TextExamples), "questions are texts"
        found = np.full((examples.units, 2), -10.0, np.float32)
        found[examples.ends[:-1]] = 10.0
        return found

    def calibrate(self, logits: Array, examples: Examples) -> Calibration:
        """A line from the lead of the best answer to its chance of being right, word for word (Platt 1999)."""
        if len(examples) < FEWEST_TO_CALIBRATE:
            return Calibration()
        found = self.probabilities(logits, Calibration(), examples)
        right = [
            scores_of.exact_match(one.text, gold.texts, self.language)
            for one, gold in zip(found, examples.targets, strict=True)
        ]
        leads = np.array([[one.lead] for one in found])
        platt = fit_platt_per_label(leads, np.array(right)[:, None])
        return Calibration(scale=platt.scale, bias=platt.bias)

    def with_thresholds(self, calibration: Calibration, logits: Array, examples: Examples) -> Calibration:
        """The margin from which on nothing is answered, best on these rows (SQuAD 2.0's evaluate-v2.0.py)."""
        if len(examples) == 0:
            return calibration
        found = self.probabilities(logits, calibration, examples)
        golds = [gold.texts for gold in examples.targets]
        answerable = np.array([bool(texts) for texts in golds])
        if answerable.all():
            threshold = FAR
        else:
            f1 = scores_of.per_row([one.text for one in found], golds, self.language)[:, 1]
            margins = np.array([one.margin for one in found])
            threshold, _ = scores_of.best_threshold(margins, f1, answerable)
        return Calibration(calibration.temperature, calibration.scale, calibration.bias, (threshold,))

    def probabilities(
        self, logits: Array, calibration: Calibration, examples: Examples | None = None
    ) -> Array:
        """(rows,) the best answer of each row, in whatever window it stands."""
        assert examples is not None, "tokens are answered row by row"
        assert examples.unit_ends is not None, "tokens are units"
        assert examples.sources is not None, "rows know where their tokens stand"
        scale, bias = (calibration.scale or (1.0,))[0], (calibration.bias or (0.0,))[0]
        found = np.empty(len(examples), object)
        ends = examples.unit_ends
        for row, passage in enumerate(examples.sources):
            found[row] = best_answer(passage, logits[ends[row] : ends[row + 1]], scale, bias)
        return found

    def predicted(
        self, probabilities: Array, calibration: Calibration, examples: Examples | None = None
    ) -> Array:
        threshold = calibration.thresholds[0] if calibration.thresholds else 0.0
        said = np.empty(len(probabilities), object)
        said[:] = [
            Said(one.text, one.start, one.end) if one.text and one.margin <= threshold else Said()
            for one in probabilities
        ]
        return said

    def per_row(self, predicted: Array, targets: Array) -> Array:
        """(rows, 2) exact match and F1."""
        texts, golds = [one.text for one in predicted], [gold.texts for gold in targets]
        return scores_of.per_row(texts, golds, self.language)

    def of_metric(self, predicted: Array, targets: Array) -> Array:
        """(rows,) the metric of each row."""
        found: Array = self.per_row(predicted, targets)[:, METRICS[::-1].index(self.metric)]
        return found

    def score(self, predicted: Array, targets: Array) -> float:
        return float(self.of_metric(predicted, targets).mean())

    def scores(
        self, probabilities: Array, predicted: Array, targets: Array, seed: int
    ) -> dict[str, Estimate]:
        exact, f1 = self.per_row(predicted, targets).T
        found = {
            "f1": bootstrap(mean_of(f1), len(f1), seed=seed),
            "exact_match": proportion(exact, seed=seed),
        }
        answerable = np.array([bool(gold.texts) for gold in targets])
        if answerable.any() and not answerable.all():
            found["answerable_f1"] = bootstrap(mean_of(f1[answerable]), int(answerable.sum()), seed=seed)
            found["unanswerable_accuracy"] = proportion(exact[~answerable], seed=seed)
        return found

    def trust(
        self, plain: Array, calibrated: Array, targets: Array, calibration: Calibration
    ) -> dict[str, Any]:
        before, after = (sureness(found, targets, self.language) for found in (plain, calibrated))
        return {
            "calibration": {
                "scale": list(calibration.scale),
                "threshold": list(calibration.thresholds),
                "ece_before": expected_calibration_error(*before),
                "ece_after": expected_calibration_error(*after),
                "of": "answers, if one is given",
            },
            "reliability": {
                "before": bins_of(reliability(*before, 15)),
                "after": bins_of(reliability(*after, 15)),
            },
        }

    def details(self, probabilities: Array, predicted: Array, targets: Array) -> dict[str, Any]:
        exact, f1 = self.per_row(predicted, targets).T
        answerable = np.array([bool(gold.texts) for gold in targets])
        silent = np.array([not one.text for one in predicted])
        return {
            "answers": {
                "right": int((exact > 0).sum()),
                "partly": int(((exact == 0) & (f1 > 0)).sum()),
                "wrong": int(((f1 == 0) & ~silent).sum()),
                "silent_though_answerable": int((silent & answerable).sum()),
                "answered_though_unanswerable": int((~silent & ~answerable).sum()),
                "unanswerable": int((~answerable).sum()),
            }
        }

    def difference(self, ours: Array, theirs: Array, targets: Array, seed: int) -> Difference:
        return paired_bootstrap(*(self.of_metric(said, targets) for said in (ours, theirs)), seed=seed)

    def answers(
        self, probabilities: Array, predicted: Array, sources: Sequence[Any] = ()
    ) -> list[dict[str, Any]]:
        return [
            {
                "answer": said.text,
                "start": said.start if said.text else None,
                "end": said.end if said.text else None,
                "probability": round(found.probability if said.text else 1 - found.probability, 6),
            }
            for found, said in zip(probabilities, predicted, strict=True)
        ]

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return [list(gold.texts) for gold in targets]

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "reads": self.reads, "metric": self.metric, "language": self.language}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "QuestionAnswering":
        return QuestionAnswering(str(record["metric"]), str(record["language"]))


def best_answer(passage: Passage, logits: Array, scale: float, bias: float) -> Found:
    """The span with the highest sum of its two logits over all windows, and the lowest score of 'no answer' in any.

    As in the reference implementation for SQuAD 2.0 (Devlin et al. 2019, section 4.3). logits: (tokens, 2) of a row.
    """
    spans: dict[tuple[int, int], float] = {}
    null = np.inf
    for begin, end in zip(passage.parts, passage.parts[1:], strict=False):
        own, places = logits[begin:end].astype(np.float64), passage.places[begin:end]
        null = min(null, float(own[0].sum()))
        inside = np.flatnonzero(places[:, 1] > places[:, 0])
        if not len(inside):
            continue
        first, last = (inside[np.argsort(-own[inside, at], kind="stable")[:BEST_ENDS]] for at in (0, 1))
        ways = own[first, 0][:, None] + own[last, 1][None, :]
        tokens = last[None, :] - first[:, None]
        ways = np.where((tokens >= 0) & (tokens < LONGEST_ANSWER), ways, -np.inf)
        for at in np.argsort(-ways, axis=None, kind="stable")[:2]:
            one, two = np.unravel_index(at, ways.shape)
            if np.isfinite(ways[one, two]):
                key = int(places[first[one], 0]), int(places[last[two], 1])
                spans[key] = max(spans.get(key, -np.inf), float(ways[one, two]))
    ranked = sorted(spans.items(), key=lambda pair: -pair[1])
    if not ranked:
        return Found("", -1, -1, FAR, 0.0, 0.0)
    (start, stop), score = ranked[0]
    rival = max(ranked[1][1] if len(ranked) > 1 else -np.inf, null)
    lead = score - rival
    chance = 1 / (1 + np.exp(-np.clip(scale * lead + bias, -60, 60)))
    return Found(passage.context[start:stop], start, stop, null - score, lead, float(chance))


def sureness(found: Array, targets: Array, language: str) -> tuple[Array, Array]:
    """(rows, 2) chances that the best answer is wrong or right, and (rows,) which it is."""
    chance = np.array([one.probability for one in found])
    right = [
        scores_of.exact_match(one.text, gold.texts, language)
        for one, gold in zip(found, targets, strict=True)
    ]
    return np.stack([1 - chance, chance], axis=1), np.array(right).astype(np.int64)


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    """Text, question and answers, by name or as asked."""
    there = {normal(name): name for name in table.names}
    known = {"text": CONTEXT_NAMES, "question": QUESTION_NAMES, "label": ANSWER_NAMES}
    columns, reasons = {}, {}
    for role, names in known.items():
        named = asked[role]
        if named is not None and named not in table.names:
            raise DataError(
                f"{table.files[0]}: there is no column {named!r}.{did_you_mean(named, table.names)} "
                f"Columns: {listing(table.names)}. Name one with --{role} COLUMN."
            )
        found = named or next((there[name] for name in names if name in there), None)
        if found is None:
            what = {"text": "text to answer from", "question": "question", "label": "answers"}[role]
            raise DataError(
                f"{table.files[0]}: no column looks like the {what}: none of {listing(names, 6)}. Name it with --{role} COLUMN. "
                f"Columns: {listing(table.names)}."
            )
        columns[role] = found
        reasons[role] = f"column {found!r}, {'as named.' if named else 'by its name'}"
    return ColumnGuess(columns, reasons)


def asks_questions(table: Table) -> bool:
    """Whether there are texts, questions and answers, by their names."""
    there = names_there(table, "text")
    all_names = {normal(name) for name in table.names}
    return (
        any(name in there for name in CONTEXT_NAMES[:5])
        and any(name in there for name in QUESTION_NAMES)
        and any(name in all_names for name in ANSWER_NAMES[:3])
    )


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    text, question, label = columns["text"], columns["question"], columns["label"]
    has_text, has_question = has_content(table, text), has_content(table, question)
    refuse_nothing_left(table, {"text": (text, has_text), "question": (question, has_question)})
    has_input = has_text & has_question
    repairs: dict[str, list[int]] = defaultdict(list)
    golds: dict[int, Gold] = {}
    lost = []
    contexts = table.texts(text)
    for row, value in enumerate(table.values(label)):
        if not has_input[row]:
            continue
        try:
            asked = answers_of(value)
        except ValueError as error:
            raise DataError(
                f"{table.place(row)}: column {label!r}: {str(error).rstrip('.')}. Correct the row, or name another column with "
                "--label."
            ) from None
        found = located(contexts[row], asked)
        for what in found.notes:
            repairs[what].append(row)
        if asked.texts and not found.texts:
            lost.append(row)
        else:
            golds[row] = Gold(found.texts, found.starts)
    usable = np.array(sorted(golds), np.int64)
    task = QuestionAnswering(chosen_metric(wishes.metric, METRICS, NAME), wishes.language)

    def targets(rows: Ints) -> Array:
        made = np.empty(len(rows), object)
        made[:] = [golds[row] for row in rows.tolist()]
        return made

    questions = table.texts(question)
    answerable = np.zeros(len(table), np.int64)
    for row, gold in golds.items():
        answerable[row] = bool(gold.texts)
    given = [" ".join(golds[row].texts) if row in golds else "" for row in range(len(table))]
    return Understood(
        task=task,
        usable=usable,
        empty_input=np.flatnonzero(~has_input),
        empty_label=np.array(lost, np.int64),
        strata=answerable,
        keys=np.array(
            [key_of(f"{one} | {two}") for one, two in zip(questions, contexts, strict=True)], np.int64
        ),
        label_sets=np.array([key_of(one) for one in given], np.int64),
        targets=targets,
        groups=(np.array([key_of(one) for one in contexts], np.int64),),
        repairs={what: np.array(rows, np.int64) for what, rows in repairs.items()},
    )


def inputs(table: Table, columns: Columns, rows: Ints | None, task: Task) -> list[Any]:
    questions, contexts = table.texts(columns["question"], rows), table.texts(columns["text"], rows)
    return [Passage(question, context) for question, context in zip(questions, contexts, strict=True)]


def given(values: Sequence[Any], task: Task) -> list[Any]:
    """Pairs of question and text, or objects that have both, as a caller of `predict` hands them over."""
    found = []
    for at, one in enumerate(values):
        pair = (one.get("question"), one.get("context")) if isinstance(one, dict) else one
        if (
            not isinstance(pair, tuple | list)
            or len(pair) != 2
            or not all(isinstance(text, str) for text in pair)
        ):
            raise DataError(
                f"row {at}: {one!r} is not a question with its text. Give (question, text), or an object with `question` and "
                "`context`."
            )
        found.append(Passage(*pair))
    return found


def shown(table: Table, columns: Columns) -> list[str]:
    """The questions."""
    return table.texts(columns["question"])


CONTEXT = (
    "The workshop in Cremona was opened in 1667. It has two rooms, and its varnish is kept in the cellar."
)

QUESTION_ANSWERING = Kind(
    name=NAME,
    example=(
        {"context": CONTEXT, "question": "When was the workshop opened?",
         "answers": {"text": ["1667"], "answer_start": [38]}},
        {"context": CONTEXT, "question": "Where is the varnish kept?",
         "answers": {"text": ["in the cellar"], "answer_start": [86]}},
        {"context": CONTEXT, "question": "Who plays the cello?", "answers": {"text": [], "answer_start": []}},
    ),
    roles=("text", "question", "label"),
    find=find,
    understand=understand,
    inputs=inputs,
    given=given,
    restore=QuestionAnswering.from_json,
    shown=shown,
)  # fmt: skip
