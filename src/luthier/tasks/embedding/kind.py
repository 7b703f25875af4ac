"""Embedding: texts become vectors whose nearness means what the rows say it means."""

from collections.abc import Mapping

import numpy as np

from luthier.arrays import Array, Ints
from luthier.data.column_names import normal
from luthier.data.column_numbers import holds_numbers
from luthier.data.columns import ColumnGuess, guess_by_name, guess_text_and_label, names_there
from luthier.data.known_names import SCORE_NAMES
from luthier.data.row_facts import KnownAnswers, Unusable
from luthier.data.split import key_of
from luthier.data.table import Table
from luthier.data.text_pairs import guess_pair, pair_by_name
from luthier.errors import DataError
from luthier.forms import FORMS
from luthier.forms.form import Columns
from luthier.models.hub.tuned_head import VECTORS, TunedHead
from luthier.scores.metrics import judging
from luthier.tasks.classification.label_column import read_labels, without_single_labels
from luthier.tasks.classification.labelled import refuse_nothing_left, refuse_useless_labels
from luthier.tasks.embedding.task import NAME, REPORTED, Embedding
from luthier.tasks.kind import Finished, Kind, Roles, Understood, Wishes
from luthier.tasks.metric import chosen_metric
from luthier.tasks.number_column import equal_numbers, numbers, strata_of
from luthier.tasks.texts import has_content

ANCHOR_NAMES = (
    "anchor",
    "query",
    "question",
    "text",
    "sentence1",
    "text1",
    "sent0",
    "sentence0",
    "sentence_0",
)
POSITIVE_NAMES = (
    *("positive", "pos", "document", "passage", "answer", "sentence2", "text2"),
    *("sent1", "sentence_1", "positive_passage", "positive_text"),
)
NEGATIVE_NAMES = ("negative", "neg", "hard_negative", "hard_neg", "negative_passage", "negative_text")

TRIPLET = 3
"""Number of columns of texts in a triplet."""


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    """Two texts and a score, two that belong together and perhaps one that does not, or a text with a label."""
    there = names_there(table, "text")
    sure = POSITIVE_NAMES if is_triplet(table) else POSITIVE_NAMES[:2]
    positive = asked["text2"] or next((there[name] for name in sure if name in there), None)
    if positive is not None and asked["label"] is None and not names_a_score(table):
        known = {"text": ANCHOR_NAMES, "text2": POSITIVE_NAMES}
        negative = asked["negative"] or next((there[name] for name in NEGATIVE_NAMES if name in there), None)
        if negative is not None:
            known["negative"] = NEGATIVE_NAMES
        found = guess_by_name(table, asked, known)
        return ColumnGuess(found.columns, found.reasons)
    if pair_by_name(table) is not None or asked["text2"] is not None:
        if score_column(table) or asked["label"] is not None:
            return guess_pair(table, asked, SCORE_NAMES)
        pair = pair_by_name(table) or ("", "")
        return guess_by_name(table, asked, {"text": (normal(pair[0]),), "text2": (normal(pair[1]),)})
    return guess_text_and_label(table, asked["text"], asked["label"])


def names_a_score(table: Table) -> bool:
    """Whether beside an anchor and a positive there is a column of many numbers."""
    there = names_there(table, "label")
    return any(name in there and holds_numbers(table, there[name]) for name in SCORE_NAMES)


def score_column(table: Table) -> bool:
    """Whether a column is named as scores are, and holds numbers. Raises DataError where it holds something else."""
    there = names_there(table, "label")
    name = next((there[name] for name in SCORE_NAMES if name in there), None)
    if name is None:
        return False
    values = [value for value in table.values(name) if value not in (None, "")]
    if all(is_number(value) for value in values):
        return True
    raise DataError(
        f"{table.files[0]}: column {name!r} holds {values[0]!r}, and two texts a row are learnt from with a number, or as "
        "belonging together. Name a column of numbers with --label, or leave this one out of the file."
    )


