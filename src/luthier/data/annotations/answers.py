"""Questions with answers in their text: answers in cells, beside their starts, and questions inside of their texts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from luthier.data.annotations.answer_places import answers_of
from luthier.data.annotations.cells import BROKEN, filled, is_nested, objects, replaced, sniffed, without
from luthier.data.annotations.expanding import expanded
from luthier.data.annotations.telling import named, remade
from luthier.data.column_names import normal
from luthier.data.formats.squad import SCHEMA, Seen, asked
from luthier.data.table import Table
from luthier.errors import DataError

ANSWERS = SCHEMA.field("answers").type
CONTEXTS = ("context", "passage", "paragraph", "document", "article", "text")
QUESTIONS = ("question", "query")
TEXTS = ("answers_text", "answer_text", "answer", "answers", "text")
STARTS = ("answers_answer_start", "answer_start", "answer_answer_start", "answers_start", "start")
"""Names of columns, in order of preference."""
JUDGED = ("answer", "answers", "label", "final_decision")
YES_OR_NO = (frozenset(("yes", "no")), frozenset(("true", "false")), frozenset(("1", "0")))
UNDECIDED = frozenset(("maybe", "unknown", "unanswerable"))
"""Answers that are no parts of a text, but judgements of it."""
SEEN = 500
"""The most rows whose answers are looked for in their texts."""


def questions_inside(table: Table) -> Table | None:
    """Rows that hold paragraphs, or a text with its `qas`: a row for each question."""
    name = next(
        (name for name in ("paragraphs", "qas") if name in table.names and is_nested(table, name)), None
    )
    if name is None or '"question"' not in str(table.columns.schema.field(name).type).replace(
        "question:", '"question"'
    ):
        return None
    if name == "qas" and "context" not in table.names:
        return None
    seen = Seen(table.files[0])
    rows, found = [], []
    for row, own in enumerate(rows_of(table, name)):
        article = own if name == "paragraphs" else {"title": own.get("title"), "paragraphs": [own]}
        for title, context, question in asked({"data": [article]}, seen):
            seen.questions += 1
            with seen.noting(f"question {seen.questions}"):
                found.append(seen.row(title, context, question))
                rows.append(row)
    seen.refuse_faults()
    table = expanded(table, rows)
    for column in SCHEMA.names:
        table = replaced(table, column, [one[column] for one in found], SCHEMA.field(column).type)
    table = without(table, name)
    table = replace(table, guesses=(*table.guesses, *seen.guesses()))
    return as_questions(table, "context", "question", "answers")


def rows_of(table: Table, name: str) -> list[dict[str, Any]]:
    wanted = [column for column in ("title", "context", name) if column in table.names]
    values = [table.values(column) for column in wanted]
    return [dict(zip(wanted, own, strict=True)) for own in zip(*values, strict=True)]


def answers(table: Table) -> Table | None:
    """Answers with their starts in one column, whether they stand as text in cells or in columns side by side."""
    context, question = (column_of(table, names) for names in (CONTEXTS, QUESTIONS))
    if context is None or question is None or table.layout.task not in (None, "question-answering"):
        return None
    judged = next((name for name in JUDGED if name in table.names and says_yes_or_no(table, name)), None)
    if judged is not None:
        columns = {"text": question, "text2": context, "label": judged}
        why = f"{judged!r} says yes or no to {question!r} by {context!r}"
        return named(
            replace(table, layout=replace(table.layout, task=None)), "pair-classification", why, columns
        )
    whole = next(
        (name for name in ("answers", "answer") if name in table.names and holds_answers(table, name)), None
    )
    if whole is not None:
        if is_nested(table, whole):
            return None
        values = objects(table, whole, "answers")
        if stand_elsewhere(table, context, values):
            return None
        return as_questions(with_answers(table, whole, values), context, question, whole)
    texts, starts = column_of(table, TEXTS, besides=context), column_of(table, STARTS)
    if texts is None or starts is None:
        return None
    pairs = zip(cells(table, texts), cells(table, starts), strict=True)
    table = with_answers(table, "answers", [beside(text, start) for text, start in pairs])
    return as_questions(table, context, question, "answers")


def says_yes_or_no(table: Table, name: str) -> bool:
    """Whether all answers of a column are yes or no, true or false, or noughts and ones, and both are there."""
    if is_nested(table, name):
        return False
    said = {str(value).strip().casefold() for value in filled(table, name)}
    return any(len(said & pair) == 2 and said <= pair | UNDECIDED for pair in YES_OR_NO)


def column_of(table: Table, names: Sequence[str], besides: str | None = None) -> str | None:
    there = {normal(name): name for name in table.names if name != besides}
    return next((there[name] for name in names if name in there), None)


def holds_answers(table: Table, name: str) -> bool:
    """Whether a column holds answers as objects or lists, in cells or as such."""
    found = strange = 0
    for value in sniffed(table, name):
        try:
            found += isinstance(value, dict | list) and bool(answers_of(value).texts)
        except ValueError:
            strange += 1
    return found > 0 and strange <= BROKEN * found


def stand_elsewhere(table: Table, context: str, values: Sequence[Any]) -> bool:
    """Whether most of some lists of texts are not in the texts asked about, as lists of answers to choose from."""
    rows = [row for row, value in enumerate(values) if value][:SEEN]
    own = [values[row] for row in rows]
    if not all(isinstance(value, list) and all(isinstance(text, str) for text in value) for value in own):
        return False
    contexts = [content.casefold() for content in table.texts(context, rows)]
    there = [
        text.casefold() in content for texts, content in zip(own, contexts, strict=True) for text in texts
    ]
    return sum(there) < len(there) / 2


def cells(table: Table, name: str) -> list[Any]:
    """Values of a column, with lists that are written as text read as lists."""
    return objects(table, name, "answers") if sniffed(table, name) else table.values(name)


def beside(texts: Any, starts: Any) -> Any:
    """An answer and its start; a start alone, or one below 0, is no answer."""
    blank = texts is None or (isinstance(texts, str) and not texts.strip())
    if blank or starts in ("", "-1", -1):
        return None if blank else {"text": texts}
    return {"text": texts, "answer_start": starts}


def with_answers(table: Table, name: str, values: Sequence[Any]) -> Table:
    """The table with answers in a column, as SQuAD has them. Raises DataError for a row that holds none."""
    found = []
    for row, value in enumerate(values):
        try:
            own = answers_of(value)
        except ValueError as error:
            raise DataError(
                f"{table.place(row)}: column {name!r}: {str(error).rstrip('.')}. Correct the row, or name another column with "
                "--label."
            ) from None
        found.append({"text": list(own.texts), "answer_start": starts_of(own.starts)})
    return remade(replaced(table, name, found, ANSWERS))


def starts_of(starts: Sequence[int | None]) -> list[int] | None:
    """The starts of a row's answers; None where not every answer has one."""
    return (
        None if any(start is None for start in starts) else [start for start in starts if start is not None]
    )


def as_questions(table: Table, context: str, question: str, label: str) -> Table:
    columns: Mapping[str, str] = {"text": context, "question": question, "label": label}
    return named(table, "question-answering", "its rows are questions with answers in a text", columns)
