"""Exports of Argilla 2: records with what people answered to each question, beside what a model suggested.

Either as records with `fields`, `responses` and `suggestions`, or as a table with `label.responses`, `label.suggestion`.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from luthier.data.annotations.cells import is_text, objects, replaced, without
from luthier.data.annotations.setting_aside import with_set_aside
from luthier.data.annotations.spans import holds_spans
from luthier.data.annotations.telling import named, noted, remade
from luthier.data.table import Table
from luthier.errors import DataError, counted, listing

STATES = {"completed", "pending", "discarded"}
"""The states that a record can have."""
ANSWERED = (None, "submitted")
"""States of a response that counts; others are `draft` and `discarded`."""
RESPONSES, SUGGESTION = ".responses", ".suggestion"
"""Endings of the names of a table's columns of responses and of suggestions."""

Given = list[Mapping[str, Any]]
"""The responses to one question of one record, each with its `value` and its `status`."""


def argilla_2(table: Table) -> Table | None:
    """Records with the answers of people as what is learnt; what is not answered, or answered differently, is set aside."""
    states = table.values("status") if "status" in table.names and is_text(table, "status") else None
    if states is not None and not set(states) <= STATES:
        return None
    questions = of_records(table) if {"fields", "responses"} <= set(table.names) else of_columns(table)
    if questions is None or (states is None and "fields" in table.names):
        return None
    if not questions:
        raise DataError(
            f"{table.files[0]}: is Argilla's export of records to which nobody has answered: 'responses' is empty in every one. "
            "Export a dataset whose records are annotated."
        )
    gone = [name for name in table.names if is_of_answers(name)]
    table = remade(without(table, *gone))
    counts = {name: sum(map(bool, given)) for name, given in questions.items()}
    best = max(counts, key=lambda name: counts[name])
    for name, given in questions.items():
        found = [
            answer_of(own, state) for own, state in zip(given, states or [None] * len(given), strict=True)
        ]
        column = name if name not in table.names else f"{name} (answered)"
        table = replaced(table, column, [value for value, _ in found])
        if name == best:
            table = with_set_aside(table, {row: why for row, (_, why) in enumerate(found) if why}, [])
            label = column
    if len(questions) > 1:
        others = listing([name for name in questions if name != best])
        table = noted(
            table,
            f"of {counted(len(questions), 'question')} {best!r} is learnt; --label names another: {others}.",
        )
    task = "token-classification" if holds_spans(table, label) else None
    return named(table, task, "it holds the answers in Argilla's export", {"label": label})


def is_of_answers(name: str) -> bool:
    """Whether a column holds answers of people or models, or the names of who gave them.

    >>> is_of_answers("label.responses.users"), is_of_answers("suggestions"), is_of_answers("text")
    (True, True, False)
    """
    return name in ("responses", "suggestions") or RESPONSES in name or SUGGESTION in name


def of_records(table: Table) -> dict[str, list[Given]] | None:
    """The responses by question, a list for each record; None where they have another form."""
    records = objects(table, "responses", "responses")
    if not all(record is None or isinstance(record, dict) for record in records):
        return None
    names = dict.fromkeys(name for record in records for name, given in (record or {}).items() if given)
    questions = {name: [(record or {}).get(name) or [] for record in records] for name in names}
    whole = all(
        isinstance(given, list) and all(isinstance(one, dict) and "value" in one for one in given)
        for column in questions.values()
        for given in column
    )
    return questions if whole else None


def of_columns(table: Table) -> dict[str, list[Given]] | None:
    """The responses by question, from columns of lists, `label.responses` and `label.responses.status`."""
    columns = [name for name in table.names if name.endswith(RESPONSES)]
    if not columns:
        return None
    questions = {}
    for column in columns:
        values = objects(table, column, "responses")
        status = f"{column}.status"
        states = objects(table, status, "states") if status in table.names else [None] * len(values)
        if not all(value is None or isinstance(value, list) for value in (*values, *states)):
            return None
        questions[column.removesuffix(RESPONSES)] = [
            paired(own or [], state or []) for own, state in zip(values, states, strict=True)
        ]
    return {name: given for name, given in questions.items() if any(given)}


def paired(values: Sequence[Any], states: Sequence[Any]) -> Given:
    known = [*states, *[None] * (len(values) - len(states))]
    return [{"value": value, "status": state} for value, state in zip(values, known, strict=False)]


def answer_of(given: Given, state: str | None) -> tuple[Any, str | None]:
    """What most annotators answered to a question, or else why the record is not used.

    >>> answer_of([{"value": "a"}, {"value": "a"}, {"value": "b"}], "completed")
    ('a', None)
    >>> answer_of([{"value": "a"}, {"value": "b"}], "completed")
    (None, 'annotators disagree')
    """
    answers = [one["value"] for one in given if one.get("status") in ANSWERED and one["value"] is not None]
    if state == "discarded" or (not answers and any(one.get("status") == "discarded" for one in given)):
        return None, "discarded"
    if not answers or state == "pending":
        return None, "not completed" if answers else "not answered"
    counts = Counter(json.dumps(answer, sort_keys=True) for answer in answers).most_common(2)
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        return None, "annotators disagree"
    return json.loads(counts[0][0]), None
