"""Which task a table is for, by its columns."""

from collections.abc import Mapping

import pyarrow as pa

from luthier.data.column_names import normal
from luthier.data.columns import SCORE_NAMES, guess_text_and_label, holds_numbers, names_there, pair_by_name
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.tasks import TASKS
from luthier.tasks.embedding import belongs_together
from luthier.tasks.image_classification import image_column
from luthier.tasks.kind import Kind
from luthier.tasks.question_answering import asks_questions
from luthier.tasks.token_classification import (
    SPAN_NAMES,
    TAG_NAMES,
    TOKEN_NAMES,
    holds_lists,
    holds_spans,
)

CONVERSATIONS = ("messages", "conversations", "conversation", "dialogue", "dialog")
"""Names of columns of turns, each with who speaks and what is said."""


def guess_kind(table: Table, asked: Mapping[str, str | None]) -> tuple[Kind, str]:
    """The task and why. asked: columns by role, where the user named them."""
    layout = table.layout
    if layout.task is not None:
        return TASKS[layout.task], layout.why
    if asked["image"] is not None or (asked["text"] is None and image_column(table) is not None):
        return TASKS["image-classification"], "images with labels"
    if asks_questions(table):
        return TASKS["question-answering"], "texts, questions and answers"
    if marks_words(table):
        return TASKS["token-classification"], "words with tags, or a text with spans"
    if belongs_together(table):
        return TASKS["embedding"], "an anchor and a positive"
    refuse_conversations(table)
    pair = pair_by_name(table)
    if asked["text2"] is not None or (asked["text"] is None and pair is not None):
        two = [asked["text"], asked["text2"]] if asked["text2"] else list(pair or ())
        texts = " and ".join(repr(name) for name in two if name)
        label = asked["label"] or by_name(table)
        if label is not None and holds_numbers(table, label):
            return TASKS["regression"], f"two texts, {texts}, and numbers in {label!r}"
        return TASKS["pair-classification"], f"two texts, {texts}, and a label"
    own = layout.columns
    label = guess_text_and_label(
        table, asked["text"] or own.get("text"), asked["label"] or own.get("label")
    ).label
    if label in table.names and holds_numbers(table, label):
        return TASKS["regression"], f"numbers in {label!r}, of many values"
    return TASKS["text-classification"], "a text and a label"


def refuse_conversations(table: Table) -> None:
    """Rows that no task here learns from are told by what they are, rather than by a column that they lack."""
    names = {normal(name): name for name in table.names}
    conversations = next((names[name] for name in CONVERSATIONS if name in names), None)
    if conversations is not None and pa.types.is_list(table.columns.schema.field(conversations).type):
        found = f"column {conversations!r} holds conversations"
    elif {"chosen", "rejected"} <= names.keys():
        found = "columns 'chosen' and 'rejected' hold answers that are preferred to others"
    else:
        return
    raise DataError(
        f"{table.files[0]}: {found}, which no task here learns from yet. Tasks: {', '.join(TASKS)}. Name one with --task, and "
        "its columns."
    )


def marks_words(table: Table) -> bool:
    """Whether there are lists of words with tags, or lists of spans."""
    there = {normal(name): name for name in table.names}
    tokens = [there[name] for name in TOKEN_NAMES if name in there and holds_lists(table, there[name])]
    spans = [there[name] for name in SPAN_NAMES if name in there and holds_spans(table, there[name])]
    return bool(spans or (tokens and any(name in there for name in TAG_NAMES)))


def by_name(table: Table) -> str | None:
    """The column that is named as numbers to be learnt are."""
    there = names_there(table, "label")
    return next((there[name] for name in SCORE_NAMES if name in there), None)
