"""Extractive question answering: a question and a text, and the part of the text that answers it, if one does."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.passages import Gold
from luthier.data.annotations.answer_places import answers_of, located
from luthier.data.column_names import normal
from luthier.data.columns import ColumnGuess, must_exist, names_there
from luthier.data.row_facts import KnownAnswers, Unusable
from luthier.data.split import key_of
from luthier.data.table import Table
from luthier.errors import DataError, listing
from luthier.forms.form import Columns
from luthier.models.hub.tuned_head import SPANS, TunedHead
from luthier.scores.metrics import judging
from luthier.tasks.classification.labelled import refuse_nothing_left
from luthier.tasks.kind import Finished, Kind, KindParts, Roles, Understood, Wishes
from luthier.tasks.metric import chosen_metric
from luthier.tasks.question_answering.task import NAME, QuestionAnswering
from luthier.tasks.texts import has_content

CONTEXT_NAMES = ("context", "passage", "paragraph", "document", "article", "text")
QUESTION_NAMES = ("question", "query", "questions")
ANSWER_NAMES = ("answers", "answer", "answer_text", "label")


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    """Text, question and answers, by name or as asked."""
    there = {normal(name): name for name in table.names}
    known = {"text": CONTEXT_NAMES, "question": QUESTION_NAMES, "label": ANSWER_NAMES}
    columns, reasons = {}, {}
    for role, names in known.items():
        named = asked[role]
        if named is not None:
            must_exist(table, named, role)
        found = named or next((there[name] for name in names if name in there), None)
        if found is None:
            what = {"text": "text to answer from", "question": "question", "label": "answers"}[role]
            raise DataError(
                f"{table.files[0]}: no column looks like the {what}: none of {listing(names, 6)}. Name it with --{role} COLUMN. "
                f"Columns: {listing(table.names)}."
            )
        columns[role] = found
        reasons[role] = f"column {found!r}, {'as named' if named else 'by its name'}"
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
    task = QuestionAnswering(chosen_metric(wishes.metric, judging(NAME), NAME), wishes.language)
    if isinstance(wishes.finished, QuestionAnswering):
        task = wishes.finished

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
        unusable=Unusable(np.flatnonzero(~has_input), np.array(lost, np.int64)),
        answers=KnownAnswers(
            label_sets=np.array([key_of(one) for one in given], np.int64),
            strata=answerable,
            strata_names=("have no answer", "have an answer"),
        ),
        keys=np.array(
            [key_of(f"{one} | {two}") for one, two in zip(questions, contexts, strict=True)], np.int64
        ),
        targets=targets,
        groups=(np.array([key_of(one) for one in contexts], np.int64),),
        groups_by=("questions on one text",),
        repairs={what: np.array(rows, np.int64) for what, rows in repairs.items()},
    )


def of_head(head: TunedHead) -> Finished | None:
    return Finished(QuestionAnswering()) if head.kind == SPANS else None


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
    forms=("question",),
    find=find,
    understand=understand,
    restore=QuestionAnswering.from_json,
    parts=KindParts(warms_up=True),
)  # fmt: skip