def is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def belongs_together(table: Table) -> bool:
    """Whether there are an anchor and a positive, by their names."""
    there = names_there(table, "text")
    if any(name in there for name in ("anchor", "query")) and "positive" in there:
        return True
    return is_triplet(table)


def is_triplet(table: Table) -> bool:
    """Whether beside two texts there is one that does not belong to them, by their names, and nothing else to learn."""
    there = names_there(table, "text")
    return all(
        any(name in there for name in names) for names in (ANCHOR_NAMES, POSITIVE_NAMES, NEGATIVE_NAMES)
    ) and (len(set(there.values())) == len(table.names) == TRIPLET)


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    read = {
        role: (name, has_content(table, name))
        for role, name in columns.items()
        if role in ("text", "text2", "negative")
    }
    has_input = np.logical_and.reduce([there for _, there in read.values()])
    if wishes.finished is not None:  # which reads an empty text too
        has_input = np.ones(len(table), bool)
    keys = np.array([key_of(" | ".join(row)) for row in FORMS["texts"].inputs(table, columns)], np.int64)
    rows = len(table)
    everything = np.ones(rows, bool)
    groups: tuple[Ints, ...] = ()
    ends = 0.0, 1.0
    names: tuple[tuple[str, ...], ...] = ()
    if "label" not in columns:
        refuse_nothing_left(table, read)
        second = np.array([key_of(text) for text in table.texts(columns["text2"])], np.int64)
        values: Array = np.unique(second, return_inverse=True)[1]
        goal, has_label, strata = "pairs", everything, np.zeros(rows, np.int64)
        sets, groups = values, (second,)
        single = np.zeros(0, np.int64)
        usable = np.flatnonzero(has_input)
        made = values.astype(np.int64)
    elif "text2" in columns:
        values = numbers(table, columns["label"], wishes.decimal).values
        has_label = np.isfinite(values)
        refuse_nothing_left(table, {**read, "label": (columns["label"], has_label)})
        goal = "scores"
        own = values[roles.rows(np.flatnonzero(has_input & has_label), "train")]
        if len(own) and own.min() < own.max():
            ends = float(own.min()), float(own.max())
        usable = np.flatnonzero(has_input & has_label)
        strata, sets = strata_of(values, usable), equal_numbers(values)
        single = np.zeros(0, np.int64)
        made = values.astype(np.float32)
    else:
        labels = read_labels(table.values(columns["label"]), "one")
        has_label = labels.there
        refuse_nothing_left(table, {**read, "label": (columns["label"], has_label)})
        usable, single = np.flatnonzero(has_input & has_label), np.zeros(0, np.int64)
        if wishes.finished is None:
            usable, single = without_single_labels(usable, labels, roles.of)
            refuse_useless_labels(table, columns["label"], usable, single, labels, roles)
        goal, strata, sets, names = "labels", labels.set_of, labels.set_of, labels.sets
        made = labels.set_of.astype(np.int64)
    told = REPORTED[goal]
    known = [metric for metric in judging(NAME) if metric in told]
    return Understood(
        task=Embedding(goal, chosen_metric(wishes.metric, known, NAME), *ends),
        usable=usable,
        unusable=Unusable(np.flatnonzero(~has_input), np.flatnonzero(has_input & ~has_label), single),
        answers=KnownAnswers(sets, strata, names),
        keys=keys,
        targets=lambda chosen: made[chosen],
        groups=groups,
        groups_by=("rows with one second text",) * len(groups),
    )


def of_head(head: TunedHead) -> Finished | None:
    """Vectors, judged by what the rows say of them: scores, pairs or labels."""
    return Finished(Embedding("pairs", REPORTED["pairs"][0])) if head.kind == VECTORS else None


EMBEDDING = Kind(
    name=NAME,
    example=(
        {"query": "cracked neck", "positive": "A crack runs through the neck."},
        {"query": "parcel on Monday", "positive": "It was delivered on the first day of the week."},
        {"query": "stays in tune", "positive": "The strings hold their pitch for weeks."},
    ),
    forms=("texts",),
    find=find,
    understand=understand,
    restore=Embedding.from_json,
)
